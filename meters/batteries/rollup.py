"""Quarters of an hour of batteries: what was charged and discharged, how far things went, how long they were outside.

A value stands until the next one of its signal, and at most for its *hold*: a minute, or three times the signal's usual
step in that quarter where it is told more slowly, and never longer than ``LOOK_BACK``. What is missing is not zero: the
power is known only while voltage and current both stand, and only then is anything counted. Energies are sums of
rectangles (hold-last), charging and discharging apart, so that a quarter that did both shows both.

A quarter follows from nothing but the values of ``(start - LOOK_BACK, end)``: rolled up anew, in whatever order they
came, it is the same. Instants are whole µs on one axis of the caller's choice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

QUARTER_US = 900_000_000
LOOK_BACK_US = QUARTER_US

_SECOND_US = 1_000_000
_HOUR_US = 3_600_000_000
_SHORTEST_HOLD_US = 60_000_000
_STEPS_OF_HOLD = 3
# Fewer steps than these tell an interruption, not a rate.
_FEWEST_STEPS = 3
# So many steps within a quarter and its look-back have a median that three times of is less than the shortest hold.
_ENOUGH_STEPS = 2 * (QUARTER_US + LOOK_BACK_US) * _STEPS_OF_HOLD // _SHORTEST_HOLD_US + 1

BMS_COLUMNS = (
    "soc_percent",
    "soh_percent",
    "voltage_v",
    "current_a",
    "cell_avg_temp_c",
    "cell_temp_diff_c",
    "cell_max_voltage_v",
    "cell_min_voltage_v",
    "cell_voltage_diff_v",
)
PCS_COLUMNS = ("apparent_power_kw", "temp_igbt_c")
# Of these what stood before a quarter counts too; the others' values count where they are told.
BMS_STANDING = tuple(name for name in BMS_COLUMNS if name not in ("soh_percent", "cell_voltage_diff_v"))
PCS_STANDING = ("apparent_power_kw",)


@dataclass(frozen=True, slots=True)
class Told:
    """n rows of one system of one battery: instants, ascending, and values by column, NaN where untold."""

    times: Ints
    values: Mapping[str, Floats]

    def known(self, column: str) -> tuple[Ints, Floats]:
        """Return a column's values that were told, and when."""
        values = self.values[column]
        told = ~np.isnan(values)
        return self.times[told], values[told]


@dataclass(frozen=True, slots=True)
class Windows:
    """Between what a battery should stay: percent, volts of a cell, °C of a cell."""

    soc: tuple[float, float]
    cell_voltage: tuple[float, float]
    cell_temp: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter of an hour; NaN where nothing is known. Energies and charges of seconds that are covered."""

    covered_seconds: float
    discharged_kwh: float
    charged_kwh: float
    discharged_ah: float
    charged_ah: float
    ac_covered_seconds: float
    ac_discharged_kwh: float
    ac_charged_kwh: float
    soc_first_percent: float
    soc_last_percent: float
    soc_low_percent: float
    soc_high_percent: float
    soh_percent: float
    cell_voltage_low_v: float
    cell_voltage_high_v: float
    cell_voltage_diff_high_v: float
    cell_temp_low_c: float
    cell_temp_high_c: float
    igbt_temp_high_c: float
    soc_outside_seconds: float
    voltage_outside_seconds: float
    temp_outside_seconds: float

    @property
    def is_known(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.covered_seconds or self.ac_covered_seconds) or any(
            not np.isnan(getattr(self, name)) for name in _GAUGES
        )


FIELDS = tuple(field.name for field in fields(Quarter))
_NOTHING = Quarter(**{name: 0.0 if name.endswith("_seconds") else np.nan for name in FIELDS})
_GAUGES = tuple(name for name in FIELDS if name.endswith(("_percent", "_v", "_c")))


def quarters(bms: Told, pcs: Told, windows: Windows, *, start: int, end: int) -> Iterator[tuple[int, Quarter]]:
    """Yield each quarter of ``[start, end)`` with its start, whether anything is known of it or not.

    :param bms: rows of ``(start - LOOK_BACK_US, end)``; of those before ``start`` the last value of each of
        ``BMS_STANDING`` suffices, of ``pcs`` that of ``PCS_STANDING``.
    :param start: the start of a quarter; ``end`` that of a later one.
    """
    if not bms.times.size and not pcs.times.size:
        yield from ((first, _NOTHING) for first in range(start, end, QUARTER_US))
        return
    signals = {name: _Signal(*bms.known(name)) for name in BMS_COLUMNS}
    signals |= {name: _Signal(*pcs.known(name)) for name in PCS_COLUMNS}
    for first in range(start, end, QUARTER_US):
        after = first + QUARTER_US
        yield first, _quarter(signals, _within(bms.times, first, after), windows, first, after)


@dataclass(frozen=True, slots=True)
class _Signal:
    """Values that were told of one signal, ascending in time."""

    times: Ints
    values: Floats

    def within(self, start: int, end: int) -> Floats:
        """Return the values told in ``[start, end)``."""
        low, high = np.searchsorted(self.times, (start, end))
        return self.values[low:high]

    def standing(self, start: int, end: int) -> "_Standing":
        """Return what stands when in ``[start, end)``."""
        low, high = (int(place) for place in np.searchsorted(self.times, (start, end)))
        if low and self.times[low - 1] > start - LOOK_BACK_US:
            low -= 1
        since, values = self.times[low:high], self.values[low:high]
        until = np.minimum(np.append(since[1:], end), since + _hold(np.diff(since)))
        return _Standing(since, until, values)


@dataclass(frozen=True, slots=True)
class _Standing:
    """Values, each of which stands in ``[since, until)``."""

    since: Ints
    until: Ints
    values: Floats

    def at(self, instants: Ints) -> Floats:
        """Return what stands at instants, NaN where nothing does."""
        if not self.since.size:
            return np.full(instants.size, np.nan)
        places = np.searchsorted(self.since, instants, side="right") - 1
        stands = (places >= 0) & (instants < self.until[places])
        return np.where(stands, self.values[places], np.nan)


def _hold(steps: Ints) -> int:
    if not _FEWEST_STEPS <= steps.size < _ENOUGH_STEPS:
        return _SHORTEST_HOLD_US
    usual = _STEPS_OF_HOLD * float(np.median(steps))
    return int(min(max(usual, _SHORTEST_HOLD_US), LOOK_BACK_US))


def _quarter(signals: Mapping[str, _Signal], rows: Ints, windows: Windows, start: int, end: int) -> Quarter:
    stands = {name: signals[name].standing(start, end) for name in BMS_STANDING}
    edges = _edges(rows, list(stands.values()), start, end)
    seconds = np.diff(edges) / _SECOND_US
    here = {name: each.at(edges[:-1]) for name, each in stands.items()}
    current = here["current_a"]
    power_kw = here["voltage_v"] * current / 1000
    current = np.where(np.isnan(power_kw), np.nan, current)
    coldest, hottest = _cell_temps(here)
    covered, discharged_kwh, charged_kwh = _flows(power_kw, seconds)
    _, discharged_ah, charged_ah = _flows(current, seconds)
    ac_power_kw = signals["apparent_power_kw"].standing(start, end)
    ac_edges = _edges(_within(ac_power_kw.since, start, end), [ac_power_kw], start, end)
    ac = _flows(ac_power_kw.at(ac_edges[:-1]), np.diff(ac_edges) / _SECOND_US)
    told = {name: signal.within(start, end) for name, signal in signals.items()}
    soc = told["soc_percent"]
    lowest, highest = told["cell_min_voltage_v"], told["cell_max_voltage_v"]
    return Quarter(
        covered,
        discharged_kwh,
        charged_kwh,
        discharged_ah,
        charged_ah,
        *ac,
        soc_first_percent=_last(soc[:1]),
        soc_last_percent=_last(soc),
        soc_low_percent=_low(soc),
        soc_high_percent=_high(soc),
        soh_percent=_last(told["soh_percent"]),
        cell_voltage_low_v=_low(lowest),
        cell_voltage_high_v=_high(highest),
        cell_voltage_diff_high_v=_high(told["cell_voltage_diff_v"]),
        cell_temp_low_c=_low(coldest),
        cell_temp_high_c=_high(hottest),
        igbt_temp_high_c=_high(told["temp_igbt_c"]),
        soc_outside_seconds=_outside(here["soc_percent"], here["soc_percent"], windows.soc, seconds),
        voltage_outside_seconds=_outside(
            here["cell_min_voltage_v"], here["cell_max_voltage_v"], windows.cell_voltage, seconds
        ),
        temp_outside_seconds=_outside(coldest, hottest, windows.cell_temp, seconds),
    )


def _within(times: Ints, start: int, end: int) -> Ints:
    low, high = np.searchsorted(times, (start, end))
    return times[low:high]


def _edges(rows: Ints, stands: list[_Standing], start: int, end: int) -> Ints:
    """Return the instants at which what stands may change, from ``start`` to ``end``: rows, and holds that end."""
    ended = np.concatenate([each.until[:-1][each.until[:-1] < each.since[1:]] for each in stands])
    last = np.array([each.until[-1] for each in stands if each.until.size], np.int64)
    inner = np.concatenate([ended, last])
    edges = np.concatenate([[start], rows, inner[(inner > start) & (inner < end)], [end]])
    return np.unique(edges)


def _cell_temps(here: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """Return the coldest and the hottest cell, °C, taking the spread to lie evenly about the average.

    A BMS publishes the average and the spread only; where no spread stands the average stands for every cell.
    """
    half = np.nan_to_num(here["cell_temp_diff_c"], nan=0.0) / 2
    return here["cell_avg_temp_c"] - half, here["cell_avg_temp_c"] + half


def _flows(values: Floats, seconds: Floats) -> tuple[float, float, float]:
    """Return the seconds that are known, and what flowed out and in, each per hour; NaN where nothing is known."""
    known = ~np.isnan(values)
    if not known.any():
        return 0.0, np.nan, np.nan
    flows = values[known] * seconds[known] * _SECOND_US / _HOUR_US
    return float(seconds[known].sum()), float(flows[flows > 0].sum()), float(-flows[flows < 0].sum())


def _outside(low: Floats, high: Floats, window: tuple[float, float], seconds: Floats) -> float:
    return float(seconds[(low < window[0]) | (high > window[1])].sum())


def _low(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.min()) if known.size else np.nan


def _high(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.max()) if known.size else np.nan


def _last(values: Floats) -> float:
    return float(values[-1]) if values.size else np.nan
