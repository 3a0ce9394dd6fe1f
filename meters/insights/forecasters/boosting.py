"""Gradient boosting on histograms of features: means, medians and quantiles of the half-hours ahead of many meters.

Ke et al., "LightGBM: a highly efficient gradient boosting decision tree", NeurIPS (2017), as scikit-learn builds it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Ints
from meters.insights.features import AHEAD, Samples

LOW, HIGH = 0.1, 0.9
# Energy is in the level, which wants all there is; ranks are dearer to fit and need less.
_ROUNDS_OF_MEAN, _ROUNDS_OF_RANKS = 150, 100
_ROWS_OF_MEAN, _ROWS_OF_RANKS = 400_000, 150_000
# Rounds times how much of its step each takes.
_PACE = 7.5
_ROWS_AT_ONCE = 3_072
# Of ten thousand half-hours one is an accident that no mean should follow.
_ORDINARY = 0.9999


@dataclass(frozen=True, eq=False)
class Boosted:
    """Four models of the same features; answers are scaled and less what is usual.

    :ivar columns: the features of which anything was known.
    """

    columns: Ints
    mean: Any
    median: Any
    low: Any
    high: Any

    @classmethod
    def fit(cls, samples: Samples, targets: Floats, *, seed: int) -> "Boosted":
        """Fit to the origins of many meters.

        :param targets: (n, 96) of scaled values less what is usual; NaN where not known.
        """
        from sklearn.ensemble import HistGradientBoostingRegressor

        rows, wanted = _rows(samples), targets.ravel()
        known = np.flatnonzero(np.isfinite(wanted))
        columns = np.flatnonzero(np.isfinite(rows[known]).any(axis=0))
        wanted = np.minimum(wanted, np.quantile(wanted[known], _ORDINARY))

        def fitted(loss: str, rounds: int, most: int, quantile: float | None = None) -> Any:
            chosen = known
            if len(chosen) > most:
                chosen = np.sort(np.random.default_rng(seed).choice(chosen, most, replace=False))
            model = HistGradientBoostingRegressor(
                loss=loss,
                quantile=quantile,
                max_iter=rounds,
                learning_rate=_PACE / rounds,
                max_leaf_nodes=31,
                min_samples_leaf=min(100, max(20, len(chosen) // 500)),
                l2_regularization=1.0,
                max_features=0.5,
                early_stopping=False,
                random_state=seed,
            )
            return model.fit(rows[np.ix_(chosen, columns)], wanted[chosen])

        return cls(
            columns=columns,
            mean=fitted("squared_error", _ROUNDS_OF_MEAN, _ROWS_OF_MEAN),
            median=fitted("absolute_error", _ROUNDS_OF_RANKS, _ROWS_OF_RANKS),
            low=fitted("quantile", _ROUNDS_OF_RANKS, _ROWS_OF_RANKS, LOW),
            high=fitted("quantile", _ROUNDS_OF_RANKS, _ROWS_OF_RANKS, HIGH),
        )

    def predict(self, samples: Samples) -> tuple[Floats, Floats, Floats, Floats]:
        """Return means, medians, and the edges of the band ahead, (n, 96) each."""
        rows = np.ascontiguousarray(_rows(samples)[:, self.columns])
        # A part that stays in the cache while all trees look at it.
        parts = [rows[begin : begin + _ROWS_AT_ONCE] for begin in range(0, len(rows), _ROWS_AT_ONCE)]
        mean, median, low, high = (
            np.concatenate([model.predict(part) for part in parts]).reshape(-1, AHEAD)
            for model in (self.mean, self.median, self.low, self.high)
        )
        return mean, median, low, high


def _rows(samples: Samples) -> Any:
    """Return a row a half-hour ahead: its features, what is usual, and the half-hour of the day."""
    hours: Ints = samples.slots % SLOTS_A_DAY
    columns = np.concatenate([samples.features, samples.base[..., None], hours[..., None]], axis=-1)
    return columns.reshape(-1, columns.shape[-1]).astype(np.float32)
