"""Power that is held back, and by what: derating with its cause, where it can be told."""

from enum import StrEnum

import numpy as np

from meters.batteries.checks.values import MINUTE_US, MOST_APART_US, Bools, Ints, Nameplate, Rows

# How near to its limit a value makes a converter or a BMS take power back.
_NEAR_IGBT_C = 5.0
_NEAR_CELL_C = 3.0
_NEAR_CELL_V = 0.05
# Less than this share of the rated power is idling: nobody asks for power, so that none is held back.
_IDLE_SHARE = 0.05
# Of what was delivered before, that which was reached for a tenth of the time: a spike is no promise.
_DELIVERED_PERCENTILE = 90


class Cause(StrEnum):
    """What may hold power back."""

    IGBT_TEMP = "igbt_temp"
    CELL_TEMP = "cell_temp"
    CELL_VOLTAGE = "cell_voltage"


def derating(bms: Rows, pcs: Rows, plate: Nameplate) -> dict[Cause, float | None]:
    """Return by what share (percent) each cause holds the power back; None where it is not known.

    A cause *limits* while a value is near its limit: the IGBT within 5 °C, the hottest or coldest cell within 3 °C,
    the highest cell while charging (the lowest while discharging) within 50 mV. What is delivered is the median |P| of
    the last minute; against it stands what was delivered in the same direction before the cause began to limit (90th
    percentile), or the rated power where it limits all through these minutes. The share is
    ``1 - delivered / before``: 0 where the cause does not limit, or where the battery idles below 5 % of the rated
    power. Less power without a cause is somebody's decision and no derating. Not known: the rated power, or what the
    cause is judged by, is missing.

    :returns: nothing where no power was told in the last minutes.
    """
    times, power = pcs.known("apparent_power_kw")
    if not times.size:
        return {}
    if not plate.rated_power_kw:
        return dict.fromkeys(Cause)
    now = int(times[-1])
    lately = float(np.median(power[times > now - MINUTE_US]))
    if abs(lately) < _IDLE_SHARE * plate.rated_power_kw:
        return dict.fromkeys(Cause, 0.0)
    direction = np.sign(lately)
    signals = _limiting(bms, pcs, plate, charges=direction < 0)
    shares: dict[Cause, float | None] = {}
    for cause, (told_at, limits) in signals.items():
        since = _limits_since(told_at, limits, now)
        if since is None:
            shares[cause] = None
        elif since > now:
            shares[cause] = 0.0
        else:
            before = power[(times < since) & (np.sign(power) == direction)]
            reference = np.percentile(np.abs(before), _DELIVERED_PERCENTILE) if before.size else plate.rated_power_kw
            shares[cause] = max(0.0, float(1 - abs(lately) / reference) * 100)
    return shares


def _limiting(bms: Rows, pcs: Rows, plate: Nameplate, *, charges: bool) -> dict[Cause, tuple[Ints, Bools]]:
    """Return of each cause the instants at which it was told whether it limits, and whether it did."""
    igbt_times, igbt = pcs.known("temp_igbt_c")
    cell_times, average = bms.known("cell_avg_temp_c")
    spread = bms.values["cell_temp_diff_c"][~np.isnan(bms.values["cell_avg_temp_c"])]
    half = np.nan_to_num(spread, nan=0.0) / 2
    hot, cold = plate.cell_temp[1] - _NEAR_CELL_C, plate.cell_temp[0] + _NEAR_CELL_C
    volt_times, volts = bms.known("cell_max_voltage_v" if charges else "cell_min_voltage_v")
    full, empty = plate.cell_voltage[1] - _NEAR_CELL_V, plate.cell_voltage[0] + _NEAR_CELL_V
    return {
        Cause.IGBT_TEMP: (igbt_times, igbt >= plate.igbt_temp_high_c - _NEAR_IGBT_C),
        Cause.CELL_TEMP: (cell_times, (average + half >= hot) | (average - half <= cold)),
        Cause.CELL_VOLTAGE: (volt_times, volts >= full if charges else volts <= empty),
    }


def _limits_since(times: Ints, limits: Bools, now: int) -> int | None:
    """Return since when a cause limits without a break, later than ``now`` where it does not, None where unknown."""
    if not times.size or now - times[-1] > MOST_APART_US:
        return None
    free = np.flatnonzero(~limits)
    if not free.size:
        return int(times[0])
    return now + 1 if free[-1] == times.size - 1 else int(times[free[-1] + 1])
