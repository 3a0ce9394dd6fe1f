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
_TRUSTS = (1.0, 0.75, 0.5, 0.25, 0.0)
# So many held-back origins need no distrust, which would cost energy.
_PLENTY = 60
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
    """Ridge and boosting together; weights and stretches are by day ahead, (2,) each.

    :ivar trust_in_mean: how much of what differs from the usual is believed, 0 to 1: the less was learnt, the less.
    """

    ridge: Ridge
    boosted: Boosted
    ridge_in_mean: Floats
    ridge_in_median: Floats
    trust_in_mean: Floats
    trust_in_median: Floats
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
            trust_in_mean=np.ones(AHEAD_DAYS),
            trust_in_median=np.ones(AHEAD_DAYS),
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
        middle = self.trust_in_median[day] * _mixed(straight, median, self.ridge_in_median[day])
        energy = self.trust_in_mean[day] * _mixed(straight, mean, self.ridge_in_mean[day])
        edges = (
            middle - self.stretch_low[day] * np.maximum(median - low, _TINY),
            middle + self.stretch_high[day] * np.maximum(high - median, _TINY),
        )
        parts = (middle, energy, *edges)
        scaled = [(part + samples.base) * samples.scale[:, None] for part in parts]
        floor = np.where(samples.signed, -np.inf, 0)[:, None]
        return Ahead(*(np.maximum(part, floor) for part in scaled))

    def _weighed(self, samples: Samples, targets: Floats, shares: Floats) -> Floats:
        """Return the weights, trusts and stretches that held-back truths ask for, (6, 2)."""
        straight = self.ridge.predict(samples)
        mean, median, low, high = self.boosted.predict(samples)
        found = np.array(
            [
                *(self.ridge_in_mean, self.ridge_in_median, self.trust_in_mean, self.trust_in_median),
                *(self.stretch_low, self.stretch_high),
            ]
        )
        for day in range(AHEAD_DAYS):
            own = np.s_[:, day * SLOTS_A_DAY : (day + 1) * SLOTS_A_DAY]
            known = np.isfinite(targets[own])
            if known.sum() < _LEAST_HELD_BACK:
                continue
            line, wanted, middle = straight[own][known], targets[own][known], median[own][known]
            trusts = _TRUSTS if len(samples) < _PLENTY else (1.0,)
            found[[0, 2], day] = _best(line, mean[own][known], wanted, (shares, trusts), np.square)
            found[[1, 3], day] = _best(line, middle, wanted, (shares, trusts), np.abs)
            told = found[3, day] * _mixed(line, middle, found[1, day])
            below = (told - wanted) / np.maximum(middle - low[own][known], _TINY)
            above = (wanted - told) / np.maximum(high[own][known] - middle, _TINY)
            found[4:, day] = np.maximum(np.quantile(below, HIGH), 0), np.maximum(np.quantile(above, HIGH), 0)
        return found


def _best(
    line: Floats, boosted: Floats, wanted: Floats, choices: tuple[Floats, Sequence[float]], loss: np.ufunc
) -> tuple[float, float]:
    """Return the share of ridge, and then the trust in both, that lose least."""
    share = min(choices[0], key=lambda each: loss(_mixed(line, boosted, each) - wanted).mean())
    both = _mixed(line, boosted, share)
    return float(share), float(min(choices[1], key=lambda each: loss(each * both - wanted).mean()))


def _mixed(one: Floats, other: Floats, share: Floats | float) -> Floats:
    return share * one + (1 - share) * other
