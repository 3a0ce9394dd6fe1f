"""What the last minutes tell: the spread of cells at rest, and the state of charge against the charge that flowed."""

from collections.abc import Iterator

import numpy as np

from meters.batteries.checks.values import MINUTE_US, MOST_APART_US, Finding, Ints, Nameplate, Rows

_REST_US = 10 * MINUTE_US


def rest_spread(bms: Rows, plate: Nameplate) -> Iterator[Finding]:
    """Yield the cells' spread (V) where the battery has rested: the median of the last minute's.

    It rests where |I| < 0.05 C was told throughout ten minutes, never more than a minute apart. Nothing where it does
    not, or where capacity, current or voltages are missing.
    """
    times, current = bms.known("current_a")
    if plate.rest_a is None or not times.size:
        return
    since = int(times[-1]) - _REST_US
    first = int(np.searchsorted(times, since, side="right")) - 1
    if first < 0 or (np.abs(current[first:]) >= plate.rest_a).any() or _has_gap(times[first:]):
        return
    spread = bms.values["cell_voltage_diff_v"]
    spread = np.where(np.isnan(spread), bms.values["cell_max_voltage_v"] - bms.values["cell_min_voltage_v"], spread)
    lately = spread[(bms.times > times[-1] - MINUTE_US) & ~np.isnan(spread)]
    if lately.size:
        yield Finding("cell_spread_rest_v", float(np.median(lately)), int(times[-1]))


def soc_mismatch(bms: Rows, plate: Nameplate) -> Iterator[Finding]:
    """Yield how far the SoC's steps are from the charge that was counted, in points of percent.

    With the charge Q that left, ``M(t) = SoC(t) + 100 Q(t) / (C · SoH)`` stays the same; its range since the last gap
    of the current of more than a minute is the finding. Q is counted by holding each current until the next one. A SoH
    that was not told counts as whole. Nothing where capacity, current or two values of the SoC are missing.
    """
    times, current = bms.known("current_a")
    soc_times, soc = bms.known("soc_percent")
    if plate.capacity_ah is None or not plate.capacity_ah or not times.size:
        return
    gaps = np.flatnonzero(np.diff(times) > MOST_APART_US)
    begin = int(gaps[-1]) + 1 if gaps.size else 0
    times, current = times[begin:], current[begin:]
    within = (soc_times >= times[0]) & (soc_times <= times[-1] + MOST_APART_US)
    soc_times, soc = soc_times[within], soc[within]
    if soc.size < 2:
        return
    _, soh = bms.known("soh_percent")
    capacity_ah = plate.capacity_ah * (float(soh[-1]) / 100 if soh.size and soh[-1] > 0 else 1.0)
    hours = np.diff(times) / (60 * MINUTE_US)
    counted = np.concatenate([[0.0], np.cumsum(current[:-1] * hours)])
    place = np.searchsorted(times, soc_times, side="right") - 1
    left_ah = counted[place] + current[place] * (soc_times - times[place]) / (60 * MINUTE_US)
    balance = soc + 100 * left_ah / capacity_ah
    yield Finding("soc_mismatch_percent", float(np.ptp(balance)), int(soc_times[-1]))


def _has_gap(times: Ints) -> bool:
    return bool((np.diff(times) > MOST_APART_US).any())
