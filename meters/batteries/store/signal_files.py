"""Files of signals through DuckDB: each read once in bounded memory into a staged file, of which spans are read.

The staged file keeps the file's order, so that the first of several values of an instant can be told.
"""

import gzip
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from meters.batteries.conventions import EPOCH_UNITS, UNIX_EPOCH_US, Terms
from meters.batteries.headings import FileLayout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DAY_US = 86_400_000_000
MOST_BAD_LINES_LISTED = 100
_HEAD_BYTES = 64 * 1024
_PIECE_BYTES = 1024 * 1024
_LONGEST_LINE_BYTES = 64 * 1024
_READ_AHEAD_BYTES = 4 * 1024 * 1024
_MOST_TEXT = 200
_SORT_FROM = 0.01

_STAGE = """
    COPY (SELECT * FROM (SELECT {time} AS t, {values} FROM read_csv({path}, {options}, ignore_errors = true))
          WHERE t IS NOT NULL)
    TO {target} (FORMAT parquet, PARQUET_VERSION v2)
"""
_SORT = """
    COPY (SELECT * EXCLUDE (file_row_number) FROM read_parquet({path}, file_row_number = true)
          ORDER BY t, file_row_number)
    TO {target} (FORMAT parquet, PARQUET_VERSION v2)
"""
_DAYS = """
    SELECT t // {day} AS day, count(*), count(*) FILTER (WHERE step < 0), coalesce(min(step), 0), min(t), max(t)
    FROM (SELECT t, t - lag(t) OVER () AS step FROM read_parquet({path}))
    GROUP BY day ORDER BY day
"""
_SPAN = "SELECT t, {values} FROM read_parquet({path}) WHERE t >= {low} AND t < {high}"
_COUNT = "SELECT count(*) FROM read_parquet({path}) WHERE t >= {low} AND t < {high}"
# A line each, whatever is in it: no delimiter and no quote occurs in text.
_BAD = """
    WITH lines AS (
        SELECT row_number() OVER () + {skipped} AS number, line, string_split(line, {delimiter}) AS cells
        FROM read_csv({path}, columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false, delim = '\x01',
                      quote = '', escape = '', skip = {skipped}, max_line_size = {longest}, buffer_size = {ahead},
                      null_padding = true, ignore_errors = true)
    )
    SELECT number, line[1:{text}], cells[1:{width}], len(cells) FROM lines WHERE trim(line) <> '' AND ({bad})
"""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells a file from others, and how many lines it has."""

    sha256: str
    size: int
    lines: int


@dataclass(frozen=True, slots=True)
class Staged:
    """A file as it was staged; all stamps are µs since 2000.

    :ivar days: the number of rows by day since 2000.
    :ivar steps_back: how often a row is older than the one before; ``farthest_back`` by how much at most.
    """

    path: Path
    rows: int
    days: dict[int, int]
    first: int
    last: int
    steps_back: int
    farthest_back: int

    def outside(self, low: int, high: int) -> tuple[int, int]:
        """Count the rows of the days wholly before one instant, and wholly after another."""
        before = sum(count for day, count in self.days.items() if (day + 1) * DAY_US <= low)
        return before, sum(count for day, count in self.days.items() if day * DAY_US > high)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is no row of its file."""

    line: int
    reason: str
    text: str


def fingerprint(path: Path) -> Fingerprint:
    """Read a file through for its SHA-256 and its number of lines, those that are packed in it."""
    with path.open("rb") as file:
        sha256 = hashlib.sha256()
        lines, last = 0, b"\n"
        while piece := file.read(_PIECE_BYTES):
            sha256.update(piece)
            lines, last = lines + piece.count(b"\n"), piece[-1:]
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            lines, last = 0, b"\n"
            while piece := packed.read(_PIECE_BYTES):
                lines, last = lines + piece.count(b"\n"), piece[-1:]
    return Fingerprint(sha256.hexdigest(), path.stat().st_size, lines + (last != b"\n"))


def head_of(path: Path) -> str:
    """Return a file's first lines, whole ones, whatever is packed in it."""
    with path.open("rb") as file:
        begin = (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(_HEAD_BYTES)
    whole, found, _ = begin.rpartition(b"\n")
    return (whole if found and len(begin) == _HEAD_BYTES else begin).decode(errors="replace")


class SignalFiles:
    """A DuckDB of bounded memory that stages and reads files; what does not fit goes to disk."""

    def __init__(self, connection: "DuckDBPyConnection") -> None:
        self._connection = connection

    def stage(self, path: Path, layout: FileLayout, terms: Terms, target: Path) -> Staged:
        """Read a file through into a staged one, which is there whole or not at all; one that is there is taken.

        Lines that are no rows are left out, see :meth:`bad_lines`.
        """
        if not target.exists():
            unfinished = target.with_suffix(".part")
            self._set_zone(terms)
            values = ", ".join(
                f"coalesce({_name(column.place)} * {column.scale.factor!r} + {column.scale.offset!r}, 'nan'::DOUBLE)"
                f" AS {column.name}"
                for column in layout.columns
            )
            self._connection.execute(
                _STAGE.format(
                    time=_time(layout, terms),
                    values=values,
                    path=_text(path),
                    options=_options(layout),
                    target=_text(unfinished),
                )
            )
            if (staged := self._described(unfinished)).steps_back > _SORT_FROM * staged.rows:
                # The note on disorder outlives the sort, which makes spans of a disordered file cheap to read.
                _note_path(target).write_text(f"{staged.steps_back} {staged.farthest_back}")
                ordered = target.with_suffix(".sorted")
                self._connection.execute(_SORT.format(path=_text(unfinished), target=_text(ordered)))
                ordered.replace(unfinished)
            unfinished.replace(target)
        return self._described(target)

    def span(self, staged: Staged, names: list[str], low: int, high: int) -> dict[str, NDArray[Any]]:
        """Return the stamps, as ``t``, and the values of some signals in ``[low, high)``, in the file's order."""
        query = _SPAN.format(values=", ".join(names), path=_text(staged.path), low=low, high=high)
        return cast("dict[str, NDArray[Any]]", self._connection.execute(query).fetchnumpy())

    def count(self, staged: Staged, low: int, high: int) -> int:
        """Count the rows in ``[low, high)``."""
        query = _COUNT.format(path=_text(staged.path), low=low, high=high)
        (count,) = self._connection.execute(query).fetchone() or (0,)
        return int(count)

    def bad_lines(self, path: Path, layout: FileLayout, terms: Terms) -> tuple[int, list[BadLine]]:
        """Read a file through for the lines that are no rows; return how many there are, and the first of them."""
        self._set_zone(terms)
        cell = "trim(cells[{}], ' \"\r')"
        stamp = cell.format(layout.time_place + 1)
        doubtful = [f"try_cast({stamp} AS {'DOUBLE' if layout.is_epoch else 'TIMESTAMPTZ'}) IS NULL"]
        for column in layout.columns:
            value = cell.format(column.place + 1)
            doubtful.append(f"({value} <> '' AND try_cast({value} AS DOUBLE) IS NULL)")
        query = _BAD.format(
            path=_text(path),
            delimiter=_text(layout.delimiter),
            skipped=int(layout.has_header),
            longest=_LONGEST_LINE_BYTES,
            ahead=_READ_AHEAD_BYTES,
            width=layout.width,
            text=_MOST_TEXT,
            bad=" OR ".join([f"len(cells) <> {layout.width}", *doubtful]),
        )
        ((count,),) = self._connection.sql(query).count("*").fetchall()
        found = self._connection.sql(query).limit(MOST_BAD_LINES_LISTED).fetchall()
        return int(count), [BadLine(line, _reason(layout, cells, width), text) for line, text, cells, width in found]

    def _described(self, path: Path) -> Staged:
        days = self._connection.execute(_DAYS.format(path=_text(path), day=DAY_US)).fetchall()
        steps, farthest = sum(row[2] for row in days), -min((row[3] for row in days), default=0)
        if _note_path(path).exists():
            steps, farthest = map(int, _note_path(path).read_text().split())
        return Staged(
            path,
            sum(row[1] for row in days),
            {row[0]: row[1] for row in days},
            min((row[4] for row in days), default=0),
            max((row[5] for row in days), default=0),
            steps,
            max(farthest, 0),
        )

    def _set_zone(self, terms: Terms) -> None:
        self._connection.execute(f"SET TimeZone = {_text(terms.zone.key)}")


@contextmanager
def signal_files(folder: Path, *, memory_mb: int, threads: int) -> Iterator[SignalFiles]:
    """Open a DuckDB that works in a folder, for the block.

    :param memory_mb: what it may hold; more goes to disk.
    """
    import duckdb

    spill = folder / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    spill.mkdir(mode=0o700, parents=True)
    try:
        with duckdb.connect(
            config={"memory_limit": f"{memory_mb}MB", "threads": threads, "temp_directory": str(spill)}
        ) as connection:
            connection.execute("SET enable_progress_bar = false")
            yield SignalFiles(connection)
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def _options(layout: FileLayout) -> str:
    wanted = {column.place for column in layout.columns}
    kinds = {place: "DOUBLE" if place in wanted else "VARCHAR" for place in range(layout.width)}
    kinds[layout.time_place] = "DOUBLE" if layout.is_epoch else "TIMESTAMPTZ"
    columns = ", ".join(f"'{_name(place)}': '{kind}'" for place, kind in kinds.items())
    quote = "quote = '\"'" if layout.is_quoted else "quote = '', escape = ''"
    return (
        f"columns = {{{columns}}}, auto_detect = false, header = {str(layout.has_header).lower()}, "
        f"delim = {_text(layout.delimiter)}, {quote}, "
        f"max_line_size = {_LONGEST_LINE_BYTES}, buffer_size = {_READ_AHEAD_BYTES}"
    )


def _time(layout: FileLayout, terms: Terms) -> str:
    shift = UNIX_EPOCH_US + terms.clock_offset_us
    stamp = _name(layout.time_place)
    if not layout.is_epoch:
        return f"epoch_us({stamp}) - {shift}"
    sizes = " ".join(f"WHEN abs({stamp}) < {high!r} THEN {factor!r}" for high, factor in EPOCH_UNITS[:-1])
    return f"try_cast(round({stamp} * CASE {sizes} ELSE {EPOCH_UNITS[-1][1]!r} END) AS BIGINT) - {shift}"


def _reason(layout: FileLayout, cells: list[str], width: int) -> str:
    if width != layout.width:
        return f"{width} columns instead of {layout.width}"
    for column in layout.columns:
        value = cells[column.place].strip(' "\r')
        try:
            float(value or "nan")
        except ValueError:
            return f"{column.name} is no number: {value[:40]!r}"
    return f"no time: {cells[layout.time_place][:40]!r}"


def _note_path(path: Path) -> Path:
    return path.with_suffix(".disorder")


def _name(place: int) -> str:
    return f"c{place}"


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def finite(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values as numbers, NaN where the database had none."""
    return np.ma.filled(values, np.nan).astype(np.float64, copy=False)
