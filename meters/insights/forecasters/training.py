"""Which origins teach a model, and the model that they teach."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Bools, Floats, Grid, Ints
from meters.insights.features import AHEAD, COLUMN, NOWHERE, Samples, Surroundings, samples_of, truths_of
from meters.insights.forecasters.registry import BLEND, Forecaster, named
from meters.insights.threads import one_thread

LONGEST_DAYS = 900
FEWEST_ORIGINS = 42
_HELD_BACK_DAYS = 84
_HELD_BACK_SHARE = 0.25
# Of less than most of a year nobody can tell what the seasons do; they would only name each day.
_SEASONS_DAYS = 300
_SEASONS = [COLUMN["season_sin"], COLUMN["season_cos"]]


@dataclass(frozen=True, eq=False)
class Lessons:
    """What is known at origins of several series and what came after, (n, 96); the newest are held back."""

    samples: Samples
    truths: Floats

    def __len__(self) -> int:
        return len(self.truths)

    @property
    def held_back(self) -> Bools:
        """Return which origins are so new that a forecaster is to be judged by them."""
        return newest(self.samples.slots[:, 0], _HELD_BACK_DAYS)


def newest(origins: Ints, most_days: int) -> Bools:
    """Tell which origins lie in the last days of all: so many, and no more than a quarter of the time."""
    days = (int(origins.max()) - int(origins.min())) // SLOTS_A_DAY + 1
    found: Bools = origins > origins.max() - min(most_days, int(days * _HELD_BACK_SHARE)) * SLOTS_A_DAY
    return found


class TooLittle(ValueError):
    """There is not enough of a past to learn from."""


def train(
    grids: Sequence[Grid],
    *,
    until: int,
    surroundings: Sequence[Surroundings] | None = None,
    seed: int = 0,
    forecaster: str = BLEND,
) -> Forecaster:
    """Learn from several series together what the half-hours after an origin look like.

    The origins are those at the same time of day as ``until``; nothing at or after it is looked at.

    :param until: a slot: where the past ends.
    :param surroundings: one for each series.
    :param forecaster: as the registry calls it.
    :raises TooLittle: fewer than forty-two origins with a past and something after them.
    """
    lessons = lessons_of(grids, until=until, surroundings=surroundings)
    if len(lessons) < FEWEST_ORIGINS:
        raise TooLittle(f"{len(lessons)} days to learn from: at least {FEWEST_ORIGINS} are needed.")
    with one_thread():
        return named(forecaster)(lessons.samples, lessons.truths, lessons.held_back, seed=seed)


def lessons_of(grids: Sequence[Grid], *, until: int, surroundings: Sequence[Surroundings] | None = None) -> Lessons:
    """Return what the past of several series teaches; see :func:`train`."""
    samples, truths = [samples_of(Grid(0, np.empty(0)), np.empty(0, dtype=np.int64))], [np.empty((0, AHEAD))]
    for grid, around in zip(grids, surroundings or [NOWHERE] * len(grids), strict=True):
        past = grid.until(until)
        asked = origins_of(past, until)
        found, after = samples_of(past, asked, surroundings=around), truths_of(past, asked)
        usable = found.usable & np.isfinite(after).any(axis=1)
        samples.append(found.only(usable))
        truths.append(after[usable])
    known = Samples.joined(samples)
    if len(known) and np.ptp(known.slots[:, 0]) < _SEASONS_DAYS * SLOTS_A_DAY:
        known.features[..., _SEASONS] = 0
    return Lessons(known, np.concatenate(truths))


def origins_of(past: Grid, until: int) -> Ints:
    """Return the slots before one, at its time of day, that have something before and after them in a series."""
    first = max(past.first + SLOTS_A_DAY, until - LONGEST_DAYS * SLOTS_A_DAY)
    return np.arange(until - SLOTS_A_DAY, first - 1, -SLOTS_A_DAY, dtype=np.int64)[::-1]
