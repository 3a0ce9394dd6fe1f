"""How rare a measure is among those of a series' own past: minus the logarithm of its chance, base ten."""

from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import Floats

_CHANCES = np.array([1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002])
_RARITIES = -np.log10(_CHANCES)
_RAREST = 6.0
_FEWEST = 300
# Beyond what was ever seen, rarity grows no faster than it did in the last part of the tail.
_TAIL_FROM = 6


@dataclass(frozen=True, eq=False)
class Tails:
    """Values of a measure at falling chances of reaching them."""

    at: Floats

    @classmethod
    def from_json(cls, told: list[float]) -> "Tails":
        """Return the tails that were told."""
        return cls(np.array(told, dtype=np.float64))

    def to_json(self) -> list[float]:
        """Return the values at each chance."""
        return [float(value) for value in self.at]

    def rarity(self, values: Floats) -> Floats:
        """Return how rare values are, 0 to 6; NaN where the measure, or what is usual of it, is not known."""
        if not len(self.at):
            return np.full(len(values), np.nan)
        inside = np.interp(values, self.at, _RARITIES)
        slope = (_RARITIES[-1] - _RARITIES[_TAIL_FROM]) / max(self.at[-1] - self.at[_TAIL_FROM], 1e-9)
        beyond = np.maximum(values - self.at[-1], 0) * slope
        found: Floats = np.minimum(inside + beyond, _RAREST)
        return found


def tails_of(values: Floats) -> Tails:
    """Return the tails of a measure of the past; none where too little of it is known."""
    known = values[np.isfinite(values)]
    if len(known) < _FEWEST:
        return Tails(np.empty(0))
    at = np.quantile(known, 1 - _CHANCES)
    # Values that many half-hours share stand at the commonest of their chances.
    return Tails(at + 1e-9 * np.arange(len(at)))
