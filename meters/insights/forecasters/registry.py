"""The forecasters that there are, by name: models name theirs, and the scoreboard tells which is the best."""

from functools import partial
from typing import Protocol

from meters.insights.clockwork import Bools, Floats
from meters.insights.features import Samples
from meters.insights.forecasters.blending import Ahead, Blend

BLEND, RIDGE, BOOSTING = "blend", "ridge", "boosting"
WEEKDAY_MEANS, WEEK_NAIVE = "weekday_means", "week_naive"


class UnknownForecaster(LookupError):
    """Nobody registered a forecaster of that name."""


class Forecaster(Protocol):
    """What was taught and can tell what is ahead of origins; it can be pickled."""

    def predict(self, samples: Samples) -> Ahead:
        """Return what is ahead of origins."""


class Recipe(Protocol):
    """How a forecaster is taught; the same lessons and seed teach the same."""

    def __call__(self, samples: Samples, truths: Floats, held_back: Bools, *, seed: int) -> Forecaster:
        """Fit to what came after origins, (n, 96); the band is set by those held back, (n,)."""


_RECIPES: dict[str, Recipe] = {
    BLEND: Blend.fit,
    RIDGE: partial(Blend.fit, shares=(1.0,)),
    BOOSTING: partial(Blend.fit, shares=(0.0,)),
}


def register(name: str, recipe: Recipe) -> None:
    """Have a further forecaster, or another in the place of one."""
    _RECIPES[name] = recipe


def named(name: str) -> Recipe:
    """Return how a forecaster is taught.

    :raises UnknownForecaster: there is none of that name.
    """
    try:
        return _RECIPES[name]
    except KeyError:
        raise UnknownForecaster(f"There is no forecaster {name!r}: {', '.join(names())}.") from None


def names() -> list[str]:
    """Return the names of all that can be taught."""
    return sorted(_RECIPES)
