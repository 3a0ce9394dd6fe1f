"""A process that sends readings through the door, as tests of many writers and of lost power need it.

``python -m tests.meters.sender prepare`` hangs the meters in the database of ``DATABASE_URL``.
``python -m tests.meters.sender send SEED ROUNDS BATCH [QUALITY]`` sends all readings in a random order, so many times
over, and prints a line of JSON a batch once it is acknowledged.
"""

import json
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

METERS = 10
MARKS = 500
FIRST_MARK = datetime(2025, 1, 31, 16, tzinfo=UTC)
NOW = datetime(2025, 3, 1, tzinfo=UTC)
DIGITS = 3
STEP = Decimal("2.3")


def serial_of(meter: int) -> str:
    return f"SG-{meter:06}"


def all_readings() -> list[tuple[str, datetime, Decimal]]:
    """Return what every meter's dial of three digits shows at every mark; each turns over once."""
    return [
        (serial_of(meter), FIRST_MARK + mark * timedelta(minutes=30), (meter * 7 + mark * STEP) % 10**DIGITS)
        for meter in range(METERS)
        for mark in range(MARKS)
    ]


def hang_meters() -> None:
    from tests.factories import MeterFactory, supplied_register

    for meter in range(METERS):
        supplied_register(meter=MeterFactory(serial=serial_of(meter)), digits=DIGITS)


def batches(seed: int, rounds: int, size: int) -> Iterator[list[tuple[str, datetime, Decimal]]]:
    readings = all_readings()
    order = random.Random(seed)
    for _ in range(rounds):
        order.shuffle(readings)
        for start in range(0, len(readings), size):
            yield readings[start : start + size]


def send(seed: int, rounds: int, size: int, quality: int | None = None) -> None:
    from accounts.actors import PORTAL
    from meters.services.readings import OfferedReading, receive_readings

    for batch in batches(seed, rounds, size):
        offered = [OfferedReading(serial, time, value, quality=quality) for serial, time, value in batch]
        report = receive_readings(readings=offered, actor=PORTAL, now=NOW)
        line = {
            "stored": report.stored,
            "duplicates": report.duplicates,
            "conflicts": len(report.conflicts),
            "rejected": len(report.rejected),
            "estimates_replaced": report.estimates_replaced,
            "keys": [[serial, time.isoformat()] for serial, time, _ in batch],
        }
        print(json.dumps(line), flush=True)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.test")
    import django
    from django.db import connection

    django.setup()
    if name := os.environ.get("SENDER_DATABASE"):
        connection.settings_dict["NAME"] = name
    match sys.argv[1:]:
        case ["prepare"]:
            hang_meters()
        case ["send", seed, rounds, size, *quality]:
            send(int(seed), int(rounds), int(size), *map(int, quality))


if __name__ == "__main__":
    main()
