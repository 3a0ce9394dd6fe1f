"""Samples of some days, for the tests of their archive."""

from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

from meters.devices.decoding import QUANTITIES
from meters.devices.models import RollupMark
from meters.devices.selectors.archive import samples_of
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.series.archive_moves import drop_partition
from meters.series.partitions import ensure_partitions, forget_partitions, list_partitions
from meters.series.writer import copy_in

NOW = datetime(2025, 6, 15, 12, tzinfo=UTC)
FIRST, SECOND, THIRD = (datetime(2025, 3, day, tzinfo=UTC) for day in (1, 2, 3))
UNTIL = date(2025, 3, 3)
# Each fifty minutes, so that days begin and end at different hours.
TIMES = [FIRST + number * timedelta(minutes=50) for number in range(80)]
TOLD = [number / 10 for number in range(len(TIMES))]
BEFORE_THIRD = sum(time < THIRD for time in TIMES)
IN_FIRST = sum(time < SECOND for time in TIMES)


def tell(device, times=TIMES, powers=TOLD, *, received_at=None):
    """Write a device's powers, and a switch at every third; the others told no switch."""
    ensure_partitions(DEVICE_SAMPLES, times, floor=min(times), ceiling=max(times))
    rows = {name: [None] * len(times) for name in QUANTITIES}
    rows["power_w"] = list(powers)
    rows["switch"] = [number % 2 == 0 if number % 3 == 0 else None for number in range(len(times))]
    rows |= {"device_id": [device.pk] * len(times), "time": list(times)}
    rows["received_at"] = [received_at or time for time in times]
    with transaction.atomic():
        copy_in(DEVICE_SAMPLES, rows)


def drop_days():
    """Have no partition left of those that transactional tests made."""
    with transaction.atomic():
        for partition in list_partitions(DEVICE_SAMPLES):
            drop_partition(DEVICE_SAMPLES, partition.name, connection)
    forget_partitions(DEVICE_SAMPLES)


def rolled_up(until=NOW):
    """Have the hours rolled up until an instant."""
    RollupMark.objects.update_or_create(pk=1, defaults={"until": until})


def answered(device, start=FIRST, end=NOW, **options):
    """Return what a question about a device is answered with."""
    return samples_of(device_id=device.pk, start=start, end=end, **options)
