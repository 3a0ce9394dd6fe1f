"""What a forecast may look at: the half-hours before its origin, and the calendar.

An *origin* is the slot before which everything may be known and after which nothing may. Rows of a history are whole
days that end at the origin, so that a row may run from six to six.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Bools, Floats, Grid, Ints, weekdays_of, year_angles_of

AHEAD_DAYS = 2
AHEAD = AHEAD_DAYS * SLOTS_A_DAY
HISTORY_DAYS = 56
_LENGTH = HISTORY_DAYS * SLOTS_A_DAY
_RECENT_DAYS = 28
LEAST_KNOWN_DAYS = 14
_WEEK = 7
_WEEKEND = 5
# Of a day that counts as known.
_LEAST_KNOWN = 0.7
_SMOOTH = 2
_TINY = 1e-9
# A series that is hardly ever zero, and then for six hours on end, was cut off: such a run is no usage.
_OUTAGE = 12
_MOST_IN_OUTAGES = 0.1
_MOST_OTHER_ZEROS = 0.005
# Below the one people heat, above the other they cool (°C).
_HEATING_BELOW, _COOLING_ABOVE = 16.0, 22.0

NAMES = (
    "weekday", "weekend", "day_ahead", "season_sin", "season_cos", "holiday", "holiday_before", "holiday_week_before",
    "day_before", "two_days_before", "week_before", "two_weeks_before", "same_weekday", "same_class", "week_mean",
    "recent_mean", "recent_median", "recent_low", "recent_high", "day_before_smooth", "week_mean_smooth",
    "same_class_smooth", "growth", "day_level", "day_level_before", "week_level", "last_hours", "last_half_hour",
    "growth_level", "growth_level_before", "growth_last_hours", "warmth", "warmth_of_day", "heating", "cooling",
    "warmth_last_day", "heating_last_day", "cooling_last_day",
)  # fmt: skip
COLUMN = {name: place for place, name in enumerate(NAMES)}
# Ridge knows the weekday by seven columns of its own, and how the level of the last day weighs on each.
LEVELS = ("growth_level", "growth_last_hours")
# By how much a temperature differs from that of the weeks that are taken for usual: 0 where none is known.
WEATHER = NAMES[-7:]


class Reason(StrEnum):
    """Why a series has no past that a model can go on from."""

    NO_DATA = "no_data"
    GAPS = "gaps"
    COLD_START = "cold_start"
    FLAT = "flat"


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What is known ahead of an origin beside the series: whoever makes it answers for what was known when.

    :ivar holidays: days since 1970 on which people live as on a Sunday.
    :ivar temperature: °C by slot.
    :ivar is_foreseen: whether the temperature after an origin was known at it, as from a forecast.
    """

    holidays: AbstractSet[int] = frozenset()
    temperature: Grid | None = None
    is_foreseen: bool = True


NOWHERE = Surroundings()
_PARTS = ("slots", "features", "base", "scale", "usable", "signed")


@dataclass(frozen=True, eq=False)
class Samples:
    """What is known at origins of the half-hours after them: (n, 96) each, features (n, 96, f), scales (n,).

    Values are divided by their scale, the mean size of the recent past; ``base`` is what is usual at that hour of the
    week. ``usable`` tells which origins have enough of a past, ``signed`` which have values below zero in it.
    """

    slots: Ints
    features: Floats
    base: Floats
    scale: Floats
    usable: Bools
    signed: Bools

    def __len__(self) -> int:
        return len(self.scale)

    def only(self, chosen: Any) -> "Samples":
        """Return some of the origins."""
        return Samples(*(getattr(self, name)[chosen] for name in _PARTS))

    @classmethod
    def joined(cls, parts: "list[Samples]") -> "Samples":
        """Return the origins of several, one after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _PARTS))


def judge(history: Floats) -> Reason | None:
    """Tell why the days before an origin, (56, 48), are too little for a model; None where they are enough."""
    known = np.isfinite(history)
    recent = known[-_RECENT_DAYS:]
    if not recent.any():
        return Reason.NO_DATA
    days = int((recent.mean(axis=1) >= _LEAST_KNOWN).sum())
    if days < LEAST_KNOWN_DAYS or not recent[-_WEEK:].any():
        began = int(known.any(axis=1).argmax())
        return Reason.COLD_START if began > HISTORY_DAYS - LEAST_KNOWN_DAYS - 1 else Reason.GAPS
    return None if np.abs(history[-_RECENT_DAYS:][recent]).mean() > _TINY else Reason.FLAT


def samples_of(grid: Grid, origins: Ints, *, surroundings: Surroundings = NOWHERE) -> Samples:
    """Return what is known at origins; nothing of the series at or after an origin is looked at.

    :param origins: (n,) slots.
    """
    return samples_after(histories_of(grid, origins), origins, surroundings=surroundings)


def samples_after(history: Floats, origins: Ints, *, surroundings: Surroundings = NOWHERE) -> Samples:
    """Return what is known at origins, of one series or many, from the days before them.

    :param history: (n, 56, 48), see :func:`histories_of`.
    """
    is_enough = np.array([judge(days) is None for days in history], dtype=np.bool_)
    history = _without_outages(history)
    scale = _scale(history)
    usable = is_enough & np.isfinite(scale) & (scale > _TINY)
    history = history / np.where(usable, scale, 1)[:, None, None]
    slots = origins[:, None] + np.arange(AHEAD)
    past = origins[:, None, None] - SLOTS_A_DAY * np.arange(HISTORY_DAYS, 0, -1)[:, None] + np.arange(SLOTS_A_DAY)
    shared = _shared(history)
    classes = _class_means(history, weekdays_of(past) >= _WEEKEND)
    weather = _weather(surroundings, origins)
    off = np.array(sorted(surroundings.holidays), dtype=np.int64)
    days = [_day(history, shared | weather[day], classes, slots, day, off) for day in range(AHEAD_DAYS)]
    features = np.concatenate([columns for columns, _ in days], axis=1)
    base = np.concatenate([usual for _, usual in days], axis=1)
    signed: Bools = np.nanmin(history, axis=(1, 2), initial=0) < 0
    return Samples(slots, features, base, scale, usable & np.isfinite(base).all(axis=1), signed)


def histories_of(grid: Grid, origins: Ints) -> Floats:
    """Return the days before origins, (n, 56, 48), oldest first; what lies outside the grid is NaN."""
    return _windows(grid, origins - _LENGTH, _LENGTH).reshape(len(origins), HISTORY_DAYS, SLOTS_A_DAY)


def truths_of(grid: Grid, origins: Ints) -> Floats:
    """Return what came after origins, (n, 96); NaN where it is not known (yet)."""
    return _windows(grid, origins, AHEAD)


def _windows(grid: Grid, firsts: Ints, length: int) -> Floats:
    """Return so many values from each of some slots on, (n, length)."""
    if not len(firsts):
        return np.empty((0, length))
    low, high = int(firsts.min()), int(firsts.max()) + length
    padded = np.full(high - low, np.nan)
    begin, end = max(low, grid.first), min(high, grid.after)
    if begin < end:
        padded[begin - low : end - low] = grid.values[begin - grid.first : end - grid.first]
    found: Floats = np.lib.stride_tricks.sliding_window_view(padded, length)[firsts - low]
    return found


def _without_outages(history: Floats) -> Floats:
    """Return histories in which long runs of zeros are missing, where zero is no usual value.

    A run that lasts until the origin stays: nobody knows yet that it ends.
    """
    flat = history.reshape(len(history), _LENGTH)
    is_zero, place = flat == 0, np.arange(flat.shape[1])
    before = np.maximum.accumulate(np.where(is_zero, -1, place), axis=1)
    after = np.minimum.accumulate(np.where(is_zero, flat.shape[1], place)[:, ::-1], axis=1)[:, ::-1]
    in_outage = is_zero & (after - before > _OUTAGE) & (after < flat.shape[1])
    known = np.maximum(np.isfinite(flat).sum(axis=1), 1)
    cut, others = in_outage.sum(axis=1) / known, (is_zero & ~in_outage).sum(axis=1) / known
    is_rare = (cut <= _MOST_IN_OUTAGES) & (others <= _MOST_OTHER_ZEROS)
    return np.where((in_outage & is_rare[:, None]).reshape(history.shape), np.nan, history)


def _weather(surroundings: Surroundings, origins: Ints) -> list[dict[str, Floats]]:
    """Return by how much it is warmer than in the weeks before, by day ahead, (n, 48) each; NaN where not known."""
    temperature = surroundings.temperature
    if temperature is None:
        return [dict.fromkeys(WEATHER, np.full((len(origins), SLOTS_A_DAY), np.nan))] * AHEAD_DAYS
    before, ahead = histories_of(temperature, origins), truths_of(temperature, origins)
    if not surroundings.is_foreseen:
        ahead = np.full_like(ahead, np.nan)
    found = []
    for day in range(AHEAD_DAYS):
        own = ahead[:, day * SLOTS_A_DAY : (day + 1) * SLOTS_A_DAY]
        weeks = before[:, [day - _WEEK * back for back in range(1, 5)]]
        warmth = own - _mean(weeks, 1)
        last = before[:, -1:] - _mean(before[:, -_RECENT_DAYS:], 1)[:, None]
        found.append(
            {
                "warmth": warmth,
                "warmth_of_day": _wide(_mean(warmth, 1)),
                "heating": _degrees(_HEATING_BELOW - own) - _mean(_degrees(_HEATING_BELOW - weeks), 1),
                "cooling": _degrees(own - _COOLING_ABOVE) - _mean(_degrees(weeks - _COOLING_ABOVE), 1),
                "warmth_last_day": _wide(_mean(last[:, 0], 1)),
                "heating_last_day": _wide(_excess(_HEATING_BELOW - before)),
                "cooling_last_day": _wide(_excess(before - _COOLING_ABOVE)),
            }
        )
    return found


def _excess(beyond: Floats) -> Floats:
    """Return by how many degrees the last day was beyond a limit more than the weeks before it, (n,)."""
    days = _mean(_degrees(beyond), 2)
    found: Floats = days[:, -1] - _mean(days[:, -_RECENT_DAYS:], 1)
    return found


def _degrees(beyond: Floats) -> Floats:
    found: Floats = np.maximum(beyond, 0)
    return found


def _wide(values: Floats) -> Floats:
    return np.repeat(values[:, None], SLOTS_A_DAY, axis=1)


def _scale(history: Floats) -> Floats:
    return _mean(np.abs(history[:, -_RECENT_DAYS:]).reshape(len(history), _RECENT_DAYS * SLOTS_A_DAY), 1)


def _mean(values: Floats, axis: int) -> Floats:
    known = np.isfinite(values)
    counts = known.sum(axis=axis)
    sums = np.where(known, values, 0).sum(axis=axis)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _smooth(rows: Floats) -> Floats:
    """Return means of five half-hours around each, the day taken for a ring."""
    width = 2 * _SMOOTH + 1
    ring = np.concatenate([rows[:, -_SMOOTH:], rows, rows[:, :_SMOOTH]], axis=1)
    return _mean(np.stack([ring[:, step : step + SLOTS_A_DAY] for step in range(width)]), 0)


def _shared(history: Floats) -> dict[str, Floats]:
    """Return what is the same for each day ahead, (n, 48) each."""
    last, before = history[:, -1], history[:, -2]
    recent = np.sort(history[:, -_RECENT_DAYS:], axis=1)
    counts = np.isfinite(recent).sum(axis=1)
    growth, growth_before = last - history[:, -1 - _WEEK], before - history[:, -2 - _WEEK]
    week = _mean(history[:, -_WEEK:], 1)
    level = {
        "day_level": _mean(last, 1),
        "day_level_before": _mean(before, 1),
        "week_level": _mean(week, 1),
        "last_hours": _mean(last[:, -16:], 1),
        "last_half_hour": _mean(last[:, -2:], 1),
        "growth_level": _mean(growth, 1),
        "growth_level_before": _mean(growth_before, 1),
        "growth_last_hours": _mean(growth[:, -6:], 1),
    }
    return {name: _wide(values) for name, values in level.items()} | {
        "day_before": last,
        "two_days_before": before,
        "week_mean": week,
        "recent_mean": _mean(history[:, -_RECENT_DAYS:], 1),
        "recent_median": _rank(recent, counts, 0.5),
        "recent_low": _rank(recent, counts, 0.1),
        "recent_high": _rank(recent, counts, 0.9),
        "day_before_smooth": _smooth(last),
        "week_mean_smooth": _smooth(week),
        "growth": growth,
    }


def _rank(ordered: Floats, counts: Ints, share: float) -> Floats:
    """Return a quantile of values that are sorted along the second axis, NaN last."""
    place = np.maximum(((counts - 1) * share).round().astype(np.int64), 0)
    return np.take_along_axis(ordered, place[:, None], axis=1)[:, 0]


def _class_means(history: Floats, weekend: Bools) -> tuple[Floats, Floats]:
    """Return the means of working days and of weekends, (n, 48) each."""
    return (_mean(np.where(weekend, np.nan, history), 1), _mean(np.where(weekend, history, np.nan), 1))


def _day(
    history: Floats, shared: dict[str, Floats], classes: tuple[Floats, Floats], slots: Ints, day: int, off: Ints
) -> tuple[Floats, Floats]:
    """Return the features, (n, 48, f), and what is usual, (n, 48), of a day ahead."""
    own = slots[:, day * SLOTS_A_DAY : (day + 1) * SLOTS_A_DAY]
    weekday, angle, date = weekdays_of(own), year_angles_of(own), own // SLOTS_A_DAY
    weeks = history[:, [day - _WEEK * back for back in range(1, 5)]]
    same_class = np.where(weekday >= _WEEKEND, classes[1], classes[0])
    same_weekday = _mean(weeks, 1)
    usual = np.where(np.isfinite(same_weekday), same_weekday, shared["recent_mean"])
    found = shared | {
        "weekday": weekday,
        "weekend": weekday >= _WEEKEND,
        "day_ahead": np.full(own.shape, day),
        "season_sin": np.sin(angle),
        "season_cos": np.cos(angle),
        "holiday": np.isin(date, off),
        "holiday_before": np.isin(date - 1 - day, off),
        "holiday_week_before": np.isin(date - _WEEK, off),
        "week_before": weeks[:, 0],
        "two_weeks_before": weeks[:, 1],
        "same_weekday": same_weekday,
        "same_class": same_class,
        "same_class_smooth": _smooth(same_class),
    }
    return np.stack([found[name].astype(np.float64) for name in NAMES], axis=-1), usual
