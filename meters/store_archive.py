"""Rows of register readings that lie in the archive, beside those that the database gives."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from energy_portal.shared.clock import YearMonth
from meters.consumption import ESTIMATES
from meters.models import ArchivedMonth
from meters.series.archive import Archive, ArchivedFile, Asked
from meters.series.errors import ArchiveMoved
from meters.store import REGISTER_READINGS, Window

TABLE = REGISTER_READINGS.table
# A part of a statement that reads the series: rows without a register name the archived months of its snapshot, by
# their start and their revision.
MONTHS = """
    SELECT NULL::int4, low, NULL::numeric, revision::int4 FROM meters_archivedmonth
    WHERE "table" = 'meters_registerreading'
      AND low <= %(highest)s::timestamptz AND high > %(lowest)s::timestamptz
"""
_TRIES = 5
_LOCK = "LOCK TABLE ONLY meters_registerreading IN ACCESS SHARE MODE"
_TRY_SESSION_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_UNLOCK_SESSION = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"
_COUNT = "SELECT count(*) FROM {}"

Answer = TypeVar("Answer")
ReadRow: TypeAlias = tuple[Any, ...]


class Month(NamedTuple):
    """An archived month (UTC): its first instant, and the revision of its file."""

    low: datetime
    revision: int

    @property
    def high(self) -> datetime:
        """Return the first instant after it."""
        return month_after(self.low)

    @property
    def path(self) -> Path:
        """Return where its file is."""
        return archive_folder() / file_name(self.low, self.revision)

    @property
    def file(self) -> ArchivedFile:
        """Return its file for the reader."""
        return ArchivedFile(self.path, self.low, self.high)


def archive_folder() -> Path:
    """Return the folder of the archive."""
    return Path(settings.ARCHIVE_DIR)


def file_name(low: datetime, revision: int) -> str:
    """Name the file of a month's revision below the archive folder."""
    return f"{TABLE}/{low.astimezone(UTC):%Y-%m}-r{revision}.parquet"


def start_of(month: str) -> datetime:
    """Return the first instant of a month (UTC) such as 2025-02.

    :raises BadMonth: it does not name a month.
    """
    return datetime.combine(YearMonth.parse(month).first_day, datetime.min.time(), UTC)


def month_after(low: datetime) -> datetime:
    """Return the start of the next month (UTC)."""
    month = YearMonth.of(low.astimezone(UTC).date()).next()
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def months_of(rows: Iterable[Sequence[Any]]) -> list[Month]:
    """Return the months that rows of ``MONTHS`` name."""
    return sorted(Month(row[1].astimezone(UTC), row[3]) for row in rows)


def reader(
    months: Iterable[Month], *columns: str, known_at: datetime | None = None, only_true: bool = False
) -> Archive:
    """Return a reader of the files of months.

    :param known_at: leave out what was received later.
    :param only_true: leave out estimates.
    """
    known = None if known_at is None else ("received_at", known_at)
    without = ("quality", tuple(sorted(ESTIMATES))) if only_true else None
    return Archive(REGISTER_READINGS, tuple(month.file for month in months), columns, known, without)


def archived_around(windows: Sequence[Window], rows: Iterable[ReadRow]) -> list[ReadRow]:
    """Return the true (register, time, value, quality) that ``store.readings_around`` would find in the archive.

    Those inside windows, and the nearest before and after each of which the database has none there. Estimates in the
    archive stand until their month is restored, so nobody need judge them. Within the transaction that read ``rows``.
    One short query where nothing is archived.

    :raises ArchiveDamaged: a file is missing or cannot be read.
    """
    held = months() if windows else []
    if not held:
        return []
    true: dict[int, list[datetime]] = {}
    for register_id, time, _, quality in rows:
        if quality not in ESTIMATES:
            true.setdefault(register_id, []).append(time)
    before = [(each.register_id, each.low) for each in windows if not _any(true, each, lambda t, w: t < w.low)]
    after = [(each.register_id, each.high) for each in windows if not _any(true, each, lambda t, w: t > w.high)]
    archive = reader(held, "value", "quality", only_true=True)
    found = (
        *archive.windows(_asked(windows)),
        *archive.nearest(before, before=True),
        *archive.nearest(after, before=False),
    )
    return list(dict.fromkeys(found))


def _any(true: dict[int, list[datetime]], window: Window, fits: Callable[[datetime, Window], bool]) -> bool:
    return any(fits(time, window) for time in true.get(window.register_id, ()))


def with_archived(
    rows: Sequence[ReadRow], windows: Iterable[Window], edges: Iterable[Window], *, as_of: datetime | None = None
) -> list[ReadRow]:
    """Add what the archive holds to the answer of a statement over readings that ends with ``MONTHS``.

    In the order of register and time, each once; a row of the database goes before the archive's.

    :param rows: (register, time, value, quality).
    :param edges: windows of which the first and the last row are enough.
    :param as_of: leave out what was received later.
    :raises ArchiveMoved: a file was moved since; run the statement again, as ``with_files`` does.
    """
    months = months_of(row for row in rows if row[0] is None)
    if not months:
        return list(rows)
    archive = reader(months, "value", "quality", known_at=as_of)
    found: dict[tuple[int, datetime], ReadRow] = {}
    for row in (*archive.windows(_asked(windows)), *archive.edges(_asked(edges))):
        found[row[0], row[1]] = row
    for row in rows:
        if row[0] is not None:
            found[row[0], row[1]] = row
    return [found[key] for key in sorted(found)]


def with_files(read: Callable[[], Answer]) -> Answer:
    """Run a read of the database and of the files that it names, again when a file was moved in between.

    :raises ArchiveDamaged: a file is missing or cannot be read.
    """
    for remaining in reversed(range(_TRIES)):
        try:
            return read()
        except ArchiveMoved:
            if not remaining:
                raise
    raise AssertionError("unreachable")


def _asked(windows: Iterable[Window]) -> list[Asked]:
    return [Asked(window.register_id, window.low, window.high) for window in windows]


def months_held() -> list[Month]:
    """Return the archived months, which no longer change until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
    return months()


def months() -> list[Month]:
    """Return the archived months; a transaction that has read the series before finds no other ones until it ends."""
    found = ArchivedMonth.objects.filter(table=TABLE).order_by("low").values_list("low", "revision")
    return [Month(low.astimezone(UTC), revision) for low, revision in found]


def count_rows(table: str, on: BaseDatabaseWrapper | None = None) -> int:
    """Count the rows of a partition, on a connection other than the usual one where told."""
    with (on or connection).cursor() as cursor:
        cursor.execute(_COUNT.format(connection.ops.quote_name(table)))
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def try_session_lock(name: str) -> bool:
    """Take a lock of this session, if nobody has it."""
    with connection.cursor() as cursor:
        cursor.execute(_TRY_SESSION_LOCK, [name])
        (taken,) = cursor.fetchone() or (False,)
        return bool(taken)


def unlock_session(name: str) -> None:
    """Give a lock of this session back."""
    with connection.cursor() as cursor:
        cursor.execute(_UNLOCK_SESSION, [name])
