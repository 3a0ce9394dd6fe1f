"""The hand-written SQL that reads what devices used and how full batteries were, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from meters.series.columns import IntegerKind, held
from meters.series.wire import binary_cursor, packed

_HOURS = b"""
    SELECT asked.id, told.* FROM unnest(%(owners)b::int4[]) AS asked (id) CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(time), '{}'), coalesce(array_agg(energy_wh * 3600 / covered_seconds), '{}')
        FROM devices_devicehour
        WHERE device_id = asked.id AND time >= %(low)s AND time < %(high)s AND covered_seconds >= %(least)s
    ) AS told
"""
_QUARTERS = b"""
    SELECT asked.id, told.* FROM unnest(%(owners)b::int4[]) AS asked (id) CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(time), '{}'),
               coalesce(array_agg((soc_first_percent::float8 + soc_last_percent) / 2), '{}')
        FROM batteries_batteryquarter
        WHERE battery_id = asked.id AND time >= %(low)s AND time < %(high)s
          AND soc_first_percent IS NOT NULL AND soc_last_percent IS NOT NULL
    ) AS told
"""
# An hour of which more than a tenth is not known tells nothing.
_LEAST_SECONDS = 3240.0


@dataclass(frozen=True, slots=True)
class Column:
    """What was told: n starts, µs since 2000, UTC, in any order, and n values."""

    times: NDArray[np.int64]
    values: NDArray[np.float64]


def device_hours(device_ids: Sequence[int], low: datetime, high: datetime) -> dict[int, Column]:
    """Return the energies (Wh) of hours that start in ``[low, high)``, by device, scaled up to whole hours.

    Served by the partitions' keys (device, time): a descent a device and day.
    """
    return _columns(_HOURS, device_ids, low, high)


def battery_quarters(battery_ids: Sequence[int], low: datetime, high: datetime) -> dict[int, Column]:
    """Return the mean states of charge (%) of quarters of an hour that start in ``[low, high)``, by battery.

    Served by the partitions' keys (battery, time): a descent a battery and month.
    """
    return _columns(_QUARTERS, battery_ids, low, high)


def _columns(statement: bytes, owners: Sequence[int], low: datetime, high: datetime) -> dict[int, Column]:
    if not owners:
        return {}
    ids = packed(IntegerKind(4), held(np.array(owners, dtype=np.int64)))
    parameters = {"owners": ids, "low": low, "high": high, "least": _LEAST_SECONDS}
    with binary_cursor(connection) as cursor:
        cursor.execute(statement, parameters, binary=True)
        return {owner: Column(times, values) for owner, times, values in cursor}
