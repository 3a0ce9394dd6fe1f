"""The archived months of a database, and whether a backup holds the file of each."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from energy_portal.management.safekeeping import store
from energy_portal.management.safekeeping.errors import SafekeepingFailed
from energy_portal.management.safekeeping.folders import ARCHIVE
from energy_portal.management.safekeeping.manifest import KeptFile
from energy_portal.management.safekeeping.server import Connection, Server
from meters.series.archive import Archive, ArchivedFile, Asked
from meters.series.archive_files import file_figures
from meters.series.errors import ArchiveDamaged
from meters.services.archiving import CHANGE_LOCK
from meters.store import REGISTER_READINGS

_KEYS_AT_ONCE = 5_000


class ArchivedMonth(NamedTuple):
    """A month that lies in a file, as a database has it recorded."""

    path: str
    low: datetime
    high: datetime
    rows: int
    sha256: str
    digest: str


class NewestReading(NamedTuple):
    """What a register's state says of its newest reading."""

    register: int
    time: datetime
    value: object


@contextmanager
def archive_held_still(server: Server) -> Iterator[None]:
    """Keep months from moving between the database and the archive within a block; waits for one that does."""
    with server.connect(autocommit=True) as connection:
        connection.execute(store.HOLD_ARCHIVE, [CHANGE_LOCK])
        yield


def archived_months(connection: Connection) -> list[ArchivedMonth]:
    """List the archived months; a database of an older portal has none."""
    (held,) = connection.execute(store.HELD_TABLES, [["meters_archivedmonth"]]).fetchone() or (None,)
    return [ArchivedMonth(*row) for row in connection.execute(store.ARCHIVED_MONTHS)] if held else []


def require_archive(months: list[ArchivedMonth], files: dict[str, KeptFile]) -> None:
    """Make sure that the file of each month was copied as it was archived.

    :raises SafekeepingFailed: one is missing or was changed since.
    """
    for month in months:
        kept = files.get(f"{ARCHIVE}/{month.path}")
        if kept is None or kept.sha256 != month.sha256:
            found = "is missing" if kept is None else "was changed since it was archived"
            raise SafekeepingFailed(f"The archived month {month.path} {found}: the backup would lack its readings.")


def unreadable_months(months: list[ArchivedMonth], folder: Path) -> list[str]:
    """Read the file of each month in a backup's folder and tell of those that do not hold what they should."""
    wrong = []
    for month in months:
        try:
            figures = file_figures(REGISTER_READINGS, folder / ARCHIVE / month.path)
        except ArchiveDamaged as error:
            wrong.append(f"{month.path}: {error}")
            continue
        if (figures.rows, figures.digest) != (month.rows, month.digest):
            wrong.append(f"{month.path}: {month.rows} rows were archived, {figures.rows} are there, or others")
    return wrong


def not_archived(newest: list[NewestReading], months: list[ArchivedMonth], folder: Path) -> list[NewestReading]:
    """Return those newest readings that lie in no archived month's file of a backup's folder either."""
    files = tuple(ArchivedFile(folder / ARCHIVE / month.path, month.low, month.high) for month in months)
    archive = Archive(REGISTER_READINGS, files, ("value",))
    missing = []
    for start in range(0, len(newest), _KEYS_AT_ONCE):
        part = newest[start : start + _KEYS_AT_ONCE]
        try:
            held = set(archive.windows([Asked(each.register, each.time, each.time) for each in part]))
        except ArchiveDamaged:
            held = set()
        missing += [each for each in part if tuple(each) not in held]
    return missing
