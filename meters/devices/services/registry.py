"""The registry of devices: they come, change, are retired and replaced; none is ever deleted."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict, Invalid
from meters.devices.models import Device, DeviceState
from meters.devices.selectors.commands import UnknownDevice
from meters.devices.services.commands import RetiredDevice
from meters.services.history import save_as

CHANGEABLE = frozenset(
    {"name", "product", "group", "region", "account", "zone", "is_critical", "rated_power_w", "hold_seconds"}
)
# What of a place goes on when another device takes it.
_INHERITED = ("name", "group", "region", "account", "zone", "is_critical", "rated_power_w", "hold_seconds")
# A device's name for itself is a level of MQTT topics and a part of paths.
_POSSIBLE_ID = re.compile(r"[!-~]{1,64}")
_IMPOSSIBLE = frozenset("/+#?%")


class DeviceExists(Conflict):
    """A device calls itself so already."""

    code = "device_exists"


class AlreadyReplaced(Conflict):
    """Another device took its place before."""

    code = "already_replaced"


class NotFree(Conflict):
    """The device that should take a place has one already."""

    code = "device_not_free"


@transaction.atomic
def create_device(*, device_id: str, details: Mapping[str, Any], actor: Actor, now: datetime) -> Device:
    """Enter a device into the registry, offline until it is heard.

    :param device_id: as it names itself.
    :param details: any of :data:`CHANGEABLE`.
    :raises DeviceExists: a device calls itself so already, retired ones among them.
    :raises Invalid: a value breaks its field's rule.
    """
    _check_id(device_id)
    _check_names(details)
    device = Device(device_id=device_id, created_by_source=actor.source, **details)
    check_fields(device)
    try:
        with transaction.atomic():
            save_as(actor, device)
    except IntegrityError as error:
        raise DeviceExists(f"A device calls itself {device_id} already.") from error
    DeviceState.objects.create(device=device)
    audit.record(action="device.created", obj=device, actor=actor, now=now, device_id=device_id)
    return device


@transaction.atomic
def change_device(*, pk: int, changes: Mapping[str, Any], actor: Actor, now: datetime) -> Device:
    """Change what is known of a device; what is the same already leaves no trace.

    :param changes: any of :data:`CHANGEABLE`.
    :raises UnknownDevice: there is none.
    :raises RetiredDevice: it is out of service.
    :raises Invalid: a value breaks its field's rule.
    """
    _check_names(changes)
    device = _in_service(pk)
    names = [name for name, value in changes.items() if getattr(device, name) != value]
    if not names:
        return device
    for name in names:
        setattr(device, name, changes[name])
    check_fields(device)
    save_as(actor, device, (*names, "updated_at"))
    audit.record(action="device.changed", obj=device, actor=actor, now=now, fields=sorted(names))
    return device


@transaction.atomic
def retire_device(*, pk: int, actor: Actor, now: datetime) -> Device:
    """Take a device out of service for good: nothing of it is taken any more, what it told stays. Again: nothing.

    :raises UnknownDevice: there is none.
    """
    device = _locked(pk)
    if device.status != Device.Status.RETIRED:
        _retire(device, actor, now)
        audit.record(action="device.retired", obj=device, actor=actor, now=now)
    return device


@transaction.atomic
def replace_device(*, pk: int, new_device_id: str, actor: Actor, now: datetime) -> Device:
    """Retire a device and let another take its place: name, group, region, account and how it is treated.

    What the old one told stays its own. One that came in by its own first message takes the place as well as one that
    nobody knows yet.

    :param new_device_id: as the new one names itself.
    :returns: the new device.
    :raises UnknownDevice: there is no old one.
    :raises AlreadyReplaced: another took its place before.
    :raises NotFree: the new one belongs to an account, has replaced one, is retired, or is the old one itself.
    :raises Invalid: the new one cannot be called so.
    """
    old = _locked(pk)
    successor = Device.objects.filter(replaces=old).first()
    if successor is not None:
        raise AlreadyReplaced(f"{successor.device_id} took the place of {old.device_id} before.")
    inherited = {name: getattr(old, name) for name in _INHERITED}
    new = Device.objects.select_for_update(of=("self",)).filter(device_id=new_device_id).first()
    if new is None:
        new = create_device(
            device_id=new_device_id, details={**inherited, "product": old.product}, actor=actor, now=now
        )
    else:
        _require_free(new, old)
        for name, value in inherited.items():
            setattr(new, name, value)
    new.replaces = old
    if old.status != Device.Status.RETIRED:
        _retire(old, actor, now)
    save_as(actor, new)
    audit.record(action="device.replaced", obj=old, actor=actor, now=now, by=new.device_id)
    return new


def _retire(device: Device, actor: Actor, now: datetime) -> None:
    device.status, device.retired_at = Device.Status.RETIRED, now
    save_as(actor, device, ("status", "retired_at", "updated_at"))
    DeviceState.objects.filter(device=device, is_online=True).update(is_online=False, online_changed_at=now)


def _locked(pk: int) -> Device:
    device: Device | None = Device.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if device is None:
        raise UnknownDevice("There is no such device.")
    return device


def _in_service(pk: int) -> Device:
    device = _locked(pk)
    if device.status == Device.Status.RETIRED:
        raise RetiredDevice(f"{device.device_id} is retired: what is known of it stays as it is.")
    return device


def _require_free(new: Device, old: Device) -> None:
    taken = new.account_id is not None or new.replaces_id is not None
    if new == old or taken or new.status == Device.Status.RETIRED:
        raise NotFree(f"{new.device_id} cannot take the place: it has one already, or had one.")


def may_be_called(name: str) -> bool:
    """Tell whether something may call itself so in topics and paths."""
    return bool(_POSSIBLE_ID.fullmatch(name)) and not _IMPOSSIBLE.intersection(name)


def _check_id(device_id: str) -> None:
    if not may_be_called(device_id):
        raise Invalid(
            "A device calls itself by 1 to 64 printable ASCII characters without spaces, /, +, #, ? and %.",
            code="invalid_device_id",
        )


def _check_names(details: Mapping[str, Any]) -> None:
    if strange := sorted(details.keys() - CHANGEABLE):
        raise Invalid(f"Of a device nobody changes: {', '.join(strange)}.")
