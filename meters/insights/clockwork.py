"""Half-hours on the wall: series as grids of local half-hours, which no change of the clocks makes irregular.

A *slot* is a number of local half-hours since 1970-01-01 00:00 on the wall. In spring two slots of a day are never
reached and stay missing; in autumn two come twice and hold the mean of both.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

SLOT_SECONDS = 1800
SLOTS_A_DAY = 48
# 1970-01-01 was a Thursday; Monday is 0.
_FIRST_WEEKDAY = 3
_HOUR_SECONDS = 3600
_FIRST_SLOT = datetime(1970, 1, 1)  # noqa: DTZ001


@dataclass(frozen=True, eq=False)
class Grid:
    """Values by slot from ``first`` on, one each; NaN where none is known."""

    first: int
    values: Floats

    @property
    def after(self) -> int:
        """The slot after the last."""
        return self.first + len(self.values)

    def until(self, slot: int) -> "Grid":
        """Return what lies before a slot."""
        return Grid(self.first, self.values[: max(slot - self.first, 0)])


def slots_of(starts: Ints, zone: ZoneInfo) -> Ints:
    """Return the slots in which half-hours begin.

    :param starts: (n,) UTC seconds since 1970.
    """
    hours, place = np.unique(starts // _HOUR_SECONDS, return_inverse=True)
    offsets = np.array([_offset(hour * _HOUR_SECONDS, zone) for hour in hours.tolist()], dtype=np.int64)
    return (starts + offsets[place]) // SLOT_SECONDS


def slot_of(instant: datetime, zone: ZoneInfo) -> int:
    """Return the slot in which an instant lies."""
    return int(slots_of(np.array([int(instant.timestamp())], dtype=np.int64), zone)[0])


def instant_of(slot: int, zone: ZoneInfo) -> datetime:
    """Return when a slot begins, UTC: of one that comes twice the first, of one that never comes the hour after."""
    wall = _FIRST_SLOT + timedelta(seconds=slot * SLOT_SECONDS)
    return wall.replace(tzinfo=zone).astimezone(UTC)


def grid_of(starts: Ints, values: Floats, zone: ZoneInfo) -> Grid:
    """Lay half-hours on the wall.

    :param starts: (n,) UTC seconds since 1970, in any order.
    :param values: (n,), NaN where missing.
    """
    if not len(starts):
        return Grid(0, np.empty(0))
    slots = slots_of(starts, zone)
    first, known = int(slots.min()), np.isfinite(values)
    size = int(slots.max()) - first + 1
    sums = np.bincount(slots[known] - first, weights=values[known], minlength=size)
    counts = np.bincount(slots[known] - first, minlength=size)
    with np.errstate(invalid="ignore"):
        return Grid(first, np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))


def weekdays_of(slots: Ints) -> Ints:
    """Return the days of the week of slots, Monday 0."""
    return (slots // SLOTS_A_DAY + _FIRST_WEEKDAY) % 7


def year_angles_of(slots: Ints) -> Floats:
    """Return where in the year slots lie, in radians."""
    dates = (slots // SLOTS_A_DAY).astype("datetime64[D]")
    days: Floats = (dates - dates.astype("datetime64[Y]")).astype(np.float64)
    return 2 * np.pi * days / 365.25


def midnight_slot(instant: datetime, zone: ZoneInfo) -> int:
    """Return the slot of the last local midnight at or before an instant."""
    slot = slots_of(np.array([int(instant.timestamp())], dtype=np.int64), zone)[0]
    return int(slot) // SLOTS_A_DAY * SLOTS_A_DAY


def unfold(origin_slot: int, values: Floats, zone: ZoneInfo) -> tuple[datetime, Floats]:
    """Take whole days on the wall back to the half-hours that there are: spring drops some, autumn says them twice.

    :param origin_slot: a local midnight.
    :param values: (n,) from that slot on, n a number of whole days.
    :returns: when the first half-hour begins, and a value each half-hour from then on.
    """
    begin, end = (_instant(slot, zone) for slot in (origin_slot, origin_slot + len(values)))
    starts = np.arange(begin, end, SLOT_SECONDS, dtype=np.int64)
    places = np.clip(slots_of(starts, zone) - origin_slot, 0, len(values) - 1)
    return datetime.fromtimestamp(begin, UTC), values[places]


def _instant(midnight: int, zone: ZoneInfo) -> int:
    """Return when the first half-hour of a local day begins, in UTC seconds."""
    day = date(1970, 1, 1) + timedelta(days=midnight // SLOTS_A_DAY)
    second = datetime.combine(day, time(), zone).timestamp()
    return int(-(-second // SLOT_SECONDS)) * SLOT_SECONDS


def _offset(second: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
