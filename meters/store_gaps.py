"""The hand-written SQL that looks for what is missing between true readings."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from meters.consumption import ESTIMATES
from meters.store import Window

REACH = timedelta(days=92)

# A sub-select with an order and a limit stays one descent of the key, whatever the statistics say.
_NEIGHBOURHOOD = """
    WITH asked AS (
        SELECT * FROM unnest(%(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[])
            AS asked (register_id, low, high)
    ), stretch AS (
        SELECT asked.register_id, coalesce(before.time, asked.low) AS low, coalesce(after.time, asked.high) AS high
        FROM asked LEFT JOIN LATERAL (
            SELECT time FROM meters_registerreading
            WHERE register_id = asked.register_id AND time < asked.low AND time >= %(lowest)s::timestamptz
              AND quality <> ALL (%(estimates)s)
            ORDER BY time DESC LIMIT 1
        ) AS before ON true LEFT JOIN LATERAL (
            SELECT time FROM meters_registerreading
            WHERE register_id = asked.register_id AND time > asked.high AND time <= %(highest)s::timestamptz
              AND quality <> ALL (%(estimates)s)
            ORDER BY time LIMIT 1
        ) AS after ON true
    )
    SELECT DISTINCT stretch.register_id, reading.time, reading.value, reading.quality
    FROM stretch CROSS JOIN LATERAL (
        SELECT time, value, quality FROM meters_registerreading
        WHERE register_id = stretch.register_id AND time BETWEEN stretch.low AND stretch.high
          AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
        ORDER BY time
    ) AS reading
    ORDER BY 1, 2
"""


def readings_to_neighbours(windows: Sequence[Window]) -> list[tuple[int, datetime, Decimal, int]]:
    """Return (register, time, value, quality) of readings inside windows, on to the nearest true one on either side.

    A neighbour further away than 92 days is none. In the order of register and time, each once. Served by the
    partitions' keys: three descents a window, in the partitions that lie within reach.
    """
    if not windows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _NEIGHBOURHOOD,
            {
                "registers": _array(window.register_id for window in windows),
                "lows": _array(window.low for window in windows),
                "highs": _array(window.high for window in windows),
                "lowest": min(window.low for window in windows) - REACH,
                "highest": max(window.high for window in windows) + REACH,
                "estimates": sorted(ESTIMATES),
            },
        )
        return list(cursor.fetchall())


def _array(values: Iterable[object]) -> str:
    """Write numbers and instants as the text of an array, several times as fast as a list is adapted."""
    return "{" + ",".join(map(str, values)) + "}"
