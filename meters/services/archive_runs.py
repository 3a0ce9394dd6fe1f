"""The archive's run: what waits for archived months is taken in, closed months go out, and coming ones are made."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from accounts.actors import Actor
from meters import store
from meters.models import ArchivedMonth, ReadingException, RuleCode
from meters.selectors.archive import archive_limit, archived_months, closed_partitions, late_values
from meters.series.archive_moves import drop_partition, hold_alone
from meters.series.partitions import Partition, forget_partitions, list_partitions
from meters.services.archiving import (
    RUN_LOCK,
    MonthMoved,
    NotArchived,
    Step,
    Tell,
    archive_month,
    held,
    remove_unfinished,
    restore_month,
)
from meters.services.jobs import Running
from meters.services.partitions import make_partitions_ahead
from meters.services.readings import OfferedReading, receive_readings
from meters.store import REGISTER_READINGS

ALL = "all"
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class PlannedMonth:
    """A month that a run would archive."""

    month: str
    rows: int


@dataclass(frozen=True)
class ArchiveReport:
    """What a run did, or in a dry run what it would do.

    :ivar before: months that end by it are archived.
    :ivar late_values: values that waited for an archived month and have been taken in, or would be.
    """

    before: datetime
    dry_run: bool
    archived: tuple[MonthMoved, ...]
    planned: tuple[PlannedMonth, ...]
    late_values: int
    partitions_made: tuple[str, ...]

    @property
    def idle(self) -> bool:
        """Tell whether there was nothing to do."""
        return not (self.archived or self.planned or self.late_values or self.partitions_made)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "before": self.before.isoformat(),
            "dry_run": self.dry_run,
            "nothing_to_do": self.idle,
            "archived": [each.as_json() for each in self.archived],
            "planned": [{"month": each.month, "rows": each.rows} for each in self.planned],
            "late_values": self.late_values,
            "partitions_made": list(self.partitions_made),
        }


def _nobody(step: Step) -> None:
    """Tell nobody."""


def archive_and_prepare(
    *, actor: Actor, now: datetime, until: date | None = None, tell: Tell = _nobody, wait_seconds: float = WAIT_SECONDS
) -> ArchiveReport:
    """Archive all closed months that end by a date, and make the coming partitions; again, it does nothing.

    :param until: by default what is older than the retention.
    :param tell: called at each step of each month.
    :raises ArchiveBusy: another run holds the archive for longer than ``wait_seconds``.
    :raises ArchiveDamaged: a file could not be proved, or is missing where late values wait for its month.
    """
    limit = archive_limit(now=now, until=until)
    moved = []
    with held(RUN_LOCK, wait_seconds=wait_seconds):
        remove_unfinished()
        restored = _open_late_months(actor, now, tell, wait_seconds)
        taken_in = _take_in(now)
        due = {partition.name: partition for partition in closed_partitions(now=now, limit=limit)}
        due |= {partition.name: partition for partition in _partitions() if partition.start in restored}
        for _, partition in sorted(due.items()):
            moved.append(archive_month(partition=partition, actor=actor, now=now, tell=tell, wait_seconds=wait_seconds))
        made = make_partitions_ahead(now=now)
    return ArchiveReport(limit, False, tuple(moved), (), taken_in, tuple(made))


def plan_archive(*, now: datetime, until: date | None = None) -> ArchiveReport:
    """Say what a run would archive."""
    limit = archive_limit(now=now, until=until)
    planned = (
        PlannedMonth(f"{partition.start:%Y-%m}", store.archive.count_rows(partition.name))
        for partition in closed_partitions(now=now, limit=limit)
    )
    return ArchiveReport(limit, True, (), tuple(planned), len(late_values()), ())


def restore_months(
    *,
    month: str,
    actor: Actor,
    now: datetime,
    keep: bool = False,
    tell: Tell = _nobody,
    wait_seconds: float = WAIT_SECONDS,
) -> list[MonthMoved]:
    """Put an archived month, or all of them, back into the database, and take in what waited for them.

    :param month: as in 2025-02, or ``all``.
    :param keep: leave the files where they are.
    :raises BadMonth: the text is neither.
    :raises NotArchived: that month is not in the archive.
    :raises ArchiveBusy: another run holds the archive for longer than ``wait_seconds``.
    :raises ArchiveDamaged: a file is missing or is not what it was.
    """
    with held(RUN_LOCK, wait_seconds=wait_seconds):
        moved = [
            restore_month(month=each, actor=actor, now=now, tell=tell, wait_seconds=wait_seconds, keep=keep)
            for each in _asked(month)
        ]
        _take_in(now)
    return moved


def run_archive(running: Running) -> dict[str, Any]:
    """Do a job that asks for the archive's run."""
    until = running.job.parameters.get("until")
    report = archive_and_prepare(
        actor=running.actor,
        now=running.now,
        until=None if until is None else date.fromisoformat(until),
        tell=_noting(running),
    )
    return report.as_json()


def run_restore(running: Running) -> dict[str, Any]:
    """Do a job that asks for archived months back."""
    moved = restore_months(
        month=running.job.parameters["month"], actor=running.actor, now=running.now, tell=_noting(running)
    )
    return {"restored": [each.as_json() for each in moved]}


def _noting(running: Running) -> Tell:
    """Show how many rows went out; in the transaction of a change nothing is written of it."""
    before: list[int] = []

    def tell(step: Step) -> None:
        if step.name == "exporting":
            running.note(sum(before) + step.done, sum(before) + step.total)
        if step.name == "named":
            before.append(running.job.total - sum(before))
            running.note(running.job.total, at_once=True)

    return tell


def _asked(month: str) -> list[ArchivedMonth]:
    archived = ArchivedMonth.objects.filter(table=store.archive.TABLE).order_by("low")
    if month == ALL:
        return list(archived)
    found = archived.filter(low=store.archive.start_of(month)).first()
    if found is None:
        raise NotArchived(f"{month} is not in the archive.")
    return [found]


def _partitions() -> list[Partition]:
    return list_partitions(REGISTER_READINGS)


def _open_late_months(actor: Actor, now: datetime, tell: Tell, wait_seconds: float) -> set[datetime]:
    """Restore the archived months that values wait for, or that somebody wrote beside; return their starts."""
    archived = archived_months()
    wanted = {month.low for each in late_values() if (month := archived.holding(each.time)) is not None}
    for partition in _partitions():
        if partition.start in archived and not _dropped_empty(partition):
            wanted.add(partition.start)
    for each in ArchivedMonth.objects.filter(table=store.archive.TABLE, low__in=wanted).order_by("low"):
        restore_month(month=each, actor=actor, now=now, tell=tell, wait_seconds=wait_seconds, keep=True)
    return wanted


@transaction.atomic
def _dropped_empty(partition: Partition) -> bool:
    """Drop a partition beside its own archived month, as a writer may have made that came just too late."""
    hold_alone(REGISTER_READINGS, connection)
    if store.archive.count_rows(partition.name):
        return False
    drop_partition(REGISTER_READINGS, partition.name, connection)
    transaction.on_commit(lambda: forget_partitions(REGISTER_READINGS))
    return True


def _take_in(now: datetime) -> int:
    """Have values that waited for months which are back enter through the door; return how many left the queue."""
    archived = archived_months()
    by_source: dict[Any, list[ReadingException]] = defaultdict(list)
    for each in late_values():
        if each.time not in archived:
            by_source[each.source_id, bool(each.raw_stamp)].append(each)
    for waiting in by_source.values():
        for start in range(0, len(waiting), settings.READING_BATCH_LIMIT):
            _enter(waiting[start : start + settings.READING_BATCH_LIMIT], now)
    return sum(map(len, by_source.values()))


@transaction.atomic
def _enter(waiting: Sequence[ReadingException], now: datetime) -> None:
    report = receive_readings(
        readings=[
            OfferedReading(
                meter_id=each.register.meter.serial,
                # What the source wrote, where it names another instant: so its label convention applies once.
                timestamp=each.raw_stamp or each.time,
                value=each.offered_value,
                register_code=each.register.code,
                quality=each.offered_quality,
            )
            for each in waiting
        ],
        actor=Actor(source=waiting[0].source),
        now=now,
        # Without such a stamp they wait at their own instants, which are no marks where dials were read by hand.
        overrides=frozenset() if waiting[0].raw_stamp else frozenset({RuleCode.OFF_MARK.value}),
    )
    refused = {each.index: each.detail for each in report.rejected}
    aside = {each.index: each.detail for each in (*report.conflicts, *report.quarantined)}
    for index, each in enumerate(waiting):
        each.status = ReadingException.Status.REJECTED if index in refused else ReadingException.Status.ACCEPTED
        each.note = refused.get(index) or aside.get(index) or "The archive took it in."
        each.closed_at = now
    ReadingException.objects.bulk_update(waiting, ("status", "note", "closed_at"))
