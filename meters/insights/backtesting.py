"""How a forecaster would have done: origins roll through the last days, each sees what was before it and no more."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Grid, Ints
from meters.insights.features import AHEAD_DAYS, samples_of, truths_of
from meters.insights.forecasters.blending import Ahead, Blend
from meters.insights.forecasters.naive import week_naive, weekday_means
from meters.insights.forecasters.training import train
from meters.insights.scoring import Score, day_naive_mae_of, score

BLEND, WEEK_NAIVE, WEEKDAY_MEANS = "blend", "week_naive", "weekday_means"
_REFIT_DAYS = 28


@dataclass(frozen=True)
class Outcome:
    """The scores of one series by model, each for the first and the second day ahead."""

    scores: Mapping[str, tuple[Score, ...]]
    origins: int


def backtest(
    grids: Sequence[Grid],
    *,
    days: int,
    holidays: AbstractSet[int] = frozenset(),
    refit_days: int = _REFIT_DAYS,
    seed: int = 0,
) -> list[Outcome]:
    """Forecast at each local midnight of the last days of several series, by a model that they teach together.

    The model is made anew every ``refit_days`` days from what was before.

    :raises TooLittle: there is not enough before those days to learn from.
    """
    end = max(grid.after for grid in grids) // SLOTS_A_DAY * SLOTS_A_DAY
    starts = range(end - days * SLOTS_A_DAY, end, refit_days * SLOTS_A_DAY)
    blends: list[list[Ahead]] = [[] for _ in grids]
    origins: list[list[Ints]] = [[] for _ in grids]
    for start in starts:
        model = train(grids, until=start, holidays=holidays, seed=seed)
        asked = np.arange(start, min(start + refit_days * SLOTS_A_DAY, end), SLOTS_A_DAY, dtype=np.int64)
        for place, grid in enumerate(grids):
            own = asked[(asked > grid.first) & (asked < grid.after)]
            if len(own):
                blends[place].append(_ahead(model, grid, own, holidays))
                origins[place].append(own)
    return [_outcome(grid, own, asked) for grid, own, asked in zip(grids, blends, origins, strict=True)]


def _ahead(model: Blend, grid: Grid, origins: Ints, holidays: AbstractSet[int]) -> Ahead:
    samples = samples_of(grid, origins, holidays=holidays)
    ahead = model.predict(samples)
    means = weekday_means(grid, origins)

    def told(part: Floats) -> Floats:
        return np.where(samples.usable[:, None], part, means)

    return Ahead(told(ahead.median), told(ahead.mean), told(ahead.low), told(ahead.high))


def _outcome(grid: Grid, parts: Sequence[Ahead], origins: Sequence[Ints]) -> Outcome:
    asked = np.concatenate(origins) if origins else np.empty(0, dtype=np.int64)
    if not len(asked):
        return Outcome({}, 0)
    truths = truths_of(grid, asked)
    usual = day_naive_mae_of(grid.until(int(asked[0])).values)
    names = ("median", "mean", "low", "high")
    blend = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    naive: dict[str, Floats] = {WEEK_NAIVE: week_naive(grid, asked), WEEKDAY_MEANS: weekday_means(grid, asked)}
    scores = {BLEND: tuple(_scored(truths, blend, day, usual) for day in range(AHEAD_DAYS))}
    for name, told in naive.items():
        alike = {"median": told, "mean": told}
        scores[name] = tuple(_scored(truths, alike, day, usual) for day in range(AHEAD_DAYS))
    return Outcome(scores, len(asked))


def _scored(truths: Floats, told: Mapping[str, Floats], day: int, usual: float | None) -> Score:
    own = np.s_[:, day * SLOTS_A_DAY : (day + 1) * SLOTS_A_DAY]
    return score(
        truth=truths[own],
        median=told["median"][own],
        mean=told["mean"][own],
        low=told["low"][own] if "low" in told else None,
        high=told["high"][own] if "high" in told else None,
        day_naive_mae=usual,
    )
