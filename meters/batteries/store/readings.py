"""The series of what batteries tell, and the statements around their writer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from django.db import connection
from numpy.typing import NDArray
from psycopg import sql

from meters.batteries.models import BmsReading, PcsReading
from meters.batteries.quantities import COLUMNS, System
from meters.series.columns import TimeKind, held
from meters.series.spec import SeriesSpec
from meters.series.wire import binary_cursor, packed

READINGS: dict[System, SeriesSpec] = {
    System.BMS: SeriesSpec.of(
        BmsReading, owner="battery", identity=COLUMNS[System.BMS], joins=True, restamps=("received_at",)
    ),
    System.PCS: SeriesSpec.of(
        PcsReading, owner="battery", identity=COLUMNS[System.PCS], joins=True, restamps=("received_at",)
    ),
}

# Two statements, not one, in which the mark would be read as of before the wait for the lock.
_SHARE_MARK = "SELECT pg_advisory_xact_lock_shared(hashtextextended('quarter mark of batteries', 0))"
_READ_MARK = "SELECT until FROM batteries_quartermark WHERE id = 1"
_IS_HELD = sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE battery_id = %s AND time BETWEEN %s AND %s)")
_LOG_TOUCHED = """
    INSERT INTO batteries_touchedquarters (low, high, battery_ids, logged_at) VALUES (%b, %b, %b::int4[], %b)
"""


@contextmanager
def mark_shared() -> Iterator[Callable[[], datetime | None]]:
    """Keep the roll-up's mark where it is until the transaction ends; waits only while somebody moves it.

    Yields what tells the mark, None where nothing is rolled up. It goes with the block's first statement in one round
    trip, to the answer of which the block should put off asking.
    """
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        connection.connection.pipeline(),
        psycopg.Cursor(connection.connection) as lock,
        psycopg.Cursor(connection.connection) as mark,
    ):
        lock.execute(_SHARE_MARK)
        mark.execute(_READ_MARK)
        yield lambda: next((until for (until,) in mark), None)


def is_free(system: System, battery_id: int, low: int, high: int) -> bool:
    """Tell whether a battery has no reading in ``[low, high]``, µs since 2000; one descent of the key a month."""
    spec = READINGS[system]
    bounds = [TimeKind().restore(extreme) for extreme in (low, high)]
    statement = _IS_HELD.format(table=sql.Identifier(spec.table))
    with connection.cursor() as cursor:
        cursor.execute(statement, [battery_id, *bounds])
        (is_held,) = cursor.fetchone() or (True,)
        return not is_held


def log_touched(battery_ids: NDArray[np.int64], times: NDArray[Any], *, now: datetime) -> None:
    """Note batteries whose quarters have to be rolled up again, over the span of what was written, in one statement.

    :param times: µs since 2000, one or more.
    """
    kind = READINGS[System.BMS].time.kind
    low, high = (kind.restore(extreme) for extreme in (times.min(), times.max()))
    ids = packed(READINGS[System.BMS].owner.kind, held(np.unique(battery_ids)))
    with binary_cursor(connection) as cursor:
        cursor.execute(_LOG_TOUCHED, [low, high, ids, now])
