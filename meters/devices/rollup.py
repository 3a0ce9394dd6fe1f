"""Energy of devices that send on change, by hold-last integration; arrays in, arrays out, no database.

A power stands until the device tells another one, and at most for the device's hold time after its last word. A word
is anything that it tells: whoever still sends a temperature is not silent. What silence ended stays unknown until the
next power. Instants are whole µs on one axis, which the caller chooses; powers are W, energies Wh.

Energy increments count as themselves, in the hour in which they are told, where no power stands in all of that hour;
then the hour counts as covered where no silence is longer than the hold time, its start up to the first word included.
Where a power stands they are left out, since they would count the same energy twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_HOUR_US = 3_600_000_000
_SECOND_US = 1_000_000
_NEVER = -(2**62)
# An hour's µs fit 32 bits, a device's number the other 31.
_TIME_BITS = 32
_TIME_MASK = (1 << _TIME_BITS) - 1
# Offsets of zones, and the instants at which they change, lie on quarters of an hour.
_QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Told:
    """n rows of devices, in any order: number, instant (µs), power (W) and energy increment (Wh), NaN where untold."""

    device_ids: Ints
    times: Ints
    power_w: Floats
    energy_wh: Floats


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of m devices at an instant: power (W, NaN where unknown) and last word (µs), by ascending number."""

    device_ids: Ints
    power_w: Floats
    heard: Ints

    @classmethod
    def nothing(cls) -> "Standing":
        """Return what stands where nobody was heard before."""
        return cls(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))

    def of(self, device_ids: Ints) -> "Standing":
        """Keep to those of some devices, which are ascending."""
        _, ours = _places(device_ids, self.device_ids)
        return Standing(self.device_ids[ours], self.power_w[ours], self.heard[ours])

    def unlike(self, other: "Standing") -> Ints:
        """Return the devices of either of which another power, or one of another last word, stands in the other."""
        both, mine, theirs = np.intersect1d(self.device_ids, other.device_ids, True, return_indices=True)
        power, before = self.power_w[mine], other.power_w[theirs]
        known = ~np.isnan(power)
        same = np.where(known, (power == before) & (self.heard[mine] == other.heard[theirs]), np.isnan(before))
        alone = np.setxor1d(self._known(), other._known(), assume_unique=True)
        return np.union1d(both[~same], alone)

    def _known(self) -> Ints:
        return self.device_ids[~np.isnan(self.power_w)]


@dataclass(frozen=True, slots=True)
class DeviceHours:
    """An hour of the k devices of which anything is known, by ascending number.

    :ivar energy_wh: k energies, Wh.
    :ivar covered_seconds: k durations of which the energy is known.
    :ivar standing: what stands at the hour's end, k devices.
    """

    energy_wh: Floats
    covered_seconds: Floats
    standing: Standing

    @property
    def device_ids(self) -> Ints:
        return self.standing.device_ids


class Hour:
    """An hour ``[start, end)`` of m devices that is told slice by slice, in time order.

    Memory is some 70 bytes a device and 100 a row of the largest slice; time is that of sorting each slice.
    """

    def __init__(self, *, start: int, end: int, device_ids: Ints, hold: Ints, before: Standing) -> None:
        """Begin an hour.

        :param start: its first µs; ``end`` is at most 71 minutes later.
        :param device_ids: m numbers, ascending, each once.
        :param hold: m hold times, µs.
        :param before: what stands at the start; devices that are not of this hour are left out.
        :raises ValueError: the hour is empty or too long.
        """
        if not 0 < end - start <= _TIME_MASK:
            raise ValueError(f"An hour of {end - start} µs.")
        self._start, self._end = start, end
        self._ids, self._hold = device_ids, hold
        size = device_ids.size
        self._power = np.full(size, np.nan)
        self._heard = np.full(size, _NEVER, np.int64)
        self._energy, self._covered, self._awake = np.zeros(size), np.zeros(size), np.zeros(size)
        self._increments = np.zeros(size)
        self._incremented = np.zeros(size, np.bool_)
        places, ours = _places(device_ids, before.device_ids)
        self._power[places] = before.power_w[ours]
        self._heard[places] = before.heard[ours]

    def add(self, told: Told) -> None:
        """Take the next slice; rows of other devices are left out.

        :param told: rows within the hour, none before a row of the same device that was added already.
        """
        key = (told.device_ids << _TIME_BITS) | (told.times - self._start)
        order = np.argsort(key)
        key = key[order]
        starts, owners, ours = self._owners(key)
        if not ours.all():
            key, order = key[ours], order[ours]
            starts, owners, _ = self._owners(key)
        if starts.size == 0:
            return
        counts = np.diff(starts, append=key.size)
        time = (key & _TIME_MASK) + self._start
        hold = np.repeat(self._hold[owners], counts)
        heard = _shifted(time, starts, self._heard[owners])
        after = self._after(told.power_w[order], time - heard > hold, starts, owners)
        before = _shifted(after, starts, self._power[owners])
        length, energy = self._stretch(before, heard, np.minimum(time, heard + hold))
        self._energy[owners] += np.add.reduceat(energy, starts)
        self._covered[owners] += np.add.reduceat(length, starts)
        self._awake[owners] += np.add.reduceat(self._awake_before(time, heard, hold), starts)
        self._count(told.energy_wh[order], starts, owners)
        lasts = starts + counts - 1
        self._power[owners] = after[lasts]
        self._heard[owners] = time[lasts]

    def close(self) -> DeviceHours:
        """Return the hour of each device of which anything is known."""
        until = self._heard + self._hold
        length, energy = self._stretch(self._power, self._heard, np.minimum(until, self._end))
        covered = self._covered + length
        tail = np.where(self._heard >= self._start, np.minimum(self._end - self._heard, self._hold), 0)
        counted = self._incremented & (covered == 0)
        known = np.flatnonzero(counted | (covered > 0))
        energy_wh = np.where(counted, self._increments, (self._energy + energy) / _HOUR_US)
        seconds = np.where(counted, self._awake + tail, covered) / _SECOND_US
        power = np.where(until >= self._end, self._power, np.nan)
        standing = Standing(self._ids[known], power[known], self._heard[known])
        return DeviceHours(energy_wh[known], seconds[known], standing)

    def _owners(self, key: Ints) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Return where each device's rows start, the device's place, and which rows are of devices of this hour."""
        device = key >> _TIME_BITS
        first = np.ones(key.size, np.bool_)
        first[1:] = device[1:] != device[:-1]
        starts = np.flatnonzero(first)
        places, there = _places(self._ids, device[starts])
        return starts, places, np.repeat(there, np.diff(starts, append=key.size))

    def _after(self, power: Floats, ended: NDArray[np.bool_], starts: Ints, owners: Ints) -> Floats:
        """Return the power that stands after each row: its own, what stood before, or none after a silence."""
        told = ended | ~np.isnan(power)
        inherits = ~told[starts]
        power[starts[inherits]] = self._power[owners[inherits]]
        told[starts] = True
        return power[np.maximum.accumulate(np.where(told, np.arange(power.size), 0))]

    def _stretch(self, power: Floats, since: Ints, until: Ints) -> tuple[Ints, Floats]:
        """Return for how many µs each power stands within the hour, and its W·µs; nothing where it is unknown."""
        length = np.maximum(until - np.maximum(since, self._start), 0)
        known = ~np.isnan(power)
        length *= known
        return length, np.where(known, power, 0) * length

    def _awake_before(self, time: Ints, heard: Ints, hold: Ints) -> Ints:
        """Return how long before each row the device was not silent, as far as this hour's own rows tell."""
        gap = time - np.maximum(heard, self._start)
        return np.where(heard >= self._start, np.minimum(gap, hold), np.where(gap <= hold, gap, 0))

    def _count(self, increments: Floats, starts: Ints, owners: Ints) -> None:
        told = ~np.isnan(increments)
        if told.any():
            self._increments[owners] += np.add.reduceat(np.where(told, increments, 0), starts)
            self._incremented[owners] |= np.logical_or.reduceat(told, starts)


def hour_edges(zone: ZoneInfo, low: datetime, high: datetime) -> list[datetime]:
    """Return the instants of ``[low, high]`` at which an hour begins on a zone's clock, in UTC.

    Those are its :00, and the instants at which the clock changes by other than whole hours.
    """
    return list(_edges(zone, low, high))


def _edges(zone: ZoneInfo, low: datetime, high: datetime) -> Iterator[datetime]:
    instant = _quarter_at_or_before(low)
    if instant < low:
        instant += _QUARTER
    while instant <= high:
        phase = _minutes_past(instant, zone)
        if phase == 0 or phase != (_minutes_past(instant - _QUARTER, zone) + 15) % 60:
            yield instant
        instant += _QUARTER


def hour_of(zone: ZoneInfo, instant: datetime) -> tuple[datetime, datetime]:
    """Return the start and the end of the hour on a zone's clock that holds an instant, in UTC."""
    # No hour is longer than one, so that four quarters lie around any instant's start, and five around its end.
    before = _quarter_at_or_before(instant)
    start = hour_edges(zone, before - 3 * _QUARTER, before)[-1]
    return start, hour_edges(zone, start + _QUARTER, start + 4 * _QUARTER)[0]


def _quarter_at_or_before(instant: datetime) -> datetime:
    utc = instant.astimezone(UTC)
    return utc.replace(minute=utc.minute // 15 * 15, second=0, microsecond=0)


def _minutes_past(instant: datetime, zone: ZoneInfo) -> int:
    return instant.astimezone(zone).minute


def _places(ascending: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the places of those wanted numbers that are there, and which these are."""
    if ascending.size == 0:
        return np.zeros(0, np.int64), np.zeros(wanted.size, np.bool_)
    places = np.searchsorted(ascending, wanted)
    there = ascending[np.minimum(places, ascending.size - 1)] == wanted
    return places[there], there


def _shifted(values: NDArray[Any], starts: Ints, firsts: NDArray[Any]) -> NDArray[Any]:
    """Return of each row the value of the row before it, and of each group's first row the given one."""
    before = np.empty_like(values)
    before[1:] = values[:-1]
    before[starts] = firsts
    return before
