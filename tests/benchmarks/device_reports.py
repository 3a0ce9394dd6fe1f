"""How long /report over 30 days takes at HTTP, of a device, of a group, of the fleet, and whether other rows matter.

The hours of many devices in fifty groups lie as they were rolled up, hour by hour; a server process answers one client
that holds a key, each request of a device or group chosen at random. Against: the same with a tenth of the devices.
``DEVICE_REPORTS_HOURS`` sets the number of devices' hours (5,000,000 unless told). The figure is the 95th percentile of
the slowest kind of request; the others go to standard error.
"""

import json
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from tests.benchmarks.harness import portal, report
from tests.benchmarks.queries import get, key_of_a_source, percentile, run, server

ROWS = int(os.environ.get("DEVICE_REPORTS_HOURS", "5000000"))
DAYS, GROUPS, WATT_HOURS = 30, 50, 40
REQUESTS, WARM_UP = 300, 30
# A month on the portal's clock.
FIRST = datetime(2025, 5, 31, 16, tzinfo=UTC)
MONTH = {"from": "2025-06-01", "to": "2025-07-01"}

_WIPE = """
TRUNCATE devices_devicesample, devices_devicehour, devices_fleethour, devices_touchedhour, devices_device,
    devices_devicegroup CASCADE
"""
_GROUPS = """
INSERT INTO devices_devicegroup (name, created_at, updated_at)
    SELECT 'group ' || n, now(), now() FROM generate_series(0, %(groups)s - 1) AS n
"""
_DEVICES = """
INSERT INTO devices_device (device_id, name, zone, status, is_critical, group_id, created_at, updated_at)
    SELECT 'device-' || n, '', '', 'active', false,
        (SELECT min(id) FROM devices_devicegroup) + n %% %(groups)s, now(), now()
    FROM generate_series(%(low)s, %(high)s) AS n
"""
_HOURS = """
INSERT INTO devices_devicehour
        (device_id, time, energy_wh, covered_seconds, group_id, end_power_w, end_heard_at)
    SELECT id, %(hour)s, %(wh)s, 3600, group_id, %(wh)s, %(hour)s + interval '59 minutes'
    FROM devices_device WHERE substring(device_id FROM 8)::int BETWEEN %(low)s AND %(high)s ORDER BY id
"""
_FLEET = """
TRUNCATE devices_fleethour;
INSERT INTO devices_fleethour (time, group_id, energy_wh, covered_seconds, devices)
    SELECT time, group_id, sum(energy_wh), sum(covered_seconds), count(*) FROM devices_devicehour GROUP BY 1, 2
"""


def main() -> None:
    """Seed a tenth, ask, seed the rest, ask again, and report."""
    devices = max(ROWS // (24 * DAYS), 10 * GROUPS)
    with portal():
        key = key_of_a_source()
        run(_WIPE)
        run(_GROUPS, groups=GROUPS)
        seed(1, devices // 10)
        few = ask(key, devices // 10)
        seed(devices // 10 + 1, devices)
        many = ask(key, devices)
    for kind, took in many.items():
        figures = {f"p{share}_ms": percentile(took, share) for share in (50, 95, 99)}
        print(json.dumps({"request": kind, **figures, "p95_ms_at_a_tenth": percentile(few[kind], 95)}), file=sys.stderr)
    slowest = max(many, key=lambda kind: percentile(many[kind], 95))
    value = percentile(many[slowest], 95)
    report(
        "device_reports",
        value,
        "ms p95",
        ratio=round(value / percentile(few[slowest], 95), 4),
        against="a tenth of the devices",
        n=devices * 24 * DAYS,
    )


def seed(low: int, high: int) -> None:
    """Add devices by their numbers, each with a month of hours."""
    from meters.devices.store.hours import DEVICE_HOURS
    from meters.series.partitions import ensure_partitions

    run(_DEVICES, low=low, high=high, groups=GROUPS)
    hours = [FIRST + number * timedelta(hours=1) for number in range(24 * DAYS)]
    ensure_partitions(DEVICE_HOURS, hours, floor=hours[0], ceiling=hours[-1])
    for hour in hours:
        run(_HOURS, hour=hour, wh=WATT_HOURS, low=low, high=high)
    run(_FLEET)
    for table in ("devices_device", "devices_devicehour", "devices_fleethour"):
        run(f"VACUUM ANALYZE {table}")


def ask(key: str, devices: int) -> dict[str, list[float]]:
    """Return how long each request of each kind took, ms."""
    chosen = random.Random(devices)
    kinds = {
        "device": lambda: ({"device": f"device-{chosen.randint(1, devices)}"}, 1),
        "group": lambda: ({"group": f"group {chosen.randrange(GROUPS)}"}, devices / GROUPS),
        "fleet": lambda: ({}, devices),
    }
    took: dict[str, list[float]] = {}
    with server() as connection:
        for kind, question in kinds.items():
            times = []
            for _ in range(WARM_UP + REQUESTS):
                query, members = question()
                started = time.perf_counter()
                body = get(connection, f"/report?{urlencode({**MONTH, **query})}", key)
                times.append(1000 * (time.perf_counter() - started))
                answer = json.loads(body)
                energy = sum(energy for day in answer.values() for energy in day.values())
                hours = sum(map(len, answer.values()))
                if hours != 24 * DAYS or abs(energy / (hours * WATT_HOURS) - members) > 1:
                    raise SystemExit(f"{kind}: {hours} hours of {energy} Wh.")
            took[kind] = times[WARM_UP:]
    return took


if __name__ == "__main__":
    main()
