"""Tables of readings: in, by the names of their columns, and out."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.errors import DomainError
from energy_portal.shared.tables import csv_lines, restore
from meters.formats.csv_columns import dial_columns
from meters.formats.csv_rows import Rows, many_rows
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
from meters.formats.texts import Lines, delimiter_of

_KWH_NAMES = frozenset({"kwh", "energy_kwh", "consumption_kwh"})
ANY_LAYOUT = Layout()


def read_csv(file: BinaryIO, *, stamps: Stamps, layout: Layout = ANY_LAYOUT, columns: bool = False) -> Records:
    """Yield the rows of a table whose first line names its columns.

    Rows with a start are intervals, of any length; in the others the time is a half-hour mark as ``stamps`` writes it,
    unless the layout says that they are intervals too. Where the clock was put back, a stamp without an offset means
    the first of two instants when it comes first in its series, and the second when it comes again.

    :param file: UTF-8, delimited by commas, semicolons or tabs.
    :param columns: yield rows of dials many at a time where none of them needs a look of its own.
    """
    yield from _records(Lines(file), stamps, layout, by_columns=columns)


def _records(lines: Lines, stamps: Stamps, layout: Layout, *, by_columns: bool) -> Records:
    first = next(lines, "")
    header = next(csv.reader([first], delimiter=delimiter_of(first)), [])
    try:
        columns = layout.places(header)
    except DomainError as error:
        yield FileFault.of(1, error)
        return
    if not layout.unit and header[columns["value"][0]].strip().casefold() in _KWH_NAMES:
        layout = replace(layout, unit=KWH)
    table = _Table(stamps, layout)
    for rows in many_rows(lines, delimiter_of(first)):
        if isinstance(rows, FileFault):
            yield rows
            continue
        found = dial_columns(rows, places=columns, stamps=stamps, layout=layout) if by_columns else None
        if found is not None:
            yield found
        else:
            yield from table.readings(rows, columns)


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

    def readings(self, rows: Rows, columns: Mapping[str, tuple[int, ...]]) -> Iterator[FileReading | FileFault]:
        """Yield what rows say, one by one; empty ones say nothing."""
        for line, row in rows.each():
            if any(cell.strip() for cell in row):
                try:
                    yield self.reading(line, _Cells(row, columns))
                except DomainError as error:
                    yield FileFault.of(line, error)

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
