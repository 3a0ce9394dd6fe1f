"""A battery's dossier: what went through it, how well, how far it went and what is not known, from its quarters.

Everything is a sum or an extreme of quarters of an hour. What nothing is known of is None, with a reason where one
helps; a sum is of what is known, and :class:`Coverage` says how much that is. Instants are µs on the quarters' axis.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from meters.batteries.rollup import QUARTER_US, Bools, Floats, Ints

_QUARTER_SECONDS = QUARTER_US / 1_000_000
# A quarter of which a fiftieth is missing still counts as whole: clocks and steps are never that even.
_WHOLE_SECONDS = 0.98 * _QUARTER_SECONDS
# The state of charge is published in steps of up to one percent.
_SAME_SOC_PERCENT = 1.0
_LEAST_CYCLES = 0.25
_GREATEST_CORRECTION = 0.2


@dataclass(frozen=True, slots=True)
class Quarters:
    """n quarters of one battery, ascending; columns as they are rolled up, NaN where nothing is known."""

    starts: Ints
    columns: Mapping[str, Floats]

    def part(self, chosen: Bools) -> "Quarters":
        """Return some of them."""
        return Quarters(self.starts[chosen], {name: values[chosen] for name, values in self.columns.items()})

    def total(self, name: str) -> float | None:
        """Add up a column; None where nothing is known."""
        values = self.columns[name]
        return float(np.nansum(values)) if not np.isnan(values).all() else None


@dataclass(frozen=True, slots=True)
class Throughput:
    """What went through: kWh and Ah of the DC side, kWh of the AC side, and how many full cycles that is.

    :ivar cycles: equivalent full cycles: half of what went in and out, by the capacity or by the rated energy.
    :ivar cycles_by: ``capacity``, ``rated energy``, or empty where neither is known.
    """

    charged_kwh: float | None
    discharged_kwh: float | None
    charged_ah: float | None
    discharged_ah: float | None
    ac_charged_kwh: float | None
    ac_discharged_kwh: float | None
    cycles: float | None
    cycles_by: str


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Round-trip efficiency of a stretch ``[start, end)``, or why there is none."""

    percent: float | None
    reason: str = ""
    start: int | None = None
    end: int | None = None
    is_corrected: bool = False


@dataclass(frozen=True, slots=True)
class Outside:
    """Seconds outside of the battery's windows; None where nothing is known."""

    soc_seconds: float | None
    voltage_seconds: float | None
    temp_seconds: float | None


@dataclass(frozen=True, slots=True)
class Extreme:
    """The lowest or highest value of a kind, and the start of the quarter in which it came first."""

    name: str
    title: str
    unit: str
    value: float
    at: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much is known: the share of the period, and its longest stretch of quarters of which nothing is."""

    known_seconds: float
    share: float
    longest_gap_seconds: float
    gap_start: int | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A day of the period, or what is left of one: energies, kWh, and how far the state of charge went, percent."""

    start: int
    charged_kwh: float | None
    discharged_kwh: float | None
    soc_low_percent: float | None
    soc_high_percent: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Dossier:
    """All of it, of ``[start, end)``."""

    start: int
    end: int
    throughput: Throughput
    dc: Efficiency
    ac: Efficiency
    outside: Outside
    extremes: tuple[Extreme, ...]
    coverage: Coverage
    soh_first_percent: float | None
    soh_last_percent: float | None
    days: tuple[Stretch, ...]


_EXTREMES = (
    ("soc_low_percent", "Lowest state of charge", "%", np.nanargmin),
    ("soc_high_percent", "Highest state of charge", "%", np.nanargmax),
    ("cell_voltage_low_v", "Lowest cell voltage", "V", np.nanargmin),
    ("cell_voltage_high_v", "Highest cell voltage", "V", np.nanargmax),
    ("cell_voltage_diff_high_v", "Widest spread of cells' voltages", "V", np.nanargmax),
    ("cell_temp_low_c", "Coldest cell", "°C", np.nanargmin),
    ("cell_temp_high_c", "Hottest cell", "°C", np.nanargmax),
    ("igbt_temp_high_c", "Hottest IGBT", "°C", np.nanargmax),
)


def dossier_of(
    quarters: Quarters, *, edges: Iterable[int], capacity_ah: float | None, rated_energy_kwh: float | None
) -> Dossier:
    """Make a dossier of quarters within the first and the last edge; edges between them cut it into days.

    :param edges: two or more instants, ascending.
    """
    cuts = list(edges)
    start, end = cuts[0], cuts[-1]
    soh = quarters.columns["soh_percent"]
    told = soh[~np.isnan(soh)]
    return Dossier(
        start=start,
        end=end,
        throughput=_throughput(quarters, capacity_ah, rated_energy_kwh),
        dc=round_trip(quarters, side="", rated_energy_kwh=rated_energy_kwh),
        ac=round_trip(quarters, side="ac_", rated_energy_kwh=rated_energy_kwh),
        outside=_outside(quarters),
        extremes=_extremes(quarters),
        coverage=_coverage(quarters, start, end),
        soh_first_percent=float(told[0]) if told.size else None,
        soh_last_percent=float(told[-1]) if told.size else None,
        days=tuple(_stretch(quarters, low, high) for low, high in pairwise(cuts) if low < high),
    )


def _throughput(quarters: Quarters, capacity_ah: float | None, rated_energy_kwh: float | None) -> Throughput:
    charged_kwh, discharged_kwh = quarters.total("charged_kwh"), quarters.total("discharged_kwh")
    charged_ah, discharged_ah = quarters.total("charged_ah"), quarters.total("discharged_ah")
    cycles, by = None, ""
    if capacity_ah and charged_ah is not None and discharged_ah is not None:
        cycles, by = (charged_ah + discharged_ah) / (2 * capacity_ah), "capacity"
    elif rated_energy_kwh and charged_kwh is not None and discharged_kwh is not None:
        cycles, by = (charged_kwh + discharged_kwh) / (2 * rated_energy_kwh), "rated energy"
    return Throughput(
        charged_kwh,
        discharged_kwh,
        charged_ah,
        discharged_ah,
        quarters.total("ac_charged_kwh"),
        quarters.total("ac_discharged_kwh"),
        cycles,
        by,
    )


def round_trip(quarters: Quarters, *, side: str, rated_energy_kwh: float | None) -> Efficiency:
    """Return how much of what was charged came back, percent, over the longest stretch without a gap.

    That is ``discharged / charged`` up to the last quarter that ends at the state of charge at which the stretch began
    (within a percent), else ``(discharged + ΔSoC · rated energy) / charged`` over all of it, where the correction is no
    more than a fifth of what was charged. None, with the reason, where neither can be told, where less than a quarter
    of the rated energy was charged, or where more came out than went in.

    :param side: empty for the DC side, ``ac_`` for the AC side, whose energies are of the apparent power.
    """
    run = _longest_run(quarters, side)
    if not run.starts.size:
        return Efficiency(None, "There is no quarter of an hour of which all is known.")
    charged, discharged = (np.nancumsum(run.columns[f"{side}{name}"]) for name in ("charged_kwh", "discharged_kwh"))
    last, stored, reason = _closing(run, charged, rated_energy_kwh)
    if reason:
        return Efficiency(None, reason)
    percent = float((discharged[last] + (stored or 0.0)) / charged[last] * 100)
    if percent > 100:
        return Efficiency(None, "More came out than went in: what was told does not agree with itself.")
    return Efficiency(percent, "", int(run.starts[0]), int(run.starts[last]) + QUARTER_US, stored is not None)


def _closing(run: Quarters, charged: Floats, rated_energy_kwh: float | None) -> tuple[int, float | None, str]:
    """Return up to which quarter a stretch counts, and what was stored by then (kWh); or the reason why it does not.

    Nothing is stored, None, where it ends at the state of charge at which it began.
    """
    first, lasts = float(run.columns["soc_first_percent"][0]), run.columns["soc_last_percent"]
    least = _LEAST_CYCLES * (rated_energy_kwh or 0.0)
    end = lasts.size - 1
    if np.isnan(first) or np.isnan(lasts).all():
        return end, None, "The state of charge is not known at both ends."
    back = np.flatnonzero(np.abs(lasts - first) <= _SAME_SOC_PERCENT)
    if back.size and charged[back[-1]] > 0 and charged[back[-1]] >= least:
        return int(back[-1]), None, ""
    if charged[-1] <= 0 or charged[-1] < least:
        return end, None, "Less than a quarter of a full charge went in without a gap."
    if not rated_energy_kwh or np.isnan(lasts[-1]):
        return end, None, "The state of charge never came back to where it was."
    stored = float(lasts[-1] - first) / 100 * rated_energy_kwh
    if abs(stored) > _GREATEST_CORRECTION * charged[-1]:
        return end, None, "The state of charge differs too much between both ends."
    return end, stored, ""


def _longest_run(quarters: Quarters, side: str) -> Quarters:
    whole = quarters.part(quarters.columns[f"{side}covered_seconds"] >= _WHOLE_SECONDS)
    if not whole.starts.size:
        return whole
    breaks = np.flatnonzero(np.diff(whole.starts) != QUARTER_US) + 1
    edges = np.concatenate([[0], breaks, [whole.starts.size]])
    longest = int(np.argmax(np.diff(edges)))
    places = np.arange(whole.starts.size)
    return whole.part((places >= edges[longest]) & (places < edges[longest + 1]))


def _outside(quarters: Quarters) -> Outside:
    def seconds(name: str, known_by: str) -> float | None:
        known = not np.isnan(quarters.columns[known_by]).all()
        return float(quarters.columns[name].sum()) if known else None

    return Outside(
        seconds("soc_outside_seconds", "soc_low_percent"),
        seconds("voltage_outside_seconds", "cell_voltage_high_v"),
        seconds("temp_outside_seconds", "cell_temp_high_c"),
    )


def _extremes(quarters: Quarters) -> tuple[Extreme, ...]:
    found = []
    for name, title, unit, place_of in _EXTREMES:
        values = quarters.columns[name]
        if not np.isnan(values).all():
            place = int(place_of(values))
            found.append(Extreme(name, title, unit, float(values[place]), int(quarters.starts[place])))
    return tuple(found)


def _coverage(quarters: Quarters, start: int, end: int) -> Coverage:
    known = float(quarters.columns["covered_seconds"].sum())
    told = quarters.starts[quarters.columns["covered_seconds"] > 0]
    ends = np.concatenate([[start], told + QUARTER_US])
    gaps = np.maximum(np.concatenate([told, [end]]) - ends, 0)
    longest = int(np.argmax(gaps))
    length = float(gaps[longest]) / 1_000_000
    seconds = (end - start) / 1_000_000
    return Coverage(known, known / seconds if seconds else 0.0, length, int(ends[longest]) if length else None)


def _stretch(quarters: Quarters, start: int, end: int) -> Stretch:
    part = quarters.part((quarters.starts >= start) & (quarters.starts < end))
    low, high = part.columns["soc_low_percent"], part.columns["soc_high_percent"]
    return Stretch(
        start,
        part.total("charged_kwh"),
        part.total("discharged_kwh"),
        None if np.isnan(low).all() else float(np.nanmin(low)),
        None if np.isnan(high).all() else float(np.nanmax(high)),
        float(part.columns["covered_seconds"].sum()) * 1_000_000 / (end - start),
    )
