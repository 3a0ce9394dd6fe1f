"""Parquet files of readings: out."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from meters.formats.records import FileReading

COLUMNS: dict[str, Any] = {
    "serial": "VARCHAR",
    "register": "VARCHAR",
    "time": "TIMESTAMPTZ",
    "value": "DECIMAL(18, 6)",
    "unit": "VARCHAR",
    "quality": "UTINYINT",
    "start": "TIMESTAMPTZ",
}
_PIECE_BYTES = 1 << 18
_MOST_MEMORY = "256MB"


def write_parquet(readings: Iterable[FileReading]) -> Iterator[bytes]:
    """Yield a Parquet file (zstd) of readings, in pieces, once all of them were read.

    Values are decimals of six places; times are instants; the start is null for what a dial showed. They pass through
    a table on disk, so that memory does not grow with them.
    """
    with TemporaryDirectory(prefix="parquet-") as folder:
        table, target = Path(folder, "readings.csv"), Path(folder, "readings.parquet")
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                (
                    each.serial,
                    each.register_code,
                    each.end.isoformat(),
                    format(each.value, "f"),
                    each.unit,
                    "" if each.quality is None else each.quality,
                    each.start.isoformat() if each.start else "",
                )
                for each in readings
            )
        _convert(table, target)
        with target.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece


def _convert(table: Path, target: Path) -> None:
    import duckdb

    settings: dict[str, Any] = {"threads": 1, "memory_limit": _MOST_MEMORY, "temp_directory": str(table.parent)}
    with duckdb.connect(config=settings) as connection:
        # Nothing is guessed: an empty table has columns too, and a serial of digits stays text.
        rows = connection.read_csv(
            str(table), columns=COLUMNS, auto_detect=False, header=False, delimiter=",", quotechar='"', escapechar='"'
        )
        rows.write_parquet(str(target), compression="zstd")
