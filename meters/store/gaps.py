"""The hand-written SQL that looks for what is missing between true readings."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django.db import connection

from energy_portal.shared.clock import HALF_HOUR
from meters.consumption import ESTIMATES
from meters.store.archive import MONTHS, months, with_archived_neighbours, with_files
from meters.store.arrays import array_text
from meters.store.registers import NEIGHBOURHOOD, Window

REACH = timedelta(days=92)

_WITHIN_REACH = "AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz"
_NEIGHBOURHOOD = f"""
    {NEIGHBOURHOOD.format(low="asked.low", high="asked.high", within=_WITHIN_REACH)}
    UNION ALL {MONTHS}
    ORDER BY 1, 2
"""
# A sub-select with an order and a limit stays one descent of the key, whatever the statistics say.
# A pair of true neighbours lies within one asked window's stretch, so that what lies between two windows is none.
_HOLES = """
    WITH asked AS (
        SELECT * FROM unnest(%(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[])
            WITH ORDINALITY AS asked (register_id, low, high, number)
    ), stretch AS (
        SELECT number, register_id, greatest((
            SELECT time FROM meters_registerreading
            WHERE register_id = asked.register_id AND time < asked.low AND time >= %(lowest)s::timestamptz
              AND quality NOT IN (8, 9, 12)
            ORDER BY time DESC LIMIT 1
        ), (
            SELECT at FROM meters_chainevent
            WHERE register_id = asked.register_id AND at < asked.low AND value IS NOT NULL ORDER BY at DESC LIMIT 1
        )) AS before, low, high, least((
            SELECT time FROM meters_registerreading
            WHERE register_id = asked.register_id AND time > asked.high AND time <= %(highest)s::timestamptz
              AND quality NOT IN (8, 9, 12)
            ORDER BY time LIMIT 1
        ), (
            SELECT at FROM meters_chainevent
            WHERE register_id = asked.register_id AND at > asked.high AND value IS NOT NULL ORDER BY at LIMIT 1
        )) AS after
        FROM asked
    ), known AS (
        SELECT stretch.number, stretch.register_id, reading.time FROM stretch CROSS JOIN LATERAL (
            SELECT time FROM meters_registerreading
            WHERE register_id = stretch.register_id
              AND time BETWEEN coalesce(stretch.before, stretch.low) AND coalesce(stretch.after, stretch.high)
              AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
              AND quality NOT IN (8, 9, 12)
            ORDER BY time
        ) AS reading
        UNION
        SELECT stretch.number, stretch.register_id, event.at FROM stretch JOIN meters_chainevent AS event
            ON event.register_id = stretch.register_id AND event.value IS NOT NULL
           AND event.at BETWEEN coalesce(stretch.before, stretch.low) AND coalesce(stretch.after, stretch.high)
    )
    SELECT DISTINCT register_id, time, next FROM (
        SELECT register_id, time, lead(time) OVER (PARTITION BY number ORDER BY time) AS next FROM known
    ) AS pair
    WHERE next - time > %(half_hour)s
    ORDER BY 1, 2
"""


def holes_in(windows: Sequence[Window]) -> list[Window]:
    """Return where more than half an hour lies between true neighbours, reads of chain events included, near windows.

    From each window on to the nearest true neighbour on either side. Served by the partitions' keys: a descent a
    window for either neighbour, and what lies inside, of which only the holes leave the database. Where months are
    archived between live ones, what they hold of the holes is read.

    :raises ArchiveDamaged: a file of the archive is missing or cannot be read.
    """
    if not windows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_HOLES, _parameters(windows) | {"half_hour": HALF_HOUR})
        holes = [Window(register_id, start, end) for register_id, start, end in cursor.fetchall()]
    held = months() if holes else []
    known = {hole for hole in holes if any(hole.low < each.high and each.low < hole.high for each in held)}
    return sorted({*holes} - known | _parted(known), key=lambda hole: (hole.register_id, hole.low))


def _parted(holes: Collection[Window]) -> set[Window]:
    """Part holes at the true readings inside them, and keep what is longer than half an hour."""
    times: dict[int, list[datetime]] = defaultdict(list)
    for register_id, time, _, quality in readings_to_neighbours(sorted(holes, key=lambda hole: hole.register_id)):
        if quality not in ESTIMATES:
            times[register_id].append(time)
    edges = (
        (hole, [hole.low, *(at for at in times[hole.register_id] if hole.low < at < hole.high), hole.high])
        for hole in holes
    )
    return {
        Window(hole.register_id, low, high)
        for hole, instants in edges
        for low, high in pairwise(instants)
        if high - low > HALF_HOUR
    }


def readings_to_neighbours(windows: Sequence[Window]) -> list[tuple[int, datetime, Decimal, int]]:
    """Return (register, time, value, quality) of readings inside windows, on to the nearest true one on either side.

    A neighbour further away than 92 days is none. In the order of register and time, each once. Served by the
    partitions' keys: three descents a window, in the partitions that lie within reach.

    :raises ArchiveDamaged: a file of the archive is missing or cannot be read.
    """
    if not windows:
        return []

    def read() -> list[tuple[int, datetime, Decimal, int]]:
        with connection.cursor() as cursor:
            cursor.execute(_NEIGHBOURHOOD, _parameters(windows))
            return with_archived_neighbours(cursor.fetchall(), windows, reach=REACH)

    return with_files(read)


def _parameters(windows: Sequence[Window]) -> dict[str, Any]:
    return {
        "registers": array_text(window.register_id for window in windows),
        "lows": array_text(window.low for window in windows),
        "highs": array_text(window.high for window in windows),
        "lowest": min(window.low for window in windows) - REACH,
        "highest": max(window.high for window in windows) + REACH,
    }
