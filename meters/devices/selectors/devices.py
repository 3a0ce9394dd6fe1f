"""Devices as people and machines look at them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import CustomerAccount, User
from meters.devices.models import Command, Device, DeviceHour
from meters.devices.selectors.commands import UnknownDevice


def devices_for(*, user: User | None) -> QuerySet[Device]:
    """Return the devices that somebody may see, with what they tell now; all of them for machines.

    :param user: None for a data source.
    """
    devices = Device.objects.all() if user is None else Device.objects.visible_to(user)
    return devices.select_related("product", "group", "region", "account", "replaces", "replaced_by", "state")


def device_for(*, device_id: str, user: User | None) -> Device:
    """Return a device that somebody may see, by its name for itself.

    :raises UnknownDevice: there is none, or not for them.
    """
    device = devices_for(user=user).filter(device_id=device_id).first()
    if device is None:
        raise UnknownDevice("There is no such device.")
    return device


def devices_of_account(*, account: CustomerAccount) -> QuerySet[Device]:
    """Return an account's devices in service, with what they tell now, by name."""
    devices = Device.objects.filter(account=account, status=Device.Status.ACTIVE)
    return devices.select_related("state").order_by("name", "id")


def has_devices(*, account: CustomerAccount) -> bool:
    """Tell whether an account has devices in service."""
    return devices_of_account(account=account).exists()


def last_commands(*, devices: Iterable[Device]) -> dict[int, Command]:
    """Return each device's newest command, by the device's key; one query, a descent a device."""
    keys = [device.pk for device in devices]
    newest = Command.objects.filter(device__in=keys).order_by("device_id", "-created_at", "id").distinct("device_id")
    return {command.device_id: command for command in newest}


@dataclass(frozen=True)
class HourOfDevices:
    """What devices used together in an hour, and what part of their time in it is known, 0 to 1."""

    start: datetime
    energy_wh: float
    covered: float


def hours_of_devices(*, devices: Iterable[Device], start: datetime, end: datetime) -> dict[int, list[HourOfDevices]]:
    """Return the hours of devices that begin in ``[start, end)``, in order, by the device's key; one query.

    Served by the key (device, time) of the days' partitions.
    """
    keys = [device.pk for device in devices]
    found: dict[int, list[HourOfDevices]] = {key: [] for key in keys}
    rows = DeviceHour.objects.filter(device__in=keys, time__gte=start, time__lt=end).order_by("time")
    for key, time, energy_wh, covered_seconds in rows.values_list("device_id", "time", "energy_wh", "covered_seconds"):
        found[key].append(HourOfDevices(time, energy_wh, min(1.0, covered_seconds / 3600)))
    return found
