"""A closed partition of a series out of the database into the archive, and back: a month, or a day.

It is written to its file from a snapshot while everybody works on. Then, in one transaction, its writers are kept
out, the rows are proved to be those of the file, and the record of the archived partition takes the partition's
place. So a late writer's row is in the file or stands in the way, and is never lost.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict
from meters import store
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
from meters.series.partitions import Partition, forget_partitions, list_partitions, partition_name
from meters.store.shelves import Part, Shelf, archive_folder

ALL = "all"
WAIT_SECONDS = 60.0
# A backup holds it, shared, from its snapshot until the files are copied.
CHANGE_LOCK = "archive change"
_TRIES = 20
# So often is the series asked for while a partition stands proved, before its writers are let in again; and once more
# for each second that the proof took.
_TRIES_ONCE_PROVED = 4
_PAUSE_SECONDS = 0.25


class ArchiveBusy(Conflict):
    """Another run, or a backup, holds the archive."""

    code = "archive_busy"


class NotArchived(Conflict):
    """A month or a day is not in the archive."""

    code = "not_archived"


class _Changed(Exception):
    """Rows came or went since the file was written."""


class Step(NamedTuple):
    """Where the work on a partition is; ``done`` and ``total`` are rows where they move."""

    name: str
    part: str
    done: int = 0
    total: int = 0


Tell = Callable[[Step], None]


def tell_nobody(step: Step) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class PartMoved:
    """What became of a partition: its rows, and the bytes of its file.

    :ivar noun: what ``part`` names: a month or a day.
    """

    noun: str
    part: str
    rows: int
    bytes: int
    revision: int
    path: str

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            self.noun: self.part,
            "rows": self.rows,
            "bytes": self.bytes,
            "revision": self.revision,
            "path": self.path,
        }


@dataclass(frozen=True)
class PlannedPart:
    """A partition that a run would archive."""

    noun: str
    part: str
    rows: int

    def as_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {self.noun: self.part, "rows": self.rows}


@dataclass(frozen=True)
class Mover:
    """Who moves partitions of a series, when, and who hears of each step.

    :ivar wait_seconds: how long a backup, or another run, is waited for.
    """

    shelf: Shelf
    actor: Actor
    now: datetime
    tell: Tell = tell_nobody
    wait_seconds: float = WAIT_SECONDS


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


def archive_part(mover: Mover, partition: Partition) -> PartMoved:
    """Move a partition into the archive; the caller holds the run lock.

    :raises ArchiveBusy: a backup holds the archive, or the partition is written all the time.
    :raises ArchiveDamaged: the file could not be proved.
    """
    shelf = mover.shelf
    label = shelf.label(partition.start)
    revision = revision_of(partition.name, connection) + 1
    manifest = _write(mover, partition, revision)
    for remaining in reversed(range(_TRIES)):
        try:
            with held(CHANGE_LOCK, wait_seconds=mover.wait_seconds):
                _replace(mover, partition, revision, manifest)
            break
        except (_Changed, SeriesBusy) as error:
            if not remaining:
                raise ArchiveBusy(f"{label} is read or written all the time: ask again later.") from error
            time.sleep(_PAUSE_SECONDS)
            if isinstance(error, _Changed):
                manifest = _write(mover, partition, revision)
    forget_partitions(shelf.spec)
    mover.tell(Step("committed", label))
    path = shelf.file_name(partition.start, revision)
    _remove_other_revisions(shelf, partition.start, path)
    return PartMoved(shelf.noun, label, manifest.rows, manifest.bytes, revision, path)


def restore_part(mover: Mover, part: Part, *, keep: bool = False) -> PartMoved:
    """Put an archived partition back into the database; the caller holds the run lock.

    :param keep: leave its file where it is.
    :raises ArchiveDamaged: the file is missing or is not what it was; nothing was changed.
    :raises ArchiveBusy: the series is read all the time, or a backup holds the archive.
    """
    shelf, tell = mover.shelf, mover.tell
    label = shelf.label(part.low)
    _require_file(part)
    with ExitStack() as locks:
        with transaction.atomic():
            _fill(mover, part)
            locks.enter_context(held(CHANGE_LOCK, wait_seconds=mover.wait_seconds))
            _hold_alone(shelf, label)
            _attach(shelf, part)
            tell(Step("attached", label))
            _audit(mover, part.row, "restored", part.low, part.rows, part.revision, part.sha256)
            part.row.delete()
            tell(Step("recorded", label))
        forget_partitions(shelf.spec)
        tell(Step("committed", label))
        if not keep:
            part.file.unlink(missing_ok=True)
    return PartMoved(shelf.noun, label, part.rows, part.bytes, part.revision, part.path)


def restore_parts(mover: Mover, label: str, *, keep: bool) -> list[PartMoved]:
    """Put an archived partition, or all of them, back into the database; the caller holds the run lock.

    :param label: as the shelf names it, or ``all``.
    :raises Invalid: the text is neither.
    :raises NotArchived: it is not in the archive.
    :raises ArchiveDamaged: as :func:`restore_part`.
    :raises ArchiveBusy: as :func:`restore_part`.
    """
    asked = mover.shelf.parts(None if label == ALL else [mover.shelf.start_of(label)])
    if not asked and label != ALL:
        raise NotArchived(f"{label} is not in the archive.")
    return [restore_part(mover, part, keep=keep) for part in asked]


def open_parts(mover: Mover, wanted: Collection[datetime]) -> set[datetime]:
    """Restore the archived partitions that rows wait for, or that somebody wrote beside; return their starts.

    The caller holds the run lock.

    :param wanted: the starts of those that rows wait for.
    """
    parts = {part.low: part for part in mover.shelf.parts()}
    opened = parts.keys() & set(wanted)
    for partition in list_partitions(mover.shelf.spec):
        if partition.start in parts and not _dropped_empty(mover.shelf, partition):
            opened.add(partition.start)
    for low in sorted(opened):
        restore_part(mover, parts[low], keep=True)
    return opened


@transaction.atomic
def _dropped_empty(shelf: Shelf, partition: Partition) -> bool:
    """Drop a partition beside its own archived one, as a writer may have made that came just too late."""
    _hold_alone(shelf, shelf.label(partition.start))
    if store.archive.holds_rows(partition.name):
        return False
    drop_partition(shelf.spec, partition.name, connection)
    transaction.on_commit(lambda: forget_partitions(shelf.spec))
    return True


def remove_unfinished(shelf: Shelf) -> None:
    """Remove what a killed run left; the caller holds the run lock."""
    for path in (archive_folder() / shelf.spec.table).rglob(f"*{UNFINISHED}*"):
        path.unlink(missing_ok=True)


def _write(mover: Mover, partition: Partition, revision: int) -> Manifest:
    shelf, tell = mover.shelf, mover.tell
    label = shelf.label(partition.start)
    path = archive_folder() / shelf.file_name(partition.start, revision)
    with _snapshot() as snapshot:
        total = store.archive.count_rows(partition.name, snapshot)
        tell(Step("exporting", label, 0, total))
        manifest = write_file(
            shelf.spec,
            partition.name,
            path,
            snapshot,
            on_rows=lambda rows: tell(Step("exporting", label, rows, total)),
        )
    tell(Step("written", label))
    finish_file(path)
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
def _replace(mover: Mover, partition: Partition, revision: int, manifest: Manifest) -> None:
    shelf, tell = mover.shelf, mover.tell
    label = shelf.label(partition.start)
    hold_still(partition.name, connection)
    began = time.monotonic()
    figures = table_figures(shelf.spec, partition.name, connection, columns=False)
    if (figures.rows, figures.digest) != (manifest.rows, manifest.digest):
        raise _Changed
    tell(Step("proved", label))
    _try_alone(shelf, _TRIES_ONCE_PROVED + int(time.monotonic() - began))
    row = shelf.record(partition, manifest, revision=revision, now=mover.now)
    _audit(mover, row, "archived", partition.start, manifest.rows, revision, manifest.sha256)
    tell(Step("recorded", label))
    drop_partition(shelf.spec, partition.name, connection)
    tell(Step("dropped", label))


def _fill(mover: Mover, part: Part) -> None:
    """Fill a table beside the series, and prove that it holds what the archive held."""
    spec, tell, label = mover.shelf.spec, mover.tell, mover.shelf.label(part.low)
    table = _beside(mover.shelf)
    make_table(spec, table, part.low, part.high, connection)
    fill_table(
        spec,
        part.file,
        table,
        connection,
        on_rows=lambda rows: tell(Step("filling", label, min(rows, part.rows), part.rows)),
    )
    tell(Step("filled", label))
    figures = table_figures(spec, table, connection, columns=False)
    if (figures.rows, figures.digest) != (part.rows, part.digest):
        raise ArchiveDamaged(f"{part.path} gave {figures.rows} rows back and not just what {label} held.")
    tell(Step("verified", label))


def _beside(shelf: Shelf) -> str:
    """Name the table that a partition is filled in."""
    return f"{shelf.spec.table}_restoring"


def _hold_alone(shelf: Shelf, label: str) -> None:
    try:
        _try_alone(shelf, _TRIES)
    except SeriesBusy as error:
        raise ArchiveBusy(f"{label} cannot come back while the series is read all the time.") from error


def _try_alone(shelf: Shelf, tries: int) -> None:
    for remaining in reversed(range(tries)):
        try:
            hold_alone(shelf.spec, connection, longest_wait=shelf.longest_wait)
        except SeriesBusy:
            if not remaining:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _attach(shelf: Shelf, part: Part) -> None:
    """Make the filled table the partition; rows that were written beside the archive move into it."""
    name, filled = partition_name(shelf.spec, part.low), _beside(shelf)
    if any(partition.name == name for partition in list_partitions(shelf.spec)):
        take_rows(shelf.spec, name, filled, connection)
        drop_partition(shelf.spec, name, connection)
    with connection.cursor() as cursor:
        quote = connection.ops.quote_name
        cursor.execute(f"ALTER TABLE {quote(filled)} RENAME TO {quote(name)}")
    attach_table(shelf.spec, name, part.low, part.high, connection, revision=part.revision)


def _require_file(part: Part) -> None:
    try:
        found = sha256_of(part.file)
    except OSError as error:
        raise ArchiveDamaged(f"{part.path} cannot be read: {error.strerror}.") from error
    if found != part.sha256:
        raise ArchiveDamaged(f"{part.path} was changed: its checksum is not what it was.")


def _audit(mover: Mover, row: Model, verb: str, low: datetime, rows: int, revision: int, sha256: str) -> None:
    noun = mover.shelf.noun
    detail = {noun: mover.shelf.label(low), "rows": rows, "revision": revision, "sha256": sha256}
    audit.record(action=f"archive.{noun}_{verb}", obj=row, actor=mover.actor, now=mover.now, **detail)


def _remove_other_revisions(shelf: Shelf, low: datetime, path: str) -> None:
    """Remove the files that a revision replaced."""
    file = archive_folder() / path
    for other in file.parent.glob(f"{shelf.label(low)}-r*.parquet"):
        if other != file:
            other.unlink(missing_ok=True)
