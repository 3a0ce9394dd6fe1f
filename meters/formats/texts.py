"""Lines of files that nobody has seen yet: any length, any bytes, bounded memory."""

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from meters.formats.records import FileFault, Unreadable

# A day of five-minute values has 288 of them; a line that is a hundred times longer is no line of readings.
LONGEST_LINE = 1 << 20
_DELIMITERS = ",;\t"


@contextmanager
def text_of(file: BinaryIO) -> Iterator[Iterator[str]]:
    """Give the lines of a file, UTF-8 with or without a byte order mark; the file stays open.

    :raises Unreadable: while they are read, a line that is longer than any line of readings.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    try:
        yield _lines(text)
    finally:
        text.detach()


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise Unreadable("A line has no end within a million characters.", code="line_too_long")
        yield line


def delimiter_of(header: str) -> str:
    """Return what parts the cells of a table: the one of comma, semicolon and tab that its first line holds most of."""
    return max(_DELIMITERS, key=header.count)


def rows_of(
    lines: Iterable[str], *, delimiter: str = ",", lines_before: int = 0
) -> Iterator[tuple[int, list[str] | FileFault]]:
    """Yield the rows of a table that hold anything, each with its line's number, and what is no row.

    :param lines_before: how many of the file's lines were taken off before, such as a header.
    """
    rows = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            line = rows.line_num + lines_before
            yield line, FileFault(line, "malformed", f"The line is not CSV: {error}.")
        else:
            if any(cell.strip() for cell in row):
                yield rows.line_num + lines_before, row
