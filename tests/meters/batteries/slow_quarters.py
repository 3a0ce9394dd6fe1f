"""Quarters of an hour as anybody would reckon them: second by second, from the definition; times in whole seconds."""

from itertools import pairwise
from math import isnan, nan
from statistics import median

LENGTH = 900


def standing(told: list[tuple[int, float]], start: int) -> list[float]:
    """Return what stands of one signal in each second of a quarter; NaN where nothing does."""
    end = start + LENGTH
    told = [(at, value) for at, value in told if not isnan(value) and at < end]
    before = [row for row in told if start - LENGTH < row[0] < start][-1:]
    rows = before + [row for row in told if row[0] >= start]
    steps = [later[0] - earlier[0] for earlier, later in pairwise(rows)]
    hold = min(max(60.0, 3 * median(steps)), LENGTH) if len(steps) >= 3 else 60.0
    stands = []
    for second in range(start, end):
        newest = [row for row in rows if row[0] <= second][-1:]
        stands.append(newest[0][1] if newest and second < newest[0][0] + hold else nan)
    return stands


def slow_quarter(told: dict[str, list[tuple[int, float]]], start: int) -> dict[str, float]:
    """Return covered seconds, energies (kWh), charges (Ah) and seconds outside of 5 to 95 percent."""
    here = {name: standing(rows, start) for name, rows in told.items()}
    volts, amperes = here["voltage_v"], here["current_a"]
    known = [(v * a, a) for v, a in zip(volts, amperes, strict=True) if not isnan(v) and not isnan(a)]
    soc = [value for value in here["soc_percent"] if not isnan(value)]
    return {
        "covered_seconds": float(len(known)),
        "discharged_kwh": sum(w for w, _ in known if w > 0) / 3.6e6 if known else nan,
        "charged_kwh": -sum(w for w, _ in known if w < 0) / 3.6e6 if known else nan,
        "discharged_ah": sum(a for _, a in known if a > 0) / 3600 if known else nan,
        "charged_ah": -sum(a for _, a in known if a < 0) / 3600 if known else nan,
        "soc_outside_seconds": float(sum(value < 5 or value > 95 for value in soc)),
    }
