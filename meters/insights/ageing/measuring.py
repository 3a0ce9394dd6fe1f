"""What a day of a battery's BMS tells of its cells, apart by conditions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
LOOK_BACK_US = 15 * MINUTE_US

COLUMNS = (
    "soc_percent",
    "soh_percent",
    "voltage_v",
    "current_a",
    "cell_avg_voltage_v",
    "cell_avg_temp_c",
    "cell_max_voltage_v",
    "cell_min_voltage_v",
    "cell_voltage_diff_v",
)

# After so long without current what is left of the polarisation is less than a BMS resolves.
_REST_US = 10 * MINUTE_US
# Of what lies between two values further apart nothing is known.
_MOST_APART_US = 5 * MINUTE_US
_FEWEST_AT_REST = 3
# A step is one where the current was steady before: it had changed by no more than this share of the step.
_STEADY_SHARE = 0.2
# How far apart rows are taken, and how long a step between two of them took at least and at most, seconds: the longer,
# the more of the polarisation is in its resistance. A converter that takes its time is seen on the coarser ones.
_SCALES = ((1, 0, 2), (10, 2, 15), (60, 15, 90))
_SOC_WIDTH = 10
_REST_TEMP_WIDTH, _STEP_TEMP_WIDTH = 10, 5
_ANY = ""


class Quantity(StrEnum):
    """What of a battery's health is followed."""

    WEAK_CELL = "weak_cell_v"
    SPREAD = "cell_spread_v"
    RESISTANCE = "resistance_mohm"
    SOH = "soh_percent"


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows of a BMS: instants (µs), ascending, and values by the names of ``COLUMNS``, NaN where missing."""

    times: Ints
    values: Mapping[str, Floats]


Day = Mapping[str, tuple[float, int]]


def measure(rows: Rows, *, since: int, rest_a: float | None) -> dict[Quantity, Day]:
    """Return what a day tells: of each quantity a median and the number of its samples, by conditions.

    - Weakest cell: average less lowest voltage (V) of cells that have rested for ten minutes; spread: highest less
      lowest, or as it was told.
    - Resistance: ``-ΔV / ΔI`` (mΩ, of the whole pack) over steps of the current of at least ``rest_a``, where it was
      steady before; between rows about a second apart, ten, and a minute, each for itself.
    - State of health: as told last.

    Conditions are ``charge/temperature`` by their lower bounds (tens of percent; °C in tens at rest, in fives for
    resistances), for resistances with the longest time of the step in seconds behind it. What cannot be put into
    conditions is left out: missing is not zero.

    :param rows: of the day and of ``LOOK_BACK_US`` before it.
    :param since: the day's start, µs.
    :param rest_a: below which |current| the battery rests; None where the nameplate does not say: then nothing but the
        state of health is measured.
    """
    measured: dict[Quantity, Day] = {Quantity.SOH: _told_last(rows, since)}
    if rest_a is None or not rest_a or not rows.times.size:
        return measured | {quantity: {} for quantity in Quantity if quantity is not Quantity.SOH}
    soc, temperature = (_standing(rows, name) for name in ("soc_percent", "cell_avg_temp_c"))
    rested = _rested(rows, rest_a) & (rows.times >= since)
    at_rest = _conditions(soc[rested], temperature[rested], _REST_TEMP_WIDTH)
    values = rows.values
    apart = values["cell_max_voltage_v"] - values["cell_min_voltage_v"]
    spread = np.where(np.isnan(values["cell_voltage_diff_v"]), apart, values["cell_voltage_diff_v"])
    below = values["cell_avg_voltage_v"] - values["cell_min_voltage_v"]
    measured[Quantity.WEAK_CELL] = _medians(at_rest, below[rested], fewest=_FEWEST_AT_REST)
    measured[Quantity.SPREAD] = _medians(at_rest, spread[rested], fewest=_FEWEST_AT_REST)
    measured[Quantity.RESISTANCE] = _resistances(rows, soc, temperature, since=since, least_a=rest_a)
    return measured


def conditions_text(conditions: str) -> str:
    """Say conditions in words, as ``40 to 50 % charge, 25 to 30 °C, within 15 s``; nothing where there are none."""
    if not conditions:
        return ""
    charge, warmth, *seconds = conditions.split("/")
    width = _STEP_TEMP_WIDTH if seconds else _REST_TEMP_WIDTH
    words = f"{charge} to {int(charge) + _SOC_WIDTH} % charge, {warmth} to {int(warmth) + width} °C"
    return f"{words}, within {seconds[0]} s" if seconds else words


def _told_last(rows: Rows, since: int) -> Day:
    soh = rows.values["soh_percent"][rows.times >= since]
    soh = soh[~np.isnan(soh)]
    return {_ANY: (float(soh[-1]), int(soh.size))} if soh.size else {}


def _rested(rows: Rows, rest_a: float) -> Bools:
    """Tell at which rows the battery had rested for long enough: every current known since then was small."""
    current = rows.values["current_a"]
    known = ~np.isnan(current)
    rested = np.zeros(rows.times.size, np.bool_)
    times = rows.times[known]
    if not times.size:
        return rested
    moved = np.abs(current[known]) >= rest_a
    moved[0] = True
    moved[1:] |= np.diff(times) > _MOST_APART_US
    last_moved = np.maximum.accumulate(np.where(moved, times, times[0]))
    rested[known] = times - last_moved >= _REST_US
    return rested


def _standing(rows: Rows, column: str) -> Floats:
    """Return what stands of a signal at each row: its last value of the last quarter of an hour, else NaN."""
    values = rows.values[column]
    places = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(values.size)))
    stands = (places >= 0) & (rows.times - rows.times[places] <= LOOK_BACK_US)
    return np.where(stands, values[places], np.nan)


def _conditions(soc: Floats, temperature: Floats, width: int) -> NDArray[np.str_]:
    """Return the conditions of each row as text, empty where charge or temperature is not known."""
    known = ~np.isnan(soc) & ~np.isnan(temperature)
    conditions = np.full(soc.size, _ANY, dtype="<U16")
    charge = np.minimum(soc[known] // _SOC_WIDTH * _SOC_WIDTH, 100 - _SOC_WIDTH).astype(np.int64)
    warmth = (temperature[known] // width * width).astype(np.int64)
    conditions[known] = np.char.add(np.char.add(charge.astype(np.str_), "/"), warmth.astype(np.str_))
    return conditions


def _medians(conditions: NDArray[np.str_], values: Floats, *, fewest: int = 1) -> Day:
    known = ~np.isnan(values) & (conditions != _ANY)
    conditions, values = conditions[known], values[known]
    names, places = np.unique(conditions, return_inverse=True)
    day = {}
    for place, name in enumerate(names.tolist()):
        those = values[places == place]
        if those.size >= fewest:
            day[name] = (float(np.median(those)), int(those.size))
    return day


def _resistances(rows: Rows, soc: Floats, temperature: Floats, *, since: int, least_a: float) -> Day:
    known = ~np.isnan(rows.values["current_a"]) & ~np.isnan(rows.values["voltage_v"])
    soc, temperature = soc[known], temperature[known]
    times, current, voltage = rows.times[known], rows.values["current_a"][known], rows.values["voltage_v"][known]
    day: dict[str, tuple[float, int]] = {}
    for apart, least, most in _SCALES:
        taken = np.flatnonzero(np.diff(times // (apart * SECOND_US), prepend=-1))
        ends = _steps(times[taken], current[taken], least=least * SECOND_US, most=most * SECOND_US, least_a=least_a)
        ends = ends[times[taken[ends]] >= since]
        after, before = taken[ends], taken[ends - 1]
        resistance = -1_000.0 * (voltage[after] - voltage[before]) / (current[after] - current[before])
        found = _medians(_conditions(soc[after], temperature[after], _STEP_TEMP_WIDTH), resistance)
        day |= {f"{name}/{most}": each for name, each in found.items() if each[0] > 0.0}
    return day


def _steps(times: Ints, current: Floats, *, least: int, most: int, least_a: float) -> Ints:
    """Return at which rows a step of the current ended that began in a steady one.

    :param least: µs that it took, not included; ``most`` is.
    """
    if times.size < 3:
        return np.zeros(0, np.int64)
    took, change = np.diff(times), np.abs(np.diff(current))
    fits = (took > least) & (took <= most)
    steps = (change[1:] >= least_a) & (change[:-1] <= _STEADY_SHARE * change[1:]) & fits[1:] & (took[:-1] <= most)
    return np.flatnonzero(steps) + 2
