"""The hand-written SQL of devices' hours: what was told, what stands, and up to when hours are rolled up.

Rows travel as arrays, in binary: a fourth of the time that COPY takes, which sends a message a row.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from django.db import connection

from meters.devices.models import DeviceHour
from meters.devices.rollup import DeviceHours, Ints, Standing, Told
from meters.series.columns import FloatKind, IntegerKind, Kind, TimeKind, held
from meters.series.spec import Column, Grain, SeriesSpec
from meters.series.wire import binary_cursor, packed

# Only its partitions are the engine's to make: no column of a series holds a region's UUID.
DEVICE_HOURS = SeriesSpec(
    table=DeviceHour._meta.db_table,
    owner=Column("device_id", IntegerKind(4), nullable=False),
    time=Column("time", TimeKind(), nullable=False),
    columns={},
    identity=(),
    joins=False,
    grain=Grain.DAY,
)
SLICE_ROWS = 1_000_000
_FIRST_SLICE = timedelta(minutes=1)
_FASTEST_GROWTH = 8
_WRITTEN_AT_ONCE = 100_000

_LOCK_MARK = "SELECT pg_advisory_xact_lock(hashtextextended('rollup mark of devices', 0))"
_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('rollup of device hours', 0))"
_DEVICES = """
    SELECT zone, array_agg(id), array_agg(coalesce(hold_seconds, %(hold)s))
    FROM devices_device {where} GROUP BY zone
"""
_TOLD = """
    SELECT array_agg(device_id), array_agg(time), array_agg(coalesce(power_w, 'NaN')),
           array_agg(coalesce(energy_wh, 'NaN'))
    FROM devices_devicesample WHERE time >= %(low)s AND time < %(high)s
"""
_TOLD_OF_SOME = """
    SELECT array_agg(device_id), array_agg(time), array_agg(coalesce(power_w, 'NaN')),
           array_agg(coalesce(energy_wh, 'NaN'))
    FROM unnest(%(devices)b::int4[]) AS asked (id) CROSS JOIN LATERAL (
        SELECT device_id, time, power_w, energy_wh FROM devices_devicesample
        WHERE device_id = asked.id AND time >= %(low)s AND time < %(high)s
        ORDER BY time
    ) AS told
"""
_STANDING = """
    SELECT array_agg(device_id), array_agg(coalesce(end_power_w, 'NaN')), array_agg(coalesce(end_heard_at, time))
    FROM devices_devicehour WHERE time = %(time)s
"""
_STANDING_OF_SOME = """
    SELECT array_agg(device_id), array_agg(coalesce(end_power_w, 'NaN')), array_agg(coalesce(end_heard_at, time))
    FROM unnest(%(devices)b::int4[]) AS asked (id) CROSS JOIN LATERAL (
        SELECT device_id, time, end_power_w, end_heard_at FROM devices_devicehour
        WHERE device_id = asked.id AND time = %(time)s
        LIMIT 1
    ) AS found
"""
# The group and the region are those of the first time that the hour was rolled up: late data do not move it.
_PUT = """
    INSERT INTO devices_devicehour AS standing
        (device_id, time, energy_wh, covered_seconds, group_id, region_id, end_power_w, end_heard_at)
    SELECT device.id, %(time)s, energy_wh, covered_seconds, device.group_id, device.region_id,
           nullif(power_w, 'NaN'), CASE WHEN power_w <> 'NaN' THEN heard_at END
    FROM unnest(
        %(devices)b::int4[], %(energies)b::float8[], %(seconds)b::float8[], %(powers)b::float4[],
        %(heard)b::timestamptz[]
    ) AS given (device_id, energy_wh, covered_seconds, power_w, heard_at)
    JOIN devices_device AS device ON device.id = given.device_id
    ORDER BY device.id
    ON CONFLICT (device_id, time) DO UPDATE SET
        energy_wh = excluded.energy_wh, covered_seconds = excluded.covered_seconds,
        end_power_w = excluded.end_power_w, end_heard_at = excluded.end_heard_at
    WHERE (standing.energy_wh, standing.covered_seconds, standing.end_power_w, standing.end_heard_at)
        IS DISTINCT FROM (excluded.energy_wh, excluded.covered_seconds, excluded.end_power_w, excluded.end_heard_at)
"""
_REMOVE = """
    DELETE FROM devices_devicehour AS hour USING unnest(%(devices)b::int4[]) AS gone (id)
    WHERE hour.device_id = gone.id AND hour.time = %(time)s
"""
_FORGET_FLEET = "DELETE FROM devices_fleethour WHERE time = ANY(%s::timestamptz[])"
_COUNT_FLEET = """
    INSERT INTO devices_fleethour (time, group_id, region_id, energy_wh, covered_seconds, devices)
    SELECT time, group_id, region_id, sum(energy_wh), sum(covered_seconds), count(*)
    FROM devices_devicehour WHERE time = %s
    GROUP BY time, group_id, region_id ORDER BY group_id, region_id
"""


class DevicesOfZone(NamedTuple):
    """Devices on one clock: its zone ('' for the portal's own), their numbers, ascending, and hold times (µs)."""

    zone: str
    device_ids: Ints
    hold: Ints


def lock_mark() -> None:
    """Wait for all who share the mark, and keep others from it until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_MARK)


def take_turn() -> bool:
    """Tell whether this transaction is the one that rolls hours up, until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN)
        return bool(cursor.fetchone()[0])


def devices_by_zone(device_ids: Ints | None, *, hold_seconds: int) -> list[DevicesOfZone]:
    """Return all devices, or some, by their zone; a scan of the registry or a descent of its key a device.

    :param hold_seconds: of devices that have none of their own.
    """
    where = "" if device_ids is None else "WHERE id = ANY(%(devices)b::int4[])"
    rows = _rows(_DEVICES.format(where=where), devices=device_ids, hold=hold_seconds)
    return [DevicesOfZone(zone, *_ascending(ids, seconds * 1_000_000)) for zone, ids, seconds in rows]


def told(device_ids: Ints | None, start: datetime, end: datetime) -> Iterator[Told]:
    """Yield what devices told in ``[start, end)``, slice by slice in time order.

    Of all devices it leans on the BRIN index of the time and takes as long a slice as holds about ``SLICE_ROWS`` if
    the rate stays; of some, on the key: a descent a device.
    """
    if device_ids is not None:
        yield _told(_TOLD_OF_SOME, device_ids, start, end)
        return
    low, length = start, _FIRST_SLICE
    while low < end:
        high = min(low + length, end)
        rows = _told(_TOLD, None, low, high)
        yield rows
        length *= min(SLICE_ROWS / max(rows.times.size, 1), _FASTEST_GROWTH)
        low = high


def standing(device_ids: Ints | None, hour: datetime) -> Standing:
    """Return what stands at the end of an hour that was rolled up; of all devices by BRIN, of some by the key."""
    statement = _STANDING if device_ids is None else _STANDING_OF_SOME
    (row,) = _rows(statement, devices=device_ids, time=hour)
    return Standing.nothing() if row[0] is None else Standing(*_ascending(*row))


def put_hours(hour: datetime, made: DeviceHours, gone: Ints) -> None:
    """Store an hour of devices in the place of what stood, and remove it of those of which nothing is known any more.

    A descent of the partition's key a device; rows that are as they were are not written.
    """
    columns = (
        ("devices", IntegerKind(4), made.device_ids),
        ("energies", FloatKind(8), made.energy_wh),
        ("seconds", FloatKind(8), made.covered_seconds),
        ("powers", FloatKind(4), made.standing.power_w),
        ("heard", TimeKind(), made.standing.heard),
    )
    edges = [*range(0, made.device_ids.size, _WRITTEN_AT_ONCE), made.device_ids.size]
    with binary_cursor(connection) as cursor:
        for low, high in pairwise(edges):
            arrays = {name: _array(kind, values[low:high]) for name, kind, values in columns}
            cursor.execute(_PUT.encode(), {"time": hour, **arrays}, binary=True)
        if gone.size:
            cursor.execute(_REMOVE.encode(), {"time": hour, "devices": _array(IntegerKind(4), gone)}, binary=True)


def count_fleet(hours: Collection[datetime]) -> None:
    """Sum the devices' hours anew by group and region; a scan of each hour by BRIN."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_FLEET, [sorted(hours)])
        for hour in sorted(hours):
            cursor.execute(_COUNT_FLEET, [hour])


def _told(statement: str, device_ids: Ints | None, low: datetime, high: datetime) -> Told:
    (row,) = _rows(statement, devices=device_ids, low=low, high=high)
    if row[0] is None:
        nothing = np.zeros(0, np.int64)
        return Told(nothing, nothing, np.zeros(0), np.zeros(0))
    return Told(*row)


def _rows(statement: str, *, devices: Ints | None, **parameters: Any) -> list[tuple[Any, ...]]:
    if devices is not None:
        parameters["devices"] = _array(IntegerKind(4), devices)
    with binary_cursor(connection) as cursor:
        cursor.execute(statement.encode(), parameters, binary=True)
        return cursor.fetchall()


def _array(kind: Kind, values: np.ndarray[Any, Any]) -> Any:
    return packed(kind, held(values))


def _ascending(device_ids: Ints, *columns: Any) -> tuple[Any, ...]:
    """Return columns in the order of the devices' numbers, these first."""
    order = np.argsort(device_ids)
    return (device_ids[order], *(column[order] for column in columns))
