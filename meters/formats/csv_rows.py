"""Rows of a table, many at a time: without a step a row as long as nothing in it is quoted."""

import csv
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from energy_portal.shared.errors import DomainError
from meters.formats.records import FileFault
from meters.formats.texts import Lines, lines_of

# Some megabytes; the door takes as many at once.
ROWS_AT_ONCE = 20_000
_FIRST_BLOCK = 1 << 16
_ALMOST = 0.97
# Stands before each row while rows are told apart; a block that holds it is not read so.
_MARK = "\x00"


@dataclass(frozen=True)
class Rows:
    """Rows with their lines; as columns too, where all are of one width."""

    lines: Sequence[int]
    rows: Sequence[Sequence[str]] = ()
    columns: Sequence[Sequence[str]] | None = None

    def each(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield the rows one by one, each after its line's number."""
        rows = self.rows or zip(*(self.columns or ()), strict=True)
        return zip(self.lines, rows, strict=True)


def many_rows(lines: Lines, delimiter: str) -> Iterator[Rows | FileFault]:
    """Yield rows with their lines, and what is no row; the first line was a header and is taken.

    What can be read of a file that breaks off comes before the error.

    :raises Unreadable: a line is longer than any line of readings.
    """
    taken, size = 1, _FIRST_BLOCK
    while block := lines.block(size):
        columns = _columns(block, delimiter)
        if columns is None:
            yield from _one_by_one(chain(lines_of(block), lines), delimiter, taken)
            return
        count = len(columns[0])
        yield Rows(range(taken + 1, taken + count + 1), columns=columns)
        taken += count
        size = min(int(len(block) / count * ROWS_AT_ONCE * _ALMOST), ROWS_AT_ONCE * 100)


def _columns(block: str, delimiter: str) -> list[list[str]] | None:
    """Return a block's cells by column; None where its rows differ in width, or where anything may be quoted."""
    if '"' in block or _MARK in block or block.count("\r") != block.count("\r\n"):
        return None
    width = block[: block.find("\n")].count(delimiter) + 1
    if width == 1:
        # An empty line has no cell, or one that is empty.
        return None
    cells = block.rstrip("\r\n").replace("\r\n", "\n").replace("\n", delimiter + _MARK).split(delimiter)
    starts = cells[width::width]
    if len(cells) % width or not all(map(str.startswith, starts, [_MARK] * len(starts))):
        return None
    if block.count("\n") - block.endswith("\n") != len(starts):
        return None
    return [[cells[0], *(cell[1:] for cell in starts)], *(cells[place::width] for place in range(1, width))]


def _one_by_one(lines: Iterator[str], delimiter: str, taken: int) -> Iterator[Rows | FileFault]:
    rows = csv.reader(lines, delimiter=delimiter)
    numbers: list[int] = []
    found: list[list[str]] = []
    while True:
        ended: Exception | None = None
        try:
            for row in rows:
                found.append(row)
                numbers.append(rows.line_num + taken)
                if len(found) == ROWS_AT_ONCE:
                    yield _told(numbers, found)
                    numbers, found = [], []
        except (DomainError, OSError, EOFError, zlib.error, csv.Error) as error:
            ended = error
        if found:
            yield _told(numbers, found)
            numbers, found = [], []
        if not isinstance(ended, csv.Error):
            break
        yield FileFault(rows.line_num + taken, "malformed", f"The line is not CSV: {ended}.")
    if ended is not None:
        raise ended


def _told(lines: Sequence[int], rows: Sequence[Sequence[str]]) -> Rows:
    widths = set(map(len, rows))
    return Rows(lines, rows, list(zip(*rows, strict=True)) if len(widths) == 1 else None)
