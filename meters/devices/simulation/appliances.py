"""Appliances that draw power and grow warm or cold about as those of a home do."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

_ROOM_C = 27.0
_PLUG_C_PER_W = 0.012
_PLUG_SECONDS = 600.0


class Appliance(Protocol):
    """Something behind a plug.

    :ivar power_w: what it draws now.
    :ivar temperature_c: of its inside, or of the plug's where it has no thermometer.
    :ivar is_on: its switch.
    """

    power_w: float
    temperature_c: float
    is_on: bool

    def live(self, seconds: float, random: Random) -> None:
        """Let some seconds go by."""

    def lose_power(self) -> None:
        """Be without mains: nothing is drawn, and what ran has to be begun anew."""


@dataclass(slots=True)
class Thermostat:
    """Heats or cools between two temperatures, and drifts back to the room's.

    :ivar running_w: while it heats or cools; ``idle_w`` otherwise.
    :ivar drift_seconds: the time constant of its drift to the room's temperature.
    :ivar reach_c: how far from the room's temperature it would come if it never stopped; negative where it cools.
    """

    running_w: float
    idle_w: float
    low_c: float
    high_c: float
    drift_seconds: float
    reach_c: float
    is_on: bool = True
    temperature_c: float = _ROOM_C
    power_w: float = 0.0
    is_running: bool = False

    def live(self, seconds: float, random: Random) -> None:
        """Let some seconds go by."""
        goal = _ROOM_C + (self.reach_c if self.is_running else 0.0)
        self.temperature_c += (goal - self.temperature_c) * -math.expm1(-seconds / self.drift_seconds)
        cools = self.reach_c < 0
        if self.temperature_c >= self.high_c:
            self.is_running = cools
        elif self.temperature_c <= self.low_c:
            self.is_running = not cools
        self.power_w = _noisy(self.running_w if self.is_running else self.idle_w, random)

    def lose_power(self) -> None:
        """Be without mains."""
        self.power_w, self.is_running = 0.0, False


@dataclass(slots=True)
class Programme:
    """Is switched on now and then, goes through its phases, and is switched off.

    :ivar phases: seconds and watts, one after the other; the lengths of a run vary by a fifth.
    :ivar idle_seconds: how long it rests, on average.
    """

    phases: Sequence[tuple[float, float]]
    idle_w: float
    idle_seconds: float
    is_on: bool = False
    temperature_c: float = _ROOM_C
    power_w: float = 0.0
    _left: list[tuple[float, float]] = field(default_factory=list, init=False)

    def live(self, seconds: float, random: Random) -> None:
        """Let some seconds go by."""
        if self._left:
            left, watts = self._left.pop()
            if left > seconds:
                self._left.append((left - seconds, watts))
        elif random.random() < -math.expm1(-seconds / self.idle_seconds):
            self._left = [(length * random.uniform(0.8, 1.2), watts) for length, watts in reversed(self.phases)]
        self.is_on = bool(self._left)
        self.power_w = _noisy(self._left[-1][1] if self._left else self.idle_w, random)
        goal = _ROOM_C + self.power_w * _PLUG_C_PER_W
        self.temperature_c += (goal - self.temperature_c) * -math.expm1(-seconds / _PLUG_SECONDS)

    def lose_power(self) -> None:
        """Be without mains."""
        self.power_w, self.is_on, self._left = 0.0, False, []


def _noisy(watts: float, random: Random) -> float:
    return max(0.0, watts * random.gauss(1.0, 0.01))


KINDS: Sequence[tuple[str, Callable[[], Appliance]]] = (
    ("fridge", lambda: Thermostat(110, 2, 3, 6, 9_000, -40, temperature_c=5)),
    ("freezer", lambda: Thermostat(130, 2, -20, -17, 12_000, -70, temperature_c=-18)),
    ("air conditioner", lambda: Thermostat(1_150, 12, 23, 25, 1_800, -9)),
    ("water heater", lambda: Thermostat(2_950, 1, 55, 61, 30_000, 150, temperature_c=58)),
    ("kettle", lambda: Programme([(180, 2_200)], 0.3, 4_000)),
    ("washing machine", lambda: Programme([(900, 2_050), (2_400, 180), (600, 420)], 1.2, 40_000)),
    ("television", lambda: Programme([(7_200, 95)], 0.8, 20_000)),
    ("lamp", lambda: Programme([(10_800, 9)], 0.2, 15_000)),
    ("router", lambda: Programme([(600, 9)], 7, 900)),
    ("computer", lambda: Programme([(1_200, 140), (2_400, 60), (1_200, 210)], 3, 9_000)),
)
"""What the homes have, each with its name."""
