"""How many rows a second the series writer stores, in batches of 10,000 new rows, each committed.

Against: raw binary COPY of the same rows, in the same batches, into the same table, batch about with the writer. An
argument sets the number of rows. Standard error tells the rate of the same rows sent again, all duplicates.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.benchmarks.harness import portal, report

BATCH = 10_000
START = datetime(2025, 2, 1, tzinfo=UTC)
FIRST_COPIED = 1_000_000
_OUT = """
COPY (
    SELECT register_id + %s, time, value, quality, source_id, raw_stamp, received_at
    FROM meters_registerreading WHERE time = %s AND register_id < %s
) TO STDOUT (FORMAT BINARY)
"""
_IN = """
COPY meters_registerreading (register_id, time, value, quality, source_id, raw_stamp, received_at)
FROM STDIN (FORMAT BINARY)
"""


def main() -> None:
    """Write and copy by turns, write again, and report rows a second."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    batches = max(1, rows // BATCH)
    with portal():
        from django.db import connection

        from meters.series.partitions import ensure_partitions
        from meters.series.writer import Outcome
        from meters.store import REGISTER_READINGS

        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE meters_registerreading")
        times = [START + number * timedelta(minutes=30) for number in range(batches)]
        ensure_partitions(REGISTER_READINGS, times, floor=times[0], ceiling=times[-1])
        wrote = copied = again = 0.0
        for moment in times:
            columns = columns_of(moment)
            wrote += timed(lambda columns=columns: write(columns, Outcome.STORED))
            payload = payload_of(moment)
            copied += timed(lambda payload=payload: copy(payload))
            again += timed(lambda columns=columns: write(columns, Outcome.DUPLICATE))
    n = batches * BATCH
    print(f"duplicates: {n / again:.0f} rows/s; raw COPY: {n / copied:.0f} rows/s", file=sys.stderr)
    report("series_write", round(n / wrote), "rows/s", ratio=round(copied / wrote, 4), against="raw binary COPY", n=n)


def columns_of(moment: datetime) -> dict[str, list[object]]:
    """Return one half-hour of many registers, shuffled as it may arrive."""
    registers = random.Random(moment.timestamp()).sample(range(BATCH), BATCH)
    return {
        "register_id": list(registers),
        "time": [moment] * BATCH,
        "value": [Decimal(register * 7_919 % 10**9).scaleb(-3) for register in registers],
        "quality": [17] * BATCH,
        "source_id": [1] * BATCH,
        "raw_stamp": [None] * BATCH,
        "received_at": [moment + timedelta(seconds=1)] * BATCH,
    }


def write(columns: dict[str, list[object]], expected: str) -> None:
    """Write a batch in a transaction of its own and check what became of it."""
    from django.db import connection, transaction

    from meters.series.writer import write
    from meters.store import REGISTER_READINGS

    with transaction.atomic():
        outcomes = write(REGISTER_READINGS, columns, connection).outcomes
    if outcomes.count(expected) != BATCH:
        raise SystemExit(f"{outcomes.count(expected)} of {BATCH} rows were {expected}.")


def payload_of(moment: datetime) -> bytes:
    """Return the rows of one half-hour as binary COPY, for registers that have none yet."""
    from django.db import connection

    with connection.cursor() as cursor, cursor.copy(_OUT, [FIRST_COPIED, moment, FIRST_COPIED]) as copy:
        return b"".join(bytes(part) for part in copy)


def copy(payload: bytes) -> None:
    """Copy a batch in a transaction of its own."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor, cursor.copy(_IN) as copy:
        copy.write(payload)


def timed(action: Callable[[], None]) -> float:
    """Return how many seconds an action took."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
