"""Which kind of anomaly a half-hour looks like: by the likeliest state, and rules on what was used."""

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Floats, Ints
from meters.insights.spotting.course import FACTORS, JUMP, OFFSETS, RESTLESS, ROLLED, STUCK
from meters.insights.spotting.measures import Laid, trailing_mean

SPIKE, HIGH, LOW, ZERO_RUN, NIGHT_USE = "spike", "high", "low", "zero_run", "night_use"
LEVEL_SHIFT, STUCK_VALUE, DRIFT, SHAPE = "level_shift", "stuck", "drift", "shape"
NOTABLE = 0.6
_NIGHT = (2, 10)
_LASTING = 16
_LASTING_SHARE = 0.5
_ZEROS = 4
_DRIFTED = 0.9


def kinds_of(
    score: Floats, values: Floats, laid: Laid, slots: Ints, chances: Floats, parts: dict[str, Floats]
) -> list[str]:
    """Return the kind that each half-hour looks like, (n,), empty where its score is usual.

    :param chances: (n, states) of the course.
    :param parts: what each detector says, (n,) each.
    """
    up = np.array([*(factor > 1 for factor in FACTORS), *(offset > 0 for offset in OFFSETS)])
    factors = chances[:, 1:ROLLED]
    rolled = chances[:, ROLLED : RESTLESS + 1].sum(axis=1)
    shifted = np.maximum(factors[:, up].sum(axis=1), factors[:, ~up].sum(axis=1))
    strongest = np.maximum(np.maximum(shifted, rolled), chances[:, JUMP])
    over = values - laid.mean
    zero = trailing_mean((values == 0).astype(np.float64), _ZEROS) >= 1
    night = (slots % SLOTS_A_DAY >= _NIGHT[0]) & (slots % SLOTS_A_DAY < _NIGHT[1])
    odd = chances[:, 0] < _LASTING_SHARE
    choices = (
        (zero & (laid.mean > 0), ZERO_RUN),
        (odd & (chances[:, STUCK] >= strongest), STUCK_VALUE),
        (odd & (rolled > shifted) & (rolled >= chances[:, JUMP]), SHAPE),
        (odd & (trailing_mean(shifted, _LASTING) >= _LASTING_SHARE), LEVEL_SHIFT),
        ((over > 0) & (parts["change"] >= NOTABLE), SPIKE),
        (parts["drift"] > np.maximum(_DRIFTED, parts["course"]), DRIFT),
        ((over > 0) & night, NIGHT_USE),
        (over > 0, HIGH),
    )
    found = np.select([when for when, _ in choices], [kind for _, kind in choices], default=LOW)
    return [str(kind) if notable else "" for kind, notable in zip(found, score >= NOTABLE, strict=True)]
