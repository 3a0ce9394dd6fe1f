"""How many device messages a second are stored when they come in arrays of 1,000, each acknowledged after its commit.

Eight connections, 2,000,000 devices; server, PostgreSQL and client share the machine. Against: raw binary COPY of rows
into the same table, 1,000 a transaction. ``DEVICE_BATCHES_SECONDS`` sets how long (10 unless told).
"""

import json
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta

from tests.benchmarks.device_messages import DEVICES, WORKERS, key_of_a_source, seed
from tests.benchmarks.harness import portal, report
from tests.benchmarks.serving import hammer, server

SECONDS = float(os.environ.get("DEVICE_BATCHES_SECONDS", "10"))
BATCH, CONNECTIONS, COPIED = 1_000, 8, 300

_OUT = """
COPY (SELECT id, %s::timestamptz, %s::timestamptz, id::float4 FROM unnest(%s::int4[]) AS id) TO STDOUT (FORMAT BINARY)
"""
_IN = "COPY devices_devicesample (device_id, time, received_at, power_w) FROM STDIN (FORMAT BINARY)"


def main() -> None:
    """Copy, then store, and report."""
    os.environ["DEVICE_MESSAGES_PER_SECOND"] = "10000000"
    with portal():
        key = key_of_a_source()
        seed(DEVICES)
        copied = copied_per_second()
        with server("energy_portal.asgi:application", workers=WORKERS) as port:
            stored = hammer(
                port=port, key=key, seconds=SECONDS, connections=CONNECTIONS, devices=DEVICES, batch=BATCH, pool=400
            )
    print(json.dumps({"copied_per_second": round(copied), "stored": stored}), file=sys.stderr)
    if stored["answers"].keys() != {"200"}:
        raise SystemExit(f"Not every array was stored: {stored['answers']}.")
    value = BATCH * stored["per_second"]
    report(
        "device_batches",
        round(value),
        "messages/s",
        ratio=round(value / copied, 4),
        against="raw binary COPY",
        n=BATCH * stored["answers"]["200"],
        p99_ms=stored["p99_ms"],
    )


def copied_per_second() -> float:
    """Return how many rows a second go in by COPY, as many at a time as the client's arrays hold."""
    from django.db import connection, transaction

    from meters.devices.store import DEVICE_SAMPLES
    from meters.series.partitions import ensure_partitions

    now = datetime.now(UTC)
    first = now - timedelta(seconds=2)
    ensure_partitions(DEVICE_SAMPLES, [first, now], floor=first, ceiling=now)
    took = 0.0
    with connection.cursor() as cursor:
        for number in range(COPIED):
            moment = first + timedelta(microseconds=number)
            with cursor.copy(_OUT, [moment, now, random.sample(range(1, DEVICES), BATCH)]) as copy:
                payload = b"".join(bytes(part) for part in copy)
            started = time.perf_counter()
            with transaction.atomic(), cursor.copy(_IN) as copy:
                copy.write(payload)
            took += time.perf_counter() - started
    return BATCH * COPIED / took


if __name__ == "__main__":
    main()
