"""Corrections: the only way in which a true value changes. What stood is kept, and what moved is told."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.clock import HALF_HOUR, Period, YearMonth, is_half_hour_mark, local_day, local_month
from energy_portal.shared.errors import Invalid
from meters import store
from meters.models import Correction, Quality, Register, RegisterReading, SupersededReading
from meters.selectors.archive import require_unarchived
from meters.selectors.consumption import meter_consumption, meter_zone
from meters.selectors.rules import rule_book
from meters.services.entering import Change, replace_readings
from meters.services.exceptions import reason_of
from meters.services.openings import rollover
from meters.services.registry import Rules, targets_of
from meters.services.screening import latest_accepted
from meters.services.standing import standing_around
from meters.validation import History, Known, parse_value, plain

MOST_DAYS_TOLD = 62
_DAY = timedelta(days=1)


class _Told(NamedTuple):
    """What is known of a day or a month."""

    kind: str
    period: Period
    quantity: Decimal | None
    unit: str


class NothingToCorrect(Invalid):
    """What should stand does stand."""

    code = "nothing_to_correct"


class CannotStand(Invalid):
    """A corrected value is one that the register cannot have shown then."""

    code = "cannot_stand"


@transaction.atomic
def correct_reading(
    *,
    register: Register,
    time: datetime,
    value: Decimal | None,
    reason: str,
    actor: Actor,
    now: datetime,
    quality: int = Quality.EDITED,
) -> Correction:
    """Let another value stand at a half-hour's end, or none, and list the days and months whose energy moved.

    A dial's value must fit between its neighbours, as any reading must.

    :param value: in the register's unit, before its multiplier; None withdraws what stands.
    :raises NoReason: it is not said why.
    :raises NothingToCorrect: it stands already, or nothing stands that could be withdrawn.
    :raises CannotStand: the register cannot have shown it then.
    """
    why = reason_of(reason)
    if not is_half_hour_mark(time) or time > latest_accepted(now):
        raise CannotStand("A correction is of a half-hour that has ended: it names :00 or :30.")
    around = _lock(register, [time])
    if value is not None:
        value = _judged(register, Known(time, parse_value(value)), around, now)
    stood = RegisterReading.objects.filter(register=register, time=time).first()
    if (stood is None and value is None) or (stood is not None and (stood.value, stood.quality) == (value, quality)):
        raise NothingToCorrect("It stands so already.")
    change = Change(register.pk, time, value, quality)
    return _correct(register, [change], around, why, actor, now)


@transaction.atomic
def withdraw_readings(
    *, register: Register, times: Iterable[datetime], reason: str, actor: Actor, now: datetime
) -> Correction | None:
    """Take back what stands at some instants of a register, in one correction; None where nothing does.

    The correction names the first of them; the superseded readings name it in turn.

    :raises NoReason: it is not said why.
    """
    why = reason_of(reason)
    asked = sorted(set(times))
    if not asked:
        return None
    around = _lock(register, asked)
    held = RegisterReading.objects.filter(register=register, time__in=asked).order_by("time")
    changes = [Change(register.pk, time, None, Quality.EDITED) for time in held.values_list("time", flat=True)]
    return _correct(register, changes, around, why, actor, now) if changes else None


def _lock(register: Register, times: Sequence[datetime]) -> list[Known]:
    """Lock a register, and return what is true of it around some instants.

    :raises InArchive: a month lies in the archive: it must be restored first.
    """
    require_unarchived(times)
    store.add_states([register.pk])
    states = store.lock_states([register.pk])
    return standing_around({register.pk: list(times)}, states)[register.pk].true


def _judged(register: Register, offered: Known, around: Sequence[Known], now: datetime) -> Decimal:
    if register.kind != Register.Kind.CUMULATIVE:
        return offered.value
    if not 0 <= offered.value < register.modulus:
        raise CannotStand(f"{register} shows values from 0 to below {register.modulus}.")
    target = targets_of([register.pk], rules=Rules(rule_book()), now=now)[register.pk]
    history = History(target.dial, [known for known in around if known.key != offered.key])
    try:
        turned = history.check(offered.time, offered.value)
    except Invalid as error:
        raise CannotStand(error.detail) from error
    if turned is not None:
        rollover(register_id=register.pk, time=turned, value=offered.value, source=None, now=now).save()
    return offered.value


def _correct(
    register: Register, changes: Sequence[Change], around: Sequence[Known], why: str, actor: Actor, now: datetime
) -> Correction:
    times = [change.time for change in changes]
    stretch = _stretch(times, around)
    told = list(_told(register, stretch, now))
    correction = Correction.objects.create(
        register=register, time=times[0], reason=why, made_at=now, made_by=actor.user, source=actor.source
    )
    withdrawn = all(change.value is None for change in changes)
    replaced = replace_readings(
        changes=changes,
        reason=SupersededReading.Reason.WITHDRAWN if withdrawn else SupersededReading.Reason.CORRECTION,
        actor=actor,
        now=now,
        correction=correction,
    )
    if replaced:
        first = replaced[0]
        correction.old_value, correction.old_quality = first.old_value, first.old_quality
        correction.new_value, correction.new_quality = first.new_value, first.new_quality
    correction.touched = _touched(told, list(_told(register, stretch, now)))
    correction.save()
    audit.record(
        action="reading.withdrawn" if withdrawn else "reading.corrected",
        obj=correction,
        actor=actor,
        now=now,
        meter=register.meter.serial,
        register=register.code,
        time=times[0],
        readings=len(replaced),
        old_value=correction.old_value,
        new_value=correction.new_value,
        reason=why,
    )
    return correction


def _stretch(times: Sequence[datetime], around: Sequence[Known]) -> Period:
    """Return the stretch whose energy may move: from the neighbour before to the neighbour after."""
    low = max((known.time for known in around if known.time < times[0]), default=times[0] - HALF_HOUR)
    high = min((known.time for known in around if known.time > times[-1]), default=times[-1])
    return Period(min(low, times[0] - HALF_HOUR), high)


def _told(register: Register, stretch: Period, now: datetime) -> Iterator[_Told]:
    """Yield the local days and months that overlap a stretch, with what is known of their energy."""
    zone = meter_zone(meter=register.meter)
    first = stretch.start.astimezone(zone).date()
    last = (stretch.end - timedelta(microseconds=1)).astimezone(zone).date()
    days = [first + step * _DAY for step in range(min((last - first).days + 1, MOST_DAYS_TOLD))]
    periods = [("days", local_day(day, zone)) for day in days]
    periods += [("months", local_month(month, zone)) for month in _months(first, last)]
    for kind, period in periods:
        found = meter_consumption(
            meter=register.meter, period=period, granularity=None, now=now, zone=zone, direction=register.direction
        )
        yield _Told(kind, period, found.quantity, found.unit)


def _months(first: date, last: date) -> Iterator[YearMonth]:
    month = YearMonth.of(first)
    while month <= YearMonth.of(last):
        yield month
        month = month.next()


def _touched(before: Sequence[_Told], after: Sequence[_Told]) -> dict[str, Any]:
    """List the days and months whose energy moved, as the model says."""
    touched: dict[str, Any] = {"unit": before[0].unit, "days": [], "months": []}
    for old, new in zip(before, after, strict=True):
        if old.quantity != new.quantity:
            touched[old.kind].append(
                {
                    "from": old.period.start.isoformat(),
                    "to": old.period.end.isoformat(),
                    "before": None if old.quantity is None else plain(old.quantity),
                    "after": None if new.quantity is None else plain(new.quantity),
                }
            )
    return touched
