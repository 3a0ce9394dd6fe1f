"""The forecast that is made of several: who was right of late weighs more, and the band is as wide as it had to be.

The band is conformal: its two sides are stretched until the share of held-back truths inside is the one promised
(Romano, Patterson and Candès, "Conformalized quantile regression", NeurIPS 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Bools, Floats
from meters.insights.features import AHEAD, AHEAD_DAYS, Samples
from meters.insights.forecasters.boosting import HIGH, Boosted
from meters.insights.forecasters.linear import Ridge

_SHARES = tuple(step / 20 for step in range(21))
_TINY = 1e-6
_LEAST_HELD_BACK = 200


@dataclass(frozen=True, eq=False)
class Ahead:
    """What is ahead of origins, (n, 96) each, in the unit of the series."""

    median: Floats
    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Blend:
    """Ridge and boosting together; weights and stretches are by day ahead, (2,) each."""

    ridge: Ridge
    boosted: Boosted
    ridge_in_mean: Floats
    ridge_in_median: Floats
    stretch_low: Floats
    stretch_high: Floats

    @classmethod
    def fit(
        cls, samples: Samples, truths: Floats, held_back: Bools, *, seed: int, shares: Sequence[float] = _SHARES
    ) -> "Blend":
        """Fit to what came after origins, weigh on those held back, then fit again to all.

        :param truths: (n, 96) in the unit of the series; NaN where not known.
        :param held_back: (n,) the newest origins.
        :param shares: how much of ridge there may be in a forecast.
        """
        targets = truths / samples.scale[:, None] - samples.base
        kept = ~held_back
        early = samples.only(kept)
        trial = cls(
            Ridge.fit(early, targets[kept]),
            Boosted.fit(early, targets[kept], seed=seed),
            ridge_in_mean=np.full(AHEAD_DAYS, 0.5),
            ridge_in_median=np.full(AHEAD_DAYS, 0.5),
            stretch_low=np.ones(AHEAD_DAYS),
            stretch_high=np.ones(AHEAD_DAYS),
        )
        weighed = trial._weighed(samples.only(held_back), targets[held_back], np.asarray(shares))
        return cls(
            Ridge.fit(samples, targets),
            Boosted.fit(samples, targets, seed=seed),
            *weighed,
        )

    def predict(self, samples: Samples) -> Ahead:
        """Return what is ahead of origins."""
        straight = self.ridge.predict(samples)
        mean, median, low, high = self.boosted.predict(samples)
        day = np.arange(AHEAD) // SLOTS_A_DAY
        middle = _mixed(straight, median, self.ridge_in_median[day])
        edges = (
            middle - self.stretch_low[day] * np.maximum(median - low, _TINY),
            middle + self.stretch_high[day] * np.maximum(high - median, _TINY),
        )
        parts = (middle, _mixed(straight, mean, self.ridge_in_mean[day]), *edges)
        scaled = [(part + samples.base) * samples.scale[:, None] for part in parts]
        floor = np.where(samples.signed, -np.inf, 0)[:, None]
        return Ahead(*(np.maximum(part, floor) for part in scaled))

    def _weighed(self, samples: Samples, targets: Floats, shares: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the weights and stretches that held-back truths ask for, by day ahead."""
        straight = self.ridge.predict(samples)
        mean, median, low, high = self.boosted.predict(samples)
        found = np.array([self.ridge_in_mean, self.ridge_in_median, self.stretch_low, self.stretch_high])
        for day in range(AHEAD_DAYS):
            own = np.s_[:, day * SLOTS_A_DAY : (day + 1) * SLOTS_A_DAY]
            known = np.isfinite(targets[own])
            if known.sum() < _LEAST_HELD_BACK:
                continue
            line, wanted = straight[own][known], targets[own][known]
            squares = [np.square(_mixed(line, mean[own][known], w) - wanted).mean() for w in shares]
            misses = [np.abs(_mixed(line, median[own][known], w) - wanted).mean() for w in shares]
            found[:2, day] = shares[[int(np.argmin(squares)), int(np.argmin(misses))]]
            middle = _mixed(line, median[own][known], found[1, day])
            below = (middle - wanted) / np.maximum(median[own][known] - low[own][known], _TINY)
            above = (wanted - middle) / np.maximum(high[own][known] - median[own][known], _TINY)
            found[2:, day] = np.maximum(np.quantile(below, HIGH), 0), np.maximum(np.quantile(above, HIGH), 0)
        return found[0], found[1], found[2], found[3]


def _mixed(one: Floats, other: Floats, share: Floats | float) -> Floats:
    return share * one + (1 - share) * other
