"""The hand-written SQL of batteries' quarters: what was told of them, and their rows; values travel as arrays."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection

from meters.batteries.models import BatteryQuarter
from meters.batteries.quantities import System
from meters.batteries.rollup import (
    BMS_COLUMNS,
    BMS_STANDING,
    FIELDS,
    LOOK_BACK_US,
    PCS_COLUMNS,
    PCS_STANDING,
    Ints,
    Quarter,
    Told,
)
from meters.batteries.store.readings import READINGS
from meters.series.columns import IntegerKind, TimeKind, held
from meters.series.spec import SeriesSpec
from meters.series.wire import binary_cursor, packed

BATTERY_QUARTERS = SeriesSpec.of(BatteryQuarter, owner="battery", identity=FIELDS)
_COLUMNS = {System.BMS: BMS_COLUMNS, System.PCS: PCS_COLUMNS}
_STANDING = {System.BMS: BMS_STANDING, System.PCS: PCS_STANDING}
_LOOK_BACK = timedelta(microseconds=LOOK_BACK_US)

_LOCK_MARK = "SELECT pg_advisory_xact_lock(hashtextextended('quarter mark of batteries', 0))"
_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('rollup of battery quarters', 0))"
# A descent of the key a battery, and one more a signal for its last value before.
_TOLD = """
    SELECT id, told.* FROM unnest(%(batteries)b::int4[]) AS asked (id) CROSS JOIN LATERAL (
        SELECT array_agg(time), {arrays} FROM (
            SELECT * FROM (
                SELECT time, {columns} FROM {table}
                WHERE battery_id = asked.id AND time >= %(low)s AND time < %(high)s
                UNION ALL
                SELECT * FROM ({before}) AS before
            ) AS every ORDER BY time
        ) AS ordered
    ) AS told
"""
_BEFORE = """
    (SELECT time, {columns} FROM {table}
     WHERE battery_id = asked.id AND time > %(back)s AND time < %(low)s AND {column} IS NOT NULL
     ORDER BY time DESC LIMIT 1)
"""
_PUT = """
    INSERT INTO {table} AS standing (battery_id, time, {columns})
    SELECT * FROM unnest(%(batteries)b::int4[], %(times)b::timestamptz[], {arrays}) ORDER BY 1, 2
    ON CONFLICT (battery_id, time) DO UPDATE SET {sets}
    WHERE ({standing}) IS DISTINCT FROM ({excluded})
"""
_REMOVE = """
    DELETE FROM {table} USING unnest(%(batteries)b::int4[], %(times)b::timestamptz[]) AS gone (battery, start)
    WHERE battery_id = gone.battery AND time = gone.start
"""


def lock_mark() -> None:
    """Wait for all who share the mark, and keep others from it until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_MARK)


def take_turn() -> bool:
    """Tell whether this transaction is the one that rolls quarters up, until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN)
        return bool(cursor.fetchone()[0])


def told_between(system: System, battery_ids: Ints, low: datetime, high: datetime) -> dict[int, Told]:
    """Return what batteries told in ``[low, high)``, and each signal's last value in the quarter of an hour before.

    Costs a statement; memory is that of the rows.
    """
    columns = _COLUMNS[system]
    parts = {"columns": ", ".join(columns), "table": READINGS[system].table}
    statement = _TOLD.format(
        arrays=", ".join(f"array_agg(coalesce({column}, 'NaN'))" for column in columns),
        before=" UNION ".join(_BEFORE.format(column=column, **parts) for column in _STANDING[system]),
        **parts,
    )
    parameters = {"batteries": _ids(battery_ids), "low": low, "high": high, "back": low - _LOOK_BACK}
    with binary_cursor(connection) as cursor:
        cursor.execute(statement.encode(), parameters, binary=True)
        return {
            battery: _nothing(columns) if times is None else Told(times, dict(zip(columns, values, strict=True)))
            for battery, times, *values in cursor
        }


def put_quarters(rows: Sequence[tuple[int, int, Quarter]]) -> None:
    """Store quarters of batteries (key, start in µs since 2000, quarter) in the place of what stood.

    Those of which nothing is known are removed; rows that are as they were are not written.
    """
    known = [row for row in rows if row[2].is_known]
    gone = [row for row in rows if not row[2].is_known]
    with binary_cursor(connection) as cursor:
        if known:
            cursor.execute(_put_statement().encode(), _keys(known) | _values(known), binary=True)
        if gone:
            cursor.execute(_REMOVE.format(table=BATTERY_QUARTERS.table).encode(), _keys(gone), binary=True)


def _nothing(columns: Sequence[str]) -> Told:
    return Told(np.zeros(0, np.int64), {column: np.zeros(0) for column in columns})


def _put_statement() -> str:
    kinds = {name: BATTERY_QUARTERS.columns[name].kind.type_name for name in FIELDS}
    return _PUT.format(
        table=BATTERY_QUARTERS.table,
        columns=", ".join(FIELDS),
        arrays=", ".join(f"%({name})b::{kind}[]" for name, kind in kinds.items()),
        sets=", ".join(f"{name} = excluded.{name}" for name in FIELDS),
        standing=", ".join(f"standing.{name}" for name in FIELDS),
        excluded=", ".join(f"excluded.{name}" for name in FIELDS),
    )


def _keys(rows: Sequence[tuple[int, int, Quarter]]) -> dict[str, Any]:
    times = np.array([start for _, start, _ in rows], np.int64)
    return {
        "batteries": _ids(np.array([battery for battery, _, _ in rows], np.int64)),
        "times": packed(TimeKind(), held(times)),
    }


def _values(rows: Sequence[tuple[int, int, Quarter]]) -> dict[str, Any]:
    kinds = {name: BATTERY_QUARTERS.columns[name].kind for name in FIELDS}
    return {
        name: packed(kind, kind.read(np.array([getattr(quarter, name) for _, _, quarter in rows])))
        for name, kind in kinds.items()
    }


def _ids(battery_ids: Ints) -> Any:
    return packed(IntegerKind(4), held(battery_ids))
