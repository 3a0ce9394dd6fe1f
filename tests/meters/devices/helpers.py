"""What tests of devices' hours share."""

from datetime import UTC, datetime, timedelta

from meters.devices.decoding import Sample
from meters.devices.models import Device, DeviceHour, DeviceSample, DeviceState
from meters.devices.services.hours import close_hours, roll_up_next
from meters.devices.services.messages import Outcome, take_samples
from meters.devices.store.samples import DEVICE_SAMPLES
from meters.series.partitions import ensure_partitions

# 08:00 in Singapore.
EIGHT = datetime(2025, 3, 1, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
UNIX, MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def device(name="plug", **fields) -> Device:
    return Device.objects.create(device_id=name, **fields)


def send(*rows, now=None) -> None:
    """Have the door take (device, time, {quantity: value}), by default at the instant of the newest of them."""
    samples = [Sample(of.device_id, (time - UNIX) // MICROSECOND, **told) for of, time, told in rows]
    outcomes = take_samples(samples=samples, now=now or max(time for _, time, _ in rows))
    assert set(outcomes) == {Outcome.STORED}


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
