"""A refrigerator that runs 12 minutes of 35, told each minute."""

from datetime import timedelta

import numpy as np

RUNNING_W, RESTING_W = 90.0, 1.5
_PERIOD, _RUN = 35, 12


def watts_of(minutes, *, stuck_from=None, seed=0):
    """Return its power each minute; from a minute on it may run without a break."""
    place = np.arange(minutes)
    runs = place % _PERIOD < _RUN
    if stuck_from is not None:
        runs |= place >= stuck_from
    noise = np.random.default_rng(seed).normal(1.0, 0.01, minutes)
    return np.where(runs, RUNNING_W, RESTING_W) * noise


def minutes_from(start, count):
    """Return when it tells them."""
    return [start + timedelta(minutes=place) for place in range(count)]
