"""What is known of series before an instant, as grids of local half-hours: what forecasts and their judges look at."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np

from energy_portal.shared.clock import local_day
from meters.insights.clockwork import SLOT_SECONDS, Floats, Grid, Ints, slots_of
from meters.insights.models import Subject
from meters.insights.selectors.metered import Axis, metered_rows
from meters.insights.selectors.subjects import Series, places_of
from meters.insights.store import series as store

AT_ONCE = 300
_Item = TypeVar("_Item")
_HALF_HOUR = timedelta(seconds=SLOT_SECONDS)
_WH_A_KWH = 1000
# A sum of which less than this share is known would say more about what is missing than about what is used.
_LEAST_SHARE = 0.9


def half_hour_grids(series: Sequence[Series], *, until: datetime, days: int) -> list[Grid]:
    """Return what is known of series: kWh a half-hour, of batteries the mean state of charge in percent.

    Only half-hours that end at or before ``until`` are looked at, from the local midnight ``days`` before its own on.
    A sum over many places is that of today's members; where a little of it is missing, it is scaled up. A fixed number
    of queries for some hundred series of a clock and kind; sums take their members' share.
    """
    found: dict[int, Grid] = {}
    places: dict[tuple[ZoneInfo, Subject], list[int]] = defaultdict(list)
    for place, each in enumerate(series):
        places[each.zone, each.kind].append(place)
    for (zone, kind), asked in places.items():
        axis = _axis(until, days, zone)
        for some in _parts(asked):
            rows = _READERS[kind]([series[place] for place in some], axis)
            found.update(zip(some, _grids(rows, axis, zone), strict=True))
    return [found[place] for place in range(len(series))]


def _parts(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[first : first + AT_ONCE] for first in range(0, len(items), AT_ONCE))


def _axis(until: datetime, days: int, zone: ZoneInfo) -> Axis:
    start = local_day(until.astimezone(zone).date() - timedelta(days=days), zone).start
    return Axis(start, max((until - start) // _HALF_HOUR, 0))


def _grids(rows: Floats, axis: Axis, zone: ZoneInfo) -> Iterator[Grid]:
    """Lay rows on the wall: slots that come twice hold the mean of both, those that never come are unknown."""
    if not axis.count:
        yield from (Grid(0, np.empty(0)) for _ in rows)
        return
    slots = _slots(axis, zone)
    first, size = int(slots[0]), int(slots.max()) - int(slots[0]) + 1
    if size == axis.count:
        yield from (Grid(first, row) for row in rows)
        return
    for row in rows:
        known = np.isfinite(row)
        sums = np.bincount(slots[known] - first, weights=row[known], minlength=size)
        counts = np.bincount(slots[known] - first, minlength=size)
        yield Grid(first, np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


@lru_cache(maxsize=64)
def _slots(axis: Axis, zone: ZoneInfo) -> Ints:
    return slots_of(axis.starts, zone)


def _device_rows(devices: Sequence[Series], axis: Axis) -> Floats:
    """Return halves of devices' hours, (m, n) kWh."""
    rows = np.full((len(devices), axis.count), np.nan)
    told = store.device_hours(_keys(devices), axis.start, axis.end - _HALF_HOUR)
    for row, key in zip(rows, _keys(devices), strict=True):
        column = told[key]
        places, beside = axis.places(column.times)
        whole = (beside == 0) & (places + 1 < axis.count)
        for half in (0, 1):
            row[places[whole] + half] = column.values[whole] / 2 / _WH_A_KWH
    return rows


def _battery_rows(batteries: Sequence[Series], axis: Axis) -> Floats:
    """Return mean states of charge, (m, n) percent; both quarters of a half-hour have to be known."""
    rows = np.full((len(batteries), axis.count), np.nan)
    told = store.battery_quarters(_keys(batteries), axis.start, axis.end)
    for row, key in zip(rows, _keys(batteries), strict=True):
        column = told[key]
        places, _ = axis.places(column.times)
        counts = np.bincount(places, minlength=axis.count)
        sums = np.bincount(places, weights=column.values, minlength=axis.count)
        row[:] = np.where(counts > 1, sums / np.maximum(counts, 1), np.nan)
    return rows


def _keys(series: Iterable[Series]) -> list[int]:
    return [each.key for each in series]


def _sum_rows(sums: Sequence[Series], axis: Axis) -> Floats:
    """Return what accounts, regions or everything took in, (m, n) kWh."""
    rows = np.full((len(sums), axis.count), np.nan)
    for row, each in zip(rows, sums, strict=True):
        row[:] = _summed(places_of(each, at=axis.end - _HALF_HOUR), axis)
    return rows


def _summed(members: Sequence[Series], axis: Axis) -> Floats:
    """Return the sum of members, scaled up by the mean size of those that are missing; NaN where too many are."""
    sums, shares, whole = np.zeros(axis.count), np.zeros(axis.count), 0.0
    for some in _parts(members):
        rows = metered_rows(some, axis)
        known = np.isfinite(rows)
        counts = known.sum(axis=1)
        told = np.where(known, rows, 0)
        sizes = told.sum(axis=1) / np.maximum(counts, 1)
        sums += told.sum(axis=0)
        shares += sizes @ known
        whole += float(sizes.sum())
    if not whole:
        return np.full(axis.count, np.nan)
    share = shares / whole
    return np.where(share >= _LEAST_SHARE, sums / np.maximum(share, _LEAST_SHARE), np.nan)


_READERS: dict[Subject, Callable[[Sequence[Series], Axis], Floats]] = {
    Subject.SERVICE_POINT: metered_rows,
    Subject.DEVICE: _device_rows,
    Subject.BATTERY: _battery_rows,
    Subject.ACCOUNT: _sum_rows,
    Subject.REGION: _sum_rows,
    Subject.PORTAL: _sum_rows,
}
