"""Faults as somebody may see them."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from energy_portal.shared.errors import NotFound
from meters.devices.models import Device
from meters.insights.models import Fault


class NoSuchFault(NotFound):
    """There is no such fault, or not for the one who asks."""

    code = "no_such_fault"


def faults_for(user: User | None) -> QuerySet[Fault]:
    """Return the faults that somebody may see; ``user`` None means a data source, which may see all."""
    rows = Fault.objects.all() if user is None else Fault.objects.visible_to(user)
    return rows.select_related("account", "region", "acknowledged_by", "appliance")


def fault_for(*, fault_id: UUID, user: User | None) -> Fault:
    """Return a fault that somebody may see.

    :raises NoSuchFault: none, or not theirs.
    """
    found: Fault | None = faults_for(user).filter(pk=fault_id).first()
    if found is None:
        raise NoSuchFault("There is no such fault.")
    return found


def open_faults_of(devices: Iterable[Device]) -> dict[int, list[Fault]]:
    """Return what is wrong behind devices, the worst first, by the device's key; one query."""
    keys = [device.pk for device in devices]
    found: dict[int, list[Fault]] = {key: [] for key in keys}
    ranks = [Fault.Severity.CRITICAL, Fault.Severity.WARNING, Fault.Severity.INFO]
    rows = Fault.objects.filter(appliance__in=keys).open().select_related("acknowledged_by")
    for fault in sorted(rows, key=lambda each: (ranks.index(each.severity), each.began_at)):
        found[fault.appliance_id].append(fault)
    return found
