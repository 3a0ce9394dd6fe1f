"""What anybody could say: the same half-hour a week ago, or the mean of the same weekday's of late."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints
from meters.insights.features import AHEAD_DAYS, LEAST_KNOWN_DAYS, histories_of, truths_of

_WEEK = 7
_WEEKS = 4
_RECENT_DAYS = 28
_LEAST_KNOWN = 0.7
_FEWEST_MISSES = 3


@dataclass(frozen=True, eq=False)
class Naive:
    """What anybody could say of the half-hours after an origin, (96,) each; no band where too little came before."""

    name: str
    values: Floats
    low: Floats | None
    high: Floats | None


def naive_ahead(grid: Grid, origin: int) -> Naive | None:
    """Return the best that can be said without a model; None where not even that.

    Two weeks of known days make means of weekdays, one a repetition; single gaps are filled by the hour's mean. The
    band is as wide as the same rule missed in the weeks before.
    """
    history = histories_of(grid, np.array([origin]))[0]
    days = int((np.isfinite(history[-_RECENT_DAYS:]).mean(axis=1) >= _LEAST_KNOWN).sum())
    if days < _WEEK:
        return None
    name, rule = ("weekday_means", weekday_means) if days >= LEAST_KNOWN_DAYS else ("week_naive", week_naive)
    values = rule(grid, np.array([origin]))[0]
    values = np.where(np.isfinite(values), values, np.tile(_hours(history), AHEAD_DAYS))
    if not np.isfinite(values).all():
        return None
    return Naive(name, values, *_band(grid, origin, rule, values))


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


def _hours(history: Floats) -> Floats:
    """Return the mean of each half-hour of the day of late, (48,)."""
    recent = history[-_RECENT_DAYS:]
    known = np.isfinite(recent)
    counts = known.sum(axis=0)
    return np.where(counts > 0, np.where(known, recent, 0).sum(axis=0) / np.maximum(counts, 1), np.nan)


def _band(
    grid: Grid, origin: int, rule: Callable[[Grid, Ints], Floats], values: Floats
) -> tuple[Floats, Floats] | tuple[None, None]:
    """Return between what eight of ten truths would lie, as the rule missed the two days after earlier origins."""
    past = grid.until(origin)
    origins = origin - SLOTS_A_DAY * np.arange(_RECENT_DAYS, 0, -1)
    misses = truths_of(past, origins) - rule(past, origins)
    # The same hour of both days, and the hours beside it.
    misses = misses.reshape(-1, SLOTS_A_DAY)
    misses = np.concatenate([np.roll(misses, step, axis=1) for step in (-1, 0, 1)])
    if np.isfinite(misses).sum(axis=0).min() < _FEWEST_MISSES:
        return None, None
    low, high = np.nanquantile(misses, (0.1, 0.9), axis=0)
    floor = 0 if np.nanmin(past.values) >= 0 else -np.inf
    return (
        np.maximum(np.minimum(values + np.tile(low, AHEAD_DAYS), values), floor),
        np.maximum(values + np.tile(high, AHEAD_DAYS), values),
    )
