"""What the half-hours of gaps are estimated at: their neighbours and like days, gathered for many at once."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from django.conf import settings

from energy_portal.shared.clock import HALF_HOUR, local_day
from meters.consumption import ESTIMATES, LONGEST_LINEAR_GAP, growth
from meters.estimation import (
    NO_LIKE_DAYS,
    Estimated,
    LikeDays,
    NotEstimable,
    Standing,
    days_to_look_at,
    estimate_dial,
    estimate_intervals,
)
from meters.models import ChainEvent, Quality, ReadingException, Register, Severity
from meters.selectors.gaps import Gap
from meters.store import Window
from meters.store.gaps import REACH, readings_to_neighbours

_FURTHEST_ANCHOR = timedelta(days=1)
_TOTALS = {Register.Direction.IMPORT: "1.8.0", Register.Direction.EXPORT: "2.8.0"}
_HOLDS = (Severity.REJECT, Severity.QUARANTINE)


@dataclass(frozen=True)
class GapEstimate:
    """What a gap's marks are estimated at, or why they are not."""

    gap: Gap
    estimates: tuple[Estimated, ...] = ()
    refusal: NotEstimable | None = None


@dataclass
class _Known:
    """What is known of a register: true values by their instants, and those instants that failed a check."""

    values: dict[datetime, Decimal] = field(default_factory=dict)
    opening: dict[datetime, Decimal] = field(default_factory=dict)
    closing: dict[datetime, Decimal] = field(default_factory=dict)
    failed: set[datetime] = field(default_factory=set)

    def during(self, gap: Gap) -> dict[datetime, Decimal]:
        """Return the values of a gap's stay in the order of time; a chain event's goes before telemetry."""
        stay = gap.hung.stay
        found = {time: value for time, value in self.values.items() if stay.start <= time <= stay.end}
        found |= {time: value for time, value in self.opening.items() if stay.start <= time < stay.end}
        found |= {time: value for time, value in self.closing.items() if stay.start < time <= stay.end}
        return dict(sorted(found.items()))


def estimates_of(gaps: Sequence[Gap]) -> list[GapEstimate]:
    """Estimate gaps, each by itself; the number of queries does not depend on how many they are.

    A value in quarantine or under an open exception that holds it back, or one of questionable quality, anchors
    nothing: the next sound one does, at most a day away.
    """
    dials = _dials_beside(gaps)
    known: dict[int, _Known] = defaultdict(_Known)
    _learn(known, [window for gap in gaps for window in _around(gap, dials.get(gap.register_id))])
    days = [_days(gap, known[gap.register_id]) for gap in gaps]
    _learn(known, [window for gap, wanted in zip(gaps, days, strict=True) for window in _of_days(gap, wanted)])
    return [_estimate(gap, wanted, known, dials.get(gap.register_id)) for gap, wanted in zip(gaps, days, strict=True)]


def _around(gap: Gap, dial: Register | None) -> list[Window]:
    around = [Window(gap.register_id, gap.start - _FURTHEST_ANCHOR, gap.until + _FURTHEST_ANCHOR)]
    if dial is not None:
        around += (Window(dial.pk, mark, mark) for mark in (gap.start, *_last_mark(gap)))
    return around


def _days(gap: Gap, known: _Known) -> list[date]:
    """Return the days that a gap may take after; none where a line between its ends does."""
    longest = LONGEST_LINEAR_GAP if gap.hung.is_dial else LONGEST_LINEAR_GAP + HALF_HOUR
    if gap.end is not None and gap.end - gap.start <= longest and not known.failed & {gap.start, gap.end}:
        return []
    return days_to_look_at(gap.start, gap.until, gap.hung.zone, settings.SITE_HOLIDAYS)


def _of_days(gap: Gap, days: Iterable[date]) -> list[Window]:
    periods = (local_day(day, gap.hung.zone) for day in days)
    return [Window(gap.register_id, period.start, period.end) for period in periods]


def _dials_beside(gaps: Iterable[Gap]) -> dict[int, Register]:
    """Return the dial that counts what an interval register measures, where its meter has one."""
    measured = {gap.register_id: gap.hung.register for gap in gaps if not gap.hung.is_dial}
    if not measured:
        return {}
    dials: dict[UUID, list[Register]] = defaultdict(list)
    for dial in Register.objects.filter(
        meter__in={register.meter_id for register in measured.values()}, kind=Register.Kind.CUMULATIVE
    ):
        dials[dial.meter_id].append(dial)
    found = {}
    for register_id, register in measured.items():
        beside = [
            dial
            for dial in dials[register.meter_id]
            if (dial.direction, dial.unit) == (register.direction, register.unit)
        ]
        total = [dial for dial in beside if dial.code == _TOTALS[Register.Direction(dial.direction)]]
        chosen = total or (beside if len(beside) == 1 else [])
        if chosen:
            found[register_id] = chosen[0]
    return found


def _learn(known: Mapping[int, _Known], windows: Sequence[Window]) -> None:
    """Add what is known of registers in windows. Three queries, none without windows."""
    if not windows:
        return
    register_ids = {window.register_id for window in windows}
    for register_id, time, value, quality in readings_to_neighbours(windows):
        if quality in ESTIMATES:
            continue
        known[register_id].values[time] = value
        if quality == Quality.QUESTIONABLE:
            known[register_id].failed.add(time)
    held = ReadingException.objects.filter(
        register_id__in=register_ids,
        status=ReadingException.Status.OPEN,
        severity__in=_HOLDS,
        time__range=(min(window.low for window in windows), max(window.high for window in windows)),
    )
    for register_id, time, offered in held.order_by().values_list("register_id", "time", "offered_value"):
        # A refused value says nothing of another one that stands there since.
        if offered is None or known[register_id].values.get(time) == offered:
            known[register_id].failed.add(time)
    events = ChainEvent.objects.filter(register_id__in=register_ids, value__isnull=False).order_by("at", "recorded_at")
    for register_id, at, kind, value in events.values_list("register_id", "at", "kind", "value"):
        if value is not None:
            of_kind = known[register_id].closing if kind == ChainEvent.Kind.REMOVED else known[register_id].opening
            of_kind[at] = value


def _last_mark(gap: Gap) -> list[datetime]:
    """Return the end of a gap's last half-hour, of an interval register."""
    return sorted((*gap.missing, *gap.estimated))[-1:]


def _estimate(gap: Gap, days: Sequence[date], known: Mapping[int, _Known], dial: Register | None) -> GapEstimate:
    of_register = known[gap.register_id]
    values = of_register.during(gap)
    if gap.until - gap.start > REACH:
        return GapEstimate(gap, refusal=NotEstimable(f"More than {REACH.days} days are missing.", code="gap_too_long"))
    try:
        like_days = _like_days(gap, days, values, of_register.failed)
        if gap.hung.is_dial:
            found = _of_dial(gap, values, of_register.failed, like_days)
        else:
            total = _counted(gap, dial, known) if dial else None
            found = _of_intervals(gap, values, of_register.failed, like_days, total)
    except NotEstimable as refusal:
        return GapEstimate(gap, refusal=refusal)
    wanted = {*gap.missing, *gap.estimated}
    return GapEstimate(gap, tuple(each for each in found if each.time in wanted))


def _like_days(
    gap: Gap, days: Sequence[date], values: Mapping[datetime, Decimal], failed: Iterable[datetime]
) -> LikeDays:
    if not days:
        return NO_LIKE_DAYS
    sound = {time: value for time, value in values.items() if time not in set(failed)}
    if gap.hung.is_dial:
        modulus = gap.hung.register.modulus
        sound = {
            later: growth(sound[earlier], sound[later], modulus)
            for earlier, later in pairwise(sound)
            if later - earlier == HALF_HOUR
        }
    return LikeDays(sound, days=days, zone=gap.hung.zone, holidays=settings.SITE_HOLIDAYS)


def _of_dial(
    gap: Gap, values: Mapping[datetime, Decimal], failed: set[datetime], like_days: LikeDays
) -> list[Estimated]:
    times = list(values)
    first = bisect_right(times, gap.start) - 1
    while first >= 0 and times[first] in failed:
        first -= 1
    last = bisect_left(times, gap.end) if gap.end else len(times) - 1
    while gap.end and last < len(times) and times[last] in failed:
        last += 1
    if (
        first < 0
        or gap.start - times[first] > _FURTHEST_ANCHOR
        or (gap.end and (last == len(times) or times[last] - gap.end > _FURTHEST_ANCHOR))
    ):
        raise NotEstimable("Decide first on the values beside it that failed a check.", code="failed_neighbours")
    register = gap.hung.register
    return estimate_dial(
        reads=[Standing(time, values[time]) for time in times[first : last + 1]],
        until=None if gap.end else gap.until,
        like_days=like_days,
        zone=gap.hung.zone,
        modulus=register.modulus,
        decimals=register.decimals,
    )


def _of_intervals(
    gap: Gap,
    values: Mapping[datetime, Decimal],
    failed: set[datetime],
    like_days: LikeDays,
    total: Decimal | None,
) -> list[Estimated]:
    def sound(mark: datetime | None) -> Decimal | None:
        return None if mark is None or mark in failed else values.get(mark)

    return estimate_intervals(
        edges=[gap.start, *sorted((*gap.missing, *gap.estimated))],
        neighbours=(sound(gap.start), sound(gap.end)),
        total=total,
        end_known=gap.end is not None,
        like_days=like_days,
        decimals=gap.hung.register.decimals,
    )


def _counted(gap: Gap, dial: Register, known: Mapping[int, _Known]) -> Decimal | None:
    """Return what a dial counted over a gap of the interval register beside it, in that register's unit."""
    of_dial = known[dial.pk]
    values = of_dial.during(gap)
    ends = (gap.start, *_last_mark(gap))
    if not all(mark in values and mark not in of_dial.failed for mark in ends):
        return None
    counted = growth(values[ends[0]], values[ends[-1]], dial.modulus)
    return counted * dial.multiplier / gap.hung.register.multiplier
