"""The days of registers, summed ahead: what a write of readings touched is summed anew, each time from the readings."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from energy_portal.shared.clock import HALF_HOUR, Period, local_day
from energy_portal.shared.units import round_half_up
from meters import store
from meters.consumption import LONGEST_LINEAR_GAP, Chain
from meters.models import ReadingWork
from meters.selectors.flows import RegisterStay, stays_of_registers
from meters.selectors.measuring import Question, chains_of
from meters.series.partitions import ensure_partitions
from meters.store import Window
from meters.store.days import DayRow

CHUNK_WORK = 200
# So many half-hours are read at once; one register's are never parted.
CHUNK_HALF_HOURS = 200_000
_DAY = timedelta(days=1)
_PLACES = 6
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Task:
    """A register's days during one stay that are to be summed anew, with the zone whose days they are."""

    stay: RegisterStay
    days: tuple[Period, ...]

    @property
    def question(self) -> Question:
        return Question(stays=(self.stay.stay,), instants=(self.days[0].start, self.days[-1].end), fully=True)


@transaction.atomic
def roll_up_pending(*, now: datetime, limit: int = CHUNK_WORK) -> int:
    """Sum the days anew that logged writes touched, and forget the log; one process at a time, the others do nothing.

    Each day is a local one of the place, cut to the register's stay there; a constant number of queries a call.

    :param limit: the most pieces of work that are taken; fewer are where they touch very many half-hours.
    :returns: how many were taken; none when nothing waits, or another process is at it.
    """
    if not store.days.take_turn():
        return 0
    waiting = ReadingWork.objects.filter(purpose=ReadingWork.Purpose.ROLLUP).order_by("id")
    taken = _take(list(waiting.select_for_update(skip_locked=True)[:limit]))
    if not taken:
        return 0
    spans = _spans(taken)
    tasks = list(_tasks(spans))
    rows = sorted(_rows(tasks))
    ensure_partitions(store.days.REGISTER_DAYS, [row.time for row in rows], floor=_EARLIEST, ceiling=_LATEST)
    store.days.replace_days(cleared=_cleared(spans, tasks), rows=rows, now=now)
    return len(taken)


def _take(waiting: Sequence[ReadingWork]) -> list[ReadingWork]:
    """Take work off the log, as much as fits; of a piece that is too large a part stays there."""
    room = CHUNK_HALF_HOURS
    taken: list[ReadingWork] = []
    for work in waiting:
        each = (work.high - work.low + 2 * _DAY) // HALF_HOUR
        if each * len(work.register_ids) > room:
            if not taken:
                fits = max(room // each, 1)
                taken.append(_part_of(work, fits))
            break
        room -= each * len(work.register_ids)
        taken.append(work)
    ReadingWork.objects.filter(pk__in=[work.pk for work in taken if work.pk is not None]).delete()
    return taken


def _part_of(work: ReadingWork, count: int) -> ReadingWork:
    """Return a piece of work for the first of its registers; the others stay logged."""
    now, later = work.register_ids[:count], work.register_ids[count:]
    if not later:
        return work
    work.register_ids = later
    work.save(update_fields=("register_ids",))
    return ReadingWork(register_ids=now, low=work.low, high=work.high)


def _spans(taken: Iterable[ReadingWork]) -> dict[int, list[Period]]:
    """Return by register where energy may have moved; what lies within a day of each other is joined."""
    touched: dict[int, list[Period]] = defaultdict(list)
    for work in taken:
        # What ends at an instant and what begins there are both touched.
        span = Period(work.low - LONGEST_LINEAR_GAP, work.high + LONGEST_LINEAR_GAP + timedelta(microseconds=1))
        for register_id in work.register_ids:
            touched[register_id].append(span)
    return {register_id: _joined(spans) for register_id, spans in touched.items()}


def _joined(spans: Iterable[Period]) -> list[Period]:
    joined: list[Period] = []
    for span in sorted(spans):
        if joined and span.start <= joined[-1].end + 2 * _DAY:
            joined[-1] = Period(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _tasks(spans: dict[int, list[Period]]) -> Iterator[_Task]:
    """Yield the stays whose days have to be summed anew. Two queries."""
    whole = Period(
        min(span.start for each in spans.values() for span in each) - _DAY,
        max(span.end for each in spans.values() for span in each) + _DAY,
    )
    for stay in stays_of_registers(spans, whole):
        reached: datetime | None = None
        for span in spans[stay.register_id]:
            wide = _whole_days(span, stay.zone)
            if reached is not None and wide.start < reached:
                wide = Period(reached, wide.end)
            reached = wide.end
            part = wide.intersect(stay.stay.period)
            if part is not None:
                yield _Task(stay, tuple(part.days(stay.zone)))


def _whole_days(span: Period, zone: ZoneInfo) -> Period:
    first, last = (at.astimezone(zone).date() for at in (span.start, span.end))
    return Period(local_day(first, zone).start, local_day(last, zone).end)


def _cleared(spans: dict[int, list[Period]], tasks: Iterable[_Task]) -> list[Window]:
    windows = [Window(register_id, span.start, span.end) for register_id, each in spans.items() for span in each]
    windows += (Window(task.stay.register_id, task.days[0].start, task.days[-1].end) for task in tasks)
    return windows


def _rows(tasks: Sequence[_Task]) -> Iterator[DayRow]:
    """Yield the days of which anything is known. Two queries."""
    for task, chain in zip(tasks, chains_of([task.question for task in tasks]), strict=True):
        for day in task.days:
            row = _row(task.stay.register_id, chain, day)
            if row is not None:
                yield row


def _row(register_id: int, chain: Chain, day: Period) -> DayRow | None:
    known = chain.known_within(day.start, day.end)
    if known.amount is None:
        return None
    energy = chain.between(day.start, day.end)
    return DayRow(
        register_id=register_id,
        time=day.start,
        until=day.end,
        energy=_stored(energy.amount),
        known_energy=_stored(known.amount),
        estimated_energy=round_half_up(known.estimated_amount, _PLACES),
        half_hours_known=chain.half_hours_known(day.start, day.end),
        quality=energy.quality if energy.complete else known.quality,
    )


def _stored(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else round_half_up(amount, _PLACES)
