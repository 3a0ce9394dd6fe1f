"""What is sensible of any appliance of a kind, before anything is known of the very one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

HOUR, MINUTE, DAY = 3600.0, 60.0, 86_400.0


class Fault(StrEnum):
    """The kinds of faults, as they are stored."""

    STUCK_ON = "stuck_on"
    DEAD = "dead"
    SHORT_CYCLING = "short_cycling"
    POWER_DRIFT = "power_drift"
    SEAL_LEAK = "seal_leak"
    STANDBY_CREEP = "standby_creep"
    NO_HEATING = "no_heating"
    NO_PUMPING = "no_pumping"


class Nature(StrEnum):
    """How an appliance works: by itself in cycles, through a programme, or heating when somebody asks for it."""

    COOLING = "cooling"
    PROGRAMME = "programme"
    HEATING = "heating"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Bounds:
    """What any appliance of a kind keeps to; None where nothing can be said.

    :param stuck_seconds: no healthy one runs (a programme: lasts; a heater: heats) longer without a break.
    :param dead_seconds: no healthy one rests longer.
    :param starts_an_hour: no healthy one starts oftener.
    :param duty: no healthy one runs a greater share of a day.
    :param must_heat: whether each long programme heats.
    """

    nature: Nature
    noun: str
    stuck_seconds: float | None = None
    dead_seconds: float | None = None
    starts_an_hour: float | None = None
    duty: float | None = None
    must_heat: bool = False


_BOUNDS: Mapping[str, Bounds] = {
    "refrigerator": Bounds(Nature.COOLING, "compressor", 2 * HOUR - 5 * MINUTE, 6 * HOUR, 3.3, 0.85),
    "freezer": Bounds(Nature.COOLING, "compressor", 4 * HOUR, 8 * HOUR, 3.3, 0.9),
    "washing_machine": Bounds(Nature.PROGRAMME, "programme", 6 * HOUR),
    "dishwasher": Bounds(Nature.PROGRAMME, "programme", 6 * HOUR, must_heat=True),
    "dryer": Bounds(Nature.PROGRAMME, "programme", 6 * HOUR),
    "kettle": Bounds(Nature.HEATING, "heater", 15 * MINUTE),
    "coffee_maker": Bounds(Nature.HEATING, "heater", HOUR),
}
KINDS = (*_BOUNDS, "other")
_ALSO_CALLED = {
    "fridge": "refrigerator",
    "washingmachine": "washing_machine",
    "washer": "washing_machine",
    "laundry_dryer": "dryer",
    "tumble_dryer": "dryer",
    "water_kettle": "kettle",
    "coffeemaker": "coffee_maker",
    "coffee_machine": "coffee_maker",
}


def kind_of(name: str) -> str:
    """Return the kind that a name means, as people write it; the name itself where it means none."""
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    return _ALSO_CALLED.get(plain, plain)


def bounds_of(kind: str) -> Bounds:
    """Return the bounds of a kind; of one that is not known nothing is expected but its standby."""
    return _BOUNDS.get(kind, Bounds(Nature.UNKNOWN, "appliance"))
