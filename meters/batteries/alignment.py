"""Bringing signals of different rates to one row: what stands as of an instant, and what stands for a bucket of time.

A bucket is labelled by its start and knows only what was told before its end. Times, ages and tolerances are µs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from meters.batteries.quantities import SIGNALS, Manner, Signal

Times = NDArray[np.int64]
Numbers = NDArray[np.float64]

_SECOND_US = 1_000_000
_SLOW_SECONDS = {
    "soc": 300.0,
    "soh": 3600.0,
    "cell_avg_temp": 300.0,
    "cell_temp_diff": 300.0,
    "temp_environment": 300.0,
    "temp_ambient": 300.0,
    "temp_igbt": 300.0,
}
_USUAL_SECONDS = 60.0
# For how long a value stands while no other comes.
TOLERANCE_SECONDS: Mapping[str, float] = {
    signal.name: _SLOW_SECONDS.get(signal.name, _USUAL_SECONDS) for signals in SIGNALS.values() for signal in signals
}
_FAR = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Buckets:
    """Neighbouring spans of time of one length.

    :ivar start: of the first.
    :ivar every: the length of each.
    """

    start: int
    every: int
    count: int

    @cached_property
    def starts(self) -> Times:
        """Return where each begins."""
        return self.start + self.every * np.arange(self.count, dtype=np.int64)

    @cached_property
    def ends(self) -> Times:
        """Return where each ends: nothing that is told then or later is in it."""
        return self.starts + self.every


@dataclass(frozen=True, slots=True)
class Aligned:
    """What stands for n instants or buckets.

    :ivar values: NaN where nothing does.
    :ivar ages: how old the newest of what was told is then, for buckets at their end; -1 where nothing stands.
    """

    values: Numbers
    ages: Times


def first_standing(times: Times, values: Numbers) -> tuple[Times, Numbers]:
    """Order values by time, without those that are missing; of one instant the first that came stands."""
    is_told = np.isfinite(values)
    if not is_told.all():
        times, values = times[is_told], values[is_told]
    steps = np.diff(times)
    if (steps > 0).all():
        return times, values
    if (steps < 0).any():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    is_first = np.append(True, times[1:] != times[:-1])[: times.size]
    return times[is_first], values[is_first]


def as_of(times: Times, values: Numbers, at: Times, *, tolerance: int) -> Aligned:
    """Return what stands at some instants: the newest value told by then, if it is no older than the tolerance.

    :param times: ascending, each once.
    """
    return _newest(times, values, np.searchsorted(times, at, side="right") - 1, at, tolerance)


def align(signal: Signal, times: Times, values: Numbers, buckets: Buckets, *, tolerance: int) -> Aligned:
    """Return what stands for each bucket, in the signal's own manner.

    :param times: ascending, each once; from a tolerance before the first bucket on.
    """
    return (held if signal.manner is Manner.GAUGE else weighed)(times, values, buckets, tolerance=tolerance)


def held(times: Times, values: Numbers, buckets: Buckets, *, tolerance: int) -> Aligned:
    """Return the last value told before each bucket's end, if it is no older than the tolerance then.

    :param times: ascending, each once.
    """
    return _newest(times, values, np.searchsorted(times, buckets.ends) - 1, buckets.ends, tolerance)


def weighed(times: Times, values: Numbers, buckets: Buckets, *, tolerance: int) -> Aligned:
    """Return each bucket's mean, weighted by how long each value stood in it.

    A value stands until the next one, at most for its tolerance; what stood before a bucket counts from its start.
    The mean is of the time in which a value stood, and missing where none did.

    :param times: ascending, each once.
    """
    if not times.size:
        return _newest(times, values, np.full(buckets.count, -1), buckets.ends, tolerance)
    until = np.minimum(np.append(times[1:], _FAR), times + tolerance)
    first, behind = (np.searchsorted(times, edges) for edges in (buckets.starts, buckets.ends))
    counts = behind - first
    inside = slice(first[0], behind[-1])
    lasted = np.minimum(until[inside], np.repeat(buckets.ends, counts)) - times[inside]
    total, covered = np.zeros(buckets.count), np.zeros(buckets.count, dtype=np.int64)
    filled = np.flatnonzero(counts)
    if filled.size:
        begins = first[filled] - first[0]
        total[filled] = np.add.reduceat(values[inside] * lasted, begins)
        covered[filled] = np.add.reduceat(lasted, begins)
    before = np.maximum(first - 1, 0)
    carried = np.clip(np.minimum(until[before], buckets.ends) - buckets.starts, 0, None)
    carried[first == 0] = 0
    total += np.where(carried > 0, values[before] * carried, 0.0)
    covered += carried
    stands = covered > 0
    means = np.full(buckets.count, np.nan)
    np.divide(total, covered, out=means, where=stands)
    return Aligned(means, np.where(stands, buckets.ends - times[np.maximum(behind - 1, 0)], -1))


def tolerances_us(changed: Mapping[str, float]) -> dict[str, int]:
    """Return every signal's tolerance by its published name, some of them changed, in s."""
    return {name: round(seconds * _SECOND_US) for name, seconds in {**TOLERANCE_SECONDS, **changed}.items()}


def _newest(times: Times, values: Numbers, places: NDArray[np.intp], at: Times, tolerance: int) -> Aligned:
    """Return the values at some places, -1 for none, where they are not too old."""
    if not times.size:
        return Aligned(np.full(at.size, np.nan), np.full(at.size, -1, dtype=np.int64))
    ages = at - times[np.maximum(places, 0)]
    stands = (places >= 0) & (ages <= tolerance)
    return Aligned(np.where(stands, values[np.maximum(places, 0)], np.nan), np.where(stands, ages, -1))
