"""What the newest values alone tell."""

import math
from collections.abc import Iterator

from meters.batteries.checks.values import SECOND_US, Finding, Nameplate, Newest

_SAME_MOMENT_US = 2 * SECOND_US


def glance(bms: Newest | None, pcs: Newest | None, plate: Nameplate) -> Iterator[Finding]:
    """Yield what the newest values alone tell."""
    if bms is not None:
        told = {**_of_cells(bms, plate), **_of_pack(bms, plate)}
        yield from (Finding(quantity, value, bms.at) for quantity, value in told.items() if not math.isnan(value))
    if pcs is not None and not math.isnan(excess := pcs.get("temp_igbt_c") - plate.igbt_temp_high_c):
        yield Finding("igbt_temp_excess_c", excess, pcs.at)
    if bms is not None and pcs is not None and abs(bms.at - pcs.at) <= _SAME_MOMENT_US:
        at = max(bms.at, pcs.at)
        for quantity, gap in _disagreement(bms, pcs, plate).items():
            if not math.isnan(gap):
                yield Finding(quantity, gap, at)


def _of_cells(bms: Newest, plate: Nameplate) -> dict[str, float]:
    """Cells' spread while current flows, and how far they are outside of their limits.

    The spread is told, or the highest less the lowest voltage; at rest it is :func:`rest_spread`'s to judge.
    """
    lowest, highest = bms.get("cell_min_voltage_v"), bms.get("cell_max_voltage_v")
    spread = bms.get("cell_voltage_diff_v")
    spread = highest - lowest if math.isnan(spread) else spread
    is_loaded = plate.rest_a is not None and abs(bms.get("current_a")) >= plate.rest_a
    average, wide = bms.get("cell_avg_temp_c"), bms.get("cell_temp_diff_c")
    half = 0.0 if math.isnan(wide) else wide / 2
    return {
        "cell_spread_load_v": spread if is_loaded else math.nan,
        "cell_temp_spread_c": wide,
        "cell_voltage_excess_v": _excess(lowest, highest, plate.cell_voltage),
        "cell_temp_excess_c": _excess(average - half, average + half, plate.cell_temp),
    }


def _of_pack(bms: Newest, plate: Nameplate) -> dict[str, float]:
    """The pack against its limits, and its voltage U against n cells of the average u: ``|U - nu| / nu``, percent."""
    soc, voltage = bms.get("soc_percent"), bms.get("voltage_v")
    found = {"soc_excess_percent": _excess(soc, soc, plate.soc)}
    if plate.current_limit_a:
        found["current_of_limit_percent"] = abs(bms.get("current_a")) / plate.current_limit_a * 100
    if cells := plate.cells_in_series:
        low, high = plate.cell_voltage
        found["pack_voltage_excess_v"] = _excess(voltage, voltage, (low * cells, high * cells))
        of_cells = bms.get("cell_avg_voltage_v") * cells
        found["pack_against_cells_percent"] = abs(voltage - of_cells) / of_cells * 100 if of_cells else math.nan
    return found


def _disagreement(bms: Newest, pcs: Newest, plate: Nameplate) -> dict[str, float]:
    """BMS against PCS within two seconds: |ΔU| of the pack's voltage, |ΔI| of the current's limit, percent."""
    voltage = bms.get("voltage_v")
    found = {"dc_voltage_gap_percent": abs(voltage - pcs.get("dc_voltage_v")) / voltage * 100 if voltage else math.nan}
    if plate.current_limit_a:
        apart = abs(bms.get("current_a") - pcs.get("dc_current_a"))
        found["dc_current_gap_percent"] = apart / plate.current_limit_a * 100
    return found


def _excess(low: float, high: float, window: tuple[float, float]) -> float:
    """Return how far outside of a window the worse of two values is; of one where the other is missing."""
    known = [each for each in (window[0] - low, high - window[1]) if not math.isnan(each)]
    return max(known, default=math.nan)
