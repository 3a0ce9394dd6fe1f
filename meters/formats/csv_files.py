"""Tables of readings: in, by the names of their columns, and out."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.errors import DomainError
from energy_portal.shared.tables import csv_lines, restore
from meters.formats.layout import COLUMNS, Layout, Stamps
from meters.formats.obis import register_code
from meters.formats.records import (
    KWH,
    FileFault,
    FileReading,
    Records,
    Unreadable,
    in_portal_unit,
    number,
    quality,
)
from meters.formats.texts import text_of

_KWH_NAMES = frozenset({"kwh", "energy_kwh", "consumption_kwh"})
_DELIMITERS = ",;\t"
ANY_LAYOUT = Layout()


def read_csv(file: BinaryIO, *, stamps: Stamps, layout: Layout = ANY_LAYOUT) -> Records:
    """Yield the rows of a table whose first line names its columns.

    Rows with a start are intervals, of any length; in the others the time is a half-hour mark as ``stamps`` writes it,
    unless the layout says that they are intervals too. Where the clock was put back, a stamp without an offset means
    the first of two instants when it comes first in its series, and the second when it comes again.

    :param file: UTF-8, delimited by commas, semicolons or tabs.
    """
    with text_of(file) as lines:
        yield from _records(lines, stamps, layout)


def _records(lines: Iterator[str], stamps: Stamps, layout: Layout) -> Records:
    first = next(lines, "")
    header = next(csv.reader([first], delimiter=_delimiter(first)), [])
    try:
        columns = layout.places(header)
    except DomainError as error:
        yield FileFault.of(1, error)
        return
    if not layout.unit and header[columns["value"][0]].strip().casefold() in _KWH_NAMES:
        layout = replace(layout, unit=KWH)
    table = _Table(stamps, layout)
    rows = csv.reader(lines, delimiter=_delimiter(first))
    for line, row in _numbered(rows):
        if isinstance(row, FileFault):
            yield row
        elif any(cell.strip() for cell in row):
            try:
                yield table.reading(line, _Cells(row, columns))
            except DomainError as error:
                yield FileFault.of(line, error)


def _numbered(rows: "Iterator[list[str]]") -> Iterator[tuple[int, list[str] | FileFault]]:
    """Yield rows with their line; the header is line 1."""
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            line = rows.line_num + 1  # type: ignore[attr-defined]
            yield line, FileFault(line, "malformed", f"The line is not CSV: {error}.")
        else:
            yield rows.line_num + 1, row  # type: ignore[attr-defined]


class _Cells:
    """The cells of a row by the columns that it may have."""

    def __init__(self, row: Sequence[str], columns: Mapping[str, tuple[int, ...]]) -> None:
        self._row = row
        self._columns = columns

    def __getitem__(self, name: str) -> str:
        row, places = self._row, self._columns.get(name, ())
        if len(places) == 1:
            return restore(row[places[0]].strip()) if places[0] < len(row) else ""
        return " ".join(text for place in places if place < len(row) and (text := restore(row[place].strip())))


class _Table:
    """Understands rows; it remembers the stamps that a clock which was put back may repeat."""

    def __init__(self, stamps: Stamps, layout: Layout) -> None:
        self._stamps = stamps
        self._layout = layout
        self._seen: set[tuple[str, str, str]] = set()

    def reading(self, line: int, cells: _Cells) -> FileReading:
        """Return what a row says.

        :raises Invalid: it says nothing that can be understood.
        """
        serial = cells["serial"] or self._layout.serial
        if not serial:
            raise Unreadable("The row names no meter.")
        value, unit = in_portal_unit(number(cells["value"]) * self._layout.scale, cells["unit"] or self._layout.unit)
        register = register_code(cells["register"])
        start, end = self._times(cells, serial, register)
        if start is not None and end <= start:
            raise Unreadable("The interval ends before it starts.")
        return FileReading(
            line=line,
            serial=serial,
            register_code=register,
            start=start,
            end=end,
            value=value,
            unit=unit,
            quality=quality(cells["quality"]),
        )

    def _times(self, cells: _Cells, serial: str, register: str) -> tuple[datetime | None, datetime]:
        written_start, written = cells["start"], cells["time"]
        again = self._comes_again(serial, register, written)
        if written_start:
            start = self._stamps.instant(written_start)
            end = self._stamps.end(written, again=again)
            if self._stamps.is_repeated(written_start) and end - start > HALF_HOUR:
                start = self._stamps.instant(written_start, again=True)
            return start, end
        if self._layout.interval is not None:
            return self._stamps.interval(written, self._layout.interval, again=again)
        return None, self._stamps.mark(written, again=again)

    def _comes_again(self, serial: str, register: str, written: str) -> bool:
        """Tell whether a stamp that may name two instants stood in its series before."""
        if not self._stamps.is_repeated(written):
            return False
        known = len(self._seen)
        self._seen.add((serial, register, written))
        return len(self._seen) == known


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def write_csv(readings: Iterable[FileReading]) -> Iterator[bytes]:
    """Yield a table of readings that :func:`read_csv` reads back, in chunks; no cell is a formula.

    The start is empty for what a dial showed.
    """
    return csv_lines(
        COLUMNS,
        (
            (each.serial, each.register_code, each.start, each.end, each.value, each.unit, each.quality)
            for each in readings
        ),
    )
