"""The registry of batteries: they come, change and are retired; none is ever deleted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict, Invalid, ItemError
from meters.batteries.models import Battery, BatteryState
from meters.batteries.selectors.batteries import UnknownBattery
from meters.devices.services.registry import may_be_called
from meters.services.history import save_as

NAMEPLATE = ("cells_in_series", "capacity_ah", "rated_energy_kwh", "rated_power_kw", "current_limit_a")
WINDOWS = (
    ("soc_low_percent", "soc_high_percent"),
    ("cell_voltage_low_v", "cell_voltage_high_v"),
    ("cell_temp_low_c", "cell_temp_high_c"),
)
CHANGEABLE = frozenset(
    {
        "name",
        "account",
        "region",
        "convention",
        "zone",
        "is_simulated",
        "igbt_temp_high_c",
        *NAMEPLATE,
        *(name for window in WINDOWS for name in window),
    }
)
_TAKEN = frozenset({"devices"})  # /bms/devices lists them.


class BatteryExists(Conflict):
    """A battery calls itself so already."""

    code = "battery_exists"


class RetiredBattery(Conflict):
    """The battery is out of service."""

    code = "retired_battery"


@transaction.atomic
def create_battery(*, battery_id: str, details: Mapping[str, Any], actor: Actor, now: datetime) -> Battery:
    """Enter a battery into the registry.

    :param battery_id: as it names itself.
    :param details: any of :data:`CHANGEABLE`.
    :raises BatteryExists: a battery calls itself so already, retired ones among them.
    :raises Invalid: a value breaks its field's rule, or a window is closed.
    """
    _check_id(battery_id)
    _check_names(details)
    battery = Battery(battery_id=battery_id, **details)
    _check(battery)
    try:
        with transaction.atomic():
            save_as(actor, battery)
    except IntegrityError as error:
        raise BatteryExists(f"A battery calls itself {battery_id} already.") from error
    BatteryState.objects.create(battery=battery)
    audit.record(action="battery.created", obj=battery, actor=actor, now=now, battery_id=battery_id)
    return battery


@transaction.atomic
def change_battery(*, pk: int, changes: Mapping[str, Any], actor: Actor, now: datetime) -> Battery:
    """Change what is known of a battery; what is the same already leaves no trace.

    :param changes: any of :data:`CHANGEABLE`.
    :raises UnknownBattery: there is none.
    :raises RetiredBattery: it is out of service.
    :raises Invalid: a value breaks its field's rule, or a window is closed.
    """
    _check_names(changes)
    battery = _locked(pk)
    if battery.status == Battery.Status.RETIRED:
        raise RetiredBattery(f"{battery.battery_id} is retired: what is known of it stays as it is.")
    names = [name for name, value in changes.items() if getattr(battery, name) != value]
    if not names:
        return battery
    for name in names:
        setattr(battery, name, changes[name])
    _check(battery)
    save_as(actor, battery, (*names, "updated_at"))
    audit.record(action="battery.changed", obj=battery, actor=actor, now=now, fields=sorted(names))
    return battery


@transaction.atomic
def retire_battery(*, pk: int, actor: Actor, now: datetime) -> Battery:
    """Take a battery out of service for good: nothing of it is taken live any more, what it told stays. Again: nothing.

    :raises UnknownBattery: there is none.
    """
    battery = _locked(pk)
    if battery.status != Battery.Status.RETIRED:
        battery.status, battery.retired_at = Battery.Status.RETIRED, now
        save_as(actor, battery, ("status", "retired_at", "updated_at"))
        audit.record(action="battery.retired", obj=battery, actor=actor, now=now)
    return battery


def _locked(pk: int) -> Battery:
    battery: Battery | None = Battery.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if battery is None:
        raise UnknownBattery("There is no such battery.")
    return battery


def _check(battery: Battery) -> None:
    check_fields(battery)
    closed = [(low, high) for low, high in WINDOWS if getattr(battery, low) >= getattr(battery, high)]
    if closed:
        items = [ItemError("closed_window", f"It has to lie above {low}.", field=high) for low, high in closed]
        raise Invalid(" ".join(f"{item.field}: {item.detail}" for item in items), errors=items)


def _check_id(battery_id: str) -> None:
    if not may_be_called(battery_id) or battery_id in _TAKEN:
        raise Invalid(
            "Its name is 1 to 64 printable ASCII characters without spaces, /, +, #, ? and %, and not devices.",
            code="invalid_battery_id",
        )


def _check_names(details: Mapping[str, Any]) -> None:
    if strange := sorted(details.keys() - CHANGEABLE):
        raise Invalid(f"Of a battery nobody changes: {', '.join(strange)}.")
