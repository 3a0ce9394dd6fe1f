"""Days of samples that lie in the archive, beside those that the database holds."""

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from django.db import connection, models

from energy_portal.shared.errors import Invalid
from meters.devices.decoding import QUANTITIES
from meters.devices.models import ArchivedDay
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.series.archive import Archive, ArchivedFile, Asked
from meters.series.archive_files import Manifest
from meters.series.partitions import Partition
from meters.store.shelves import Part, Shelf, archive_folder

_COLUMNS = ("received_at", *QUANTITIES)
_DAYS_AT_ONCE = 8
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)

# One statement, so that the samples, those that came late and the list of archived days are of one moment. Served by
# the keys of the partitions, of the late samples and of the days.
_SAMPLES = """
    (SELECT 1 AS place, time, received_at, {quantities}, NULL AS file FROM devices_devicesample
     WHERE device_id = %(device)s AND time >= %(start)s AND time < %(end)s ORDER BY time {order} LIMIT %(limit)s)
    UNION ALL
    (SELECT 2, time, received_at, {quantities}, NULL FROM devices_latesample
     WHERE device_id = %(device)s AND time >= %(start)s AND time < %(end)s ORDER BY time {order} LIMIT %(limit)s)
    UNION ALL
    SELECT 0, day::timestamp AT TIME ZONE 'UTC', archived_at, {nothing}, file FROM devices_archivedday
    WHERE day >= %(first)s AND day <= %(last)s
"""
_NOTHING = ", ".join(f"NULL::{column.kind.type_name}" for column in DEVICE_SAMPLES.identity)
_KEPT = """
    SELECT count(*), min(low), coalesce(sum(bytes), 0)
    FROM (
        SELECT pg_total_relation_size(child.oid) AS bytes,
               substring(pg_get_expr(child.relpartbound, child.oid) FROM 'FROM \\(''([^'']+)''\\)')::timestamptz AS low
        FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'devices_devicesample'::regclass AND NOT inhdetachpending
          AND pg_relation_size(child.oid) > 0
    ) AS held
"""

Row: TypeAlias = tuple[Any, ...]


class BadDay(Invalid):
    """A text names no day."""

    code = "bad_day"


class Kept(NamedTuple):
    """The days of samples that the database holds: how many, since when, and the room that they take."""

    days: int
    since: datetime | None
    bytes: int


class _DayShelf(Shelf):
    spec, noun, pattern = DEVICE_SAMPLES, "day", "%Y-%m-%d"
    # Devices wait for their commits all the time; one of these takes some hundredths of a second.
    longest_wait = "100ms"

    def start_of(self, label: str) -> datetime:
        try:
            return start_of_day(date.fromisoformat(label))
        except ValueError as error:
            raise BadDay(f"{label!r} is not a day such as 2025-02-01.") from error

    def parts(self, lows: Collection[datetime] | None = None) -> list[Part]:
        rows = ArchivedDay.objects.order_by("day")
        if lows is not None:
            rows = rows.filter(day__in=[low.astimezone(UTC).date() for low in lows])
        return [
            Part(
                row=row,
                low=start_of_day(row.day),
                high=start_of_day(row.day) + _DAY,
                revision=row.revision,
                path=row.file,
                rows=row.rows,
                bytes=row.bytes,
                sha256=row.digest,
                digest=row.manifest["digest"],
            )
            for row in rows
        ]

    def record(self, partition: Partition, manifest: Manifest, *, revision: int, now: datetime) -> models.Model:
        return ArchivedDay.objects.create(
            day=partition.start.date(),
            file=self.file_name(partition.start, revision),
            revision=revision,
            rows=manifest.rows,
            bytes=manifest.bytes,
            digest=manifest.sha256,
            manifest=manifest.as_json(),
            archived_at=now,
        )


DAILY_SAMPLES = _DayShelf()


def start_of_day(day: date) -> datetime:
    """Return the first instant of a day (UTC)."""
    return datetime.combine(day, time(), UTC)


def samples_around(
    *, device_id: int, start: datetime, end: datetime, limit: int | None, newest_first: bool
) -> list[Row]:
    """Return (time, received_at, *quantities) of a device in ``[start, end)``, wherever they lie, each instant once.

    Where an instant stands in several places, what the archive holds goes first, and the others supply what it lacks.
    One statement, and some milliseconds for each archived day; with a limit only days that it reaches into are read.

    :raises ArchiveMoved: a file was moved since; run it again, as ``with_files`` does.
    """
    statement = _SAMPLES.format(
        quantities=", ".join(QUANTITIES), nothing=_NOTHING, order="DESC" if newest_first else "ASC"
    )
    asked: dict[str, int | datetime | date | None] = {
        "device": device_id,
        "start": start,
        "end": end,
        "first": start.astimezone(UTC).date(),
        "last": (end - _INSTANT).astimezone(UTC).date(),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        rows = cursor.fetchall()
    order = partial(sorted, reverse=newest_first)
    live: dict[datetime, Row] = {}
    for _, *row, _ in sorted((row for row in rows if row[0]), key=lambda row: row[0]):
        at = row[0].astimezone(UTC)
        live[at] = _joined(live[at], row) if at in live else (at, *row[1:])
    window = Asked(device_id, start, end - _INSTANT)
    if limit is not None and len(live) >= limit:
        edge = order(live)[limit - 1]
        window = window._replace(low=edge) if newest_first else window._replace(high=edge)
    days = order((row[1].astimezone(UTC), row[-1]) for row in rows if row[0] == 0)
    found = _archived(days, window, limit=limit, newest_first=newest_first)
    for at, row in live.items():
        found[at] = _joined(found[at], row) if at in found else row
    return [found[at] for at in order(found)[:limit]]


def _archived(
    days: list[tuple[datetime, str]], window: Asked, *, limit: int | None, newest_first: bool
) -> dict[datetime, Row]:
    """Read days in their order, some at a time, until there are as many rows as are wanted."""
    reached = [_file(low, path) for low, path in days if low <= window.high and low + _DAY > window.low]
    found: dict[datetime, Row] = {}
    while reached and (limit is None or len(found) < limit):
        files, reached = (reached, []) if limit is None else (reached[:_DAYS_AT_ONCE], reached[_DAYS_AT_ONCE:])
        archive = Archive(DEVICE_SAMPLES, tuple(files), _COLUMNS)
        found |= {row[1]: row[1:] for row in archive.windows([window], newest_first=newest_first, limit=limit)}
    return found


def kept() -> Kept:
    """Tell what the database holds of samples. One statement over the catalogue and the files' sizes."""
    with connection.cursor() as cursor:
        cursor.execute(_KEPT)
        days, since, size = cursor.fetchone() or (0, None, 0)
        return Kept(int(days), since, int(size))


def _file(low: datetime, path: str) -> ArchivedFile:
    return ArchivedFile(archive_folder() / path, low, low + _DAY)


def _joined(standing: Row, row: Sequence[Any]) -> Row:
    """Supply what a row lacks, as the writer of the series does: it was received when the last of it was."""
    at, received_at, *told = standing
    joined = [theirs if ours is None else ours for ours, theirs in zip(told, row[2:], strict=True)]
    return (at, received_at if joined == told else row[1], *joined)
