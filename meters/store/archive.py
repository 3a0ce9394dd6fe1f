"""Rows of register readings that lie in the archive, beside those that the database gives."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, TypeVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from energy_portal.shared.clock import YearMonth
from meters.consumption import ESTIMATES
from meters.models import ArchivedMonth
from meters.series.archive import Archive, ArchivedFile, Asked
from meters.series.errors import ArchiveMoved
from meters.store.registers import REGISTER_READINGS, Window
from meters.store.shelves import MONTHLY_READINGS, archive_folder

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
_HOLDS = "SELECT EXISTS (SELECT FROM {})"

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
        return archive_folder() / MONTHLY_READINGS.file_name(self.low, self.revision)

    @property
    def file(self) -> ArchivedFile:
        """Return its file for the reader."""
        return ArchivedFile(self.path, self.low, self.high)


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

    Those inside windows, and the nearest before and after each unless the database has a nearer one. Estimates in the
    archive stand until their month is restored, so nobody need judge them. Within the transaction that read ``rows``.
    One short query where nothing is archived.

    :raises ArchiveDamaged: a file is missing or cannot be read.
    """
    held = months() if windows else []
    if not held:
        return []
    archive = reader(held, "value", "quality", only_true=True)
    return list(dict.fromkeys((*archive.windows(_asked(windows)), *_neighbours(windows, rows, held))))


def with_archived_neighbours(rows: Sequence[ReadRow], windows: Sequence[Window], *, reach: timedelta) -> list[ReadRow]:
    """Add what the archive holds of windows, and on to the nearest true reading within reach, to what the database has.

    In the order of register and time, each once.

    :param rows: (register, time, value, quality) of a statement that ends with ``MONTHS``.
    :raises ArchiveMoved: a file was moved since; run the statement again, as ``with_files`` does.
    """
    held = months_of(row for row in rows if row[0] is None)
    if not held:
        return list(rows)
    live = [row for row in rows if row[0] is not None]
    true = _true_times([*live, *_neighbours(windows, live, held)])
    stretches = [_stretch(window, true.get(window.register_id, []), reach) for window in windows]
    found = {(row[0], row[1]): row for row in reader(held, "value", "quality").windows(stretches)}
    found |= {
        (row[0], row[1]): row
        for row in live
        if any(each.owner == row[0] and each.low <= row[1] <= each.high for each in stretches)
    }
    return [found[key] for key in sorted(found)]


def _neighbours(windows: Sequence[Window], rows: Iterable[ReadRow], held: Sequence[Month]) -> Iterator[ReadRow]:
    """Yield the nearest true archived readings beside windows, where a month lies nearer than what the database has."""
    true = _true_times(rows)
    before, after = [], []
    for window in windows:
        times = true.get(window.register_id, [])
        low, high = _nearest(window, times)
        if any(month.low < window.low and (low is None or month.high > low) for month in held):
            before.append((window.register_id, window.low))
        if any(month.high > window.high and (high is None or month.low < high) for month in held):
            after.append((window.register_id, window.high))
    archive = reader(held, "value", "quality", only_true=True)
    yield from archive.nearest(before, before=True)
    yield from archive.nearest(after, before=False)


def _true_times(rows: Iterable[ReadRow]) -> dict[int, list[datetime]]:
    """Return, by register, the sorted instants of readings that are no estimates."""
    true: dict[int, list[datetime]] = {}
    for register_id, time, _, quality in rows:
        if quality not in ESTIMATES:
            true.setdefault(register_id, []).append(time)
    return {register_id: sorted(times) for register_id, times in true.items()}


def _nearest(window: Window, times: Sequence[datetime]) -> tuple[datetime | None, datetime | None]:
    """Return the nearest of sorted instants before and after a window."""
    before, after = bisect_left(times, window.low), bisect_right(times, window.high)
    return times[before - 1] if before else None, times[after] if after < len(times) else None


def _stretch(window: Window, times: Sequence[datetime], reach: timedelta) -> Asked:
    """Widen a window to the nearest of sorted instants within reach."""
    low, high = _nearest(window, times)
    return Asked(
        window.register_id,
        low if low is not None and low >= window.low - reach else window.low,
        high if high is not None and high <= window.high + reach else window.high,
    )


def newest_archived(register_ids: Iterable[int]) -> list[tuple[int, datetime, Decimal]]:
    """Return (register, time, value) of the newest true readings in the archive; in a transaction that read the series.

    :raises ArchiveDamaged: a file is missing or cannot be read.
    """
    wanted = set(register_ids)
    held = months() if wanted else []
    if not held:
        return []
    ends = [(register_id, held[-1].high) for register_id in sorted(wanted)]
    newest = reader(held, "value", only_true=True).nearest(ends, before=True)
    return [(register_id, time, value) for register_id, time, value in newest]


def archived_readings(
    register_ids: Collection[int], ranges: Iterable[tuple[datetime, datetime]], *columns: str
) -> Iterator[ReadRow]:
    """Yield (register, time, *columns) of registers from the archive; in a transaction that read the series.

    :param ranges: pairs of instants, both included.
    :raises ArchiveDamaged: a file is missing or cannot be read.
    """
    spans = list(ranges)
    held = [each for each in months() if any(low < each.high and high >= each.low for low, high in spans)]
    if held:
        asked = [Asked(register_id, low, high) for register_id in register_ids for low, high in spans]
        yield from reader(held, *columns).windows(asked)


def count_archived(days: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """Count the archived readings that end in each ``(start, end]``; in a transaction that read the series.

    :raises ArchiveDamaged: a file is missing or cannot be read.
    """
    archive = reader(months())
    return [archive.count(low, high) for low, high in days]


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


def holds_rows(table: str) -> bool:
    """Tell whether a partition holds any row."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDS.format(connection.ops.quote_name(table)))
        (held,) = cursor.fetchone() or (False,)
        return bool(held)


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
