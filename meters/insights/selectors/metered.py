"""What meters at places counted, half-hour by half-hour, as rows of numbers for many places at once.

Billing asks the same exactly (:mod:`meters.selectors.half_hours`); here floats do, and what is not known stays unknown:
a half-hour counts where true reads at both its ends tell it, or its own read does. Estimates tell nothing, since they
may rest on what came later.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter

import numpy as np

from energy_portal.shared.clock import HALF_HOUR, Period
from meters import store
from meters.consumption import ESTIMATES
from meters.insights.clockwork import SLOT_SECONDS, Floats, Ints
from meters.insights.selectors.subjects import Series
from meters.selectors.flows import CountedRegister, Stay, stays_at
from meters.series.columns import micros_of
from meters.store import Window
from meters.store.profiles import DialColumn
from meters.store.reads import MarkRow

_MICROS_A_UNIT = 1_000_000
_MICROS_A_HALF_HOUR = SLOT_SECONDS * 1_000_000
# A dial that is said to turn by more of itself in half an hour has been set, not turned.
_FARTHEST_TURN = 0.1


@dataclass(frozen=True)
class Axis:
    """Half-hours one after the other, in UTC."""

    start: datetime
    count: int

    @property
    def end(self) -> datetime:
        """The end of the last."""
        return self.start + self.count * HALF_HOUR

    @property
    def starts(self) -> Ints:
        """Their starts, (n,) UTC seconds since 1970."""
        return int(self.start.timestamp()) + SLOT_SECONDS * np.arange(self.count, dtype=np.int64)

    def places(self, times: Ints) -> tuple[Ints, Ints]:
        """Return in which half-hours instants (µs since 2000) lie, and how far after their starts (µs)."""
        return np.divmod(times - micros_of(self.start), _MICROS_A_HALF_HOUR)


def metered_rows(places: Sequence[Series], axis: Axis) -> Floats:
    """Return what service points took in, (m, n) kWh a half-hour, NaN where it is not known. Three queries.

    What was there before a place's ``since`` is left out.
    """
    rows = np.full((len(places), axis.count), np.nan)
    if not places or axis.count < 1:
        return rows
    period = Period(axis.start, axis.end)
    stays = stays_at({place.key for place in places}, period)
    asked = [
        (row, stay, register, window)
        for row, place in enumerate(places)
        for stay in stays.get(place.key, ())
        if (part := _part(stay, place, period))
        for register in stay.registers
        if (window := Window(register.register_id, part.start, part.end))
    ]
    columns = _columns([window for *_, window in asked])
    factors = _Factors(register for _, _, register, _ in asked)
    told: dict[tuple[int, datetime, bool], Floats] = {}
    for (row, stay, register, window), column in zip(asked, columns, strict=True):
        key = (row, stay.period.start, register.is_interval)
        energies = _energies(axis, register, column, factors, window)
        told[key] = told[key] + energies if key in told else energies
    for (row, _, _), energies in sorted(told.items(), key=lambda item: item[0]):
        rows[row] = np.where(np.isfinite(rows[row]), rows[row], energies)
    return rows


def _part(stay: Stay, place: Series, period: Period) -> Period | None:
    own = Period(max(place.since, period.start), period.end) if place.since and place.since < period.end else period
    return None if place.since and place.since >= period.end else stay.period.intersect(own)


class _Factors:
    """By what registers' steps are multiplied, and since when. One query."""

    def __init__(self, registers: Iterable[CountedRegister]) -> None:
        self._by_register = {each.register_id: float(each.multiplier * each.scale) for each in registers}
        self._changes: dict[int, list[MarkRow]] = defaultdict(list)
        always = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
        for mark in store.reads.marks_of(self._by_register, always, always) if self._by_register else ():
            if mark.multiplier is not None:
                self._changes[mark.register_id].append(mark)

    def of(self, register: CountedRegister, times: Ints) -> Floats | float:
        """Return the factor in force at instants (µs since 2000); the first also holds before it was named."""
        changes = self._changes.get(register.register_id)
        if not changes:
            return self._by_register[register.register_id]
        since = np.array([micros_of(change.at) for change in changes])
        factors = np.array([float((change.multiplier or register.multiplier) * register.scale) for change in changes])
        found: Floats = factors[np.maximum(np.searchsorted(since, times, side="right") - 1, 0)]
        return found


def _energies(axis: Axis, register: CountedRegister, column: DialColumn, factors: _Factors, window: Window) -> Floats:
    """Return what a register counted, (n,) kWh, NaN where it does not tell."""
    found = np.full(axis.count, np.nan)
    marks, beside = axis.places(column.times)
    sharp = (beside == 0) & ~np.isin(column.times, column.estimated_times)
    marks, times, values = marks[sharp], column.times[sharp], column.values[sharp]
    if register.is_interval:
        # A half-hour's own read stands at its end; that of the first instant is of the half-hour before.
        inside = times >= micros_of(window.low) + _MICROS_A_HALF_HOUR
        marks, times, values = marks[inside] - 1, times[inside] - _MICROS_A_HALF_HOUR, values[inside]
        found[marks] = values * factors.of(register, times) / _MICROS_A_UNIT
        return found
    steps = np.diff(values)
    modulus = int(register.modulus) * _MICROS_A_UNIT
    steps = np.where(steps < 0, steps + modulus, steps)
    fine = (np.diff(marks) == 1) & (steps <= _FARTHEST_TURN * modulus)
    energies = steps * factors.of(register, times[:-1]) / _MICROS_A_UNIT
    found[marks[:-1][fine]] = energies[fine]
    return found


def _columns(windows: Sequence[Window]) -> list[DialColumn]:
    """Return what registers showed, from the database, and from the archive where a month of a window lies there."""
    found = store.profiles.dial_columns(windows)
    archived = [window for window, column in zip(windows, found, strict=True) if column is None]
    read = _from_archive(archived) if archived else {}
    return [
        column if column is not None else _cut(read.get(window.register_id, _NOTHING), window)
        for window, column in zip(windows, found, strict=True)
    ]


_NOTHING = DialColumn(*(np.empty(0, dtype=np.int64) for _ in range(3)))


def _from_archive(windows: Sequence[Window]) -> Mapping[int, DialColumn]:
    rows = store.reads.readings_within(windows, [])
    columns = {}
    for register_id, own in groupby(rows, key=itemgetter(0)):
        told = [(micros_of(time), int(value * _MICROS_A_UNIT), quality in ESTIMATES) for _, time, value, quality in own]
        times, values, guesses = (np.array(each) for each in zip(*told, strict=True))
        columns[register_id] = DialColumn(times, values, times[guesses.astype(np.bool_)])
    return columns


def _cut(column: DialColumn, window: Window) -> DialColumn:
    inside = (column.times >= micros_of(window.low)) & (column.times <= micros_of(window.high))
    return DialColumn(column.times[inside], column.values[inside], column.estimated_times)
