"""Send the demo households' readings through the door, in the order of time, with what happened on the way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.services.customers import create_account
from energy_portal.management.demo.cast import Cast, Household
from meters.models import Meter, Register, ServicePoint
from meters.services import chain
from meters.services.readings import OfferedReading, receive_readings
from meters.services.registration import Registration, register_account

BATCH_READINGS = 10_000
_AFTER_THE_MARK = timedelta(minutes=17)
_NEW_DIAL = Decimal("4.200")


@dataclass(frozen=True)
class Script:
    """The cast, who speaks in the portal's name, and the clock."""

    cast: Cast
    manager: Actor
    head_end: Actor
    now: datetime


def register_households(script: Script) -> None:
    """Register every household's account and meter, supplied since the first mark."""
    for household in script.cast.households:
        registration = Registration(
            account_number=household.number,
            owner_name=household.owner_name,
            meter_serials=(household.serial,),
            email=household.email,
            address=household.address,
            zone=script.cast.zone.key,
            family_members=household.family,
            supplied_since=script.cast.marks[0],
        )
        register_account(registration=registration, actor=script.manager, now=script.now)


def replay(script: Script, *, advance: Callable[[int], None]) -> None:
    """Send all readings in batches, and let each event happen between the readings around it.

    :param advance: told how many readings were sent.
    """
    events = sorted(_events(script), key=lambda event: event.mark)
    sender = _Sender(script, advance)
    for event in events:
        sender.send_until(event.mark)
        event.happen(sender)
    sender.send_until(len(script.cast.marks))
    _resend(script)


def reading_count(cast: Cast) -> int:
    """Return how many readings a replay sends, but for those that are sent again."""
    return sum(int(household.arrives().sum()) for household in cast.households)


@dataclass(frozen=True)
class _Event:
    """Something that happens after the reading at ``mark - 1`` and before the one at ``mark``."""

    mark: int
    happen: Callable[["_Sender"], None]


class _Sender:
    """Sends what every meter showed, mark by mark, up to wherever it is asked to."""

    def __init__(self, script: Script, advance: Callable[[int], None]) -> None:
        self.script = script
        self.serials = {household.number: household.serial for household in script.cast.households}
        self.offsets = {household.number: Decimal(0) for household in script.cast.households}
        self._arrives = [household.arrives() for household in script.cast.households]
        self._advance = advance
        self._reached = 0

    def send_until(self, mark: int) -> None:
        """Send what is due before a mark."""
        batch: list[OfferedReading] = []
        for position in range(self._reached, mark):
            batch += self._shown_at(position)
            if len(batch) >= BATCH_READINGS:
                self._send(batch)
                batch = []
        self._send(batch)
        self._reached = max(self._reached, mark)

    def _shown_at(self, position: int) -> Iterator[OfferedReading]:
        at = self.script.cast.marks[position]
        for household, arrives in zip(self.script.cast.households, self._arrives, strict=True):
            if arrives[position]:
                value = household.shown(position) - self.offsets[household.number]
                yield OfferedReading(self.serials[household.number], at, value)

    def _send(self, batch: Sequence[OfferedReading]) -> None:
        if not batch:
            return
        report = receive_readings(readings=batch, actor=self.script.head_end, now=self.script.now)
        if report.stored != len(batch):
            raise RuntimeError(f"The door kept {report.stored} of {len(batch)} readings: {report.rejected[:3]}.")
        self._advance(len(batch))


def _events(script: Script) -> Iterator[_Event]:
    for household in script.cast.households:
        if household.exchanged_at is not None:
            yield _Event(household.exchanged_at + 1, _exchange(household, household.exchanged_at))
        if household.new_tenant_at is not None:
            yield _Event(household.new_tenant_at + 1, _new_tenant(household, household.new_tenant_at))


def _exchange(household: Household, mark: int) -> Callable[[_Sender], None]:
    """Exchange the meter 17 minutes after a mark, half of the half-hour's energy used."""

    def happen(sender: _Sender) -> None:
        script = sender.script
        old = Register.objects.get(meter__serial=household.serial)
        last = (household.shown(mark) + household.shown(mark + 1)) / 2
        new = Meter.objects.create(serial=f"{household.serial}-B", address=household.address)
        register = Register.objects.create(meter=new, digits=old.digits, decimals=old.decimals)
        chain.exchange_meter(
            service_point=_place_of(household),
            last_reads={old.pk: last},
            new_meter=new,
            first_reads={register.pk: _NEW_DIAL},
            at=script.cast.marks[mark] + _AFTER_THE_MARK,
            actor=script.manager,
            now=script.now,
        )
        sender.serials[household.number] = new.serial
        sender.offsets[household.number] = (last - _NEW_DIAL).quantize(Decimal("0.001"))

    return happen


def _new_tenant(household: Household, mark: int) -> Callable[[_Sender], None]:
    """Move the account out and another one in, at a mark."""

    def happen(sender: _Sender) -> None:
        script = sender.script
        place, at = _place_of(household), script.cast.marks[mark]
        chain.move_out(
            account=CustomerAccount.objects.get(number=household.number),
            service_point=place,
            at=at,
            actor=script.manager,
            now=script.now,
        )
        tenant = create_account(
            number=f"{household.number}-N",
            owner_name="Melissa Koh",
            email="melissa.koh@example.org",
            address=household.address,
            zone=script.cast.zone.key,
            family_members=(("Koh Wei Jie", "brother"),),
            status=CustomerAccount.Status.ACTIVE,
            actor=script.manager,
            now=script.now,
        )
        chain.move_in(account=tenant, service_point=place, at=at, actor=script.manager, now=script.now)

    return happen


def _place_of(household: Household) -> ServicePoint:
    return ServicePoint.objects.get(installations__meter__serial=household.serial)


def _resend(script: Script) -> None:
    """Send a day again, and one value that differs: duplicates pass unseen, the conflict waits for a manager."""
    marks = script.cast.marks
    day = range(max(0, len(marks) - 5 * 48), max(0, len(marks) - 4 * 48))
    for household in script.cast.households:
        if not household.resends or not day:
            continue
        rows = [OfferedReading(household.serial, marks[position], household.shown(position)) for position in day]
        middle = len(rows) // 2
        wrong = OfferedReading(household.serial, marks[day[middle]], household.shown(day[middle]) + Decimal("1.5"))
        receive_readings(readings=[*rows, wrong], actor=script.head_end, now=script.now)
