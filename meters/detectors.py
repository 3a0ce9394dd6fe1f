"""What stands out in profiles of half-hours: one function a rule, over all registers at once.

Arrays are registers x half-hours of one grid. Energies are in the registers' unit after their multiplier, NaN where
they are not known: what is missing breaks a run, and is never zero. A detector judges the whole grid; its caller takes
the cells that it asked about, and gives it as much of the past as :func:`reach` says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

HALF_HOUR_SECONDS = 1_800
_HALF_HOURS_A_DAY = 48
_HALF_HOURS_A_WEEK = 336
_LONGEST_DAY = 52
_MAD_TO_DEVIATION = 1.4826
# A floating sum of a day's half-hours is off by far less than the last digit that any dial shows.
_NOTHING = 1e-9

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Thresholds = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Profiles:
    """Registers of one time zone over one grid of ``n`` half-hours; each cell is the half-hour that ends at its mark.

    ``energy`` holds no estimates: ``estimated`` says where one stands. ``grown`` is what was counted in the
    ``span`` half-hours since the value before: of a dial also where marks are missing between the two. ``supplied``
    says where the place is active and somebody is supplied, ``installed`` where the meter hung. ``ahead_seconds``
    is by how much a reading came before its mark. ``capacity`` (a register) is what the connection carries in half
    an hour. ``dial`` is what the dial beside an interval register showed at the marks, after the multiplier,
    ``dial_modulus`` where it shows zero again, ``rounding`` how much a day may be off because both are rounded.
    ``marks`` are half-hours since 1970 (UTC), and ``local`` the same on the zone's clock. What lies before
    ``first`` is only there to compare with.
    """

    energy: Floats
    grown: Floats
    span: Floats
    estimated: Bools
    supplied: Bools
    installed: Bools
    ahead_seconds: Floats
    capacity: Floats
    dial: Floats
    dial_modulus: Floats
    rounding: Floats
    marks: Ints
    local: Ints
    first: int = 0

    def since(self, column: int) -> "Profiles":
        """Return the same from a half-hour of the grid on."""
        grids = ("energy", "grown", "span", "estimated", "supplied", "installed", "ahead_seconds", "dial")
        cut: dict[str, Any] = {name: getattr(self, name)[:, column:] for name in grids}
        return replace(
            self, **cut, marks=self.marks[column:], local=self.local[column:], first=max(self.first - column, 0)
        )


@dataclass(frozen=True, slots=True)
class Caught:
    """Which cells a rule caught; ``figure`` is what it compared them with or measured.

    ``length`` is how many half-hours, the cell's included, the finding is about: a number, or one a half-hour.
    """

    cells: Bools
    figure: Floats
    length: int | Ints = 1


Detector = Callable[[Profiles, Thresholds], Caught]


def local_marks(marks: Ints, zone: ZoneInfo) -> Ints:
    """Return marks, in half-hours since 1970 UTC, on a zone's clock; clocks change on a half-hour."""
    hours, inverse = np.unique(marks // 2, return_inverse=True)
    offsets = [_offset(int(hour) * 2 * HALF_HOUR_SECONDS, zone) for hour in hours]
    return marks + np.asarray(offsets, dtype=np.int64)[inverse]


def _offset(second: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    return int(offset.total_seconds()) // HALF_HOUR_SECONDS if offset is not None else 0


def weeks_before(local: Ints, weeks: int, first: int = 0) -> Ints:
    """Return where the same weekday and clock time of past weeks stand in the grid, weeks x half-hours; -1: nowhere.

    Of an hour that a clock change repeats the first is meant, of one that it skips nothing.
    """
    order = np.argsort(local, kind="stable")
    wanted = local[None, first:] - _HALF_HOURS_A_WEEK * np.arange(1, weeks + 1)[:, None]
    found = np.searchsorted(local[order], wanted)
    found = np.minimum(found, len(order) - 1)
    places = order[found]
    return np.where(local[places] == wanted, places, -1)


def usual(energy: Floats, local: Ints, *, weeks: int, least_weeks: int, first: int = 0) -> tuple[Floats, Floats]:
    """Return the median of each half-hour's past weeks, and its robust deviation (1.4826 x MAD, Rousseeuw 1993).

    NaN where fewer than ``least_weeks`` of them are known, and before the column ``first``.
    """
    places = weeks_before(local, weeks, first)
    past = np.where(places[None] >= 0, energy[:, places], np.nan)
    median, deviation = np.full(energy.shape, np.nan), np.full(energy.shape, np.nan)
    median[:, first:] = _median(past, least_weeks)
    spread = _median(np.abs(past - median[:, None, first:]), least_weeks)
    deviation[:, first:] = spread * _MAD_TO_DEVIATION
    return median, deviation


def _median(values: Floats, least: int) -> Floats:
    """Return the median of what is known along the second axis; NaN where less than ``least`` is."""
    ordered = np.sort(values, axis=1)
    known = np.count_nonzero(~np.isnan(values), axis=1)
    low = np.take_along_axis(ordered, (np.maximum(known - 1, 0) // 2)[:, None], axis=1)[:, 0]
    high = np.take_along_axis(ordered, np.minimum(known // 2, values.shape[1] - 1)[:, None], axis=1)[:, 0]
    return np.where(known >= max(least, 1), (low + high) / 2, np.nan)


def high(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch half-hours far above the same weekday and half-hour of past weeks."""
    median, margin = _margin(profiles, thresholds)
    return Caught(profiles.energy - median > margin, median)


def low(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch half-hours far below the same weekday and half-hour of past weeks."""
    median, margin = _margin(profiles, thresholds)
    return Caught(median - profiles.energy > margin, median)


def _margin(profiles: Profiles, thresholds: Thresholds) -> tuple[Floats, Floats]:
    median, deviation = usual(
        profiles.energy,
        profiles.local,
        weeks=int(thresholds["weeks"]),
        least_weeks=int(thresholds["least_weeks"]),
        first=profiles.first,
    )
    by_spread = np.maximum(thresholds["deviations"] * deviation, thresholds["percent"] / 100 * np.abs(median))
    return median, np.maximum(by_spread, _of_capacity(profiles, thresholds))


def _of_capacity(profiles: Profiles, thresholds: Thresholds) -> Floats:
    return (thresholds["percent_of_capacity"] / 100 * profiles.capacity)[:, None]


def percent_above_third(highest: Floats, third: Floats) -> Floats:
    """Return by how much, %, the highest of some values stands above the third highest; infinite above nothing."""
    above = np.full(highest.shape, np.inf)
    some = third > 0
    above[some] = highest[some] / third[some] - 1
    return above * 100


def spike(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch the highest half-hour of any ``hours`` in a row whose third highest is known and far below it."""
    energy, width = profiles.energy, _half_hours(thresholds["hours"])
    highest, third, place = _peaks(energy, width)
    percent = percent_above_third(highest, third)
    stands_out = (percent > thresholds["percent"]) & np.isfinite(third) & (highest > 0)
    stands_out &= highest >= _of_capacity(profiles, thresholds)
    cells, figure = np.zeros(energy.shape, dtype=np.bool_), np.zeros(energy.shape)
    registers, ends = np.nonzero(stands_out)
    places = place[registers, ends]
    cells[registers, places] = True
    np.maximum.at(figure, (registers, places), percent[registers, ends])
    return Caught(cells, figure)


def _peaks(energy: Floats, width: int) -> tuple[Floats, Floats, Ints]:
    """Return the highest and the third highest of the ``width`` half-hours that end with each, and where the first is.

    Minus infinity where fewer are known. Of equals the later is the highest.
    """
    known = np.where(np.isnan(energy), -np.inf, energy)
    first = np.full(energy.shape, -np.inf)
    second, third = first.copy(), first.copy()
    place = np.zeros(energy.shape, dtype=np.int64)
    columns = np.arange(energy.shape[1])
    for back in range(min(width, energy.shape[1])):
        value, at = known[:, : energy.shape[1] - back], columns[: energy.shape[1] - back]
        a, b, c, where = first[:, back:], second[:, back:], third[:, back:], place[:, back:]
        np.maximum(c, np.minimum(b, value), out=c)
        np.maximum(b, np.minimum(a, value), out=b)
        higher = value > a
        np.copyto(where, at[None, :], where=higher)
        np.maximum(a, value, out=a)
    return first, third, place


def run_lengths(cells: Bools) -> Ints:
    """Return for each cell how many in a row, up to and with it, are true."""
    columns = np.arange(1, cells.shape[1] + 1)
    last_break = np.maximum.accumulate(np.where(cells, 0, columns), axis=1)
    return np.where(cells, columns - last_break, 0)


def starts(cells: Bools) -> Bools:
    """Keep the first cell of each run."""
    before = np.zeros_like(cells)
    before[:, 1:] = cells[:, :-1]
    return cells & ~before


def stuck(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch the half-hour that makes ``half_hours`` equal ones in a row, none of them zero; once a run."""
    energy, wanted = profiles.energy, int(thresholds["half_hours"])
    same = np.zeros(energy.shape, dtype=np.bool_)
    same[:, 1:] = (energy[:, 1:] == energy[:, :-1]) & (energy[:, 1:] != 0)
    return Caught(run_lengths(same) == wanted - 1, energy, wanted)


def zero_use(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch the half-hour that completes ``hours`` without any use where somebody is supplied; once a run."""
    wanted = _half_hours(thresholds["hours"])
    return Caught(run_lengths((profiles.energy == 0) & profiles.supplied) == wanted, profiles.energy, wanted)


def inactive_use(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch where the use of ``hours`` at a place that should not use any passes a part of its connection's capacity.

    Only the half-hour that passes it is caught, until the sum has been below again.
    """
    width = _half_hours(thresholds["hours"])
    used = np.where(profiles.supplied | ~profiles.installed | np.isnan(profiles.energy), 0.0, profiles.energy)
    total = np.cumsum(used, axis=1)
    total[:, width:] -= total[:, :-width].copy()
    return Caught(starts(total > _of_capacity(profiles, thresholds) * width + _NOTHING), total, width)


def sum_check(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch the last half-hour of a local day whose half-hours do not add up to what the dial of the meter counted.

    A day with a half-hour that is not known, or whose first or last dial value is not, is not judged. What remains
    within the rounding of both is no difference.
    """
    shape = profiles.energy.shape
    cells, figure, length = np.zeros(shape, dtype=np.bool_), np.zeros(shape), np.ones(shape[1], dtype=np.int64)
    ends = np.nonzero(profiles.local % _HALF_HOURS_A_DAY == 0)[0]
    if len(ends) < 2:
        return Caught(cells, figure)
    first, last = ends[:-1], ends[1:]
    whole = profiles.marks[last] - profiles.marks[first] == last - first
    first, last = first[whole], last[whole]
    if not len(first):
        return Caught(cells, figure)
    summed = np.add.reduceat(profiles.energy[:, : last[-1] + 1], first + 1, axis=1)
    counted = profiles.dial[:, last] - profiles.dial[:, first]
    counted = np.where(counted < 0, counted + profiles.dial_modulus[:, None], counted)
    margin = np.maximum(thresholds["percent"] / 100 * np.abs(counted), profiles.rounding[:, None]) + _NOTHING
    cells[:, last] = np.abs(summed - counted) > margin
    figure[:, last] = counted
    length[last] = last - first
    return Caught(cells, figure, length)


def negative(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch half-hours below zero."""
    return Caught(profiles.energy < 0, profiles.energy)


def over_capacity(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch values that tell of more than the connection carries in the time since the value before."""
    limit = (thresholds["percent"] / 100 * profiles.capacity)[:, None] * profiles.span
    return Caught(profiles.grown > limit + _NOTHING, limit)


def gap(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch the half-hour with which nothing came for longer than ``hours`` while the meter hung; once a run."""
    wanted = _half_hours(thresholds["hours"]) + 1
    missing = np.isnan(profiles.energy) & profiles.installed
    return Caught(run_lengths(missing) == wanted, profiles.energy, wanted)


def prolonged_estimation(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch the half-hour with which estimates stand for longer than ``days``; once a run."""
    wanted = int(thresholds["days"] * _HALF_HOURS_A_DAY) + 1
    return Caught(run_lengths(profiles.estimated) == wanted, profiles.energy, wanted)


def clock_drift(profiles: Profiles, thresholds: Thresholds) -> Caught:
    """Catch the reading with which ``readings`` in a row came more than ``seconds`` before their marks; once a run.

    A clock that is late cannot be told from a sender that takes its time.
    """
    wanted = int(thresholds["readings"])
    early = run_lengths(profiles.ahead_seconds > thresholds["seconds"])
    return Caught(early == wanted, profiles.ahead_seconds, wanted)


DETECTORS: Mapping[str, Detector] = {
    "high": high,
    "low": low,
    "spike": spike,
    "stuck": stuck,
    "zero_use": zero_use,
    "inactive_use": inactive_use,
    "sum_check": sum_check,
    "negative": negative,
    "over_capacity": over_capacity,
    "gap": gap,
    "prolonged_estimation": prolonged_estimation,
    "clock_drift": clock_drift,
}


@dataclass(frozen=True, slots=True)
class Reach:
    """What a rule needs to say all that a written mark may change.

    ``back`` and ``on`` are how many half-hours before and after the mark it may then catch; ``before`` is how many
    before the first of those it looks at, and ``weeks`` of how many past weeks the same hour.
    """

    before: int = 1
    back: int = 0
    on: int = 1
    weeks: int = 0


def reach(code: str, thresholds: Thresholds) -> Reach:
    """Return how far a rule looks around a mark that was written."""
    if code in {"high", "low"}:
        return Reach(before=2, weeks=int(thresholds["weeks"]))
    if code == "negative":
        return Reach()
    if code == "over_capacity":
        return Reach(before=_HALF_HOURS_A_WEEK)
    if code == "spike":
        width = _half_hours(thresholds["hours"])
        return Reach(before=width, back=width, on=width)
    if code == "sum_check":
        width = _LONGEST_DAY
    elif code == "prolonged_estimation":
        width = int(thresholds["days"] * _HALF_HOURS_A_DAY) + 2
    elif code in {"stuck", "clock_drift"}:
        width = int(thresholds.get("half_hours", thresholds.get("readings", 1))) + 1
    else:
        width = _half_hours(thresholds["hours"]) + 2
    return Reach(before=width, on=width)


def _half_hours(hours: float) -> int:
    return max(round(hours * 2), 1)
