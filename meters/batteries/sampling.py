"""Fewer points of a long series that keep its extremes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sampled:
    """m spans of time that hold anything, in order; by column the mean, the lowest and the highest value of each.

    :ivar starts: of the spans, in the times' unit.
    :ivar rows: how many readings each holds.
    :ivar means: of the values that there are, NaN where there is none; so for ``lows`` and ``highs``.
    """

    starts: Ints
    rows: Ints
    means: dict[str, Floats]
    lows: dict[str, Floats]
    highs: dict[str, Floats]


def sample(times: Ints, values: Mapping[str, Floats], *, every: int) -> Sampled:
    """Draw readings together over spans that start at multiples of a length.

    Each highest and lowest value is one that was told: no peak is lost, however few points are left.

    :param times: n instants, ascending.
    :param values: by column n numbers, NaN where missing.
    :param every: the spans' length, in the times' unit.
    """
    spans = times // every
    starts = np.flatnonzero(np.diff(spans, prepend=spans[:1] - 1))
    rows = np.diff(starts, append=times.size)
    means, lows, highs = {}, {}, {}
    for column, numbers in values.items():
        if not times.size:
            means[column] = lows[column] = highs[column] = np.empty(0)
            continue
        present = ~np.isnan(numbers)
        counts = np.add.reduceat(present.astype(np.int64), starts)
        sums = np.add.reduceat(np.where(present, numbers, 0.0), starts)
        means[column] = np.divide(sums, counts, out=np.full(starts.size, np.nan), where=counts > 0)
        lows[column] = np.fmin.reduceat(numbers, starts)
        highs[column] = np.fmax.reduceat(numbers, starts)
    return Sampled(spans[starts] * every, rows, means, lows, highs)
