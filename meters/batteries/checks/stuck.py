"""Sensors that tell the same value again and again while what they measure must have moved."""

from collections.abc import Iterator, Sequence

import numpy as np

from meters.batteries.checks.values import MINUTE_US, Finding, Nameplate, Rows

# Fewer equal values are chance, where somebody tells something every minute.
_FEWEST_EQUAL = 30
# By so much of the capacity an hour, or of the rated power, must what drives a signal have moved.
_MOVED_C_RATE = 0.2
_MOVED_POWER_SHARE = 0.5

_Signal = tuple[Rows, str]


def stuck_signals(bms: Rows, pcs: Rows, plate: Nameplate) -> Iterator[Finding]:
    """Yield for how many minutes a signal told one and the same value while what drives it moved; 0 where it did not.

    Voltages are driven by the current, which must have ranged over 0.2 C; the two systems' currents by one another;
    the IGBT's temperature by the power, over half of the rated one. Thirty equal values are needed; of a group of
    signals the one that is stuck for longest counts. A slow signal (a cell's temperature, the state of charge) may
    well stand still. Nothing where a signal was told fewer than thirty times, or what drives it is missing.
    """
    current, dc_current = (bms, "current_a"), (pcs, "dc_current_a")
    voltages = [(bms, name) for name in ("cell_avg_voltage_v", "cell_max_voltage_v", "cell_min_voltage_v")]
    moved_a = plate.capacity_ah and plate.capacity_ah * _MOVED_C_RATE
    moved_kw = plate.rated_power_kw and plate.rated_power_kw * _MOVED_POWER_SHARE
    groups: tuple[tuple[str, Sequence[_Signal], Sequence[_Signal], float | None], ...] = (
        ("stuck_pack_voltage_minutes", [(bms, "voltage_v")], [current, dc_current], moved_a),
        ("stuck_dc_voltage_minutes", [(pcs, "dc_voltage_v")], [current, dc_current], moved_a),
        ("stuck_cell_voltage_minutes", voltages, [current, dc_current], moved_a),
        ("stuck_current_minutes", [current], [dc_current], moved_a),
        ("stuck_dc_current_minutes", [dc_current], [current], moved_a),
        ("stuck_igbt_temp_minutes", [(pcs, "temp_igbt_c")], [(pcs, "apparent_power_kw")], moved_kw),
    )
    for quantity, signals, drivers, moved in groups:
        if not moved:
            continue
        stuck = [minutes for each in signals if (minutes := _stuck_minutes(each, drivers, moved)) is not None]
        if stuck:
            rows = signals[0][0]
            yield Finding(quantity, max(stuck), int(rows.times[-1]))


def _stuck_minutes(signal: _Signal, drivers: Sequence[_Signal], moved: float) -> float | None:
    rows, column = signal
    times, values = rows.known(column)
    if times.size < _FEWEST_EQUAL:
        return None
    other = np.flatnonzero(values != values[-1])
    first = int(other[-1]) + 1 if other.size else 0
    since, until = times[first], times[-1]
    ranges = [_range(driver, int(since), int(until)) for driver in drivers]
    known = [each for each in ranges if each is not None]
    if not known:
        return None
    if times.size - first < _FEWEST_EQUAL or max(known) < moved:
        return 0.0
    return float(until - since) / MINUTE_US


def _range(driver: _Signal, since: int, until: int) -> float | None:
    rows, column = driver
    times, values = rows.known(column)
    within = values[(times >= since) & (times <= until)]
    return float(np.ptp(within)) if within.size else None
