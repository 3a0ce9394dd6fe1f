"""What all detectors say together of a half-hour: how many powers of ten against all being usual."""

from collections.abc import Mapping

import numpy as np

from meters.insights.clockwork import Floats

# The course tells most; these count where they are rarer than this, with this weight.
_JOINED = {"value": (1.5, 0.5), "repeats": (1.0, 0.5)}
# What was learnt over many meters confirms what the others suspect: taken alone it tells too little of one meter.
_CONFIRMING = {"forest": (2.0, 0.1), "encoder": (2.0, 0.1)}
# The score is 0.9 where the evidence is this much.
_NINE_TENTHS = 2.0


def evidence_of(unlikely: Floats, rare: Mapping[str, Floats]) -> Floats:
    """Return the evidence against all being usual, (n,).

    :param unlikely: of the course.
    :param rare: how rare each measure is; NaN where it is not known.
    """
    found = unlikely.copy()
    for name, (above, weight) in _JOINED.items():
        if name in rare:
            found += weight * np.maximum(np.nan_to_num(rare[name]) - above, 0)
    for name, (above, weight) in _CONFIRMING.items():
        if name in rare:
            found *= 1 + weight * np.maximum(np.nan_to_num(rare[name]) - above, 0)
    return found


def score_of(evidence: Floats) -> Floats:
    """Return scores, 0 to 1: none against all being usual is 0, two powers of ten are 0.9."""
    found: Floats = 1 - 10 ** (-evidence / _NINE_TENTHS)
    return found


def highest(evidence: Floats, count: int, *, apart: int) -> list[float]:
    """Return the highest peaks, falling, that lie at least so many half-hours apart."""
    left, found = np.where(np.isfinite(evidence), evidence, 0.0), []
    for _ in range(count):
        place = int(left.argmax())
        found.append(float(left[place]))
        left[max(place - apart, 0) : place + apart + 1] = 0.0
    return found
