"""How long samples stay in the database: old days go out to files, what came late goes in, coming days are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction

from accounts.actors import PORTAL, Actor
from energy_portal.shared.clock import as_utc
from meters.devices.decoding import QUANTITIES
from meters.devices.models import LateSample
from meters.devices.selectors.archive import due_days, late_days, retention_limit
from meters.devices.services.hours import roll_up_next
from meters.devices.store.archive import DAILY_SAMPLES, start_of_day
from meters.devices.store.samples import DEVICE_SAMPLES, log_touched
from meters.models import Job
from meters.series.partitions import Partition, ensure_partitions
from meters.series.writer import write
from meters.services.archive_runs import ArchiveReport, noting
from meters.services.archiving import (
    WAIT_SECONDS,
    Mover,
    PartMoved,
    PlannedPart,
    Tell,
    archive_part,
    held,
    open_parts,
    remove_unfinished,
    restore_parts,
    tell_nobody,
)
from meters.services.jobs import Running, queue_job
from meters.store.archive import count_rows

DAYS_AHEAD = 7
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_ROUNDS = 100
_COLUMNS = ("device_id", "time", *QUANTITIES, "received_at")


@dataclass(frozen=True)
class DaysReport(ArchiveReport):
    """What a run did with the days of samples, or in a dry run what it would do.

    :ivar waiting: days that are old enough, but whose hours are still to be rolled up.
    """

    waiting: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**super().as_json(), "waiting_for_rollup": list(self.waiting)}


def make_days_ahead(*, now: datetime) -> list[str]:
    """Make the partitions of today and of the coming week (UTC); return the names of those made."""
    first = start_of_day(as_utc(now).date())
    days = [first + n * _DAY for n in range(1 + DAYS_AHEAD)]
    return ensure_partitions(DEVICE_SAMPLES, days, floor=days[0], ceiling=days[-1])


def archive_days(
    *,
    actor: Actor,
    now: datetime,
    until: date | None = None,
    tell: Tell = tell_nobody,
    wait_seconds: float = WAIT_SECONDS,
) -> DaysReport:
    """Archive the days of samples that end by a date, and make the coming partitions; again, it does nothing.

    Late samples enter their day, which goes into its next revision once their hours are rolled up.

    :param until: by default what is older than the retention.
    :param tell: called at each step of each day.
    :raises ArchiveBusy: another run holds the archive for longer than ``wait_seconds``.
    :raises ArchiveDamaged: a file could not be proved, or is missing where late samples wait for its day.
    """
    limit = retention_limit(now=now, until=until)
    mover = Mover(DAILY_SAMPLES, actor, now, tell, wait_seconds)
    with held(DAILY_SAMPLES.run_lock, wait_seconds=wait_seconds):
        remove_unfinished(DAILY_SAMPLES)
        opened = open_parts(mover, _days_to_open())
        if taken_in := _take_in(now):
            _roll_up(now)
        due = due_days(now=now, limit=limit, also=opened)
        moved = tuple(archive_part(mover, partition) for partition in due.ready)
        made = make_days_ahead(now=now)
    return DaysReport(limit, False, moved, (), taken_in, tuple(made), _labels(due.waiting))


def plan_days(*, now: datetime, until: date | None = None) -> DaysReport:
    """Say what a run would archive."""
    limit = retention_limit(now=now, until=until)
    due = due_days(now=now, limit=limit)
    planned = (
        PlannedPart(DAILY_SAMPLES.noun, DAILY_SAMPLES.label(each.start), count_rows(each.name)) for each in due.ready
    )
    return DaysReport(limit, True, (), tuple(planned), LateSample.objects.count(), (), _labels(due.waiting))


def restore_days(
    *,
    day: str,
    actor: Actor,
    now: datetime,
    keep: bool = False,
    tell: Tell = tell_nobody,
    wait_seconds: float = WAIT_SECONDS,
) -> list[PartMoved]:
    """Put an archived day of samples, or all of them, back into the database, and take in what waited for them.

    :param day: as in 2025-02-01, or ``all``.
    :param keep: leave the files where they are.
    :raises BadDay: the text is neither.
    :raises NotArchived: that day is not in the archive.
    :raises ArchiveBusy: another run holds the archive for longer than ``wait_seconds``.
    :raises ArchiveDamaged: a file is missing or is not what it was.
    """
    with held(DAILY_SAMPLES.run_lock, wait_seconds=wait_seconds):
        moved = restore_parts(Mover(DAILY_SAMPLES, actor, now, tell, wait_seconds), day, keep=keep)
        _take_in(now)
    return moved


@transaction.atomic
def ask_for_archive(*, now: datetime) -> Job | None:
    """Have a worker archive what is older than the retention, unless one still does or is about to."""
    if Job.objects.filter(kind=Job.Kind.ARCHIVE_SAMPLES, status__in=(Job.Status.QUEUED, Job.Status.RUNNING)).exists():
        return None
    return queue_job(kind=Job.Kind.ARCHIVE_SAMPLES, parameters={}, actor=PORTAL, now=now)


def run_archive(running: Running) -> dict[str, Any]:
    """Do a job that asks for the archive's run over samples."""
    until = running.job.parameters.get("until")
    report = archive_days(
        actor=running.actor,
        now=running.now,
        until=None if until is None else date.fromisoformat(until),
        tell=noting(running),
    )
    return report.as_json()


def run_restore(running: Running) -> dict[str, Any]:
    """Do a job that asks for archived days of samples back."""
    moved = restore_days(day=running.job.parameters["day"], actor=running.actor, now=running.now, tell=noting(running))
    return {"restored": [each.as_json() for each in moved]}


def _labels(days: Sequence[Partition]) -> tuple[str, ...]:
    return tuple(DAILY_SAMPLES.label(each.start) for each in days)


def _days_to_open() -> set[datetime]:
    """Return the days that must be there to roll up anew what late samples touch.

    What is late in the evening changes what stands in the morning after; and where clocks are half an hour apart from
    UTC, an hour may begin on the day before.
    """
    late = late_days()
    return late | {day + _DAY for day in late} | late_days(before=_HOUR)


def _take_in(now: datetime) -> int:
    """Have late samples whose days are back enter the series; return how many left the queue."""
    archived = {part.low for part in DAILY_SAMPLES.parts()}
    taken = 0
    for day in sorted(late_days() - archived):
        ensure_partitions(DEVICE_SAMPLES, [day], floor=day, ceiling=day)
        while entered := _enter(day, now):
            taken += entered
    return taken


@transaction.atomic
def _enter(day: datetime, now: datetime) -> int:
    """Move some late samples of a day into the series, where the first value of each quantity stands."""
    waiting = list(
        LateSample.objects.select_for_update()
        .filter(time__gte=day, time__lt=day + _DAY)
        .order_by("device_id", "time")[: settings.DEVICE_COMMIT_ROWS]
    )
    if waiting:
        rows = {name: [getattr(each, name) for each in waiting] for name in _COLUMNS}
        write(DEVICE_SAMPLES, rows, connection)
        _log_touched(waiting, now)
        LateSample.objects.filter(pk__in=[each.pk for each in waiting]).delete()
    return len(waiting)


def _log_touched(entered: Sequence[LateSample], now: datetime) -> None:
    """Have their hours rolled up anew: an archived day lies below the mark, which never goes back."""
    devices = np.array([each.device_id for each in entered], dtype=np.int64)
    times = DEVICE_SAMPLES.time.read([each.time for each in entered]).data
    log_touched(devices, times, now=now)


def _roll_up(now: datetime) -> None:
    """Roll up what was just taken in; what is not done here a worker does, and the day goes with a later run."""
    for _ in range(_ROUNDS):
        if not roll_up_next(now=now):
            return
