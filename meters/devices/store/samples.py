"""The series of what devices tell, and the statements around its writer."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import cast

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from meters.devices.decoding import QUANTITIES
from meters.devices.models import DeviceSample
from meters.series.columns import EPOCH, held
from meters.series.spec import Grain, SeriesSpec
from meters.series.wire import binary_cursor, packed
from meters.series.writer import Along

DEVICE_SAMPLES = SeriesSpec.of(
    DeviceSample, owner="device", identity=QUANTITIES, joins=True, restamps=("received_at",), grain=Grain.DAY
)

_HOUR_US = 3_600_000_000

# By a function, whose statements each see what was committed before them: as a part of this statement the mark would be
# read as of before the wait for the lock, and could be the one that its mover had just replaced.
_TOUCHED = """
    , mark AS MATERIALIZED (SELECT devices_shared_mark() AS until),
    touched AS (
        INSERT INTO devices_touchedhour (low, high, device_ids, logged_at)
        SELECT min(time), max(time), array_agg(DISTINCT device_id), %b::timestamptz
        FROM added JOIN mark ON added.time < mark.until GROUP BY date_trunc('hour', time, 'UTC')
    )
"""
_ORDER_CREATORS = "SELECT pg_advisory_xact_lock(hashtextextended('creators of devices', 0))"
_FIND = """
    SELECT device_id, CASE status WHEN 'active' THEN id ELSE -id END
    FROM devices_device WHERE device_id = ANY(%s::text[])
"""
_ACTIVE = """
    SELECT coalesce(array_agg(device_id), '{}'), coalesce(array_agg(id), '{}'), coalesce(max(id), 0)
    FROM (
        SELECT device_id, id FROM devices_device WHERE id > %s AND status = 'active' ORDER BY id LIMIT %s
    ) AS next
"""
_RETIRED_SINCE = "SELECT device_id FROM devices_device WHERE retired_at >= %s"
_LOG_TOUCHED = "INSERT INTO devices_touchedhour (low, high, device_ids, logged_at) VALUES (%b, %b, %b::int4[], %b)"
_ADD_LATE = """
    INSERT INTO devices_latesample AS standing
        (device_id, time, power_w, temperature_c, voltage_v, current_a, energy_wh, switch, received_at)
    SELECT * FROM unnest(%s::int4[], %s::timestamptz[], %s::float4[], %s::float4[], %s::float4[], %s::float4[],
        %s::float4[], %s::bool[], %s::timestamptz[]) AS given (device_id, time) ORDER BY device_id, time
    ON CONFLICT (device_id, time) DO UPDATE SET
        power_w = coalesce(standing.power_w, excluded.power_w),
        temperature_c = coalesce(standing.temperature_c, excluded.temperature_c),
        voltage_v = coalesce(standing.voltage_v, excluded.voltage_v),
        current_a = coalesce(standing.current_a, excluded.current_a),
        energy_wh = coalesce(standing.energy_wh, excluded.energy_wh),
        switch = coalesce(standing.switch, excluded.switch)
    WHERE num_nulls(standing.power_w, standing.temperature_c, standing.voltage_v, standing.current_a,
            standing.energy_wh, standing.switch)
        > num_nulls(coalesce(standing.power_w, excluded.power_w),
            coalesce(standing.temperature_c, excluded.temperature_c),
            coalesce(standing.voltage_v, excluded.voltage_v), coalesce(standing.current_a, excluded.current_a),
            coalesce(standing.energy_wh, excluded.energy_wh), coalesce(standing.switch, excluded.switch))
    RETURNING device_id, time
"""


def touching(now: datetime) -> Along:
    """Have what comes in below the roll-up's mark noted to be rolled up again, by hour (UTC).

    The mark is kept where it is until the transaction ends; waits only while somebody moves it.
    """
    return Along(_TOUCHED, (now,))


def find_devices(names: Collection[str]) -> dict[str, int]:
    """Return the keys of devices by how they name themselves, of retired ones the negated key.

    One descent of the unique index on ``device_id`` a name.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [list(names)])
        return dict(cursor.fetchall())


def active_devices(*, after: int, limit: int) -> tuple[dict[str, int], int]:
    """Return the next active devices in the order of their keys, by name, and the last key; one stretch of an index."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, [after, limit])
        names, keys, last = cursor.fetchone()
    return dict(zip(names, keys, strict=True)), last


def retired_since(moment: datetime) -> list[str]:
    """Return the names of devices that were retired at or after a moment, by the index on ``retired_at``."""
    with connection.cursor() as cursor:
        cursor.execute(_RETIRED_SINCE, [moment])
        return [name for (name,) in cursor.fetchall()]


def earliest_device() -> int | None:
    """Return the key of the device that was registered first, None where there is none; the primary key serves it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(id) FROM devices_device")
        row = cursor.fetchone()
    return None if row is None else row[0]


def log_touched(device_ids: NDArray[np.int64], times: NDArray[np.int64], *, now: datetime) -> None:
    """Note devices whose hours have to be rolled up again, hour by hour (UTC): no device waits on another one's.

    :param times: µs since 2000, one or more.
    """
    hours = times // _HOUR_US
    with binary_cursor(connection) as cursor:
        for hour in np.unique(hours):
            within = hours == hour
            low, high = (DEVICE_SAMPLES.time.kind.restore(extreme(times[within])) for extreme in (np.min, np.max))
            ids = packed(DEVICE_SAMPLES.owner.kind, held(np.unique(device_ids[within])))
            cursor.execute(_LOG_TOUCHED, [low, high, ids, now])


def order_creators() -> None:
    """Let nobody else create devices from messages until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_ORDER_CREATORS)


def add_late(rows: Sequence[tuple[object, ...]], *, now: datetime) -> set[tuple[int, int]]:
    """Keep samples of archived days for the archive's next revision; the first value of each quantity stands.

    :param rows: device, µs since 2000 and the quantities, each key once.
    :returns: device and time of those that brought something.
    """
    ordered = sorted(rows, key=lambda row: cast("tuple[int, int]", row[:2]))
    devices, times, *quantities = (list(column) for column in zip(*ordered, strict=True))
    moments = [DEVICE_SAMPLES.time.kind.restore(time) for time in times]
    with connection.cursor() as cursor:
        cursor.execute(_ADD_LATE, [devices, moments, *quantities, [now] * len(devices)])
        return {(device, (moment - EPOCH) // timedelta(microseconds=1)) for device, moment in cursor.fetchall()}
