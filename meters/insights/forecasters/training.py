"""Which origins teach a model, and the model that they teach."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Grid, Ints
from meters.insights.features import Samples, samples_of, truths_of
from meters.insights.forecasters.blending import Blend

LONGEST_DAYS = 900
FEWEST_ORIGINS = 60
_HELD_BACK_DAYS = 84
_HELD_BACK_SHARE = 0.25


class TooLittle(ValueError):
    """There is not enough of a past to learn from."""


def train(grids: Sequence[Grid], *, until: int, holidays: AbstractSet[int] = frozenset(), seed: int = 0) -> Blend:
    """Learn from several series together what the half-hours after an origin look like.

    The origins are those at the same time of day as ``until``; nothing at or after it is looked at.

    :param until: a slot: where the past ends.
    :param holidays: days since 1970.
    :raises TooLittle: fewer than sixty origins with a past and something after them.
    """
    samples, truths, origins = [], [], []
    for grid in grids:
        past = grid.until(until)
        asked = origins_of(past, until)
        if not len(asked):
            continue
        found = samples_of(past, asked, holidays=holidays)
        after = truths_of(past, asked)
        usable = found.usable & np.isfinite(after).any(axis=1)
        samples.append(found.only(usable))
        truths.append(after[usable])
        origins.append(asked[usable])
    taught = np.concatenate(origins) if origins else np.empty(0, dtype=np.int64)
    if len(taught) < FEWEST_ORIGINS:
        raise TooLittle(f"{len(taught)} days to learn from: at least {FEWEST_ORIGINS} are needed.")
    days = (int(taught.max()) - int(taught.min())) // SLOTS_A_DAY + 1
    held_back = taught > taught.max() - min(_HELD_BACK_DAYS, int(days * _HELD_BACK_SHARE)) * SLOTS_A_DAY
    return Blend.fit(Samples.joined(samples), np.concatenate(truths), held_back, seed=seed)


def origins_of(past: Grid, until: int) -> Ints:
    """Return the slots before one, at its time of day, that have something before and after them in a series."""
    first = max(past.first + SLOTS_A_DAY, until - LONGEST_DAYS * SLOTS_A_DAY)
    return np.arange(until - SLOTS_A_DAY, first - 1, -SLOTS_A_DAY, dtype=np.int64)[::-1]
