"""What a forecast may look at: the half-hours before its origin, and the calendar.

An *origin* is the slot before which everything may be known and after which nothing may. Rows of a history are whole
days that end at the origin, so that a row may run from six to six.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from meters.insights.clockwork import SLOTS_A_DAY, Bools, Floats, Grid, Ints, weekdays_of, year_angles_of

AHEAD_DAYS = 2
AHEAD = AHEAD_DAYS * SLOTS_A_DAY
HISTORY_DAYS = 56
_RECENT_DAYS = 28
_WEEK = 7
_WEEKEND = 5
_LEAST_KNOWN = 0.7
_SMOOTH = 2
_TINY = 1e-9

NAMES = (
    "weekday", "weekend", "day_ahead", "season_sin", "season_cos", "holiday", "holiday_before", "holiday_week_before",
    "day_before", "two_days_before", "week_before", "two_weeks_before", "same_weekday", "same_class", "week_mean",
    "recent_mean", "recent_median", "recent_low", "recent_high", "day_before_smooth", "week_mean_smooth",
    "same_class_smooth", "growth", "day_level", "day_level_before", "week_level", "last_hours", "last_half_hour",
    "growth_level", "growth_level_before", "growth_last_hours",
)  # fmt: skip
COLUMN = {name: place for place, name in enumerate(NAMES)}
# Ridge knows the weekday by seven columns of its own, and how the level of the last day weighs on each.
LEVELS = ("growth_level", "growth_last_hours")


@dataclass(frozen=True, eq=False)
class Samples:
    """What is known at origins of the half-hours after them: (n, 96) each, features (n, 96, f), scales (n,).

    Values are divided by their scale, the mean size of the recent past; ``base`` is what is usual at that hour of the
    week. ``usable`` tells which origins have enough of a past.
    """

    slots: Ints
    features: Floats
    base: Floats
    scale: Floats
    usable: Bools

    def __len__(self) -> int:
        return len(self.scale)

    def only(self, chosen: Any) -> "Samples":
        """Return some of the origins."""
        return Samples(
            self.slots[chosen], self.features[chosen], self.base[chosen], self.scale[chosen], self.usable[chosen]
        )

    @classmethod
    def joined(cls, parts: "list[Samples]") -> "Samples":
        """Return the origins of several, one after the other."""
        names = ("slots", "features", "base", "scale", "usable")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def samples_of(grid: Grid, origins: Ints, *, holidays: AbstractSet[int] = frozenset()) -> Samples:
    """Return what is known at origins; nothing at or after an origin is looked at.

    :param origins: (n,) slots, inside the grid or right after its end.
    :param holidays: days since 1970, known ahead.
    """
    history = histories_of(grid, origins)
    scale = _scale(history)
    usable = np.isfinite(scale) & (scale > _TINY)
    history = history / np.where(usable, scale, 1)[:, None, None]
    slots = origins[:, None] + np.arange(AHEAD)
    past = origins[:, None, None] - SLOTS_A_DAY * np.arange(HISTORY_DAYS, 0, -1)[:, None] + np.arange(SLOTS_A_DAY)
    shared = _shared(history)
    classes = _class_means(history, weekdays_of(past) >= _WEEKEND)
    off = np.array(sorted(holidays), dtype=np.int64)
    days = [_day(history, shared, classes, slots, day, off) for day in range(AHEAD_DAYS)]
    features = np.concatenate([columns for columns, _ in days], axis=1)
    base = np.concatenate([usual for _, usual in days], axis=1)
    return Samples(slots, features, base, scale, usable & np.isfinite(base).all(axis=1))


def histories_of(grid: Grid, origins: Ints) -> Floats:
    """Return the days before origins, (n, 56, 48), oldest first; what lies before the grid is NaN."""
    length = HISTORY_DAYS * SLOTS_A_DAY
    padded = np.concatenate([np.full(length, np.nan), grid.values])
    views = np.lib.stride_tricks.sliding_window_view(padded, length)
    return views[origins - grid.first].reshape(len(origins), HISTORY_DAYS, SLOTS_A_DAY)


def truths_of(grid: Grid, origins: Ints) -> Floats:
    """Return what came after origins, (n, 96); NaN where it is not known (yet)."""
    padded = np.concatenate([grid.values, np.full(AHEAD, np.nan)])
    found: Floats = np.lib.stride_tricks.sliding_window_view(padded, AHEAD)[origins - grid.first]
    return found


def _scale(history: Floats) -> Floats:
    recent = np.abs(history[:, -_RECENT_DAYS:]).reshape(len(history), -1)
    known = np.isfinite(recent)
    means = np.where(known, recent, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.mean(axis=1) >= _LEAST_KNOWN, means, np.nan)


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
    wide = {name: np.repeat(values[:, None], SLOTS_A_DAY, axis=1) for name, values in level.items()}
    return wide | {
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
