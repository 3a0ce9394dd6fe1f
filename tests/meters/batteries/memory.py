"""How much memory it takes to align a file larger than what may be held; run as a program of its own in a folder."""

import json
import os
import resource
import sys
from pathlib import Path

BOUND_MB = 16
LINES = 9_000_000


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "energy_portal.settings.test")
    import django
    import duckdb

    django.setup()

    from meters.batteries.alignment import tolerances_us
    from meters.batteries.conventions import Terms
    from meters.batteries.headings import read_layout
    from meters.batteries.quantities import System
    from meters.batteries.services.import_rows import Plan, Source, aligned_rows
    from meters.batteries.store.signal_files import head_of, signal_files
    from meters.batteries.tallies import SignalTally

    folder = Path(sys.argv[1])
    path, second = folder / "bms_soc.csv", 1_000_000
    with duckdb.connect(config={"threads": 1, "memory_limit": f"{BOUND_MB}MB"}) as writer:
        statement = "COPY (SELECT 1735689600000 + i * 1000 AS t, i % 997 / 10 AS soc FROM range({}) AS n(i)) TO '{}'"
        writer.execute(statement.format(LINES, path))
    before = peak_mb()
    tolerances = tolerances_us({})
    with signal_files(folder, memory_mb=BOUND_MB, threads=1) as files:
        layout = read_layout(path.name, head_of(path), terms=Terms(), systems=[System.BMS])
        staged = files.stage(path, layout, Terms(), folder / "staged.parquet")
        every = 600 * second
        plan = Plan(
            System.BMS, [Source(staged, ("soc",))], every, tolerances, staged.first, staged.last + second, 100_000
        )
        rows = sum(part.times.size for part in aligned_rows(files, plan, {"soc": SignalTally(tolerances["soc"])}))
    print(
        json.dumps(
            {
                "bound_mb": BOUND_MB,
                "size_mb": path.stat().st_size / 1e6,
                "rows": rows,
                "expected_rows": LINES // 600,
                "grown_mb": peak_mb() - before,
            }
        )
    )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
