"""A known ledger of samples: what is sent, by which way, and what stands in the database in the end."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import psycopg

from meters.devices.simulation import Family, Parcel, Reading

DEVICES = [f"chaos-{number:03}" for number in range(80)]
_DAYS_BACK = 3
_STEP_MILLIS = 37
_STORED = """
SELECT device.device_id, (extract(epoch FROM sample.time) * 1000)::bigint, sample.power_w, sample.temperature_c
FROM devices_devicesample AS sample JOIN devices_device AS device ON device.id = sample.device_id
WHERE device.device_id = ANY(%s)
"""


class Value(NamedTuple):
    """One thing that a device told."""

    device: str
    millis: int
    quantity: str
    value: float


class Letter(NamedTuple):
    """A parcel and the way that it takes."""

    by_mqtt: bool
    parcel: Parcel

    @property
    def values(self) -> set[Value]:
        """Return what it tells."""
        return {
            Value(self.parcel.device, reading.millis, quantity, value)
            for reading in self.parcel.readings
            for quantity, value in reading.values.items()
        }


def letters(*, count: int, seed: int, now_millis: int) -> Iterator[Letter]:
    """Yield letters: single samples, arrays, samples told in two halves by two ways, repeats by the other way.

    Most are of today, some of the days before, whose partitions nobody has made yet.
    """
    chosen = random.Random(seed)
    used: defaultdict[str, int] = defaultdict(int)
    day = timedelta(days=1) // timedelta(milliseconds=1)

    def reading(device: str, *quantities: str) -> Reading:
        used[device] += 1
        back = chosen.randrange(1, _DAYS_BACK + 1) * day if chosen.random() < 0.1 else 0
        millis = now_millis - back - used[device] * _STEP_MILLIS
        return Reading(millis, {quantity: chosen.randrange(30_000) / 10 for quantity in quantities})

    for _ in range(count):
        device, family = chosen.choice(DEVICES), chosen.choice([Family.PROTOCOL_1000, Family.PLAIN])
        by_mqtt = chosen.random() < 0.5

        def letter(*readings: Reading, other_way: bool = False) -> Letter:
            return Letter(by_mqtt != other_way, Parcel(device, family, now_millis, readings))  # noqa: B023

        match chosen.choices(["single", "array", "halves", "repeat"], [60, 15, 15, 10]):
            case ["single"]:
                yield letter(reading(device, "power_w", *chosen.choice([[], ["temperature_c"]])))
            case ["array"]:
                yield letter(*(reading(device, "power_w", "temperature_c") for _ in range(chosen.randrange(2, 8))))
            case ["halves"]:
                whole = reading(device, "power_w", "temperature_c")
                for other_way, quantity in enumerate(whole.values):
                    yield letter(Reading(whole.millis, {quantity: whole.values[quantity]}), other_way=bool(other_way))
            case ["repeat"]:
                told = reading(device, "power_w")
                yield letter(told)
                yield letter(told, other_way=True)


def stored_values(database_url: str) -> list[Value]:
    """Return what the database holds of the ledger's devices, a value each time that it is there."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(_STORED, [DEVICES]).fetchall()
    return [
        Value(device, millis, quantity, round(value, 1))
        for device, millis, power, temperature in rows
        for quantity, value in (("power_w", power), ("temperature_c", temperature))
        if value is not None
    ]
