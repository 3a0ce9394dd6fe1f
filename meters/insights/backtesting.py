"""How a forecaster would have done: origins roll through the last days, each sees what was before it and no more."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints
from meters.insights.features import AHEAD, AHEAD_DAYS, NOWHERE, Surroundings, truths_of
from meters.insights.forecasters.naive import week_naive, weekday_means
from meters.insights.forecasters.registry import BLEND, WEEK_NAIVE, WEEKDAY_MEANS, Forecaster
from meters.insights.forecasters.serving import Foretold, forecast
from meters.insights.forecasters.training import TooLittle, train
from meters.insights.scoring import Score, day_naive_mae_of, score

_REFIT_DAYS = 28
_RETRY_DAYS = 7
# Before it nothing could be told of a series.
_FIRST_WEEK = 7 * SLOTS_A_DAY
_HALF_A_DAY = SLOTS_A_DAY // 2
_PARTS = ("median", "mean", "low", "high")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one series.

    :ivar scores: by forecaster, each for the first and the second day ahead and for both together.
    :ivar origins: (n,) slots.
    :ivar told: the forecasts that were scored under the forecaster's own name, by part, (n, 96).
    :ivar spoke: how often who spoke, and why it was not the model.
    """

    scores: Mapping[str, tuple[Score, ...]]
    origins: Ints
    told: Mapping[str, Floats]
    truths: Floats
    spoke: Mapping[str, int]


@dataclass
class _Course:
    """The forecasts of one series as the origins roll on."""

    grid: Grid
    around: Surroundings
    asked: Ints
    told: list[Foretold] = field(default_factory=list)


def backtest(
    grids: Sequence[Grid],
    *,
    days: int,
    surroundings: Sequence[Surroundings] | None = None,
    refit_days: int = _REFIT_DAYS,
    seed: int = 0,
    forecaster: str = BLEND,
    progress: Callable[[int, int], None] | None = None,
) -> list[Outcome]:
    """Forecast at each local midnight of the last days of several series, by a model that they teach together.

    The model is made anew every ``refit_days`` days from what was before; where that is too little, what is served
    without a model is scored.

    :param surroundings: one for each series.
    :param progress: told how many of how many midnights are done.
    """
    around = list(surroundings or [NOWHERE] * len(grids))
    courses = [_Course(grid, own, _asked(grid, days)) for grid, own in zip(grids, around, strict=True)]
    asked = np.unique(np.concatenate([course.asked for course in courses])) if courses else np.empty(0, dtype=np.int64)
    done = 0
    while done < len(asked):
        start = int(asked[done])
        try:
            model: Forecaster | None = train(grids, until=start, surroundings=around, seed=seed, forecaster=forecaster)
        except TooLittle:
            model = None
        # While there is none, it is tried again each week.
        end = start + (refit_days if model else min(refit_days, _RETRY_DAYS)) * SLOTS_A_DAY
        for course in courses:
            own = course.asked[(course.asked >= start) & (course.asked < end)]
            alike, beside = [course.grid] * len(own), [course.around] * len(own)
            course.told += forecast(model, alike, own, surroundings=beside, forecaster=forecaster)
        done = int(np.searchsorted(asked, end))
        if progress:
            progress(done, len(asked))
    return [_outcome(course, forecaster) for course in courses]


def _asked(grid: Grid, days: int) -> Ints:
    """Return the midnights of the last days of a series that something may be told at."""
    known = np.flatnonzero(np.isfinite(grid.values))
    if not len(known):
        return np.empty(0, dtype=np.int64)
    first, after = grid.first + int(known[0]), grid.first + int(known[-1]) + 1
    end = (after + _HALF_A_DAY) // SLOTS_A_DAY * SLOTS_A_DAY
    asked = np.arange(end - days * SLOTS_A_DAY, end, SLOTS_A_DAY, dtype=np.int64)
    return asked[(asked >= first + _FIRST_WEEK) & (asked < after)]


def _outcome(course: _Course, forecaster: str) -> Outcome:
    truths = truths_of(course.grid, course.asked)
    first = int(course.asked[0]) if len(course.asked) else course.grid.first
    usual = day_naive_mae_of(course.grid.until(first).values)
    unknown = np.full(AHEAD, np.nan)
    told = {
        part: np.array([unknown if (own := getattr(one, part)) is None else own for one in course.told]).reshape(
            -1, AHEAD
        )
        for part in _PARTS
    }
    naive = {WEEK_NAIVE: week_naive, WEEKDAY_MEANS: weekday_means}
    by_name = {forecaster: told} | {
        name: dict.fromkeys(("median", "mean"), rule(course.grid, course.asked)) for name, rule in naive.items()
    }
    scores = {name: _scored(truths, own, usual) for name, own in by_name.items()}
    spoke = Counter(f"{one.forecaster or 'refused'}{one.reason and ': '}{one.reason}" for one in course.told)
    return Outcome(scores, course.asked, told, truths, dict(spoke))


def _scored(truths: Floats, told: Mapping[str, Floats], usual: float | None) -> tuple[Score, ...]:
    """Return how each day ahead did, and both together."""
    days = [slice(day * SLOTS_A_DAY, (day + 1) * SLOTS_A_DAY) for day in range(AHEAD_DAYS)]
    return tuple(
        score(
            truth=truths[:, own],
            median=told["median"][:, own],
            mean=told["mean"][:, own],
            low=told["low"][:, own] if "low" in told else None,
            high=told["high"][:, own] if "high" in told else None,
            day_naive_mae=usual,
        )
        for own in [*days, slice(None)]
    )
