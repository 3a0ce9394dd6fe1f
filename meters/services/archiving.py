"""A closed month out of the database into the archive, and back.

A month is written to its file from a snapshot while everybody works on. Then, in one transaction, writers of that
month are kept out, the rows are proved to be those of the file, and the record of the archived month takes the
partition's place. So a late writer's row is in the file or stands in the way, and is never lost.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict
from meters import store
from meters.models import ArchivedMonth
from meters.series.archive_files import (
    UNFINISHED,
    Manifest,
    fill_table,
    finish_file,
    sha256_of,
    table_figures,
    write_file,
)
from meters.series.archive_moves import (
    attach_table,
    drop_partition,
    hold_alone,
    hold_still,
    make_table,
    revision_of,
    take_rows,
)
from meters.series.errors import ArchiveDamaged, SeriesBusy
from meters.series.partitions import Partition, forget_partitions, list_partitions
from meters.store import REGISTER_READINGS
from meters.store.archive import Month

RUN_LOCK = "archive run"
# A backup holds it, shared, from its snapshot until the files are copied.
CHANGE_LOCK = "archive change"
_TRIES = 20
_PAUSE_SECONDS = 0.25
_RESTORING = "archive_restoring"


class ArchiveBusy(Conflict):
    """Another run, or a backup, holds the archive."""

    code = "archive_busy"


class NotArchived(Conflict):
    """A month is not in the archive."""

    code = "not_archived"


class _Changed(Exception):
    """Rows came or went since the file was written."""


class Step(NamedTuple):
    """Where the work on a month is; ``done`` and ``total`` are rows where they move."""

    name: str
    month: str
    done: int = 0
    total: int = 0


Tell = Callable[[Step], None]


@dataclass(frozen=True)
class MonthMoved:
    """What became of a month: its rows, and the bytes of its file."""

    month: str
    rows: int
    bytes: int
    revision: int
    path: str

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return asdict(self)


@contextmanager
def held(name: str, *, wait_seconds: float) -> Iterator[None]:
    """Hold a lock of the archive within a block.

    :raises ArchiveBusy: somebody else holds it for so long.
    """
    deadline = time.monotonic() + wait_seconds
    while not store.archive.try_session_lock(name):
        if time.monotonic() >= deadline:
            raise ArchiveBusy("Another archive run, a restore or a backup is at work: ask again when it has ended.")
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        store.archive.unlock_session(name)


def archive_month(*, partition: Partition, actor: Actor, now: datetime, tell: Tell, wait_seconds: float) -> MonthMoved:
    """Move a partition into the archive; the caller holds the run lock.

    :raises ArchiveBusy: a backup holds the archive, or the month is written all the time.
    :raises ArchiveDamaged: the file could not be proved.
    """
    month = Month(partition.start, revision_of(partition.name, connection) + 1)
    label = f"{partition.start:%Y-%m}"
    manifest = _write(partition, month, label, tell)
    for remaining in reversed(range(_TRIES)):
        try:
            with held(CHANGE_LOCK, wait_seconds=wait_seconds):
                _replace(partition, month, manifest, label, actor, now, tell)
            break
        except (_Changed, SeriesBusy) as error:
            if not remaining:
                raise ArchiveBusy(f"{label} is read or written all the time: ask again later.") from error
            time.sleep(_PAUSE_SECONDS)
            if isinstance(error, _Changed):
                manifest = _write(partition, month, label, tell)
    forget_partitions(REGISTER_READINGS)
    tell(Step("committed", label))
    _remove_other_revisions(month)
    return MonthMoved(label, manifest.rows, manifest.bytes, month.revision, _below(month))


def restore_month(
    *, month: ArchivedMonth, actor: Actor, now: datetime, tell: Tell, wait_seconds: float, keep: bool = False
) -> MonthMoved:
    """Put an archived month back into the database; the caller holds the run lock.

    :param keep: leave its file where it is.
    :raises ArchiveDamaged: the file is missing or is not what it was; nothing was changed.
    :raises ArchiveBusy: the series is read all the time, or a backup holds the archive.
    """
    held_month = Month(month.low, month.revision)
    label = f"{month.low:%Y-%m}"
    _require_file(month, held_month.path)
    with ExitStack() as locks:
        with transaction.atomic():
            _fill(month, held_month, label, tell)
            locks.enter_context(held(CHANGE_LOCK, wait_seconds=wait_seconds))
            _hold_alone(label)
            _attach(month, held_month)
            tell(Step("attached", label))
            _record(month, "archive.month_restored", actor, now)
            month.delete()
            tell(Step("recorded", label))
        forget_partitions(REGISTER_READINGS)
        tell(Step("committed", label))
        if not keep:
            held_month.path.unlink(missing_ok=True)
    return MonthMoved(label, month.rows, int(month.manifest.get("bytes", 0)), month.revision, month.path)


def remove_unfinished() -> None:
    """Remove what a killed run left; the caller holds the run lock."""
    for path in store.archive.archive_folder().rglob(f"*{UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _write(partition: Partition, month: Month, label: str, tell: Tell) -> Manifest:
    with _snapshot() as snapshot:
        total = store.archive.count_rows(partition.name, snapshot)
        tell(Step("exporting", label, 0, total))
        manifest = write_file(
            REGISTER_READINGS,
            partition.name,
            month.path,
            snapshot,
            on_rows=lambda rows: tell(Step("exporting", label, rows, total)),
        )
    tell(Step("written", label))
    finish_file(month.path)
    tell(Step("named", label))
    return manifest


@contextmanager
def _snapshot() -> Iterator[BaseDatabaseWrapper]:
    """Have a connection of its own that sees one moment; inside a test's transaction the test's, which does anyway."""
    if connection.in_atomic_block:
        yield connection
        return
    spare = connection.copy()
    try:
        spare.set_autocommit(False)
        with spare.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield spare
        spare.rollback()
    finally:
        spare.close()


@transaction.atomic
def _replace(
    partition: Partition, month: Month, manifest: Manifest, label: str, actor: Actor, now: datetime, tell: Tell
) -> None:
    hold_still(partition.name, connection)
    figures = table_figures(REGISTER_READINGS, partition.name, connection, columns=False)
    if (figures.rows, figures.digest) != (manifest.rows, manifest.digest):
        raise _Changed
    tell(Step("proved", label))
    hold_alone(REGISTER_READINGS, connection)
    made = ArchivedMonth.objects.create(
        table=store.archive.TABLE,
        low=partition.start,
        high=partition.end,
        path=_below(month),
        rows=manifest.rows,
        digest=manifest.sha256,
        manifest=manifest.as_json(),
        revision=month.revision,
        archived_at=now,
    )
    _record(made, "archive.month_archived", actor, now)
    tell(Step("recorded", label))
    drop_partition(REGISTER_READINGS, partition.name, connection)
    tell(Step("dropped", label))


def _fill(month: ArchivedMonth, held_month: Month, label: str, tell: Tell) -> None:
    """Fill a table beside the series, and prove that it holds what the archive held."""
    make_table(REGISTER_READINGS, _RESTORING, month.low, month.high, connection)
    fill_table(
        REGISTER_READINGS,
        held_month.path,
        _RESTORING,
        connection,
        on_rows=lambda rows: tell(Step("filling", label, min(rows, month.rows), month.rows)),
    )
    tell(Step("filled", label))
    figures = table_figures(REGISTER_READINGS, _RESTORING, connection, columns=False)
    if (figures.rows, figures.digest) != (month.rows, month.manifest["digest"]):
        raise ArchiveDamaged(f"{month.path} gave {figures.rows} rows back and not just what {label} held.")
    tell(Step("verified", label))


def _hold_alone(label: str) -> None:
    for remaining in reversed(range(_TRIES)):
        try:
            hold_alone(REGISTER_READINGS, connection)
        except SeriesBusy as error:
            if not remaining:
                raise ArchiveBusy(f"{label} cannot come back while the series is read all the time.") from error
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _attach(month: ArchivedMonth, held_month: Month) -> None:
    """Make the filled table the month's partition; rows that were written beside the archive move into it."""
    name = f"{store.archive.TABLE}_y{month.low:%Ym%m}"
    if any(partition.name == name for partition in list_partitions(REGISTER_READINGS)):
        take_rows(REGISTER_READINGS, name, _RESTORING, connection)
        drop_partition(REGISTER_READINGS, name, connection)
    with connection.cursor() as cursor:
        quote = connection.ops.quote_name
        cursor.execute(f"ALTER TABLE {quote(_RESTORING)} RENAME TO {quote(name)}")
    attach_table(REGISTER_READINGS, name, month.low, month.high, connection, revision=held_month.revision)


def _require_file(month: ArchivedMonth, path: Path) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ArchiveDamaged(f"{month.path} cannot be read: {error.strerror}.") from error
    if found != month.digest:
        raise ArchiveDamaged(f"{month.path} was changed: its checksum is not what it was.")


def _record(month: ArchivedMonth, action: str, actor: Actor, now: datetime) -> None:
    audit.record(
        action=action,
        obj=month,
        actor=actor,
        now=now,
        month=f"{month.low:%Y-%m}",
        rows=month.rows,
        revision=month.revision,
        sha256=month.digest,
    )


def _below(month: Month) -> str:
    return store.archive.file_name(month.low, month.revision)


def _remove_other_revisions(month: Month) -> None:
    """Remove the files that this revision replaced."""
    for path in month.path.parent.glob(f"{month.low:%Y-%m}-r*.parquet"):
        if path != month.path:
            path.unlink(missing_ok=True)
