"""What an import counts of a signal as it goes through it: gaps, ages, repeats; in memory that does not grow."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SECOND_US = 1_000_000
_AGE_STEPS = 1_000
MOST_GAPS_LISTED = 20


@dataclass
class SignalTally:
    """What was seen of a signal; its values are added in the order of time.

    :ivar tolerance: µs; a longer silence is a gap.
    :ivar repeats: values at instants that had one already.
    :ivar gaps: those listed, as (from, to) in µs since 2000.
    """

    tolerance: int
    values: int = 0
    repeats: int = 0
    first: int | None = None
    last: int | None = None
    gap_count: int = 0
    longest_gap: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)
    youngest: int | None = None
    oldest: int | None = None
    _ages: NDArray[np.int64] = field(default_factory=lambda: np.zeros(_AGE_STEPS + 1, dtype=np.int64))

    def add(self, times: NDArray[np.int64], *, repeats: int) -> None:
        """Count further stamps, ascending and later than all before."""
        self.values += times.size
        self.repeats += repeats
        if not times.size:
            return
        known = times if self.last is None else np.append(self.last, times)
        steps = np.diff(known)
        long = np.flatnonzero(steps > self.tolerance)
        self.gap_count += long.size
        if long.size:
            self.longest_gap = max(self.longest_gap, int(steps[long].max()))
            room = MOST_GAPS_LISTED - len(self.gaps)
            self.gaps += [(int(known[place]), int(known[place + 1])) for place in long[:room]]
        self.first = int(times[0]) if self.first is None else self.first
        self.last = int(times[-1])

    def add_ages(self, ages: NDArray[np.int64]) -> None:
        """Count further ages, -1 where nothing stands."""
        ages = ages[ages >= 0]
        if not ages.size:
            return
        self.youngest = min(int(ages.min()), ages.max() if self.youngest is None else self.youngest)
        self.oldest = max(int(ages.max()), self.oldest or 0)
        # A mean may stand in a bucket although its newest value is older than the tolerance at the end.
        steps = np.minimum(ages * _AGE_STEPS // max(self.tolerance, 1), _AGE_STEPS)
        self._ages += np.bincount(steps, minlength=_AGE_STEPS + 1)

    def median_age(self) -> int | None:
        """Return the median age, µs, to a thousandth of the tolerance; None before any was counted."""
        counted = np.cumsum(self._ages)
        if not counted[-1]:
            return None
        step = int(np.searchsorted(counted, (counted[-1] + 1) // 2))
        middle = step * self.tolerance // _AGE_STEPS
        return min(max(middle, self.youngest or 0), self.oldest or 0)

    def told(self) -> dict[str, Any]:
        """Return what was counted, durations in s."""
        ages = {"min": self.youngest, "median": self.median_age(), "max": self.oldest}
        return {
            "values": self.values,
            "repeats": self.repeats,
            "gaps": self.gap_count,
            "longest_gap_seconds": self.longest_gap / _SECOND_US,
            "age_seconds": {name: None if age is None else age / _SECOND_US for name, age in ages.items()},
        }
