"""Runs and pauses: where an appliance draws more than a threshold and how long it does so without a break."""

from dataclasses import dataclass

import numpy as np

from meters.insights.appliances.power import Floats, Ints, Power

_ON, _OFF, _UNKNOWN = 1, 0, -1
# A break this short is the meter's, not the appliance's; a start this short is a door's lamp or a surge.
_BREAK_SECONDS = 40.0
_SURGE_SECONDS = 20.0
_BRIDGED_SECONDS = 120.0


@dataclass(frozen=True)
class Run:
    """A stretch without a break in one state, from step ``first`` up to ``after``; UTC seconds."""

    begin: float
    end: float
    is_on: bool
    has_begun: bool
    has_ended: bool
    first: int
    after: int

    @property
    def is_whole(self) -> bool:
        """Whether both of its ends were seen."""
        return self.has_begun and self.has_ended

    @property
    def seconds(self) -> float:
        """How long it lasted, as far as it was seen."""
        return self.end - self.begin


def runs_of(power: Power, threshold_watts: float) -> list[Run]:
    """Cut power into runs and pauses at a threshold; unknown stretches of two minutes and more stand between them."""
    if not len(power.watts):
        return []
    states = np.where(np.isfinite(power.watts), (power.watts >= threshold_watts).astype(np.int64), _UNKNOWN)
    states = _smoothed(states, _UNKNOWN, _BRIDGED_SECONDS / power.step_seconds)
    states = _smoothed(states, _OFF, _BREAK_SECONDS / power.step_seconds)
    states = _smoothed(states, _ON, _SURGE_SECONDS / power.step_seconds)
    firsts, afters = _stretches(states)
    found = []
    for place, (first, after) in enumerate(zip(firsts.tolist(), afters.tolist(), strict=True)):
        state = states[first]
        if state == _UNKNOWN:
            continue
        has_begun = place > 0 and states[first - 1] == 1 - state
        has_ended = place < len(firsts) - 1 and states[after] == 1 - state
        begin = power.start + first * power.step_seconds
        end = power.start + after * power.step_seconds
        found.append(Run(begin, end, bool(state == _ON), bool(has_begun), bool(has_ended), first, after))
    return found


def level_of(watts: Floats, idle_watts: float) -> float | None:
    """Return what an appliance draws most of the time that it runs, watts; None where it never does.

    A run is anything 15 W over idling; half the median of it is the threshold, and the median over that the level.
    """
    busy = watts[np.isfinite(watts) & (watts >= idle_watts + 15.0)]
    if len(busy) < 6:
        return None
    level = float(np.median(busy))
    return float(np.median(busy[busy >= idle_watts + (level - idle_watts) / 2]))


def _smoothed(states: Ints, state: int, steps: float) -> Ints:
    """Give short stretches of a state the one that lies on both sides of them."""
    firsts, afters = _stretches(states)
    out = states.copy()
    for place in range(1, len(firsts) - 1):
        first, after = firsts[place], afters[place]
        short = after - first <= steps and states[first] == state
        if short and states[first - 1] == states[after] and states[after] != _UNKNOWN:
            out[first:after] = states[after]
    return out


def _stretches(states: Ints) -> tuple[Ints, Ints]:
    """Return where stretches of one value begin, and the places after their ends."""
    cuts = np.flatnonzero(np.diff(states)) + 1
    return np.append(0, cuts), np.append(cuts, len(states))
