"""How good forecasts were: one number each for shape, energy and band, so that none is bought with another.

MASE: Hyndman and Koehler, "Another look at measures of forecast accuracy", Int. J. Forecasting 22 (2006).
"""

from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Bools, Floats


@dataclass(frozen=True)
class Score:
    """What became of forecasts of n half-hours whose truth is known; None where there is nothing to measure by.

    :ivar mae: of the median, in the unit of the series.
    :ivar nmae: the same by the mean size of the truth.
    :ivar mase: the same by the error of saying each half-hour of the past what it was a day before.
    :ivar bias: by how much the means are too high in all, as a share of the truth's size.
    :ivar coverage: share of truths inside the band.
    :ivar median_bias: what the bias were, were the medians taken for energy.
    """

    n: int
    mae: float | None
    nmae: float | None
    mase: float | None
    bias: float | None
    coverage: float | None
    median_bias: float | None = None


def score(
    *, truth: Floats, median: Floats, mean: Floats, low: Floats | None, high: Floats | None, day_naive_mae: float | None
) -> Score:
    """Score forecasts against what came; half-hours without a truth or a forecast are left out.

    :param day_naive_mae: see :func:`day_naive_mae_of`.
    """
    known = np.isfinite(truth) & np.isfinite(median)
    if not known.any():
        return Score(0, None, None, None, None, None)
    wanted = truth[known]
    mae = float(np.abs(median[known] - wanted).mean())
    size, total, gross = float(np.abs(wanted).mean()), float(wanted.sum()), float(np.abs(wanted).sum())
    inside = None if low is None or high is None else _inside(wanted, low[known], high[known])
    return Score(
        n=int(known.sum()),
        mae=mae,
        nmae=mae / size if size else None,
        mase=mae / day_naive_mae if day_naive_mae else None,
        bias=(float(mean[known].sum()) - total) / gross if gross else None,
        coverage=None if inside is None or not inside.size else float(inside.mean()),
        median_bias=(float(median[known].sum()) - total) / gross if gross else None,
    )


def _inside(truth: Floats, low: Floats, high: Floats) -> Bools:
    """Tell which truths lie inside their band, of those that have one."""
    told = np.isfinite(low) & np.isfinite(high)
    found: Bools = (truth[told] >= low[told]) & (truth[told] <= high[told])
    return found


def day_naive_mae_of(values: Floats) -> float | None:
    """Return the mean error of saying each half-hour what it was a day before; None where nothing tells.

    :param values: half-hours on the wall, in order, NaN where missing.
    """
    misses = np.abs(values[SLOTS_A_DAY:] - values[:-SLOTS_A_DAY])
    known = misses[np.isfinite(misses)]
    return float(known.mean()) if known.size else None
