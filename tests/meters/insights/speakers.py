"""Forecasters for tests: what they say is plain, and they can be stored."""

from dataclasses import dataclass

import numpy as np

from meters.insights.features import COLUMN, Samples
from meters.insights.forecasters.blending import Ahead
from meters.insights.forecasters.serving import pack
from tests.factories import ForecastModelFactory


@dataclass(frozen=True)
class DayBefore:
    """Says the last day twice, the mean a bit more; 20 % around it."""

    factor: float = 1.0

    def predict(self, samples: Samples) -> Ahead:
        said = self.factor * samples.features[..., COLUMN["day_before"]] * samples.scale[:, None]
        return Ahead(said, said * 1.05, said * 0.8, said * 1.2)


@dataclass(frozen=True)
class Usual:
    """Says what is usual at the hour of the week."""

    def predict(self, samples: Samples) -> Ahead:
        said = samples.base * samples.scale[:, None]
        return Ahead(said, said, said * 0.8, said * 1.2)


@dataclass(frozen=True)
class Level:
    """Says one value for all there is."""

    value: float

    def predict(self, samples: Samples) -> Ahead:
        said = np.full(samples.slots.shape, self.value)
        return Ahead(said, said, said - 1, said + 1)


def stored(speaker, **more):
    """Return an active model that says what a speaker says."""
    return ForecastModelFactory(content=pack(speaker), **more)
