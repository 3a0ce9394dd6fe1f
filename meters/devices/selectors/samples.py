"""What devices told, as it lies in the series."""

from datetime import UTC, datetime

from django.db.models import QuerySet

from meters.devices.models import Device, DeviceSample

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def samples_between(device: Device, start: datetime | None, end: datetime | None) -> QuerySet[DeviceSample]:
    """Return the samples of a device in ``[start, end)``, newest first; a page is a stretch of each partition's key."""
    samples = DeviceSample.objects.filter(device=device)
    if start is not None:
        samples = samples.filter(time__gte=max(start, _EARLIEST))
    if end is not None:
        samples = samples.filter(time__lt=max(end, _EARLIEST))
    return samples.order_by("-time")
