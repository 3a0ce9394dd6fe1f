"""Commands as people see them, and on whose behalf messages come by MQTT."""

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from accounts.actors import Actor
from accounts.models import DataSource
from accounts.querysets import sees_every_account
from accounts.roles import Role
from accounts.selectors.access import administers
from energy_portal.shared.errors import NotFound
from meters.devices.models import Command, Device


class UnknownDevice(NotFound):
    """There is no such device, or not for the one who asks."""

    code = "unknown_device"


def device_for(*, device_id: str, actor: Actor) -> Device:
    """Return a device that an actor may see, by its own name for itself.

    :raises UnknownDevice: there is none.
    """
    devices = Device.objects.all() if actor.user is None else Device.objects.visible_to(actor.user)
    found: Device | None = devices.filter(device_id=device_id).first()
    if found is None:
        raise UnknownDevice("There is no such device.")
    return found


def may_command(*, device: Device, actor: Actor, now: datetime) -> bool:
    """Tell whether an actor who sees a device may switch it: whoever administers its account, operators, machines."""
    if actor.user is None:
        return True
    if sees_every_account(actor.user) or (actor.user.is_active and actor.user.role == Role.OPERATOR):
        return True
    return device.account_id is not None and administers(account_id=device.account_id, user=actor.user, now=now)


def commands_of(*, device: Device) -> QuerySet[Command]:
    """Return a device's commands with their ledgers, newest first: three queries a page."""
    commands: QuerySet[Command] = Command.objects.filter(device=device)
    return commands.select_related("device", "user", "source").prefetch_related("steps").order_by("-created_at", "-id")


def mqtt_creator() -> int | None:
    """Return the data source in whose name unknown devices are created over MQTT, None where they are not."""
    sources = DataSource.objects.filter(name=settings.MQTT_SOURCE, may_create_devices=True, revoked_at=None)
    found: int | None = sources.values_list("pk", flat=True).first()
    return found
