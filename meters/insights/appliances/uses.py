"""Uses of an appliance that somebody starts: programmes and boils, and what they are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meters.insights.appliances.kinds import HOUR, MINUTE, Nature
from meters.insights.appliances.power import Bools, Floats, Ints, Power
from meters.insights.appliances.usual import Usual

BUSY_WATTS = 8.0
# Pumps draw some tens of watts, motors some hundreds, heaters more; all over idling.
_PUMP_WATTS, _MOTOR_WATTS, _HEATER_WATTS = 15.0, 60.0, 700.0
# A pump or motor runs this long at a time; what is shorter are the edges of something else.
_SUSTAINED_SECONDS = 30.0
_BRIDGED_SECONDS = {Nature.PROGRAMME: 30 * MINUTE, Nature.HEATING: 2 * MINUTE}
_SHORTEST_SECONDS = {Nature.PROGRAMME: 5 * MINUTE, Nature.HEATING: 0.5 * MINUTE}
_MOST_UNKNOWN = 0.05
_LEAST_USES = 2
_LEAST_REST_SECONDS = 10 * HOUR
# What is drawn so long before and after more than this is not yet rest.
_WORKING_WATTS, _AROUND_WORK_SECONDS = 40.0, 20 * MINUTE


@dataclass(frozen=True)
class Use:
    """One programme or boil, from its first to its last draw; seconds and watts over idling.

    :param has_begun: its beginning was seen.
    :param is_known: hardly anything of it is unknown.
    :param rest_seconds: how long nothing is known to have been drawn after it.
    :param heater_w: what the heater draws; NaN when it did not heat for some steps.
    """

    begin: float
    end: float
    has_begun: bool
    is_known: bool
    rest_seconds: float
    longest_pause_seconds: float
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
    """Return after how many seconds of rest a use is over, whatever is known of it."""
    return _BRIDGED_SECONDS[nature]


def uses_of(power: Power, nature: Nature, idle_watts: float) -> list[Use]:
    """Cut power into uses: whatever is drawn over idling, over pauses that a programme makes."""
    over = power.watts - idle_watts
    busy = np.flatnonzero(np.nan_to_num(over, nan=0.0) >= BUSY_WATTS)
    if not len(busy):
        return []
    cuts = np.flatnonzero(np.diff(busy) > _BRIDGED_SECONDS[nature] / power.step_seconds)
    firsts, afters = busy[np.append(0, cuts + 1)], busy[np.append(cuts, len(busy) - 1)] + 1
    following = np.append(firsts[1:], len(over))
    places = zip(firsts.tolist(), afters.tolist(), following.tolist(), strict=True)
    found = [_use(power, over, *steps) for steps in places]
    return [use for use in found if _is_use(use, nature)]


def at_rest(power: Power, idle_watts: float) -> Floats:
    """Return the power with everything unknown that lies near work."""
    working = np.nan_to_num(power.watts, nan=0.0) >= idle_watts + _WORKING_WATTS
    around = round(_AROUND_WORK_SECONDS / power.step_seconds)
    sums = np.append(0, np.cumsum(working))
    places = np.arange(len(working))
    near = sums[np.minimum(places + around + 1, len(working))] - sums[np.maximum(places - around, 0)]
    return np.where(near > 0, np.nan, power.watts)


def learn_uses(days: Sequence[Power], nature: Nature) -> tuple[dict[str, Usual], str]:
    """Return what is usual of an appliance's uses, and in plain words what is missing to know it."""
    watts = np.concatenate([day.watts for day in days]) if days else np.empty(0)
    idle = idle_of(watts)
    settled = settled_seconds(nature)
    uses = [use for day in days for use in uses_of(day, nature, idle) if use.has_begun and use.is_known]
    uses = [use for use in uses if use.rest_seconds >= settled]
    resting = _resting(days, idle)
    if len(uses) < _LEAST_USES:
        return resting, f"{len(uses)} whole uses were seen, {_LEAST_USES} are needed."
    samples: dict[str, list[float]] = {
        "use_seconds": [use.seconds for use in uses],
        "longest_pause_seconds": [use.longest_pause_seconds for use in uses],
        "heating_seconds": [use.heating_seconds for use in uses],
        "longest_heating_seconds": [use.longest_heating_seconds for use in uses],
        "motor_seconds": [use.motor_seconds for use in uses],
        "pump_seconds": [use.pump_seconds for use in uses],
        "heater_w": [use.heater_w for use in uses],
        "use_kwh": [use.kwh for use in uses],
    }
    return resting | {name: usual for name, values in samples.items() if (usual := Usual.of(values)) is not None}, ""


def _resting(days: Sequence[Power], idle: float) -> dict[str, Usual]:
    """Return what is usual at rest, which some hours of it tell without any use."""
    if sum(day.known_seconds for day in days) < _LEAST_REST_SECONDS:
        return {}
    usual = Usual.of(np.concatenate([at_rest(day, idle) for day in days]).tolist())
    return {"idle_w": usual} if usual else {}


def idle_of(watts: Floats) -> float:
    """Return what is drawn between uses: the lower quartile, unless that is so much that it must be in use."""
    known = watts[np.isfinite(watts)]
    low = float(np.percentile(known, 25)) if len(known) else 0.0
    return low if low < 30.0 else 0.0


def _use(power: Power, over: Floats, first: int, after: int, following: int) -> Use:
    part, step = over[first:after], power.step_seconds
    before = over[max(first - 6, 0) : first]
    heating = part >= _HEATER_WATTS
    hot = part[heating]
    pumping = (part >= _PUMP_WATTS) & (part < _MOTOR_WATTS)
    turning = (part >= _MOTOR_WATTS) & ~heating
    sustained = round(_SUSTAINED_SECONDS / step)
    return Use(
        begin=power.start + first * step,
        end=power.start + after * step,
        has_begun=bool(np.isfinite(before).any()),
        is_known=bool(np.count_nonzero(np.isnan(part)) <= _MOST_UNKNOWN * len(part)),
        rest_seconds=float(np.count_nonzero(np.isfinite(over[after:following]))) * step,
        longest_pause_seconds=float(_stretches(~(part >= BUSY_WATTS)).max(initial=0)) * step,
        heating_seconds=float(np.count_nonzero(heating)) * step,
        longest_heating_seconds=float(_stretches(heating).max(initial=0)) * step,
        motor_seconds=float(_stretches(turning, sustained).sum()) * step,
        pump_seconds=float(_stretches(pumping, sustained).sum()) * step,
        heater_w=float(np.percentile(hot, 75)) if len(hot) >= 3 else float("nan"),
        kwh=float(np.nansum(power.watts[first:after])) * step / 3.6e6,
    )


def _stretches(mask: Bools, least: int = 1) -> Ints:
    """Return the lengths of the stretches of true values, of those that are long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    return lengths[lengths >= least]


def _is_use(use: Use, nature: Nature) -> bool:
    works = use.heating_seconds + use.motor_seconds + use.pump_seconds
    return use.seconds >= _SHORTEST_SECONDS[nature] and works >= 30
