"""What anybody could say: the same half-hour a week ago, or the mean of the same weekday's of late."""

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints
from meters.insights.features import AHEAD_DAYS, histories_of

_WEEK = 7
_WEEKS = 4


def week_naive(grid: Grid, origins: Ints) -> Floats:
    """Return what each half-hour ahead was a week before, (n, 96); NaN where that is not known."""
    return _same_weekday(grid, origins)[:, 0]


def weekday_means(grid: Grid, origins: Ints) -> Floats:
    """Return the mean of the last four of the same weekday, (n, 96); NaN where none of them is known."""
    weeks = _same_weekday(grid, origins)
    known = np.isfinite(weeks)
    sums, counts = np.where(known, weeks, 0).sum(axis=1), known.sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _same_weekday(grid: Grid, origins: Ints) -> Floats:
    """Return the half-hours one to four weeks before those ahead, (n, 4, 96)."""
    history = histories_of(grid, origins)
    days = [[day - _WEEK * back for day in range(AHEAD_DAYS)] for back in range(1, _WEEKS + 1)]
    found: Floats = history[:, days].reshape(len(origins), _WEEKS, AHEAD_DAYS * SLOTS_A_DAY)
    return found
