"""The hand-written SQL of watching: the last minutes of many batteries in one statement a system."""

from collections.abc import Sequence

import numpy as np
from django.db import connection

from meters.batteries.checks import WINDOW_US, Rows
from meters.batteries.quantities import COLUMNS, System
from meters.batteries.store.readings import READINGS
from meters.series.columns import IntegerKind, TimeKind, held
from meters.series.wire import binary_cursor, packed

_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('watch of batteries', 0))"
# A descent of the key a battery.
_LAST_MINUTES = """
    SELECT id, told.* FROM unnest(%(batteries)b::int4[], %(since)b::timestamptz[], %(until)b::timestamptz[])
        AS asked (id, since, until) CROSS JOIN LATERAL (
        SELECT array_agg(time), {arrays} FROM (
            SELECT time, {columns} FROM {table}
            WHERE battery_id = asked.id AND time >= asked.since AND time <= asked.until
            ORDER BY time
        ) AS ordered
    ) AS told
"""


def take_turn() -> bool:
    """Tell whether this transaction is the one that watches batteries, until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN)
        return bool(cursor.fetchone()[0])


def last_minutes(system: System, newest: Sequence[tuple[int, int]]) -> dict[int, Rows]:
    """Return the rows of ``WINDOW_US`` up to the newest of each battery (key, µs since 2000), in one statement."""
    columns = COLUMNS[system]
    statement = _LAST_MINUTES.format(
        arrays=", ".join(f"array_agg(coalesce({column}, 'NaN'))" for column in columns),
        columns=", ".join(columns),
        table=READINGS[system].table,
    )
    batteries, until = (np.array(column, np.int64) for column in zip(*newest, strict=True))
    parameters = {
        "batteries": packed(IntegerKind(4), held(batteries)),
        "since": packed(TimeKind(), held(until - WINDOW_US)),
        "until": packed(TimeKind(), held(until)),
    }
    with binary_cursor(connection) as cursor:
        cursor.execute(statement.encode(), parameters, binary=True)
        return {
            battery: Rows(times, dict(zip(columns, values, strict=True)))
            for battery, times, *values in cursor
            if times is not None
        }
