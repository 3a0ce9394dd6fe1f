"""Score forecasts once their truth is known, and anew whenever somebody said that it has changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from django.db import transaction
from django.db.models import Q

from energy_portal.shared.clock import HALF_HOUR, local_day
from energy_portal.shared.clock import zone as zone_named
from meters.insights.clockwork import Bools, Floats
from meters.insights.forecasters.registry import WEEK_NAIVE
from meters.insights.models import Forecast, ForecastScore, Subject
from meters.insights.selectors.truths import Outcome, outcomes_of
from meters.insights.store.scores import Change, Group, add_to_days
from meters.insights.tallies import NAMES, Tally, Told, tally

FORECASTS_A_BATCH = 300
# A day whose truth is not whole is waited for so long, then scored by what is known, and looked at once more.
PATIENCE = timedelta(days=3)
LAST_LOOK = timedelta(days=14)
_FIRST_LOOK = timedelta(hours=23)
_SOONEST = timedelta(hours=1)
# One of whose half-hours less is known is not compared on that day, rather than the day being cut down to it.
_LEAST_SAID = 0.9
# Their hours and quarters are rolled up anew without a word.
_SILENT = frozenset({Subject.DEVICE, Subject.BATTERY})
_CLEARED = Tally()


class Key(NamedTuple):
    """Which score it is."""

    forecast_id: int
    forecaster: str
    day_ahead: int


@dataclass(frozen=True)
class _Day:
    """A local day of a forecast, and which of its half-hours that are."""

    number: int
    date: date
    end: datetime
    place: slice

    def is_due(self, known: Bools, now: datetime) -> bool:
        """Tell whether it is scored: once all is known, or nobody waits for the rest any more."""
        mine = known[self.place]
        return bool(now >= self.end and (mine.all() or (mine.any() and now >= self.end + PATIENCE)))

    def next_look(self, known: Bools, now: datetime, *, is_heard_of: bool) -> datetime | None:
        """Return when to look again; None once all is known, or nothing more is expected.

        :param is_heard_of: whether somebody tells when what is known changes.
        """
        if now < self.end:
            return self.end
        is_known = known[self.place].all()
        if is_known and is_heard_of:
            return None
        if not is_known and now < self.end + PATIENCE:
            # The longer nothing has come, the less it is likely to come within the next hour.
            return min(self.end + PATIENCE, now + max(_SOONEST, (now - self.end) / 4))
        return self.end + LAST_LOOK if now < self.end + LAST_LOOK else None


@transaction.atomic
def score_due(*, now: datetime, limit: int = FORECASTS_A_BATCH) -> int:
    """Score the forecasts whose turn it is; return how many were looked at.

    Forecasts that another worker is at are left to it. What was scored before from the same truth stays as it is, and
    the sums by day move by the difference alone.
    """
    turn = Q(scored_until=None, origin__lte=now - _FIRST_LOOK) | Q(look_again_at__lte=now)
    locked = Forecast.objects.filter(turn).order_by("origin", "pk").select_for_update(skip_locked=True, of=("self",))
    forecasts = list(locked[:limit])
    if not forecasts:
        return 0
    outcomes = outcomes_of([forecast for forecast in forecasts if forecast.median], now=now)
    found: dict[Key, Tally] = {}
    for forecast in forecasts:
        days = list(_days_of(forecast))
        outcome = outcomes.get(forecast.pk)
        known = np.zeros(len(forecast.median), dtype=bool) if outcome is None else np.isfinite(outcome.truth)
        if outcome is not None:
            found |= _scores(forecast, outcome, [day for day in days if day.is_due(known, now)])
        is_heard_of = forecast.subject_kind not in _SILENT
        looks = [look for day in days if (look := day.next_look(known, now, is_heard_of=is_heard_of))]
        forecast.scored_until = min(now, days[-1].end) if days else now
        forecast.look_again_at = min(looks, default=None)
    _write(forecasts, found, now)
    Forecast.objects.bulk_update(forecasts, ("scored_until", "look_again_at"))
    return len(forecasts)


def _days_of(forecast: Forecast) -> Iterator[_Day]:
    """Yield the local days of a forecast; none of one that was refused."""
    zone = zone_named(forecast.zone)
    start, number, first = forecast.origin, 0, 0
    while first < len(forecast.median):
        number += 1
        day = start.astimezone(zone).date()
        end = local_day(day, zone).end
        after = first + (end - start) // HALF_HOUR
        yield _Day(number, day, end, slice(first, min(after, len(forecast.median))))
        start, first = end, after


def _scores(forecast: Forecast, outcome: Outcome, days: Sequence[_Day]) -> dict[Key, Tally]:
    """Return the sums of a forecast and of the naive ones for some of its days, all over the same half-hours."""
    found: dict[Key, Tally] = {}
    told = _told(forecast)
    for day in days:
        own = _cut(told, day.place)
        common = np.isfinite(outcome.truth[day.place]) & np.isfinite(own.median)
        naive = {
            name: values[day.place]
            for name, values in outcome.naive.items()
            if common.any() and np.isfinite(values[day.place])[common].mean() >= _LEAST_SAID
        }
        for values in naive.values():
            common &= np.isfinite(values)
        if not common.any():
            continue
        truth = np.where(common, outcome.truth[day.place], np.nan)
        saying = {name: Told.plainly(values) for name, values in naive.items()} | {forecast.forecaster: own}
        for name, said in saying.items():
            found[Key(forecast.pk, name, day.number)] = tally(
                truth=truth, told=said, day_naive_mae=forecast.day_naive_mae, naive=naive.get(WEEK_NAIVE)
            )
    return found


def _told(forecast: Forecast) -> Told:
    median = _floats(forecast.median)
    banded = len(forecast.low) == len(forecast.high) == len(median)
    return Told(
        median=median,
        mean=_floats(forecast.mean) if len(forecast.mean) == len(median) else median,
        low=_floats(forecast.low) if banded else None,
        high=_floats(forecast.high) if banded else None,
    )


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _cut(told: Told, place: slice) -> Told:
    low = None if told.low is None else told.low[place]
    high = None if told.high is None else told.high[place]
    return Told(told.median[place], told.mean[place], low, high)


def _write(forecasts: Sequence[Forecast], found: Mapping[Key, Tally], now: datetime) -> None:
    """Bring the scores of forecasts, and the sums that they are in, to what was found."""
    by_key = {forecast.pk: forecast for forecast in forecasts}
    standing = {
        Key(row.forecast_id, row.forecaster, row.day_ahead): row
        for row in ForecastScore.objects.filter(forecast__in=by_key)
    }
    moved: dict[Group, Change] = {}
    new, changed = [], []
    for key, sums in found.items():
        forecast, row = by_key[key.forecast_id], standing.pop(key, None)
        before = _CLEARED if row is None else Tally.of(row)
        if row is not None and sums == before:
            continue
        if row is None:
            new.append(_row(forecast, key, sums, now))
        else:
            for name in NAMES:
                setattr(row, name, getattr(sums, name))
            row.scored_at = now
            changed.append(row)
        _move(moved, _group(forecast, key), int(row is None), sums + -before)
    for key, row in standing.items():
        _move(moved, _group(by_key[key.forecast_id], key), -1, -Tally.of(row))
    ForecastScore.objects.bulk_create(new)
    ForecastScore.objects.bulk_update(changed, (*NAMES, "scored_at"))
    if standing:
        ForecastScore.objects.filter(pk__in=[row.pk for row in standing.values()]).delete()
    add_to_days(moved)


def _row(forecast: Forecast, key: Key, sums: Tally, now: datetime) -> ForecastScore:
    group = _group(forecast, key)._asdict()
    del group["region_id"]
    values = {name: getattr(sums, name) for name in NAMES}
    return ForecastScore(forecast=forecast, scored_at=now, **group, **values)


def _group(forecast: Forecast, key: Key) -> Group:
    return Group(
        day=forecast.origin.astimezone(zone_named(forecast.zone)).date(),
        cohort=forecast.cohort,
        quantity=forecast.quantity,
        forecaster=key.forecaster,
        day_ahead=key.day_ahead,
        is_told=key.forecaster == forecast.forecaster,
        region_id=forecast.region_id,
        model_id=forecast.model_id,
    )


def _move(moved: dict[Group, Change], group: Group, forecasts: int, sums: Tally) -> None:
    before = moved.get(group, Change(0, _CLEARED))
    moved[group] = Change(before.forecasts + forecasts, before.sums + sums)
