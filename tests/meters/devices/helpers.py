"""What tests of devices share."""

from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import connection, transaction

from meters.devices.models import Device, DeviceHour, DeviceSample, DeviceState
from meters.devices.services.hours import close_hours, roll_up_next
from meters.devices.store.samples import DEVICE_SAMPLES, log_touched, share_mark
from meters.series.partitions import ensure_partitions
from meters.series.writer import write

# 08:00 in Singapore.
EIGHT = datetime(2025, 3, 1, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
QUANTITIES = ("power_w", "temperature_c", "voltage_v", "current_a", "energy_wh", "switch")


def device(name="plug", **fields) -> Device:
    return Device.objects.create(device_id=name, **fields)


def send(*rows, now=None) -> None:
    """Write (device, time, {quantity: value}) as the door does: rows below the mark are logged in the same commit."""
    times = [time for _, time, _ in rows]
    now = now or max(times)
    ensure_partitions(DEVICE_SAMPLES, times, floor=min(times), ceiling=max(times))
    with transaction.atomic():
        mark = share_mark()
        columns = {name: [told.get(name) for _, _, told in rows] for name in QUANTITIES}
        keys = {"device_id": [each.pk for each, _, _ in rows], "time": times, "received_at": [now] * len(rows)}
        write(DEVICE_SAMPLES, keys | columns, connection)
        late = [(each.pk, time) for each, time, _ in rows if mark is not None and time < mark]
        if late:
            micros = DEVICE_SAMPLES.time.read([time for _, time in late]).data
            log_touched(np.array([pk for pk, _ in late]), micros, now=now)


def powers(of, *rows, start=EIGHT) -> list:
    """Return rows of a device for ``send`` from (minutes after the start, W)."""
    return [(of, start + minutes * MINUTE, {"power_w": power}) for minutes, power in rows]


def roll_up(now) -> None:
    """Close what has closed, and work off all that waits."""
    close_hours(now=now)
    while roll_up_next(now=now):
        pass


def hours_of(of) -> dict[datetime, tuple[float, float]]:
    """Return Wh and covered minutes by the start of the hour."""
    rows = DeviceHour.objects.filter(device=of).order_by("time")
    return {row.time: (round(row.energy_wh, 2), round(row.covered_seconds / 60, 2)) for row in rows}


def store_sample(of: Device, time: datetime, *, received_at: datetime | None = None, **told: object) -> None:
    """Put a row where it lies once it was taken, past the door."""
    ensure_partitions(DEVICE_SAMPLES, [time], floor=time, ceiling=time)
    DeviceSample.objects.create(device=of, time=time, received_at=received_at or time, **told)


def state_of(of: Device) -> DeviceState:
    return DeviceState.objects.get(device=of)
