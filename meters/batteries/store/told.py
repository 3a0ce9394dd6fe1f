"""Stretches of what a battery told, as numpy columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from psycopg import sql

from meters.batteries.quantities import System
from meters.batteries.store.readings import READINGS
from meters.series.wire import binary_cursor

_TOLD = sql.SQL("""
    SELECT array_agg(time), {arrays} FROM (
        SELECT time, {columns} FROM {table}
        WHERE battery_id = %b AND time >= %b AND time < %b ORDER BY time
    ) AS told
""")


@dataclass(frozen=True, slots=True)
class Told:
    """n readings of a battery in the order of their times.

    :ivar times: µs since 2000, UTC.
    :ivar values: by column, NaN where missing.
    """

    times: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]


def told(system: System, battery_pk: int, columns: Sequence[str], *, start: datetime, end: datetime) -> Told:
    """Return some columns of what a battery told in ``[start, end)``: one stretch of the key a month."""
    names = [sql.Identifier(column) for column in columns]
    statement = _TOLD.format(
        arrays=sql.SQL(", ").join(sql.SQL("array_agg(coalesce({}, 'NaN'))").format(name) for name in names),
        columns=sql.SQL(", ").join(names),
        table=sql.Identifier(READINGS[system].table),
    )
    with binary_cursor(connection) as cursor:
        times, *values = cursor.execute(statement, [battery_pk, start, end], binary=True).fetchone() or (None,)
    if times is None:
        return Told(np.empty(0, dtype=np.int64), {column: np.empty(0) for column in columns})
    return Told(times, dict(zip(columns, values, strict=True)))
