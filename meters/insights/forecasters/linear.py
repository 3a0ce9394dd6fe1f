"""Ridge regression of each half-hour ahead on what is known: one small model an hour of the day and day ahead.

Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics 12 (1970).
"""

from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import Floats
from meters.insights.features import AHEAD, COLUMN, LEVELS, NAMES, WEATHER, Samples

_PENALTY = 3.0
# With fewer origins than this the weights are held back more, by the square of how many there are too few.
_PLENTY = 600
_CALENDAR = ("weekday", "weekend", "day_ahead")
_PLAIN = [COLUMN[name] for name in NAMES if name not in _CALENDAR]
_IS_WEATHER = np.array([NAMES[place] in WEATHER for place in _PLAIN])
_TINY = 1e-9
# Beyond this many deviations a feature is an accident, and a straight line would follow it anywhere.
_FARTHEST = 6.0


@dataclass(frozen=True, eq=False)
class Ridge:
    """Weights of the means ahead: (96, f), of features that are centred and scaled, and where each lies."""

    weights: Floats
    centre: Floats
    spread: Floats
    offset: Floats

    @classmethod
    def fit(cls, samples: Samples, targets: Floats) -> "Ridge":
        """Fit to the origins of many meters.

        :param targets: (n, 96) of scaled values less what is usual; NaN where not known.
        """
        columns = _columns(samples)
        flat = columns.reshape(-1, columns.shape[-1])
        centre, spread = flat.mean(axis=0), flat.std(axis=0) + _TINY
        columns = np.clip((columns - centre) / spread, -_FARTHEST, _FARTHEST)
        weights, offset = np.zeros((AHEAD, columns.shape[-1])), np.zeros(AHEAD)
        held = max(1.0, _PLENTY / max(len(samples), 1)) ** 2
        penalty = _PENALTY * held * np.eye(columns.shape[-1])
        for step in range(AHEAD):
            known = np.isfinite(targets[:, step])
            if not known.any():
                continue
            rows, wanted = columns[known, step], targets[known, step]
            offset[step], middle = wanted.mean(), rows.mean(axis=0)
            rows = rows - middle
            weights[step] = np.linalg.solve(rows.T @ rows + penalty, rows.T @ (wanted - offset[step]))
            offset[step] -= middle @ weights[step]
        return cls(weights, centre, spread, offset)

    def predict(self, samples: Samples) -> Floats:
        """Return the means ahead, (n, 96), scaled and less what is usual."""
        columns = np.clip((_columns(samples) - self.centre) / self.spread, -_FARTHEST, _FARTHEST)
        found: Floats = np.einsum("nsf,sf->ns", columns, self.weights) + self.offset
        return found


def _columns(samples: Samples) -> Floats:
    """Return features without gaps, the weekday as seven columns, and the levels once for each weekday."""
    features = samples.features
    plain = features[..., _PLAIN]
    plain = np.where(np.isfinite(plain), plain, np.where(_IS_WEATHER, 0, np.nan_to_num(samples.base)[..., None]))
    days = np.eye(7)[features[..., COLUMN["weekday"]].astype(np.int64)]
    levels = [days * np.nan_to_num(features[..., COLUMN[name], None]) for name in LEVELS]
    return np.concatenate([plain, days, *levels], axis=-1)
