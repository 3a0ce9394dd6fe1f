"""Where a battery's health leads: its days in like conditions, a robust line through them, and when it gets there."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from meters.insights.ageing.measuring import Day, Floats, Ints, Quantity

WINDOW_DAYS = 365
# A threshold that is no further than this wants somebody to see to it.
NEAR_DAYS = 60.0
# Fewer days are weather and habits rather than age.
FEWEST_DAYS = 14
# A line through n days says little of more than ten times as many, and nothing of more than ten years.
_FORESEEN_TIMES, _FORESEEN_DAYS = 10, 3_650
# Of 99 %: days in a row are not quite independent, so that a test for 95 % would cry out too often.
_Z = 2.576
_LEVEL_DAYS = 28
# What was measured in conditions that were not seen for longer does not say how things stand.
_LATELY_DAYS = 45


class Reason(StrEnum):
    """Why nobody says when a threshold is reached."""

    NONE = ""
    NOT_MEASURED = "not_measured"
    TOO_SHORT = "too_short"
    STEADY = "steady"
    TOO_FAR = "too_far"
    REACHED = "reached"


@dataclass(frozen=True, slots=True)
class Limit:
    """Up to where a quantity may go, or down to where; ``of_first`` by what it was at first instead."""

    at: float
    is_floor: bool = False
    of_first: bool = False


LIMITS: Mapping[Quantity, Limit] = {
    Quantity.WEAK_CELL: Limit(0.03),
    Quantity.SPREAD: Limit(0.05),
    Quantity.RESISTANCE: Limit(1.5, of_first=True),
    Quantity.SOH: Limit(80.0, is_floor=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A quantity on n days in like conditions.

    :ivar days: by their number, ascending.
    :ivar conditions: that the values are of.
    """

    days: Ints
    values: Floats
    conditions: str


@dataclass(frozen=True, slots=True)
class Line:
    """A robust slope a day, and between which it lies with 99 %."""

    slope: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Trend:
    """Where a quantity stands at the last day of its course, and where it goes.

    :ivar days: until the threshold; ``soonest`` and ``latest`` by the slope's bounds, None beyond what is foreseen.
    """

    level: float | None
    line: Line | None
    threshold: float | None
    days: float | None
    soonest: float | None
    latest: float | None
    reason: Reason

    @property
    def is_near(self) -> bool:
        """Tell whether the threshold is so near that somebody has to see to it."""
        return self.days is not None and self.days <= NEAR_DAYS


def course_of(quantity: Quantity, days: Mapping[int, Day]) -> Course:
    """Return a quantity's days in like conditions.

    Resistances grow by about the same share in all conditions: each day is the median of its conditions' values by
    their own usual ones (on the way to which the common slope is taken off), as if it were in the conditions that were
    seen most. A weak cell shows in some conditions alone, near empty and near full: its course, and that of the
    spread, is of the conditions in which it shows most, of those that were seen often enough and lately.

    :param days: by their number.
    """
    seen: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number in sorted(days):
        for conditions, (value, _) in days[number].items():
            seen[conditions].append((number, value))
    if not seen:
        return Course(np.zeros(0, np.int64), np.zeros(0), "")
    columns = {name: _columns(pairs) for name, pairs in seen.items()}
    if quantity is Quantity.RESISTANCE:
        return _alike(columns)
    name = _telling(columns)
    return Course(*columns[name], name)


def line_through(days: Ints, values: Floats) -> Line | None:
    """Return the Theil-Sen slope of n days and its bounds; None of fewer than three.

    P. K. Sen, Estimates of the Regression Coefficient Based on Kendall's Tau (1968): the median of the slopes of all
    pairs; the bounds are those slopes whose ranks lie ``z·√Var(S) / 2`` beside the middle, Var(S) with its ties.
    """
    size = days.size
    if size < 3:
        return None
    slopes = np.sort(_slopes(days, values))
    _, ties = np.unique(values, return_counts=True)
    variance = (size * (size - 1) * (2 * size + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    reach = _Z * math.sqrt(max(variance, 0.0))
    last = slopes.size - 1
    low, high = (min(max(round((last + sign * reach) / 2), 0), last) for sign in (-1, 1))
    return Line(float(np.median(slopes)), float(slopes[low]), float(slopes[high]))


def trend_of(course: Course, limit: Limit, *, first: float | None = None) -> Trend:
    """Return where a course leads.

    :param first: the value that the limit is a multiple of, where it is one.
    """
    threshold = limit.at if not limit.of_first else None if first is None else limit.at * first
    if not course.days.size or threshold is None:
        return Trend(None, None, threshold, None, None, None, Reason.NOT_MEASURED)
    within = course.days > course.days[-1] - WINDOW_DAYS
    days, values = course.days[within], course.values[within]
    line = line_through(days, values)
    lately = slice(-_LEVEL_DAYS, None)
    ahead = 0.0 if line is None else line.slope
    level = float(np.median(values[lately] + ahead * (days[-1] - days[lately])))
    sign = -1.0 if limit.is_floor else 1.0
    gap = sign * (threshold - level)
    span = int(days[-1] - days[0]) + 1
    if line is None or (gap > 0.0 and days.size < FEWEST_DAYS):
        return Trend(level, line, threshold, None, None, None, Reason.TOO_SHORT)
    if gap <= 0.0:
        return Trend(level, line, threshold, 0.0, 0.0, 0.0, Reason.REACHED)
    slow, fast = sorted((sign * line.low, sign * line.high))
    if slow <= 0.0:
        return Trend(level, line, threshold, None, None, None, Reason.STEADY)
    foreseen = float(min(span * _FORESEEN_TIMES, _FORESEEN_DAYS))
    until, soonest, latest = (gap / each for each in (sign * line.slope, fast, slow))
    if until > foreseen:
        return Trend(level, line, threshold, None, None, None, Reason.TOO_FAR)
    return Trend(level, line, threshold, until, soonest, latest if latest <= foreseen else None, Reason.NONE)


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[Ints, Floats]:
    days, values = zip(*pairs, strict=True)
    return np.array(days, np.int64), np.array(values, np.float64)


def _slopes(days: Ints, values: Floats) -> Floats:
    first, second = np.triu_indices(days.size, k=1)
    slopes: Floats = (values[second] - values[first]) / (days[second] - days[first])
    return slopes


def _telling(columns: Mapping[str, tuple[Ints, Floats]]) -> str:
    newest = max(days[-1] for days, _ in columns.values())
    often = {
        name: float(np.median(values[-_LEVEL_DAYS:]))
        for name, (days, values) in columns.items()
        if days.size >= FEWEST_DAYS and days[-1] > newest - _LATELY_DAYS
    }
    if often:
        return max(sorted(often), key=often.__getitem__)
    return max(sorted(columns), key=lambda name: columns[name][0].size)


def _alike(columns: Mapping[str, tuple[Ints, Floats]]) -> Course:
    """Return days' resistances as if all were in the conditions that were seen most."""
    logs = {name: (days, np.log(values)) for name, (days, values) in columns.items()}
    pairs = [_slopes(days, values) for days, values in logs.values() if days.size > 1]
    slope = float(np.median(np.concatenate(pairs))) if pairs else 0.0
    most = max(sorted(logs), key=lambda name: logs[name][0].size)
    origin = int(logs[most][0][-1])
    usual = {name: float(np.median(values - slope * (days - origin))) for name, (days, values) in logs.items()}
    beside: dict[int, list[float]] = defaultdict(list)
    for name, (days, values) in logs.items():
        for day, value in zip(days.tolist(), values.tolist(), strict=True):
            beside[day].append(value - usual[name])
    days = np.array(sorted(beside), np.int64)
    shifts = np.array([np.median(beside[day]) for day in days.tolist()])
    return Course(days, np.exp(shifts + usual[most]), most)
