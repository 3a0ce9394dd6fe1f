"""Series that are made up: their seasons are known, and so is how well they can be foretold."""

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Grid, weekdays_of

MONDAY = 19_723 * SLOTS_A_DAY  # 2024-01-01


def usage(days, *, seed=0, size=1.0, noise=0.1, first=MONDAY):
    """Return a series with an evening peak, quieter weekends and some noise."""
    slots = first + np.arange(days * SLOTS_A_DAY)
    hours = (slots % SLOTS_A_DAY) / 2
    shape = 0.4 + np.exp(-((hours - 19) ** 2) / 8) + 0.4 * np.exp(-((hours - 7.5) ** 2) / 3)
    shape = np.where(weekdays_of(slots) >= 5, 0.7 * shape + 0.2, shape)
    wobble = 1 + noise * np.random.default_rng(seed).standard_normal(len(slots))
    return Grid(first, size * shape * wobble)


def with_values(grid, where, value):
    """Return a series in which some slots, counted from its first, hold something else."""
    values = grid.values.copy()
    values[where] = value
    return Grid(grid.first, values)
