"""What came of what was forecast: the truth of a forecast's half-hours, and what the naive ones said of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.clock import zone as zone_named
from meters.insights.clockwork import SLOT_SECONDS, SLOTS_A_DAY, Floats, Grid, Ints, slots_of
from meters.insights.features import AHEAD_DAYS
from meters.insights.forecasters.naive import week_naive, weekday_means
from meters.insights.forecasters.registry import WEEK_NAIVE, WEEKDAY_MEANS
from meters.insights.models import Forecast, Subject
from meters.insights.selectors.series import half_hour_grids
from meters.insights.selectors.subjects import series_named

_NAIVE = {WEEK_NAIVE: week_naive, WEEKDAY_MEANS: weekday_means}
# Four weeks before the origin are all that the naive ones look at.
_PAST_DAYS = 28


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a forecast, by its half-hours: (n,) each, NaN where it is not known.

    :ivar naive: by their names, what the naive ones said from the history before the origin.
    """

    truth: Floats
    naive: Mapping[str, Floats]


def outcomes_of(forecasts: Sequence[Forecast], *, now: datetime) -> dict[int, Outcome]:
    """Return what is known by now of what came of forecasts, by their keys; of subjects that are no more, nothing.

    A fixed number of queries for those of one origin, clock and kind of subject.
    """
    groups: dict[tuple[datetime, str, str], list[Forecast]] = defaultdict(list)
    for forecast in forecasts:
        groups[forecast.origin, forecast.zone, forecast.subject_kind].append(forecast)
    found: dict[int, Outcome] = {}
    for (origin, zone, kind), some in groups.items():
        half_hours = max(len(forecast.median) for forecast in some)
        until = min(origin + half_hours * HALF_HOUR, now)
        grids = _grids(Subject(kind), [forecast.subject for forecast in some], origin, until)
        starts = int(origin.timestamp()) + SLOT_SECONDS * np.arange(half_hours, dtype=np.int64)
        slots = slots_of(starts, zone_named(zone))
        found |= {
            forecast.pk: outcome_in(grids[forecast.subject], slots[: len(forecast.median)])
            for forecast in some
            if forecast.subject in grids
        }
    return found


def outcome_in(grid: Grid, slots: Ints) -> Outcome:
    """Return the truth of slots, and what the naive ones said of them at the first, from a grid that holds both.

    :param slots: (n,) of the half-hours of a forecast; the first is its origin.
    """
    origin = int(slots[0])
    past = Grid(origin - _PAST_DAYS * SLOTS_A_DAY, _window(grid, origin - _PAST_DAYS * SLOTS_A_DAY, origin))
    ahead = slots - origin
    within = ahead < AHEAD_DAYS * SLOTS_A_DAY
    asked = np.array([origin], dtype=np.int64)
    naive = {}
    for name, said in _NAIVE.items():
        values = np.full(len(slots), np.nan)
        values[within] = said(past, asked)[0][ahead[within]]
        naive[name] = values
    return Outcome(_window(grid, origin, int(slots.max()) + 1)[ahead], naive)


def _grids(kind: Subject, subjects: Iterable[str], origin: datetime, until: datetime) -> dict[str, Grid]:
    # As they stood at the origin: whoever moves in later has not used what was forecast of somebody else.
    series = series_named(kind=kind, subjects=subjects, at=origin)
    days = _PAST_DAYS + (until - origin) // timedelta(days=1) + 1
    grids = half_hour_grids(series, until=until, days=days)
    return {each.subject: grid for each, grid in zip(series, grids, strict=True)}


def _window(grid: Grid, first: int, after: int) -> Floats:
    """Return the values of ``[first, after)``, NaN where the grid does not reach."""
    values = np.full(after - first, np.nan)
    low, high = max(first, grid.first), min(after, grid.after)
    if low < high:
        values[low - first : high - first] = grid.values[low - grid.first : high - grid.first]
    return values
