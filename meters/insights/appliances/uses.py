"""Uses of an appliance that somebody starts: programmes and boils, and what they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.appliances.kinds import MINUTE, Nature
from meters.insights.appliances.power import Bools, Floats, Power
from meters.insights.appliances.usual import Usual

BUSY_WATTS = 8.0
# Pumps draw some tens of watts, motors some hundreds, heaters more; all over idling.
_PUMP_WATTS, _MOTOR_WATTS, _HEATER_WATTS = 15.0, 60.0, 700.0
_BRIDGED_SECONDS = {Nature.PROGRAMME: 30 * MINUTE, Nature.HEATING: 2 * MINUTE}
_SHORTEST_SECONDS = {Nature.PROGRAMME: 5 * MINUTE, Nature.HEATING: 0.5 * MINUTE}
_MOST_UNKNOWN = 0.05
_LEAST_USES = 2


@dataclass(frozen=True)
class Use:
    """One programme or boil, from its first to its last draw; seconds and watts over idling.

    :param is_whole: its beginning and its end were seen and hardly anything of it is unknown.
    :param heater_w: what the heater draws; NaN when it did not heat for some steps.
    """

    begin: float
    end: float
    is_whole: bool
    heating_seconds: float
    longest_heating_seconds: float
    motor_seconds: float
    pump_seconds: float
    heater_w: float
    kwh: float

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return self.end - self.begin


def settled_seconds(nature: Nature) -> float:
    """Return after how many seconds of rest a use is over."""
    return _BRIDGED_SECONDS[nature]


def uses_of(power: Power, nature: Nature, idle_watts: float) -> list[Use]:
    """Cut power into uses: whatever is drawn over idling, over pauses that a programme makes."""
    over = power.watts - idle_watts
    busy = np.flatnonzero(np.nan_to_num(over, nan=0.0) >= BUSY_WATTS)
    if not len(busy):
        return []
    bridged = _BRIDGED_SECONDS[nature] / power.step_seconds
    cuts = np.flatnonzero(np.diff(busy) > bridged)
    firsts, lasts = busy[np.append(0, cuts + 1)], busy[np.append(cuts, len(busy) - 1)]
    found = [
        _use(power, over, (first, last + 1), round(bridged))
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
    ]
    return [use for use in found if _is_use(use, nature)]


def busy_outside(power: Power, uses: Sequence[Use], margin_seconds: float) -> Floats:
    """Return the power with all uses, and some time around them, unknown."""
    quiet = power.watts.copy()
    for use in uses:
        first = max(round((use.begin - margin_seconds - power.start) / power.step_seconds), 0)
        after = max(round((use.end + margin_seconds - power.start) / power.step_seconds), 0)
        quiet[first:after] = np.nan
    return quiet


def learn_uses(days: Sequence[Power], nature: Nature) -> tuple[dict[str, Usual], str]:
    """Return what is usual of an appliance's uses, and in plain words what is missing to know it."""
    watts = np.concatenate([day.watts for day in days]) if days else np.empty(0)
    idle = idle_of(watts)
    uses = [use for day in days for use in uses_of(day, nature, idle) if use.is_whole]
    if len(uses) < _LEAST_USES:
        return {}, f"{len(uses)} whole uses were seen, {_LEAST_USES} are needed."
    samples: dict[str, list[float]] = {
        "idle_w": np.concatenate([busy_outside(day, uses_of(day, nature, idle), 5 * MINUTE) for day in days]).tolist(),
        "use_seconds": [use.seconds for use in uses],
        "heating_seconds": [use.heating_seconds for use in uses],
        "longest_heating_seconds": [use.longest_heating_seconds for use in uses],
        "motor_seconds": [use.motor_seconds for use in uses],
        "pump_seconds": [use.pump_seconds for use in uses],
        "heater_w": [use.heater_w for use in uses],
        "use_kwh": [use.kwh for use in uses],
    }
    return {name: usual for name, values in samples.items() if (usual := Usual.of(values)) is not None}, ""


def idle_of(watts: Floats) -> float:
    """Return what is drawn between uses: the lower quartile, unless that is so much that it must be in use."""
    known = watts[np.isfinite(watts)]
    low = float(np.percentile(known, 25)) if len(known) else 0.0
    return low if low < 30.0 else 0.0


def longest_stretch(mask: Bools) -> int:
    """Return the length of the longest stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _use(power: Power, over: Floats, steps: tuple[int, int], bridged: int) -> Use:
    first, after = steps
    part, step = over[first:after], power.step_seconds
    unknown = np.count_nonzero(np.isnan(part))
    before, behind = over[max(first - 6, 0) : first], over[after : after + bridged]
    heating = part >= _HEATER_WATTS
    settled = len(behind) >= bridged and np.count_nonzero(np.isnan(behind)) < bridged / 2
    hot = part[heating]
    return Use(
        begin=power.start + first * step,
        end=power.start + after * step,
        is_whole=bool(len(before) and np.isfinite(before).all() and settled and unknown <= _MOST_UNKNOWN * len(part)),
        heating_seconds=float(np.count_nonzero(heating)) * step,
        longest_heating_seconds=float(longest_stretch(heating)) * step,
        motor_seconds=float(np.count_nonzero((part >= _MOTOR_WATTS) & ~heating)) * step,
        pump_seconds=float(np.count_nonzero((part >= _PUMP_WATTS) & (part < _MOTOR_WATTS))) * step,
        heater_w=float(np.percentile(hot, 75)) if len(hot) >= 3 else float("nan"),
        kwh=float(np.nansum(power.watts[first:after])) * step / 3.6e6,
    )


def _is_use(use: Use, nature: Nature) -> bool:
    works = use.heating_seconds + use.motor_seconds + use.pump_seconds
    return use.seconds >= _SHORTEST_SECONDS[nature] and works >= 30
