"""What the demo's devices did in the last day: powers and temperatures as devices tell them, on change; no Django."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np

SEED = 20_260_102
MINUTE = timedelta(minutes=1)
_WORD_EVERY = 9  # minutes: less than the time after which a device counts as silent
# A door that is not quite closed.
RUNS_ON_MINUTES = 210
_FAULT_MINUTES = 12
_FAULT_W = 3_920.0


class Kind(StrEnum):
    """What a device is."""

    FRIDGE = "Refrigerator"
    AIR_CON = "Air conditioner"
    HEATER = "Water heater"
    PLUG = "Plug"
    CHARGER = "Car charger"


@dataclass(frozen=True)
class Appliance:
    """A device of the demo.

    ``account`` is an account's number or empty, ``silent`` the minutes before now in which nothing of it arrives,
    ``runs_on`` for how many minutes before now it has run without a break.
    """

    device_id: str
    name: str
    kind: Kind
    region: str
    account: str = ""
    is_critical: bool = False
    silent: range = range(0)
    is_faulty: bool = False
    runs_on: int = 0


@dataclass(frozen=True)
class Word:
    """What a device told of an instant; None where it told nothing."""

    device_id: str
    time: datetime
    power_w: float | None = None
    temperature_c: float | None = None
    switch: bool | None = None


def appliances(*, account: str, neighbours: tuple[str, ...], regions: tuple[str, ...]) -> tuple[Appliance, ...]:
    """Make up some dozens of devices: the household's own, those of its neighbours, and the utility's.

    :param account: the number of the household that a stranger looks at first.
    """
    home = regions[0]
    own = (
        Appliance("demo-kitchen-fridge", "Kitchen fridge", Kind.FRIDGE, home, account, runs_on=RUNS_ON_MINUTES),
        Appliance("demo-water-heater", "Water heater", Kind.HEATER, home, account),
        Appliance("demo-bedroom-aircon", "Bedroom air conditioner", Kind.AIR_CON, home, account),
        Appliance("demo-desk-plug", "Desk", Kind.PLUG, home, account, silent=range(300, 420)),
        Appliance("demo-medicine-fridge", "Medicine fridge", Kind.FRIDGE, home, account, is_critical=True),
    )
    others = []
    kinds = tuple(Kind)
    for number in range(34):
        kind, region = kinds[number % len(kinds)], regions[number % len(regions)]
        others.append(
            Appliance(
                device_id=f"demo{number:016d}",
                name=f"{kind} {number + 1}",
                kind=kind,
                region=region,
                account=neighbours[number % len(neighbours)] if neighbours and number % 3 else "",
                silent=range(130) if number in {9, 23} else range(0),
                is_faulty=number == 12,
            )
        )
    return (*own, *others)


def words_of(appliance: Appliance, *, now: datetime, zone: ZoneInfo, hours: int = 24) -> Iterator[Word]:
    """Yield what a device told in the last hours, in order: on change, and now and then so as not to seem silent."""
    rng = np.random.default_rng((SEED, *appliance.device_id.encode()))
    begins = now.replace(second=0, microsecond=0) - hours * 60 * MINUTE
    power_at = _POWERS[appliance.kind](rng)
    told_power: float | None = None
    told_switch: bool | None = None
    for minute in range(hours * 60):
        left = hours * 60 - minute
        if left in appliance.silent:
            continue
        time = begins + minute * MINUTE + timedelta(seconds=float(rng.integers(0, 50)))
        local = time.astimezone(zone)
        power = power_at(0 if left <= appliance.runs_on else minute, local.hour + local.minute / 60)
        if appliance.is_faulty and left <= _FAULT_MINUTES:
            power = _FAULT_W
        power = round(power, 1)
        switch = power > 0
        changed = told_power is None or abs(power - told_power) > max(2.0, 0.03 * told_power)
        if changed or minute % _WORD_EVERY == 0:
            yield Word(
                appliance.device_id,
                time,
                power_w=power if changed else None,
                temperature_c=round(_TEMPERATURES[appliance.kind] + 1.5 * np.sin(minute / 40) + rng.normal(0, 0.2), 1),
                switch=switch if switch != told_switch else None,
            )
            told_power, told_switch = (power if changed else told_power), switch


_PowerAt = Callable[[int, float], float]


def _fridge(rng: np.random.Generator) -> _PowerAt:
    phase, draw = int(rng.integers(0, 22)), rng.uniform(85, 130)
    return lambda minute, hour: float(draw + rng.normal(0, 1)) if (minute + phase) % 60 < 22 else 1.8


def _air_con(rng: np.random.Generator) -> _PowerAt:
    begins, draw = rng.uniform(19.5, 22.0), rng.uniform(750, 1_150)

    def power(minute: int, hour: float) -> float:
        if not (hour >= begins or hour < 6.5):
            return 0.0
        return float(draw + rng.normal(0, 15)) if minute % 20 < 13 else 45.0

    return power


def _heater(rng: np.random.Generator) -> _PowerAt:
    morning, evening, draw = rng.uniform(6.2, 7.0), rng.uniform(19.8, 21.0), rng.uniform(2_300, 2_700)

    def power(minute: int, hour: float) -> float:
        is_on = morning <= hour < morning + 0.5 or evening <= hour < evening + 0.7
        return float(draw + rng.normal(0, 10)) if is_on else 0.0

    return power


def _plug(rng: np.random.Generator) -> _PowerAt:
    """A desk: at night what stands on it sleeps, and is never quite off."""
    begins, draw = rng.uniform(7.5, 10.0), rng.uniform(40, 160)

    def power(minute: int, hour: float) -> float:
        return float(draw * rng.uniform(0.8, 1.2) if begins <= hour < begins + 14 else rng.uniform(7, 13))

    return power


def _charger(rng: np.random.Generator) -> _PowerAt:
    begins, draw = rng.uniform(22.2, 23.5), rng.uniform(3_000, 3_450)
    return lambda minute, hour: float(draw + rng.normal(0, 8)) if hour >= begins or hour < 3.5 else 0.0


_POWERS: dict[Kind, Callable[[np.random.Generator], _PowerAt]] = {
    Kind.FRIDGE: _fridge,
    Kind.AIR_CON: _air_con,
    Kind.HEATER: _heater,
    Kind.PLUG: _plug,
    Kind.CHARGER: _charger,
}
_TEMPERATURES = {Kind.FRIDGE: 4.0, Kind.AIR_CON: 27.0, Kind.HEATER: 48.0, Kind.PLUG: 34.0, Kind.CHARGER: 39.0}
