"""The meters that hang or hung where an account is or was supplied, and what is theirs of each: its own time only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from accounts.models import CustomerAccount
from energy_portal.shared.clock import Period
from meters.models import Binding, ChainEvent, Installation, Meter, Register, RegisterReading
from meters.selectors.flows import ALWAYS, as_period
from meters.selectors.reading_lists import ReadingList

READINGS_SHOWN = 48
EVENTS_SHOWN = 60


@dataclass(frozen=True)
class Hung:
    """A stretch in which a meter counted for an account at a place; ``since`` or ``until`` None: no end is known."""

    meter: Meter
    service_point_code: str
    address: str
    period: Period
    now: datetime

    @property
    def since(self) -> datetime | None:
        """When it began."""
        return None if self.period.start == ALWAYS.start else self.period.start

    @property
    def until(self) -> datetime | None:
        """When it ended, or will end."""
        return None if self.period.end == ALWAYS.end else self.period.end

    @property
    def counts_now(self) -> bool:
        """Whether it counts for the account at present."""
        return self.period.contains(self.now)


@dataclass(frozen=True)
class Happening:
    """Something that happened at an instant, with what each register showed then."""

    at: datetime
    kind: str
    service_point_code: str
    reads: tuple[tuple[Register, Decimal], ...]


@dataclass(frozen=True)
class OwnMeter:
    """A meter as an account's people see it: when it counted for them, what happened, and its newest readings."""

    meter: Meter
    stays: tuple[Hung, ...]
    happenings: tuple[Happening, ...]
    readings: tuple[tuple[Register, tuple[RegisterReading, ...]], ...]


def meters_of_account(*, account: CustomerAccount, now: datetime) -> list[Hung]:
    """Return the stays of meters that counted for an account, those that count now first, in two queries."""
    bindings = list(
        Binding.objects.filter(account=account)
        .select_related("service_point__premises")
        .order_by("service_point__code")
    )
    installations: dict[object, list[Installation]] = defaultdict(list)
    hung = Installation.objects.filter(service_point__in={binding.service_point_id for binding in bindings})
    for installation in hung.select_related("meter"):
        installations[installation.service_point_id].append(installation)
    found = [
        Hung(installation.meter, binding.service_point.code, binding.service_point.premises.address, period, now)
        for binding in bindings
        for installation in installations[binding.service_point_id]
        if (period := as_period(installation.valid).intersect(as_period(binding.valid))) is not None
    ]
    return sorted(found, key=lambda each: (not each.counts_now, -each.period.end.timestamp(), each.meter.serial))


def meter_of_account(*, account: CustomerAccount, serial: str, now: datetime) -> OwnMeter | None:
    """Return what is an account's of a meter; None where it never counted for it."""
    stays = tuple(each for each in meters_of_account(account=account, now=now) if each.meter.serial == serial)
    if not stays:
        return None
    meter = stays[0].meter
    periods = sorted(each.period for each in stays)
    registers = list(meter.registers.order_by("-direction", "code"))
    return OwnMeter(
        meter=meter,
        stays=stays,
        happenings=_happenings(meter, account, periods),
        readings=tuple(
            (register, tuple(ReadingList(register).within(periods).page(limit=READINGS_SHOWN)))
            for register in registers
        ),
    )


def _happenings(meter: Meter, account: CustomerAccount, periods: Sequence[Period]) -> tuple[Happening, ...]:
    """Return what happened to a meter's registers in periods, newest first; of moves, the account's own."""
    within = Q()
    for period in periods:
        within |= Q(at__range=(period.start, period.end))
    # A move is told once a register, of whoever it was: that of the one before or after is not theirs to see.
    own = Q(account=None) | Q(account=account)
    events = ChainEvent.objects.filter(within, own, register__meter=meter).select_related("register", "service_point")
    told: dict[tuple[datetime, str, str], list[tuple[Register, Decimal]]] = defaultdict(list)
    for event in events.order_by("-at", "kind", "register__code")[:EVENTS_SHOWN]:
        reads = told[event.at, event.kind, event.service_point.code]
        if event.register is not None and event.value is not None:
            reads.append((event.register, event.value))
    return tuple(Happening(at, kind, code, tuple(reads)) for (at, kind, code), reads in told.items())
