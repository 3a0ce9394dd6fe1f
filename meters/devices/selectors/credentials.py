"""Devices' logins at the MQTT broker."""

from collections.abc import Iterator

from meters.devices.models import Device, MqttCredential

_CHUNK = 5_000


def devices_without_credential(*, limit: int) -> list[Device]:
    """Return some devices in service that have no login yet."""
    return list(Device.objects.filter(status=Device.Status.ACTIVE, credential=None).order_by("pk")[:limit])


def hashes_in_force() -> Iterator[tuple[str, str]]:
    """Yield the name and the password's hash of every device in service that has a login, whatever their number."""
    credentials = MqttCredential.objects.filter(device__status=Device.Status.ACTIVE).order_by("device_id")
    yield from credentials.values_list("device__device_id", "password_hash").iterator(chunk_size=_CHUNK)
