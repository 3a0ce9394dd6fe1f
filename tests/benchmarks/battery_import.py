"""How fast files of signals at mixed rates become aligned rows, a file a signal, by one process and its DuckDB.

Against: DuckDB's own scan of the same files and its write of what they hold to Parquet, with the same threads, in the
same run. The peak of memory is that of this process and its children, but for PostgreSQL. ``BATTERY_IMPORT_BYTES`` or
an argument sets the size of the files (1 GB).
"""

import os
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.harness import portal, report

THREADS = 2
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
BYTES_A_LINE = 27.5
# A converter tells its electricity every second, a BMS its pack's too; cells come slower, and what ages slowest.
SECONDS = {
    "bms": {
        "voltage": 1,
        "current": 1,
        "cell_avg_voltage": 5,
        "cell_max_voltage": 5,
        "cell_min_voltage": 5,
        "cell_voltage_diff": 5,
        "soc": 10,
        "cell_avg_temp": 10,
        "cell_temp_diff": 10,
        "soh": 60,
    },
    "pcs": {
        "apparent_power": 1,
        "dc_current": 1,
        "dc_voltage": 1,
        "ac_current_a": 1,
        "ac_current_b": 1,
        "ac_current_c": 1,
        "ac_voltage_ab": 1,
        "ac_voltage_bc": 1,
        "ac_voltage_ca": 1,
        "temp_environment": 60,
        "temp_ambient": 60,
        "temp_igbt": 10,
    },
}
_WIPE = "TRUNCATE batteries_battery, batteries_bmsreading, batteries_pcsreading CASCADE"
_WRITE = """
    COPY (SELECT strftime(make_timestamp((1704067200 + i * {rate}) * 1000000), '%Y-%m-%dT%H:%M:%SZ') AS timestamp,
                 round(50 + 30 * sin(i / 5000.0 + {place}) + (i * 7919 % 1000) / 1000.0, 3) AS value
          FROM range({lines}) AS numbers(i))
    TO '{path}' (HEADER)
"""
_BARE = "COPY (SELECT * FROM read_csv('{path}')) TO '{target}' (FORMAT parquet)"


def main() -> None:
    """Write the files, read them both ways, and report bytes a second."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else int(os.environ.get("BATTERY_IMPORT_BYTES", "1000000000"))
    with portal(), tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), size)
        size = sum(path.stat().st_size for path in paths)
        before = bare(paths, Path(folder))
        with Watch() as watch:
            took, rows = load(paths)
        after = bare(paths, Path(folder))
        report(
            "battery_import",
            round(size / took / 1e6, 1),
            "MB/s",
            ratio=round((before + after) / 2 / took, 4),
            against="DuckDB's scan and write",
            n=size,
            rows=rows,
            seconds=round(took, 2),
            bare_seconds=round((before + after) / 2, 2),
            peak_rss_mb=watch.peak_mb,
        )


def write_files(folder: Path, size: int) -> list[Path]:
    """Write a file a signal over one span of time, so long that they have about a size together."""
    import duckdb

    rates = [(system, name, rate) for system, signals in SECONDS.items() for name, rate in signals.items()]
    seconds = round(size / BYTES_A_LINE / sum(1 / rate for *_, rate in rates))
    paths = []
    with duckdb.connect(config={"threads": THREADS}) as writer:
        for place, (system, name, rate) in enumerate(rates):
            path = folder / f"{system}_{name}.csv"
            writer.execute(_WRITE.format(rate=rate, place=place, lines=seconds // rate, path=path))
            paths.append(path)
    return paths


def bare(paths: list[Path], folder: Path) -> float:
    """Scan and write the files by DuckDB alone; return how many seconds that took."""
    import duckdb

    with duckdb.connect(config={"threads": THREADS}) as reader:
        started = time.perf_counter()
        for path in paths:
            reader.execute(_BARE.format(path=path, target=folder / "bare.parquet"))
        return time.perf_counter() - started


def load(paths: list[Path]) -> tuple[float, int]:
    """Import the files; return how many seconds that took, and how many rows were stored."""
    from django.db import connection

    from accounts.actors import PORTAL
    from meters.batteries.services.imports import Bounds, ImportOptions, import_battery

    with connection.cursor() as cursor:
        cursor.execute(_WIPE)
    started = time.perf_counter()
    told = import_battery(
        battery_id="BENCH",
        paths=paths,
        options=ImportOptions(create=True),
        actor=PORTAL,
        now=NOW,
        bounds=Bounds(threads=THREADS),
    )
    took = time.perf_counter() - started
    if not told.is_whole:
        raise SystemExit("Not everything was stored.")
    return took, sum(system.stored for system in told.systems.values())


class Watch:
    """Looks at the memory of this process and of its children, but for PostgreSQL, during the block.

    :ivar peak_mb: the largest sum of resident sets that was seen.
    """

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.05):
            self.peak_mb = max(self.peak_mb, round(sum(map(_resident_mb, _family(os.getpid()))), 1))


def _family(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    children = [int(child) for child in told if "postgres" not in _command(int(child))]
    return [pid, *(each for child in children for each in _family(child))]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return "postgres"


def _resident_mb(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
