"""The archived months and days of a database, and whether a backup holds the file of each."""

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
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.series.archive import Archive, ArchivedFile, Asked
from meters.series.archive_files import file_figures
from meters.series.errors import ArchiveDamaged
from meters.series.spec import SeriesSpec
from meters.services.archiving import CHANGE_LOCK
from meters.store import REGISTER_READINGS

_KEYS_AT_ONCE = 5_000
_RECORDS = {
    "meters_archivedmonth": (REGISTER_READINGS, store.ARCHIVED_MONTHS),
    "devices_archivedday": (DEVICE_SAMPLES, store.ARCHIVED_DAYS),
}


class ArchivedPart(NamedTuple):
    """A month of readings or a day of samples that lies in a file, as a database has it recorded."""

    spec: SeriesSpec
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
    """Keep months and days from moving between the database and the archive within a block; waits for one that does."""
    with server.connect(autocommit=True) as connection:
        connection.execute(store.HOLD_ARCHIVE, [CHANGE_LOCK])
        yield


def archived_parts(connection: Connection) -> list[ArchivedPart]:
    """List what is archived; a database of an older portal has less, or nothing."""
    (found,) = connection.execute(store.HELD_TABLES, [list(_RECORDS)]).fetchone() or (None,)
    return [
        ArchivedPart(spec, *row)
        for table, (spec, query) in _RECORDS.items()
        if table in (found or ())
        for row in connection.execute(query)
    ]


def require_archive(parts: list[ArchivedPart], files: dict[str, KeptFile]) -> None:
    """Make sure that each file was copied as it was archived.

    :raises SafekeepingFailed: one is missing or was changed since.
    """
    for part in parts:
        kept = files.get(f"{ARCHIVE}/{part.path}")
        if kept is None or kept.sha256 != part.sha256:
            found = "is missing" if kept is None else "was changed since it was archived"
            raise SafekeepingFailed(f"The archived file {part.path} {found}: the backup would lack what it holds.")


def unreadable_parts(parts: list[ArchivedPart], folder: Path) -> list[str]:
    """Read each file in a backup's folder and tell of those that do not hold what they should."""
    wrong = []
    for part in parts:
        try:
            figures = file_figures(part.spec, folder / ARCHIVE / part.path)
        except ArchiveDamaged as error:
            wrong.append(f"{part.path}: {error}")
            continue
        if (figures.rows, figures.digest) != (part.rows, part.digest):
            wrong.append(f"{part.path}: {part.rows} rows were archived, {figures.rows} are there, or others")
    return wrong


def not_archived(newest: list[NewestReading], parts: list[ArchivedPart], folder: Path) -> list[NewestReading]:
    """Return those newest readings that lie in no archived month's file of a backup's folder either."""
    months = (part for part in parts if part.spec is REGISTER_READINGS)
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
