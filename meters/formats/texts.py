"""Lines of files that nobody has seen yet: any length, any bytes, bounded memory."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from meters.formats.records import Unreadable

# A day of five-minute values has 288 of them; a line that is a hundred times longer is no line of readings.
LONGEST_LINE = 1 << 20


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
