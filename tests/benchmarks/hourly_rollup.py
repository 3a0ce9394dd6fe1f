"""How long the roll-up of one hour of the fleet takes: hold-last energy of each device, and the fleet's sums.

An hour of samples of many devices lies as it came in, commit by commit, behind another one that was rolled up before,
so that powers are carried; the hour is closed and rolled up by one process. ``HOURLY_ROLLUP_ROWS`` sets the number of
samples (4,170,000 unless told; the full fleet's hour is 41,700,000). Each device sends 500 a day.
Against: one tenth of the rows and devices in the same run, so that 1 means linear.
"""

import os
import resource
import sys
import time
from datetime import UTC, datetime, timedelta

from tests.benchmarks.harness import portal, report

ROWS = int(os.environ.get("HOURLY_ROLLUP_ROWS", "4170000"))
A_DAY = 500
FIRST = datetime(2025, 3, 1, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSERTED_AT_ONCE = 500_000
MEAN_POWER_W = 1500

_WIPE = """
TRUNCATE devices_devicesample, devices_devicehour, devices_fleethour, devices_touchedhour, devices_device,
    devices_devicegroup CASCADE;
UPDATE devices_rollupmark SET until = NULL
"""
_DEVICES = """
INSERT INTO devices_devicegroup (name, created_at, updated_at)
    SELECT 'group ' || n, now(), now() FROM generate_series(1, 50) AS n;
INSERT INTO devices_device (device_id, name, zone, status, is_critical, group_id, created_at, updated_at)
    SELECT 'device-' || n, '', '', 'active', false,
        (SELECT min(id) FROM devices_devicegroup) + n % 50, now(), now()
    FROM generate_series(1, {devices}) AS n
"""
# No two rows have the same time, so that no key comes twice.
_SAMPLES = """
INSERT INTO devices_devicesample (device_id, time, received_at, power_w, temperature_c)
    SELECT %(lowest)s + floor(random() * %(devices)s)::int,
        %(start)s + n * 3600000000 / %(rows)s * interval '1 microsecond', %(start)s + n / %(rows)s * interval '1 hour',
        CASE WHEN n %% 3 > 0 THEN floor(random() * 3001) END, 20
    FROM generate_series(%(low)s::bigint, %(low)s::bigint + %(size)s - 1) AS n
"""


def main() -> None:
    """Roll up an hour of a tenth, then of all, and report."""
    with portal():
        tenth, _ = measured(ROWS // 10)
        whole, energy_kwh = measured(ROWS)
        print(
            f"{ROWS:,} rows in {whole:.1f} s, {energy_kwh:,.0f} kWh, a tenth in {tenth:.1f} s;"
            f" at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB",
            file=sys.stderr,
        )
        report(
            "hourly_rollup",
            round(whole, 2),
            "s",
            ratio=round(whole / (10 * tenth), 3),
            against="ten times a tenth of the rows",
            n=ROWS,
        )


def measured(rows: int) -> tuple[float, float]:
    """Return how many seconds the second of two hours took, and its energy, kWh."""
    from django.db import connection

    from meters.devices.models import FleetHour
    from meters.devices.services.hours import close_hours, roll_up_next

    devices = rows * 24 // A_DAY
    with connection.cursor() as cursor:
        cursor.execute(_WIPE)
        cursor.execute(_DEVICES.format(devices=devices))
        cursor.execute("SELECT min(id) FROM devices_device")
        (lowest,) = cursor.fetchone()
        took = 0.0
        for number in range(2):
            seed(FIRST + number * HOUR, rows, lowest, devices)
            cursor.execute("UPDATE devices_rollupmark SET until = %s", [FIRST + number * HOUR])
            now = FIRST + (number + 1) * HOUR + timedelta(minutes=5)
            close_hours(now=now)
            started = time.perf_counter()
            if roll_up_next(now=now) != 1:
                raise SystemExit("The hour was not rolled up.")
            took = time.perf_counter() - started
    hours = list(FleetHour.objects.filter(time=FIRST + HOUR))
    energy_kwh = sum(hour.energy_wh for hour in hours) / 1000
    mean_w = 1000 * energy_kwh / (sum(hour.covered_seconds for hour in hours) / 3600)
    if sum(hour.devices for hour in hours) < 0.99 * devices or abs(mean_w / MEAN_POWER_W - 1) > 0.01:
        raise SystemExit(f"{sum(hour.devices for hour in hours)} devices of {mean_w} W instead of {MEAN_POWER_W} W.")
    return took, energy_kwh


def seed(start: datetime, rows: int, lowest: int, devices: int) -> None:
    """Add an hour of samples in the order of their time, two of three with a power."""
    from django.db import connection

    from meters.devices.store.samples import DEVICE_SAMPLES
    from meters.series.partitions import ensure_partitions

    ensure_partitions(DEVICE_SAMPLES, [start], floor=start, ceiling=start)
    with connection.cursor() as cursor:
        for low in range(0, rows, INSERTED_AT_ONCE):
            size = min(INSERTED_AT_ONCE, rows - low)
            cursor.execute(
                _SAMPLES, {"start": start, "low": low, "size": size, "rows": rows, "lowest": lowest, "devices": devices}
            )


if __name__ == "__main__":
    main()
