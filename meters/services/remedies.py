"""What a person may do about an exception; each act is one transaction, closes it once, and is audited.

A value that *waits* has not entered: it enters, or it does not. A *conflict* is about which of two values stands. What
merely was *flagged* stands, and stays unless it is estimated instead.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from energy_portal.shared.clock import HALF_HOUR, floor_half_hour, half_hours
from energy_portal.shared.errors import Conflict
from meters.consumption import ESTIMATES
from meters.models import (
    Installation,
    Meter,
    Quality,
    ReadingException,
    Register,
    RuleCode,
    SupersededReading,
)
from meters.selectors.readings import readings_for
from meters.services.chain import exchange_meter
from meters.services.corrections import NothingToCorrect, correct_reading, withdraw_readings
from meters.services.entering import Change, replace_readings
from meters.services.estimating import estimate_stretch
from meters.services.exceptions import close_all, is_waiting, lock_open, reason_of
from meters.services.found_meters import could_be_serial
from meters.services.history import save_as
from meters.services.readings import OfferedReading, receive_readings
from meters.services.regions import hold_regions, place_meters
from meters.services.screening import latest_accepted
from meters.store import Window

# What a person may let pass who looked at a value; what makes no sense of it at all stays refused.
OVERRIDABLE = frozenset(code.value for code in (RuleCode.OVER_CAPACITY, RuleCode.HIGH, RuleCode.LOW, RuleCode.SPIKE))
_NOT_ABOUT_ENERGY = frozenset({"archived", RuleCode.ROLLOVER, RuleCode.CLOCK_DRIFT})
_MISSING = frozenset({RuleCode.GAP, RuleCode.PROLONGED_ESTIMATION})
_Status = ReadingException.Status


class NotARemedy(Conflict):
    """This cannot be done about an exception of this kind."""

    code = "not_a_remedy"


class CannotEnter(Conflict):
    """A value still cannot enter, whatever somebody decides."""

    code = "cannot_enter"


class CannotEstimate(Conflict):
    """Too little is known around a stretch to estimate it."""

    code = "cannot_estimate"


@transaction.atomic
def accept(*, exception_id: UUID, note: str, actor: Actor, now: datetime) -> ReadingException:
    """Say that it is so: a waiting value enters, in a conflict the offered value stands, a flag is settled.

    :raises ReadingException.DoesNotExist: there is no such exception.
    :raises AlreadyClosed: somebody was faster.
    :raises NoReason: it is not said why.
    :raises NotARemedy: a dial ran backwards: it turned over or was exchanged.
    :raises CannotEnter: the value does not fit what stands, for another reason than the one it waits for.
    """
    reason = reason_of(note)
    exception, others = lock_open(exception_id)
    if is_waiting(exception):
        if any(each.code == RuleCode.REGRESSION for each in (exception, *others)):
            raise NotARemedy("A dial does not run backwards: say whether it turned over or the meter was exchanged.")
        _enter(exception, actor, now)
    elif exception.code == RuleCode.CONFLICT:
        _let_offered_stand(exception, reason, actor, now)
    close_all((exception, *others), status=_Status.ACCEPTED, reason=reason, actor=actor, now=now)
    return exception


@transaction.atomic
def reject(*, exception_id: UUID, note: str, actor: Actor, now: datetime) -> ReadingException:
    """Say that it is not so: the offered value never enters, what stands is right. No reading moves by it.

    :raises ReadingException.DoesNotExist: there is no such exception.
    :raises AlreadyClosed: somebody was faster.
    :raises NoReason: it is not said why.
    """
    reason = reason_of(note)
    exception, others = lock_open(exception_id)
    close_all((exception, *others), status=_Status.REJECTED, reason=reason, actor=actor, now=now)
    return exception


@transaction.atomic
def estimate_instead(*, exception_id: UUID, note: str, actor: Actor, now: datetime) -> ReadingException:
    """Trust neither: what waits does not enter, what stands is withdrawn, and the stretch is estimated.

    Of a dial's stretch both ends stay, so that what it counted in all is only spread anew.

    :raises ReadingException.DoesNotExist: there is no such exception.
    :raises AlreadyClosed: somebody was faster.
    :raises NoReason: it is not said why.
    :raises NotARemedy: the month is archived, or the finding is not about readings.
    :raises CannotEstimate: too little is known around it; everything stays as it was.
    """
    reason = reason_of(note)
    exception, others = lock_open(exception_id)
    if exception.code in _NOT_ABOUT_ENERGY:
        raise NotARemedy("There is nothing to estimate.")
    register = exception.register
    end = min(exception.until or exception.time, floor_half_hour(now))
    if not is_waiting(exception) and exception.code not in _MISSING:
        withdraw_readings(register=register, times=_doubted(exception, end), reason=reason, actor=actor, now=now)
    report = estimate_stretch(register=register, start=exception.time, end=end, actor=actor, now=now)
    stands = readings_for([Window(register.pk, exception.time, end)], ()).get(register.pk)
    if not report.entered and not stands:
        refusals = [gap.refusal.detail for gap in report.gaps if gap.refusal is not None]
        raise CannotEstimate(" ".join(["Too little is known around it.", *refusals[:1]]))
    close_all(
        (exception, *others),
        status=_Status.ESTIMATED,
        reason=reason,
        actor=actor,
        now=now,
        estimates=report.entered,
    )
    return exception


@transaction.atomic
def reclassify_as_rollover(*, exception_id: UUID, note: str, actor: Actor, now: datetime) -> ReadingException:
    """Say that the dial turned over: the waiting value enters, and the dial is noted to have passed zero.

    :raises ReadingException.DoesNotExist: there is no such exception.
    :raises AlreadyClosed: somebody was faster.
    :raises NoReason: it is not said why.
    :raises NotARemedy: no value of a dial waits there.
    :raises CannotEnter: the value does not fit what stands even so.
    """
    reason = reason_of(note)
    exception, others = lock_open(exception_id)
    _require_waiting_dial(exception)
    _enter(exception, actor, now, let_fall=True)
    close_all((exception, *others), status=_Status.RECLASSIFIED, reason=reason, actor=actor, now=now, as_="rollover")
    return exception


@transaction.atomic
def reclassify_as_exchange(
    *,
    exception_id: UUID,
    new_serial: str,
    at: datetime,
    last_read: Decimal,
    first_read: Decimal,
    note: str,
    actor: Actor,
    now: datetime,
) -> ReadingException:
    """Say that another meter hangs there since: it is exchanged in the chain, and what waits belongs to the new one.

    The new meter is made like the old one where nobody registered it. All values of the register that wait from ``at``
    on go to it; nothing is ever subtracted across the exchange.

    :param last_read: what the old meter showed at ``at``; ``first_read``: what the new one did.
    :raises ReadingException.DoesNotExist: there is no such exception.
    :raises AlreadyClosed: somebody was faster.
    :raises NoReason: it is not said why.
    :raises NotARemedy: no value of a dial waits there, it waits from before the exchange, or readings of the old meter
        stand after it.
    :raises NotInstalled: the old meter hangs nowhere.
    :raises MeterInUse: the new meter hangs elsewhere.
    :raises BadEvent: an instant or a read that cannot be.
    :raises CannotEnter: a waiting value does not fit the new meter.
    """
    reason = reason_of(note)
    hold_regions()
    exception, others = lock_open(exception_id)
    _require_waiting_dial(exception)
    register = exception.register
    if exception.time < at:
        raise NotARemedy("The value is of before the exchange.")
    installation = Installation.objects.select_related("service_point").filter(
        meter=register.meter_id, valid__upper_inf=True
    )
    hanging = installation.first()
    if hanging is None:
        raise NotARemedy(f"The meter {register.meter} hangs nowhere: install the new one first.")
    _clear_after(register, at, actor, now)
    new_register = _register_like(register, new_serial.strip(), actor)
    exchange_meter(
        service_point=hanging.service_point,
        last_reads={register.pk: last_read},
        new_meter=new_register.meter,
        first_reads={new_register.pk: first_read},
        at=at,
        actor=actor,
        now=now,
    )
    moved = _take_along(exception, others, new_register, at, actor, now)
    close_all(
        moved,
        status=_Status.RECLASSIFIED,
        reason=reason,
        actor=actor,
        now=now,
        as_="exchange",
        new_meter=new_register.meter.serial,
        at=at,
    )
    return exception


def _require_waiting_dial(exception: ReadingException) -> None:
    if not is_waiting(exception) or exception.register.kind != Register.Kind.CUMULATIVE:
        raise NotARemedy("Only a value of a dial that waits can be the sign of a roll-over or of an exchange.")


def _enter(
    exception: ReadingException,
    actor: Actor,
    now: datetime,
    *,
    let_fall: bool = False,
    register: Register | None = None,
) -> None:
    """Have a waiting value enter by the door, as its source sent it, at its register or at another."""
    register = register or exception.register
    overrides = OVERRIDABLE | ({RuleCode.REGRESSION.value} if let_fall else set())
    if not exception.raw_stamp:
        # It waits at its own instant, which is no mark where somebody read a dial by hand.
        overrides |= {RuleCode.OFF_MARK.value}
    report = receive_readings(
        readings=[
            OfferedReading(
                meter_id=register.meter.serial,
                # What the source wrote, where it names another instant: so its label convention applies once.
                timestamp=exception.raw_stamp or exception.time,
                value=exception.offered_value,
                register_code=register.code,
                quality=exception.offered_quality,
            )
        ],
        actor=Actor(user=actor.user, source=exception.source),
        now=now,
        overrides=overrides,
    )
    if refused := (*report.rejected, *report.conflicts, *report.quarantined):
        raise CannotEnter(refused[0].detail, extra={"reason": refused[0].code})


def _let_offered_stand(exception: ReadingException, reason: str, actor: Actor, now: datetime) -> None:
    quality = exception.offered_quality
    with suppress(NothingToCorrect):
        correct_reading(
            register=exception.register,
            time=exception.time,
            value=exception.offered_value,
            reason=reason,
            actor=actor,
            now=now,
            quality=Quality.VALIDATED if quality is None else quality,
        )


def _doubted(exception: ReadingException, end: datetime) -> Iterable[datetime]:
    """Return the marks whose values are not trusted."""
    if exception.until is None:
        return [exception.time]
    marks = list(half_hours(exception.time + HALF_HOUR, end))
    return marks if exception.register.kind == Register.Kind.CUMULATIVE else [*marks, end]


def _clear_after(register: Register, at: datetime, actor: Actor, now: datetime) -> None:
    """Take back what was estimated of a meter after it was gone.

    :raises NotARemedy: it sent readings after that.
    """
    reads = readings_for([Window(register.pk, at, max(at, latest_accepted(now)))], ())
    after = [(read.time, read.quality) for read in reads.get(register.pk, ()) if read.time > at]
    if any(quality not in ESTIMATES for _, quality in after):
        raise NotARemedy(f"Readings of the meter {register.meter} stand after {at.isoformat()}.")
    replace_readings(
        changes=[Change(register.pk, time, None, quality) for time, quality in after],
        reason=SupersededReading.Reason.WITHDRAWN,
        actor=actor,
        now=now,
    )


def _register_like(register: Register, serial: str, actor: Actor) -> Register:
    """Return the register of the new meter that counts what one of the old meter does; made where it is missing."""
    old = register.meter
    if not could_be_serial(serial) or serial == old.serial:
        raise NotARemedy("The serial of the new meter is needed.")
    meter = Meter.objects.filter(serial=serial).first()
    if meter is None:
        places = {name: getattr(old, name) for name in ("address", "location_id", "latitude", "longitude", "owner")}
        meter = Meter(serial=serial, type=old.type, priority=old.priority, **places)
        save_as(actor, meter)
        place_meters([meter.pk])
    found: Register | None = Register.objects.filter(meter=meter, code=register.code).first()
    if found is None:
        counts = {
            name: getattr(register, name) for name in ("direction", "kind", "unit", "digits", "decimals", "multiplier")
        }
        found = Register(meter=meter, code=register.code, **counts)
        save_as(actor, found)
    found.meter = meter
    return found


def _take_along(
    exception: ReadingException,
    others: Iterable[ReadingException],
    register: Register,
    at: datetime,
    actor: Actor,
    now: datetime,
) -> list[ReadingException]:
    """Have what waits of the old register from an instant on enter at the new one; return the exceptions."""
    locked = {each.pk: each for each in (exception, *others)}
    waiting = (
        ReadingException.objects.select_for_update(of=("self",))
        .select_related("register__meter", "source")
        .filter(register=exception.register_id, time__gte=at, status=_Status.OPEN, offered_value__isnull=False)
        .order_by("pk")
    )
    moved = [locked.get(each.pk, each) for each in waiting if is_waiting(each)]
    values = {(each.time, each.offered_value): each for each in moved}
    for _, each in sorted(values.items()):
        _enter(each, actor, now, register=register)
    return moved
