"""Forecasts as they are served: by a model where the past allows it, by what anybody could say where not.

Who cannot be told anything of is refused, with the reason.
"""

import io
import pickle
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.clockwork import Floats, Grid, Ints
from meters.insights.features import (
    NOWHERE,
    Reason,
    Samples,
    Surroundings,
    histories_of,
    judge,
    samples_after,
)
from meters.insights.forecasters.naive import Naive, naive_ahead
from meters.insights.forecasters.registry import BLEND, Forecaster
from meters.insights.scoring import day_naive_mae_of
from meters.insights.threads import one_thread

NO_MODEL = "no_model"
_AT_ONCE = 500


class CannotRead(ValueError):
    """A model was made with other versions of the libraries than these."""


@dataclass(frozen=True, eq=False)
class Foretold:
    """What is expected of the 96 slots after an origin, in the unit of the series; None where it was refused.

    :ivar forecaster: who spoke; empty where refused.
    :ivar reason: why it is not the model, or nobody; empty where it is: no_data, gaps, cold_start, flat, no_model.
    :ivar day_naive_mae: what MASE divides by, from the weeks before.
    """

    median: Floats | None
    mean: Floats | None
    low: Floats | None
    high: Floats | None
    forecaster: str
    reason: str
    day_naive_mae: float | None


def forecast(
    model: Forecaster | None,
    grids: Sequence[Grid],
    origin_slots: Ints,
    *,
    surroundings: Sequence[Surroundings] | None = None,
    forecaster: str = BLEND,
) -> list[Foretold]:
    """Tell what is ahead of an origin of each of several series; nothing at or after it is looked at.

    :param model: what was taught; None has the naive ones speak.
    :param grids: at least the eight weeks before the origin are of use.
    :param surroundings: one for each series.
    :param forecaster: the name of who taught the model.
    """
    around = surroundings or [NOWHERE] * len(grids)
    told: list[Foretold] = []
    for begin in range(0, len(grids), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        told += _told(model, grids[part], origin_slots[part], around[part], forecaster)
    return told


def made_with() -> str:
    """Return what a packed model can be read by."""
    import sklearn

    return f"python {platform.python_version_tuple()[0]}.{platform.python_version_tuple()[1]}, " + (
        f"numpy {np.__version__}, scikit-learn {sklearn.__version__}"
    )


def pack(model: Forecaster) -> bytes:
    """Return a model as bytes, the same for the same lessons and seed."""
    target = io.BytesIO()
    pickle.dump(model, target, protocol=5)
    return target.getvalue()


def unpack(content: bytes, made_by: str) -> Forecaster:
    """Return a model from bytes that this portal packed itself.

    :param made_by: the :func:`made_with` of that time.
    :raises CannotRead: these libraries are others.
    """
    if made_by != made_with():
        raise CannotRead(f"The model was made with {made_by}; here is {made_with()}.")
    model: Forecaster = pickle.loads(content)  # noqa: S301 - the digest beside it was checked
    return model


def _told(
    model: Forecaster | None,
    grids: Sequence[Grid],
    origins: Ints,
    around: Sequence[Surroundings],
    forecaster: str,
) -> list[Foretold]:
    history = np.concatenate([histories_of(grid, origins[[place]]) for place, grid in enumerate(grids)])
    scales = [day_naive_mae_of(days.ravel()) for days in history]
    found: dict[int, Foretold] = {}
    for samples, places in _alike(history, origins, around):
        if model is None or not samples.usable.any():
            continue
        with one_thread():
            ahead = model.predict(samples.only(samples.usable))
        for row, place in enumerate(places[samples.usable].tolist()):
            parts = (ahead.median[row], ahead.mean[row], ahead.low[row], ahead.high[row])
            found[place] = Foretold(*parts, forecaster, "", scales[place])
    return [
        found.get(place) or _fallen_back(grid, int(origins[place]), judge(history[place]), scales[place])
        for place, grid in enumerate(grids)
    ]


def _alike(history: Floats, origins: Ints, around: Sequence[Surroundings]) -> Iterator[tuple[Samples, Ints]]:
    """Yield what is known at the origins of series with the same surroundings, and their places."""
    groups: dict[int, list[int]] = {}
    for place, own in enumerate(around):
        groups.setdefault(id(own), []).append(place)
    for places in groups.values():
        yield samples_after(history[places], origins[places], surroundings=around[places[0]]), np.array(places)


def _fallen_back(grid: Grid, origin: int, reason: Reason | None, scale: float | None) -> Foretold:
    why = str(reason) if reason else NO_MODEL
    ahead: Naive | None = naive_ahead(grid, origin)
    if ahead is None:
        return Foretold(None, None, None, None, "", why, scale)
    return Foretold(ahead.values, ahead.values, ahead.low, ahead.high, ahead.name, why, scale)
