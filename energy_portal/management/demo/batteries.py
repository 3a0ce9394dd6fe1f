"""The demo's batteries, which a simulator makes up and which say so: one of a household, one of the operator."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from accounts.actors import Actor
from accounts.models import CustomerAccount
from meters.batteries.models import Battery
from meters.batteries.quantities import SIGNALS, System
from meters.batteries.services.quarters import close_quarters, roll_up_next
from meters.batteries.services.readings import Readings, store_readings
from meters.batteries.services.registry import create_battery
from meters.batteries.simulation import Design, SimulatedBattery, Told
from meters.insights.services.trends import measure_battery
from meters.models import Region

DAYS = 28
BATTERIES = 2
_SECONDS = 60.0
_STEPS_AT_ONCE = 7 * 1_440
_SINCE_2000_S = 946_684_800


@dataclass(frozen=True, slots=True)
class _Part:
    """A battery of the demo; whose account is empty is the operator's own."""

    battery_id: str
    name: str
    account: str
    region: str
    design: Design


def load_batteries(*, account: str, days: int, manager: Actor, now: datetime, advance: Callable[[int], None]) -> None:
    """Enter the batteries into the registry, store some weeks of what they told, a row a minute, and see to the rest.

    That is what the portal makes of it by itself: quarters, and how the batteries age.

    :param account: number of the account that owns the smaller one.
    :param days: of the demo's history, of which at most ``DAYS`` are told.
    :param advance: told how many batteries are whole.
    """
    accounts = {each.number: each for each in CustomerAccount.objects.filter(number=account)}
    regions = {region.name: region for region in Region.objects.all()}
    made = []
    for part in _cast(account):
        battery = create_battery(
            battery_id=part.battery_id,
            details=_details(part.design)
            | {"name": part.name, "account": accounts.get(part.account), "region": regions.get(part.region)},
            actor=manager,
            now=now,
        )
        _tell(battery, part.design, days=min(days, DAYS), now=now)
        made.append(battery)
        advance(1)
    close_quarters(now=now)
    while roll_up_next():
        pass
    for battery in made:
        measure_battery(battery_pk=battery.pk, now=now)


def _cast(account: str) -> tuple[_Part, ...]:
    """Return the demo's batteries: one of 232 kWh, and ten of its kind side by side in a container.

    The first ages so fast that some weeks show it; its pages say that a simulated one may.
    """
    return (
        _Part("ZHPESS232A230002", "Cellar battery", account, "Tampines", Design(seed=2, ageing=40.0)),
        _Part(
            "ZHPESS2M3A230001",
            "Punggol grid battery",
            "",
            "Punggol",
            Design(seed=6, strings=10, rated_kw=1_000.0, grid_v=690.0, soh_percent=95.1, start_soc=0.55),
        ),
    )


def _details(design: Design) -> dict[str, object]:
    return {
        "is_simulated": True,
        "cells_in_series": design.cells,
        "capacity_ah": design.capacity_ah,
        "rated_energy_kwh": 232.0 * design.strings,
        "rated_power_kw": design.rated_kw,
        "current_limit_a": 140.0 * design.strings,
        "soc_high_percent": 100.0,
    }


def _tell(battery: Battery, design: Design, *, days: int, now: datetime) -> None:
    end = now.replace(second=0, microsecond=0)
    simulated = SimulatedBattery(design, start=(end - timedelta(days=days)).timestamp())
    left = int(days * 86_400 / _SECONDS)
    while left > 0:
        steps = min(left, _STEPS_AT_ONCE)
        left -= steps
        told = simulated.run(steps=steps, seconds=_SECONDS)
        for system in System:
            store_readings(system=system, readings=_readings(battery, system, told), is_live=False, now=now)


def _readings(battery: Battery, system: System, told: Told) -> Readings:
    times = np.round(told.times).astype(np.int64) - _SINCE_2000_S
    values = told.values[system]
    return Readings(
        battery_ids=np.full(times.size, battery.pk, dtype=np.int64),
        times=times * 1_000_000,
        values={signal.column: values[signal.name] for signal in SIGNALS[system]},
    )
