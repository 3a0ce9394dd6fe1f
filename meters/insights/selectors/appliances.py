"""What hangs behind devices, the power it drew, and who is due to be looked at."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import User
from energy_portal.shared.errors import NotFound
from meters.devices.models import Device
from meters.devices.selectors.archive import samples_of
from meters.devices.selectors.devices import device_for
from meters.insights.appliances import Power, resample
from meters.insights.models import Appliance

# Two devices that are asked for together would be looked at twice an hour, were this a whole one.
_EVERY = timedelta(minutes=50)


class NoAppliance(NotFound):
    """Nobody has said what hangs behind the device."""

    code = "no_appliance"


def appliance_of(*, device_id: str, user: User | None) -> Appliance:
    """Return what hangs behind a device that somebody may see; ``user`` None means a data source.

    :raises UnknownDevice: there is no such device, or not for them.
    :raises NoAppliance: nobody has said what hangs there.
    """
    device = device_for(device_id=device_id, user=user)
    found: Appliance | None = watched().filter(device=device).first()
    if found is None:
        raise NoAppliance("Nobody has said what hangs behind this device.")
    return found


def appliances_of(devices: Iterable[Device]) -> dict[int, Appliance]:
    """Return what hangs behind devices, by the device's key."""
    found = watched().filter(device__in=[device.pk for device in devices])
    return {appliance.pk: appliance for appliance in found}


def watched() -> QuerySet[Appliance]:
    """Return the appliances that are looked after."""
    rows: QuerySet[Appliance] = Appliance.objects.exclude(standing=Appliance.Standing.REMOVED)
    return rows.select_related("device")


def due_appliances(*, now: datetime, limit: int) -> list[int]:
    """Return the keys of the appliances in service that were not looked at of late, the longest ago first."""
    rows = watched().filter(
        Q(diagnosed_until=None) | Q(diagnosed_until__lte=now - _EVERY), device__status=Device.Status.ACTIVE
    )
    return list(rows.order_by("diagnosed_until", "pk").values_list("pk", flat=True)[:limit])


def power_of(*, device: Device, start: datetime, end: datetime) -> Power:
    """Return what a device drew in ``[start, end)``, on steps of ten seconds.

    As for its hours, a power stands until another is told, and at most for the device's hold after its last word.
    """
    hold = float(device.hold_seconds or settings.DEVICE_HOLD_SECONDS)
    times: list[float] = []
    watts: list[float] = []
    stands, heard = math.nan, -math.inf
    for row in samples_of(device_id=device.pk, start=start, end=end):
        time = row.time.timestamp()
        if row.power_w is not None:
            stands = row.power_w
        elif time - heard > hold:
            stands = math.nan
        times.append(time)
        watts.append(stands)
        heard = time
    power = resample(np.array(times), np.array(watts), hold_seconds=hold)
    return power.cut(power.start, min(power.end, end.timestamp())) if len(power.watts) else power


def instant(seconds: float) -> datetime:
    """Return UTC seconds since 1970 as an instant."""
    return datetime.fromtimestamp(seconds, UTC)
