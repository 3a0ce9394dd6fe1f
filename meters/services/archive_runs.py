"""The archive's run: what waits for archived months is taken in, closed months go out, and coming ones are made."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from meters import store
from meters.models import ReadingException, RuleCode
from meters.selectors.archive import archive_limit, archived_months, closed_partitions, late_values
from meters.series.partitions import list_partitions
from meters.services.archiving import (
    WAIT_SECONDS,
    Mover,
    PartMoved,
    PlannedPart,
    Step,
    Tell,
    archive_part,
    held,
    open_parts,
    remove_unfinished,
    restore_parts,
    tell_nobody,
)
from meters.services.jobs import Running
from meters.services.partitions import make_partitions_ahead
from meters.services.readings import OfferedReading, receive_readings
from meters.store.shelves import MONTHLY_READINGS


@dataclass(frozen=True)
class ArchiveReport:
    """What a run did, or in a dry run what it would do.

    :ivar before: months that end by it are archived.
    :ivar late_values: values that waited for an archived month and have been taken in, or would be.
    """

    before: datetime
    dry_run: bool
    archived: tuple[PartMoved, ...]
    planned: tuple[PlannedPart, ...]
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
            "planned": [each.as_json() for each in self.planned],
            "late_values": self.late_values,
            "partitions_made": list(self.partitions_made),
        }


def archive_and_prepare(
    *,
    actor: Actor,
    now: datetime,
    until: date | None = None,
    tell: Tell = tell_nobody,
    wait_seconds: float = WAIT_SECONDS,
) -> ArchiveReport:
    """Archive all closed months that end by a date, and make the coming partitions; again, it does nothing.

    :param until: by default what is older than the retention.
    :param tell: called at each step of each month.
    :raises ArchiveBusy: another run holds the archive for longer than ``wait_seconds``.
    :raises ArchiveDamaged: a file could not be proved, or is missing where late values wait for its month.
    """
    limit = archive_limit(now=now, until=until)
    mover = Mover(MONTHLY_READINGS, actor, now, tell, wait_seconds)
    with held(MONTHLY_READINGS.run_lock, wait_seconds=wait_seconds):
        remove_unfinished(MONTHLY_READINGS)
        restored = open_parts(mover, _late_months())
        taken_in = _take_in(now)
        due = {partition.name: partition for partition in closed_partitions(now=now, limit=limit)}
        due |= {each.name: each for each in list_partitions(MONTHLY_READINGS.spec) if each.start in restored}
        moved = tuple(archive_part(mover, partition) for _, partition in sorted(due.items()))
        made = make_partitions_ahead(now=now)
    return ArchiveReport(limit, False, moved, (), taken_in, tuple(made))


def plan_archive(*, now: datetime, until: date | None = None) -> ArchiveReport:
    """Say what a run would archive."""
    limit = archive_limit(now=now, until=until)
    planned = (
        PlannedPart(
            MONTHLY_READINGS.noun, MONTHLY_READINGS.label(partition.start), store.archive.count_rows(partition.name)
        )
        for partition in closed_partitions(now=now, limit=limit)
    )
    return ArchiveReport(limit, True, (), tuple(planned), len(late_values()), ())


def restore_months(
    *,
    month: str,
    actor: Actor,
    now: datetime,
    keep: bool = False,
    tell: Tell = tell_nobody,
    wait_seconds: float = WAIT_SECONDS,
) -> list[PartMoved]:
    """Put an archived month, or all of them, back into the database, and take in what waited for them.

    :param month: as in 2025-02, or ``all``.
    :param keep: leave the files where they are.
    :raises BadMonth: the text is neither.
    :raises NotArchived: that month is not in the archive.
    :raises ArchiveBusy: another run holds the archive for longer than ``wait_seconds``.
    :raises ArchiveDamaged: a file is missing or is not what it was.
    """
    with held(MONTHLY_READINGS.run_lock, wait_seconds=wait_seconds):
        moved = restore_parts(Mover(MONTHLY_READINGS, actor, now, tell, wait_seconds), month, keep=keep)
        _take_in(now)
    return moved


def run_archive(running: Running) -> dict[str, Any]:
    """Do a job that asks for the archive's run."""
    until = running.job.parameters.get("until")
    report = archive_and_prepare(
        actor=running.actor,
        now=running.now,
        until=None if until is None else date.fromisoformat(until),
        tell=noting(running),
    )
    return report.as_json()


def run_restore(running: Running) -> dict[str, Any]:
    """Do a job that asks for archived months back."""
    moved = restore_months(
        month=running.job.parameters["month"], actor=running.actor, now=running.now, tell=noting(running)
    )
    return {"restored": [each.as_json() for each in moved]}


def noting(running: Running) -> Tell:
    """Show how many rows went out; in the transaction of a change nothing is written of it."""
    sizes: dict[str, int] = {}

    def tell(step: Step) -> None:
        if step.name == "exporting":
            sizes[step.part] = step.total
            total = sum(sizes.values())
            running.note(total - step.total + step.done, total)
        if step.name == "named":
            running.note(sum(sizes.values()), sum(sizes.values()), at_once=True)

    return tell


def _late_months() -> set[datetime]:
    """Return the starts of the archived months that values wait for."""
    archived = archived_months()
    return {month.low for each in late_values() if (month := archived.holding(each.time)) is not None}


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
