"""Lines of files that nobody has seen yet: any length, any bytes, bounded memory."""

import codecs
import csv
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from meters.formats.records import FileFault, Unreadable

# A day of five-minute values has 288 of them; a line that is a hundred times longer is no line of readings.
LONGEST_LINE = 1 << 20
_DELIMITERS = ",;\t"
_BYTES_AT_ONCE = 1 << 18
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, which keep their ends."""
    whole = _LINE.findall(text)
    rest = text[sum(map(len, whole)) :]
    return [*whole, rest] if rest else whole


class Lines:
    """The lines of a file, UTF-8 with or without a byte order mark, which keep their ends; or many of them at once.

    Where the file breaks off, its whole lines come before the error.

    :raises Unreadable: while they are read, a line that is longer than any line of readings.
    """

    def __init__(self, file: BinaryIO) -> None:
        # A file that breaks off gives what it has by read1, and loses it by read.
        self._read = getattr(file, "read1", file.read)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = ""
        self._at = 0
        self._ended = False
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            found = _LINE.match(self._text, self._at)
            # A line feed may follow what looks like the end of a line.
            if found is not None and (self._ended or found.end() < len(self._text) or found[0].endswith("\n")):
                self._at = found.end()
                return found[0]
            if self._ended:
                return self._rest()
            self._more()

    def block(self, characters: int) -> str:
        """Return whole lines of about so many characters; nothing where there are no more."""
        while not self._ended and len(self._text) - self._at < characters:
            self._more()
        end = self._text.rfind("\n", self._at, self._at + characters) + 1
        if end:
            block = self._text[self._at : end]
            self._at = end
            return block
        return next(self, "")

    def _more(self) -> None:
        try:
            data = self._read(_BYTES_AT_ONCE)
        except (OSError, EOFError, zlib.error) as error:
            data, self._error = b"", error
        self._ended = not data
        self._text = self._text[self._at :] + self._decoder.decode(data, final=self._ended)
        self._at = 0
        if len(self._text) > LONGEST_LINE and _LINE.match(self._text) is None:
            raise Unreadable("A line has no end within a million characters.", code="line_too_long")

    def _rest(self) -> str:
        """Return the last line, which has no end: of a file that broke off nobody knows the rest of it."""
        if self._error is not None:
            raise self._error
        rest, self._at = self._text[self._at :], len(self._text)
        if not rest:
            raise StopIteration
        return rest


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
