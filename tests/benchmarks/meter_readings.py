"""How many register readings a second one process takes in through the door, as JSON batches, all checks on.

A batch is one half-hour of many meters, as a head-end sends it. Against: a raw COPY of the same rows into a table of
the same shape. An argument sets the number of rows (1,600,000 is a city state's half-hour).
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.benchmarks.harness import portal, report

BATCH = 10_000
FIRST_MARK = datetime(2025, 1, 31, 16, tzinfo=UTC)
NOW = datetime(2025, 3, 1, tzinfo=UTC)

_WIPE = "TRUNCATE accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint,"
_WIPE += " meters_registerreading CASCADE"
_SEED = """
INSERT INTO accounts_premises (id, address, location_id, zone, created_at, updated_at)
    VALUES ('00000000-0000-4000-8000-000000000000', 'x', '', 'Asia/Singapore', now(), now());
INSERT INTO meters_servicepoint (id, code, premises_id, commodity, service_class, greatest_rate_per_hour, volume_correction, status,
        created_at, updated_at)
    SELECT gen_random_uuid(), 'SP-' || n, '00000000-0000-4000-8000-000000000000', 'electric', 'residential', 13.8, 1,
        'active', now(), now()
    FROM generate_series(1, %(meters)s) AS n;
INSERT INTO meters_meter (id, serial, type, status, priority, address, location_id, owner, estimated_time, metadata,
        created_at, updated_at)
    SELECT gen_random_uuid(), 'SG-' || lpad(n::text, 7, '0'), 'electric', 'active', 'medium', '', '', '', 10, '{}',
        now(), now()
    FROM generate_series(1, %(meters)s) AS n;
INSERT INTO meters_register (meter_id, code, direction, kind, unit, digits, decimals, multiplier, created_at)
    SELECT id, '1.8.0', 'import', 'cumulative', 'kWh', 6, 3, 1, now() FROM meters_meter;
INSERT INTO meters_installation (id, meter_id, service_point_id, valid, created_at)
    SELECT gen_random_uuid(), meter.id, point.id, '[2020-01-01,)', now()
    FROM meters_meter AS meter JOIN meters_servicepoint AS point
        ON point.code = 'SP-' || ltrim(substring(meter.serial FROM 4), '0');
ANALYZE;
"""
_OUT = "COPY (SELECT register_id, time, value, quality FROM meters_registerreading) TO STDOUT (FORMAT BINARY)"
_IN = "COPY bare_reading (register_id, time, value, quality) FROM STDIN (FORMAT BINARY)"


def main() -> None:
    """Seed, send, copy, and report readings a second."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    batches = max(1, rows // BATCH)
    meters = min(2 * BATCH, batches * BATCH)
    with portal():
        seed(meters)
        bodies = [body_of(number, meters) for number in range(batches)]
        taken = send(bodies)
        copied = copy()
        n = batches * BATCH
        report(
            "meter_readings",
            round(n / taken),
            "readings/s",
            ratio=round(copied / taken, 4),
            against="raw COPY",
            n=n,
        )


def seed(meters: int) -> None:
    """Replace what is there by meters that hang, each with a dial."""
    from django.db import connection

    from meters.services.partitions import make_partitions_ahead

    with connection.cursor() as cursor:
        cursor.execute(_WIPE)
        cursor.execute(_SEED, {"meters": meters})
    make_partitions_ahead(now=FIRST_MARK)


def body_of(number: int, meters: int) -> bytes:
    """Return one half-hour of a batch of meters as JSON."""
    from energy_portal.shared import strict_json

    groups = meters // BATCH
    mark = FIRST_MARK + number // groups * timedelta(minutes=30)
    first = number % groups * BATCH + 1
    value = Decimal(1000) + Decimal(number // groups) / 4
    stamp = mark.isoformat()
    return strict_json.dumps(
        {
            "readings": [
                {"meter_id": f"SG-{meter:07}", "timestamp": stamp, "reading": value + meter % 7}
                for meter in range(first, first + BATCH)
            ]
        }
    )


def send(bodies: list[bytes]) -> float:
    """Take the batches in; return how many seconds that took."""
    from accounts.actors import PORTAL
    from energy_portal.shared import strict_json
    from meters.services.readings import OfferedReading, receive_readings

    started = time.perf_counter()
    for body in bodies:
        readings = [
            OfferedReading(row["meter_id"], row["timestamp"], row["reading"])
            for row in strict_json.loads(body)["readings"]
        ]
        taken = receive_readings(readings=readings, actor=PORTAL, now=NOW)
        if taken.stored != len(readings):
            raise SystemExit(f"{taken.stored} of {len(readings)} readings were stored.")
    return time.perf_counter() - started


def copy() -> float:
    """Copy the rows that were stored into a table of the same shape; return how many seconds that took."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bare_reading")
        cursor.execute("CREATE TABLE bare_reading (LIKE meters_registerreading INCLUDING ALL)")
        with cursor.copy(_OUT) as out:
            data = b"".join(out)
        started = time.perf_counter()
        with cursor.copy(_IN) as into:
            into.write(data)
        took = time.perf_counter() - started
        cursor.execute("DROP TABLE bare_reading")
    return took


if __name__ == "__main__":
    main()
