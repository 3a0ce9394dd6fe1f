"""Half-hourly series in tables of anybody's making: which columns hold the time and the values is told."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from meters.formats.records import Unreadable
from meters.formats.texts import Lines, delimiter_of

PERIOD_START, PERIOD_END = "period-start", "period-end"
LABELS = (PERIOD_START, PERIOD_END)

_Floats: TypeAlias = npt.NDArray[np.float64]
_HALF_HOUR = 1800
_GZIP = b"\x1f\x8b"
_NO_NUMBER = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
_EPOCH_FROM = 100_000_000
_FORMATS = ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d-%m-%Y %H:%M")


@dataclass(frozen=True, eq=False)
class SeriesTable:
    """One series of a file: its half-hours in the order of time, each once, and the values of some columns.

    :ivar starts: (n,) UTC seconds since 1970 at which half-hours begin.
    :ivar stamps: their times as the file writes them.
    :ivar columns: (n,) each by the column's name, NaN where a cell holds no number.
    :ivar repeated: rows left out because their half-hour had come before: the first one stands.
    :ivar bad: rows left out because their time cannot be read, or is no half-hour's.
    """

    name: str
    starts: npt.NDArray[np.int64]
    stamps: list[str]
    columns: dict[str, _Floats]
    repeated: int
    bad: int


def read_series_file(
    path: Path, *, time: str, values: Sequence[str], zone: ZoneInfo, labels: str, name_column: str = ""
) -> list[SeriesTable]:
    """Read a table, packed by gzip or not, into its series; rows may come in any order.

    A time without an offset is the zone's; where the clock was put back, it means the first of two instants when it
    comes first and the second when it comes again.

    :param time: the column of times; several that make one, a date and a time of day, are joined by ``+``.
    :param labels: whether a time is that of the start or of the end of its half-hour.
    :param name_column: tells which series a row is of, where a file holds many.
    :raises Unreadable: no such column, nothing that could be read, or steps that are not half-hours.
    """
    rows = _rows(path)
    header = next(rows, [])
    wanted = {
        name: _place(header, name) for name in [*time.split("+"), *values, *([name_column] if name_column else [])]
    }
    found: dict[str, _Collected] = {}
    for row in rows:
        name = _cell(row, wanted[name_column]) if name_column else ""
        collected = found.setdefault(name, _Collected(zone, labels, len(values)))
        stamp = " ".join(_cell(row, wanted[part]) for part in time.split("+"))
        collected.take(stamp, [_cell(row, wanted[column]) for column in values])
    tables = [collected.table(name, values) for name, collected in found.items()]
    if not any(len(table.starts) for table in tables):
        raise Unreadable(f"No row of {path.name} has a time that is a half-hour's in the column {time!r}.")
    return [table for table in tables if len(table.starts)]


class _Collected:
    """The half-hours of a series as its rows come."""

    def __init__(self, zone: ZoneInfo, labels: str, width: int) -> None:
        self._zone = zone
        self._back = _HALF_HOUR if labels == PERIOD_END else 0
        self._width = width
        self._found: dict[int, tuple[str, list[float]]] = {}
        self._repeated = 0
        self._bad = 0

    def take(self, stamp: str, cells: list[str]) -> None:
        """Keep a row, unless its half-hour is known."""
        local = _time(stamp)
        if local is None:
            self._bad += 1
            return
        start = self._start(local, fold=0)
        if start in self._found and local.tzinfo is None:
            start = self._start(local, fold=1)
        if not _is_mark(local, self._zone):
            self._bad += 1
        elif start in self._found:
            self._repeated += 1
        else:
            self._found[start] = (stamp, [_number(cell) for cell in cells])

    def table(self, name: str, columns: Sequence[str]) -> SeriesTable:
        """Return what was kept, in the order of time."""
        starts = np.array(sorted(self._found), dtype=np.int64)
        rows = [self._found[start] for start in starts.tolist()]
        values = np.array([row for _, row in rows], dtype=np.float64).reshape(len(rows), self._width)
        told = {column: values[:, place] for place, column in enumerate(columns)}
        return SeriesTable(name, starts, [stamp for stamp, _ in rows], told, self._repeated, self._bad)

    def _start(self, local: datetime, *, fold: int) -> int:
        at = local if local.tzinfo else local.replace(tzinfo=self._zone, fold=fold)
        return int(at.timestamp()) - self._back


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        lines = Lines(io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file)
        first = next(lines, "")
        delimiter = delimiter_of(first)
        yield [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter), [])]
        yield from (row for row in csv.reader(lines, delimiter=delimiter) if row)


def _place(header: Sequence[str], name: str) -> int:
    if name not in header:
        raise Unreadable(f"The file has no column {name!r}: it has {', '.join(map(repr, header)) or 'none'}.")
    return header.index(name)


def _cell(row: Sequence[str], place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if text.isdigit() and int(text) >= _EPOCH_FROM:
        seconds = int(text) / (1000 if len(text) > 11 else 1)
        return datetime.fromtimestamp(seconds, UTC)
    for form in _FORMATS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 (the caller knows the zone)
        except ValueError:
            continue
    return None


def _is_mark(local: datetime, zone: ZoneInfo) -> bool:
    wall = local.astimezone(zone) if local.tzinfo else local
    return not (wall.minute % 30 or wall.second)


def _number(text: str) -> float:
    if text.casefold() in _NO_NUMBER:
        return float("nan")
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")
