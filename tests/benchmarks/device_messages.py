"""How many device messages a second are stored, one a request, each acknowledged after its commit.

256 connections, 2,000,000 devices, key checked; server, PostgreSQL and client share the machine. Against: a bare ASGI
echo on the same server, by the same client, in the same run. ``DEVICE_MESSAGES_SECONDS`` sets how long (15 unless told;
60 for the figures in the README), ``DEVICE_MESSAGES_WORKERS`` the server's processes.
"""

import json
import os
import sys
from datetime import UTC, datetime

from tests.benchmarks.harness import portal, report
from tests.benchmarks.serving import hammer, server

SECONDS = float(os.environ.get("DEVICE_MESSAGES_SECONDS", "15"))
WORKERS = int(os.environ.get("DEVICE_MESSAGES_WORKERS", "2"))
# As long as a worker needs to take in the devices' names.
WARM_UP_SECONDS = 15.0
CONNECTIONS = 256
DEVICES = 2_000_000

_SEED = """
INSERT INTO devices_device (device_id, name, zone, status, is_critical, created_at, updated_at)
SELECT 'bench' || lpad(number::text, 17, '0'), '', '', 'active', false, now(), now()
FROM generate_series(%s::int, %s::int) AS number ON CONFLICT DO NOTHING
"""


def main() -> None:
    """Echo, then store, and report."""
    os.environ["DEVICE_MESSAGES_PER_SECOND"] = "1000000"
    with portal():
        key = key_of_a_source()
        seed(DEVICES)
        job = {"key": key, "seconds": SECONDS, "connections": CONNECTIONS, "devices": DEVICES}
        with server("tests.benchmarks.echo:application", workers=WORKERS) as port:
            echoed = hammer(port=port, **job)
        with server("energy_portal.asgi:application", workers=WORKERS) as port:
            stored = hammer(port=port, warm_up=WARM_UP_SECONDS, **job)
    print(json.dumps({"echo": echoed, "stored": stored}), file=sys.stderr)
    if stored["answers"].keys() != {"200"}:
        raise SystemExit(f"Not every message was stored: {stored['answers']}.")
    report(
        "device_messages",
        round(stored["per_second"]),
        "messages/s",
        ratio=round(stored["per_second"] / echoed["per_second"], 4),
        against="a bare ASGI echo",
        n=stored["answers"]["200"],
        p99_ms=stored["p99_ms"],
        seconds=SECONDS,
    )


def key_of_a_source() -> str:
    """Return a key that may send device messages."""
    from accounts.actors import PORTAL
    from accounts.roles import Scope
    from accounts.services.sources import create_source

    now = datetime.now(UTC)
    _, key = create_source(name=f"bench {now:%H:%M:%S.%f}", scopes=[Scope.DEVICES], actor=PORTAL, now=now)
    return key


def seed(devices: int) -> None:
    """Have so many devices, named as the client names them."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM devices_device WHERE device_id LIKE 'bench0%%'")
        (there,) = cursor.fetchone()
        if there < devices:
            cursor.execute(_SEED, [there + 1, devices])
            cursor.execute("VACUUM ANALYZE devices_device")


if __name__ == "__main__":
    main()
