"""Readings around others, what stood once, and what is expected; each statement serves a whole batch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from meters.models import RegisterReading
from meters.series.spec import SeriesSpec
from meters.store.arrays import array_text

REGISTER_READINGS = SeriesSpec.of(RegisterReading, owner="register")

# From the nearest true reading before each window to the nearest one after it. ``low`` and ``high``: where to begin and
# to end where there is none; ``within``: what else a reading has to be. Qualities 8, 9 and 12 are estimates.
NEIGHBOURHOOD = """
    WITH asked AS (
        SELECT * FROM unnest(%(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[])
            AS asked (register_id, low, high)
    ), stretch AS (
        SELECT asked.register_id, coalesce(before.time, {low}) AS low, coalesce(after.time, {high}) AS high
        FROM asked LEFT JOIN LATERAL (
            SELECT time FROM meters_registerreading
            WHERE register_id = asked.register_id AND time < asked.low AND quality NOT IN (8, 9, 12) {within}
            ORDER BY time DESC LIMIT 1
        ) AS before ON true LEFT JOIN LATERAL (
            SELECT time FROM meters_registerreading
            WHERE register_id = asked.register_id AND time > asked.high AND quality NOT IN (8, 9, 12) {within}
            ORDER BY time LIMIT 1
        ) AS after ON true
    )
    SELECT DISTINCT stretch.register_id, reading.time, reading.value, reading.quality
    FROM stretch CROSS JOIN LATERAL (
        SELECT time, value, quality FROM meters_registerreading
        WHERE register_id = stretch.register_id AND time BETWEEN stretch.low AND stretch.high {within}
        ORDER BY time
    ) AS reading
"""
_AROUND = NEIGHBOURHOOD.format(low="'-infinity'", high="'infinity'", within="")
_SUPERSEDE = """
    WITH asked AS (
        SELECT * FROM unnest(%(registers)s::int4[], %(times)s::timestamptz[], %(reasons)s::text[])
            AS asked (register_id, time, reason)
    ), gone AS (
        DELETE FROM meters_registerreading AS reading USING asked
        WHERE reading.register_id = asked.register_id AND reading.time = asked.time
          AND reading.time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
        RETURNING reading.*, asked.reason
    )
    INSERT INTO meters_supersededreading
        (register_id, time, value, quality, source_id, raw_stamp, received_at, superseded_at, reason, correction_id)
    SELECT register_id, time, value, quality, source_id, raw_stamp, received_at, %(now)s, reason, %(correction)s
    FROM gone ORDER BY register_id, time
    RETURNING register_id, time, value, quality
"""
_PLACES = """
    SELECT asked.number, installation.service_point_id
    FROM unnest(%s::int4[], %s::timestamptz[]) WITH ORDINALITY AS asked (register_id, at, number)
    JOIN meters_register AS register ON register.id = asked.register_id
    JOIN LATERAL (
        SELECT service_point_id FROM meters_installation
        WHERE meter_id = register.meter_id AND lower(valid) < asked.at
        ORDER BY valid DESC LIMIT 1
    ) AS installation ON true
"""
_RECEIVED = """
    SELECT day.number, count(reading.time)
    FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS day (low, high, number)
    LEFT JOIN meters_registerreading AS reading
        ON reading.time > day.low AND reading.time <= day.high
       AND reading.time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
    GROUP BY day.number ORDER BY day.number
"""
_EXPECTED = """
    SELECT day.number, coalesce(floor(sum(
        extract(epoch FROM least(day.high, upper(installation.valid)) - greatest(day.low, lower(installation.valid)))
    ) FILTER (WHERE installation.id IS NOT NULL) / 1800), 0)::int8
    FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) WITH ORDINALITY AS day (low, high, number)
    LEFT JOIN meters_installation AS installation
        JOIN meters_meter AS meter ON meter.id = installation.meter_id AND meter.status IN ('active', 'maintenance')
        JOIN meters_register AS register ON register.meter_id = meter.id AND register.kind = 'cumulative'
        ON installation.valid && tstzrange(day.low, day.high)
    GROUP BY day.number ORDER BY day.number
"""

_LOCK_OUTBOX = """
    SELECT pg_advisory_xact_lock(hashtextextended('outbox ' || place, 0))
    FROM (SELECT place FROM unnest(%s::text[]) AS place ORDER BY place) AS places
"""


@dataclass(frozen=True, slots=True)
class Window:
    """A register's readings from ``low`` to ``high``, both included."""

    register_id: int
    low: datetime
    high: datetime


def readings_around(windows: Sequence[Window]) -> list[tuple[int, datetime, Decimal, int]]:
    """Return (register, time, value, quality) from the true reading before each window to the one after it.

    Served by the partitions' keys (register, time): three descents a window; only a neighbour far away costs more.
    """
    if not windows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_AROUND, _asked(windows))
        return list(cursor.fetchall())


def supersede(
    gone: Mapping[tuple[int, datetime], str], *, now: datetime, correction_id: UUID | None = None
) -> dict[tuple[int, datetime], tuple[Decimal, int]]:
    """Move readings, by (register, time) with the reason why, to what stood once; return their values and qualities.

    One descent of the key a reading. What is not there is left out.
    """
    if not gone:
        return {}
    keys = sorted(gone)
    parameters: dict[str, Any] = {
        "registers": array_text(register_id for register_id, _ in keys),
        "times": array_text(time for _, time in keys),
        "reasons": [str(gone[key]) for key in keys],
        "lowest": min(time for _, time in keys),
        "highest": max(time for _, time in keys),
        "now": now,
        "correction": correction_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUPERSEDE, parameters)
        return {(register_id, time): (value, quality) for register_id, time, value, quality in cursor.fetchall()}


def places_of(asked: Sequence[tuple[int, datetime]]) -> list[UUID | None]:
    """Return the service point at which the meter of each (register, instant) hung just before it, or None."""
    found: list[UUID | None] = [None] * len(asked)
    if asked:
        with connection.cursor() as cursor:
            cursor.execute(_PLACES, [array_text(column) for column in zip(*asked, strict=True)])
            for number, place in cursor.fetchall():
                found[number - 1] = place
    return found


def count_received(days: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """Count the readings that end in each ``(start, end]``.

    A scan of the days' rows in their partitions, helped by the block range index on time.
    """
    return _by_day(_RECEIVED, days, {"lowest": days[0][0], "highest": days[-1][1]})


def count_expected(days: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """Count the half-hours of each ``[start, end)`` in which cumulative registers of active meters hung."""
    return _by_day(_EXPECTED, days, {})


def lock_outbox(service_point_ids: Iterable[UUID]) -> None:
    """Let writers of events at the same service points follow one another until they commit."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_OUTBOX, [sorted(map(str, service_point_ids))])


def _by_day(statement: str, days: Sequence[tuple[datetime, datetime]], more: dict[str, datetime]) -> list[int]:
    parameters: dict[str, Any] = {"starts": [low for low, _ in days], "ends": [high for _, high in days], **more}
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [count for _, count in cursor.fetchall()]


def _asked(windows: Sequence[Window]) -> dict[str, Any]:
    return {
        "registers": array_text(window.register_id for window in windows),
        "lows": array_text(window.low for window in windows),
        "highs": array_text(window.high for window in windows),
    }
