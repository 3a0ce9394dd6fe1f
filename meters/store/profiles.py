"""The hand-written SQL that reads whole profiles: all that dials showed in a stretch, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from meters.series.wire import binary_cursor
from meters.store.archive import MONTHS, months_of
from meters.store.arrays import array_text
from meters.store.registers import Window

# A sub-select with an order stays one descent of the key a window and partition, whatever the statistics say; the key
# carries value and quality, so that of a vacuumed month the table itself is not looked at.
_COLUMNS = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(%(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[])
            WITH ORDINALITY AS asked (register_id, low, high, number)
    )
    SELECT number::int4, NULL::timestamptz, 0, told.* FROM asked CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(time), '{}'), coalesce(array_agg((value * 1000000)::int8), '{}'),
               coalesce(array_agg(time) FILTER (WHERE quality IN (8, 9, 12)), '{}')
        FROM (
            SELECT time, value, quality FROM meters_registerreading
            WHERE register_id = asked.register_id AND time BETWEEN asked.low AND asked.high
              AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
            ORDER BY time
        ) AS reading
    ) AS told
    UNION ALL
    SELECT NULL, low, revision, NULL, NULL, NULL FROM (:months:) AS month (register_id, low, value, revision)
"""
_STATEMENT = _COLUMNS.replace(":months:", MONTHS).encode()


@dataclass(frozen=True, slots=True)
class DialColumn:
    """What a dial showed.

    :ivar times: n instants, µs since 2000, UTC, in order.
    :ivar values: n values, 10^-6 of the register's unit.
    :ivar estimated_times: the instants of those that are estimates.
    """

    times: NDArray[np.int64]
    values: NDArray[np.int64]
    estimated_times: NDArray[np.int64]


def dial_columns(windows: Sequence[Window]) -> list[DialColumn | None]:
    """Return what dials showed in windows, one a window; None where a month of it lies in the archive.

    Values reach Python as whole numbers, no step a reading. Served by the partitions' keys (register, time), one
    descent a window and partition: some 1,500 rows of leaves in order for a month of half-hours, a millisecond of the
    server's time each, and no table rows once the month is vacuumed.
    """
    if not windows:
        return []
    parameters = {
        "registers": array_text(window.register_id for window in windows),
        "lows": array_text(window.low for window in windows),
        "highs": array_text(window.high for window in windows),
        "lowest": min(window.low for window in windows),
        "highest": max(window.high for window in windows),
    }
    found: list[DialColumn | None] = [None] * len(windows)
    archived = []
    with binary_cursor(connection) as cursor:
        cursor.execute(_STATEMENT, parameters, binary=True)
        for number, low, revision, *columns in cursor:
            if number is None:
                archived.append((number, low, None, revision))
            else:
                found[number - 1] = DialColumn(*columns)
    months = months_of(archived)
    if not months:
        return found
    return [
        None if any(month.low <= window.high and window.low < month.high for month in months) else column
        for window, column in zip(windows, found, strict=True)
    ]
