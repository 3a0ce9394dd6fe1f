"""How long a meter's month, its profile, and the month of twenty meters take at HTTP, and whether other rows matter.

A year of half-hours of many dials lies as it came in, half-hour by half-hour over all meters; a server process answers
one client that holds a key, each request of a meter chosen at random, once the database has written behind what was
seeded. Against: the same with a tenth of the meters.
``QUERIES_READINGS`` sets the number of readings (20,000,000 unless told; the figures in the README are at 100,000,000).
The figure is the 95th percentile of the slowest kind of request; the others go to standard error.
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from urllib.parse import urlencode

from tests.benchmarks.harness import portal, report

READINGS = int(os.environ.get("QUERIES_READINGS", "20000000"))
A_YEAR = 17_520
REQUESTS, WARM_UP, TOGETHER = 300, 30, 20
CALM_SECONDS = 10
FIRST = datetime(2024, 12, 31, 16, tzinfo=UTC)
LAST = FIRST + A_YEAR * timedelta(minutes=30)
MONTH = {"from": "2025-06-01T00:00:00+08:00", "to": "2025-07-01T00:00:00+08:00"}
MONTH_KWH = 30 * 48 * 0.35

_AT_WORK = "SELECT buffers_written, (SELECT count(*) FROM pg_stat_progress_vacuum) FROM pg_stat_checkpointer"
_WIPE = "TRUNCATE accounts_customeraccount, accounts_premises, meters_meter, meters_servicepoint,"
_WIPE += " meters_registerreading, meters_registerday, meters_readingwork CASCADE"
_METERS = """
INSERT INTO accounts_premises (id, address, location_id, zone, created_at, updated_at)
    VALUES ('00000000-0000-4000-8000-000000000000', 'x', '', 'Asia/Singapore', now(), now()) ON CONFLICT DO NOTHING;
INSERT INTO meters_servicepoint (id, code, premises_id, commodity, service_class, greatest_rate_per_hour,
        volume_correction, status, created_at, updated_at)
    SELECT gen_random_uuid(), 'SP-' || n, '00000000-0000-4000-8000-000000000000', 'electric', 'residential', 13.8,
        1, 'active', now(), now()
    FROM generate_series(%(low)s, %(high)s) AS n;
INSERT INTO meters_meter (id, serial, type, status, priority, address, location_id, owner, estimated_time, metadata,
        created_at, updated_at)
    SELECT gen_random_uuid(), 'SG-' || n, 'electric', 'active', 'medium', '', '', '', 10, '{}', now(), now()
    FROM generate_series(%(low)s, %(high)s) AS n;
INSERT INTO meters_register (meter_id, code, direction, kind, unit, digits, decimals, multiplier, created_at)
    SELECT id, '1.8.0', 'import', 'cumulative', 'kWh', 6, 3, 1, now() FROM meters_meter AS meter
    WHERE NOT EXISTS (SELECT FROM meters_register WHERE meter_id = meter.id);
INSERT INTO meters_registerstate (register_id) SELECT id FROM meters_register ON CONFLICT DO NOTHING;
INSERT INTO meters_installation (id, meter_id, service_point_id, valid, created_at)
    SELECT gen_random_uuid(), meter.id, point.id, '[2020-01-01,)', now()
    FROM meters_meter AS meter JOIN meters_servicepoint AS point ON point.code = 'SP-' || substring(meter.serial FROM 4)
    WHERE NOT EXISTS (SELECT FROM meters_installation WHERE meter_id = meter.id);
"""
_READINGS = """
INSERT INTO meters_registerreading (register_id, time, value, quality, received_at)
    SELECT register.id, mark, 1000 + register.id %% 7 + 0.35 * (extract(epoch FROM mark - %(first)s) / 1800)::int, 17,
        mark
    FROM generate_series(%(low)s::timestamptz, %(high)s::timestamptz, '30 minutes') AS mark CROSS JOIN (
        SELECT register.id FROM meters_register AS register JOIN meters_meter AS meter ON meter.id = meter_id
        WHERE substring(serial FROM 4)::int BETWEEN %(from)s AND %(to)s ORDER BY register.id
    ) AS register
"""
_DAYS = """
INSERT INTO meters_registerday
        (register_id, time, until, energy, known_energy, estimated_energy, half_hours_known, quality, computed_at)
    SELECT register.id, day, day + interval '1 day', 48 * 0.35, 48 * 0.35, 0, 48, 17, now()
    FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz - interval '1 day', '1 day') AS day
        CROSS JOIN meters_register AS register
    ON CONFLICT DO NOTHING
"""


def main() -> None:
    """Seed a tenth, ask, seed the rest, ask again, and report."""
    meters = max(READINGS // A_YEAR, 10 * TOGETHER)
    with portal():
        key = key_of_a_source()
        run(_WIPE)
        seed(1, meters // 10)
        few = ask(key, meters // 10)
        seed(meters // 10 + 1, meters)
        many = ask(key, meters)
        slowest = max(many, key=lambda kind: percentile(many[kind], 95))
        for kind, took in many.items():
            figures = {f"p{share}_ms": percentile(took, share) for share in (50, 95, 99)}
            before = {"p95_ms_at_a_tenth": percentile(few[kind], 95), "p50_ms_at_a_tenth": percentile(few[kind], 50)}
            print(json.dumps({"request": kind, **figures, **before}), file=sys.stderr)
        value = percentile(many[slowest], 95)
        report(
            "queries",
            value,
            "ms p95",
            ratio=round(value / percentile(few[slowest], 95), 4),
            against="a tenth of the meters",
            n=meters * A_YEAR,
        )


def key_of_a_source() -> str:
    """Return a key that may ask of every meter."""
    from accounts.actors import PORTAL
    from accounts.roles import Scope
    from accounts.services import sources

    now = datetime.now(UTC)
    _, key = sources.create_source(name=f"bench {now:%H:%M:%S.%f}", scopes=[Scope.QUERIES], actor=PORTAL, now=now)
    return key


def seed(low: int, high: int) -> None:
    """Add meters by their numbers, each with a year of half-hours and of days."""
    from django.db import connection

    from energy_portal.shared.clock import YearMonth
    from meters.series.partitions import ensure_partitions
    from meters.store import REGISTER_READINGS
    from meters.store.days import REGISTER_DAYS

    run(_METERS, low=low, high=high)
    month, starts = YearMonth.of(FIRST.date()), []
    while (start := datetime(month.year, month.month, 1, tzinfo=UTC)) <= LAST:
        starts.append(start)
        month = month.next()
    for series in (REGISTER_READINGS, REGISTER_DAYS):
        ensure_partitions(series, starts, floor=starts[0], ceiling=starts[-1])
    marks = [max(FIRST, start) for start in starts] + [LAST + timedelta(minutes=30)]

    def fill(begin: datetime, end: datetime) -> None:
        run(_READINGS, **{"first": FIRST, "low": begin, "high": end - timedelta(minutes=30), "from": low, "to": high})
        connection.close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(fill, marks, marks[1:]))
    run(_DAYS, first=FIRST, last=LAST)
    run("VACUUM ANALYZE")
    settle()


def settle() -> None:
    """Wait until the server neither vacuums nor writes a checkpoint, as it would not in a calm hour of operation."""
    from django.db import connection

    written, calm = -1, 0
    while calm < CALM_SECONDS:
        time.sleep(1)
        with connection.cursor() as cursor:
            cursor.execute(_AT_WORK)
            now, vacuums = cursor.fetchone()
        calm = calm + 1 if (now, vacuums) == (written, 0) else 0
        written = now


def run(sql: str, **parameters: object) -> None:
    """Run SQL."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)


def ask(key: str, meters: int) -> dict[str, list[float]]:
    """Return how long each request of each kind took, ms."""
    chosen = random.Random(meters)

    def serial() -> str:
        return f"SG-{chosen.randint(1, meters)}"

    kinds = {
        "month": lambda: (f"/api/v1/meters/{serial()}/consumption", {**MONTH, "granularity": "day"}),
        "profile": lambda: (f"/api/v1/meters/{serial()}/profile", MONTH),
        "several": lambda: (
            "/api/v1/consumption",
            {**MONTH, "meter_id": sorted({serial() for _ in range(TOGETHER)}), "granularity": "month"},
        ),
    }
    took: dict[str, list[float]] = {}
    with server() as connection:
        for kind, question in kinds.items():
            times = []
            for _ in range(WARM_UP + REQUESTS):
                path, query = question()
                asked = len(query["meter_id"]) if "meter_id" in query else 1
                started = time.perf_counter()
                body = get(connection, f"{path}?{urlencode(query, doseq=True)}", key)
                times.append(1000 * (time.perf_counter() - started))
                answer = json.loads(body)
                if abs(answer["consumption_kwh"] - asked * MONTH_KWH) > 0.001 or not answer["complete"]:
                    raise SystemExit(f"{path} answered {answer['consumption_kwh']} kWh.")
            took[kind] = times[WARM_UP:]
    return took


def get(connection: HTTPConnection, path: str, key: str) -> bytes:
    """Return the body that answers one request."""
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise SystemExit(f"{path}: {response.status} {body[:500]!r}")
    return body


@contextmanager
def server() -> Iterator[HTTPConnection]:
    """Have a server process of one worker for the block, and a connection to it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", int(os.environ.get("QUERIES_PORT", "0"))))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "energy_portal.embedded.web", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "THROTTLE_SOURCE": "1000000/min"})
    try:
        yield connected(port)
    finally:
        process.terminate()
        process.wait(30)


def connected(port: int) -> HTTPConnection:
    """Return a connection to a server that is starting."""
    for _ in range(300):
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        except OSError:
            connection.close()
            time.sleep(0.1)
        else:
            return connection
    raise SystemExit("The server does not answer.")


def percentile(times: list[float], share: int) -> float:
    """Return the time within which a share of requests, per cent, was answered, ms."""
    ordered = sorted(times)
    return round(ordered[min(len(ordered) * share // 100, len(ordered) - 1)], 2)


if __name__ == "__main__":
    main()
