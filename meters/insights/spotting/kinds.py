"""Which kind of anomaly a half-hour looks like, by rules on what the detectors say."""

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Ints
from meters.insights.spotting.measures import Laid, trailing_mean

SPIKE, HIGH, LOW, ZERO_RUN, NIGHT_USE = "spike", "high", "low", "zero_run", "night_use"
LEVEL_SHIFT, STUCK, DRIFT, SHAPE = "level_shift", "stuck", "drift", "shape"
NOTABLE = 0.6
_NIGHT = (2, 10)
_LEVEL = 24
_ZERO = 1e-9
_ZERO_HOURS = 8


def kinds_of(score: Floats, values: Floats, laid: Laid, slots: Ints, parts: dict[str, Floats]) -> list[str]:
    """Return the kind that each of the last half-hours looks like, empty where its score is usual.

    :param score: (n,), of the last n of ``values``.
    """
    n = len(score)
    over = values - laid.mean
    high = (over > 0)[-n:]
    lasting = np.abs(parts["level"]) >= np.maximum(parts["change"], parts["residual"]) * 0.9
    mean_over = trailing_mean(over, _LEVEL)[-n:]
    zero = (trailing_mean((np.abs(values) <= _ZERO).astype(np.float64), _ZERO_HOURS) >= 1)[-n:]
    night = ((slots % SLOTS_A_DAY >= _NIGHT[0]) & (slots % SLOTS_A_DAY < _NIGHT[1]))[-n:]
    strongest = np.maximum.reduce([parts[name] for name in ("residual", "change", "level", "shape")])
    choices = (
        (zero & (laid.mean[-n:] > _ZERO), ZERO_RUN),
        (parts["stuck"] >= strongest, STUCK),
        (parts["shape"] > np.maximum(parts["level"], parts["residual"]), SHAPE),
        (high & (parts["change"] >= NOTABLE), SPIKE),
        (lasting & (np.abs(mean_over) > laid.spread[-n:] * 0.5), LEVEL_SHIFT),
        (high & night, NIGHT_USE),
        (high, HIGH),
    )
    found = np.select([np.asarray(when) for when, _ in choices], [kind for _, kind in choices], default=LOW)
    return [str(kind) if notable else "" for kind, notable in zip(found, score >= NOTABLE, strict=True)]
