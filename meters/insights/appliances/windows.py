"""Shares over trailing windows, and when something that lasts began."""

from dataclasses import dataclass

import numpy as np

from meters.insights.appliances.power import Floats, Ints, Power

STRIDE_SECONDS = 1800.0
_KNOWN_SHARE = 0.7


@dataclass(frozen=True, eq=False)
class Trail:
    """Means of a quantity over windows that end half an hour apart; NaN where too little of one is known."""

    ends: Ints
    means: Floats
    steps: int

    def alarmed(self, limit: float) -> int | None:
        """Return the end (a step) at which the mean last rose over a limit, if it still lies over it."""
        above = self.means > limit
        if not len(above) or not above[-1]:
            return None
        below = np.flatnonzero(~above)
        return int(self.ends[below[-1] + 1 if len(below) else 0])


def trail_of(power: Power, values: Floats, hours: float, *, needed: float = _KNOWN_SHARE) -> Trail:
    """Return the means over windows of some hours, the last of which ends with the power.

    :param values: one a step, NaN where unknown.
    :param needed: the share of a window that has to be known.
    """
    size, stride = round(hours * 3600 / power.step_seconds), round(STRIDE_SECONDS / power.step_seconds)
    ends = np.arange(len(values), size - 1, -stride, dtype=np.int64)[::-1]
    known = np.isfinite(values)
    counts = np.append(0, np.cumsum(known))
    sums = np.append(0.0, np.cumsum(np.where(known, values, 0.0)))
    seen = counts[ends] - counts[ends - size]
    means = (sums[ends] - sums[ends - size]) / np.maximum(seen, 1)
    return Trail(ends, np.where(seen >= needed * size, means, np.nan), size)


def onset(values: Floats, middle: float, first: int, after: int) -> int:
    """Return the step at which values most likely rose over a middle: where their cumulative excess turns.

    This is the change point of a cumulative sum (Page, Biometrika 1954).

    :param first: the step from which it may have begun.
    :param after: a step at which it certainly had.
    """
    excess = np.nan_to_num(values[first:after] - middle)
    running = np.append(0.0, np.cumsum(excess))
    return first + int(np.argmin(running))
