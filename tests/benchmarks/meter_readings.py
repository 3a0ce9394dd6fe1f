"""How many register readings a second one process takes in through the door, by CSV and as JSON, all checks on.

The file and the batches hold the same half-hours of the same meters, as a head-end sends them; bodies are decoded, two
at a time, and the file is parsed. Against: a raw COPY of the same rows into a table of the same shape, in the same
run. An argument sets the number of rows (1,600,000 is a city state's half-hour); there is one meter for every sixteen
of them.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice

from tests.benchmarks.harness import portal, report

BATCH = 10_000
SENDERS = 2
HALF_HOURS = 16
FIRST_MARK = datetime(2025, 1, 31, 16, tzinfo=UTC)
NOW = datetime(2025, 3, 1, tzinfo=UTC)

_WIPE = "TRUNCATE accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint,"
_WIPE += " meters_registerreading CASCADE"
_SEED = """
INSERT INTO accounts_premises (id, address, location_id, zone, created_at, updated_at)
    VALUES ('00000000-0000-4000-8000-000000000000', 'x', '', 'Asia/Singapore', now(), now());
INSERT INTO meters_servicepoint (id, code, premises_id, commodity, service_class, greatest_rate_per_hour,
        volume_correction, status, created_at, updated_at)
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
    """Seed, send, copy, and report readings a second; the last line is that of the file."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    meters = max(1, rows // HALF_HOURS)
    with portal():
        for name, take in (("JSON", send), ("CSV", load)):
            seed(meters)
            took = take(meters)
            copied = copy()
            report(
                "meter_readings",
                round(meters * HALF_HOURS / took),
                f"readings/s by {name}",
                ratio=round(copied / took, 4),
                against="raw COPY",
                n=meters * HALF_HOURS,
            )


def seed(meters: int) -> None:
    """Replace what is there by meters that hang, each with a dial."""
    from django.db import connection

    from meters.services.partitions import make_partitions_ahead

    with connection.cursor() as cursor:
        cursor.execute(_WIPE)
        cursor.execute(_SEED, {"meters": meters})
    make_partitions_ahead(now=FIRST_MARK)


def readings(meters: int) -> Iterator[tuple[str, str, Decimal]]:
    """Yield (serial, stamp, value), half-hour by half-hour."""
    for number in range(HALF_HOURS):
        stamp = (FIRST_MARK + number * timedelta(minutes=30)).isoformat()
        for meter in range(1, meters + 1):
            yield f"SG-{meter:07}", stamp, Decimal(1000) + Decimal(number) / 4 + meter % 7


def send(meters: int) -> float:
    """Take the readings in as JSON batches of several senders; return how many seconds that took, decoding included."""
    from django.db import connection

    from accounts.actors import PORTAL
    from energy_portal.shared import strict_json
    from meters.api.readings import offer_of
    from meters.services.readings import receive_columns

    rows = readings(meters)
    bodies = []
    while batch := list(islice(rows, BATCH)):
        names = ("meter_id", "timestamp", "reading")
        bodies.append(strict_json.dumps({"readings": [dict(zip(names, row, strict=True)) for row in batch]}))

    def receive(body: bytes) -> int:
        return receive_columns(offer=offer_of(strict_json.loads(body)), actor=PORTAL, now=NOW).stored

    with ThreadPoolExecutor(SENDERS) as senders:
        list(senders.map(lambda _: time.sleep(0.1), range(SENDERS)))
        started = time.perf_counter()
        stored = sum(senders.map(receive, bodies))
        took = time.perf_counter() - started
        list(senders.map(lambda _: (connection.close(), time.sleep(0.1)), range(SENDERS)))
    check(stored, meters)
    return took


def load(meters: int) -> float:
    """Take the readings in as a file; return how many seconds that took, parsing included."""
    from accounts.actors import PORTAL
    from meters.services.file_imports import ImportOptions, import_file

    with tempfile.TemporaryFile() as file:
        file.write(b"serial,time,value\r\n")
        file.writelines(f"{serial},{stamp},{value}\r\n".encode() for serial, stamp, value in readings(meters))
        file.seek(0)
        started = time.perf_counter()
        report = import_file(file=file, name="readings.csv", options=ImportOptions(), actor=PORTAL, now=NOW)
        took = time.perf_counter() - started
    check(report.stored, meters)
    return took


def check(stored: int, meters: int) -> None:
    """Stop where not every reading was stored."""
    if stored != meters * HALF_HOURS:
        raise SystemExit(f"{stored} of {meters * HALF_HOURS} readings were stored.")


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
