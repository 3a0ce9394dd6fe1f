"""Tables of readings: in, by the names of their columns, and out."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import LabelConvention, OffMark
from energy_portal.shared.errors import DomainError
from energy_portal.shared.tables import csv_lines, restore
from meters.formats.records import (
    KWH,
    TOTAL_IMPORT,
    FileFault,
    FileReading,
    Records,
    Unreadable,
    in_portal_unit,
    number,
    quality,
)
from meters.validation import mark_of, parse_stamp

COLUMNS = ("serial", "register", "start", "time", "value", "unit", "quality")
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "serial": ("serial", "meter", "meter_id", "meter_serial", "serial_number", "nmi"),
    "register": ("register", "register_code", "obis", "obis_code", "channel"),
    "start": ("start", "interval_start", "period_start", "start_time"),
    "time": (
        "time",
        "timestamp",
        "reading_time",
        "read_at",
        "datetime",
        "date_time",
        "end",
        "interval_end",
        "end_time",
    ),
    "value": ("value", "reading", "reading_value", "meter_reading", "kwh", "energy_kwh", "consumption_kwh"),
    "unit": ("unit", "uom", "units"),
    "quality": ("quality", "quality_code"),
}
_KWH_NAMES = frozenset({"kwh", "energy_kwh", "consumption_kwh"})
_DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Stamps:
    """How a file writes its times: what they name, and on which clock those without an offset are read."""

    zone: ZoneInfo
    labels: LabelConvention = LabelConvention.PERIOD_END

    def mark(self, text: str) -> datetime:
        """Return the half-hour mark, UTC, that a stamp names.

        :raises Invalid: it is not a time, or names no half-hour.
        """
        return mark_of(text, self.labels, self.zone)

    def instant(self, text: str) -> datetime:
        """Return the instant, UTC, of a stamp that bounds an interval of any length.

        :raises Invalid: it is not a time, or the clock jumped over it.
        """
        written = parse_stamp(text)
        try:
            if written.tzinfo is not None:
                return written.astimezone(UTC)
            instant = written.replace(tzinfo=self.zone).astimezone(UTC)
            local = instant.astimezone(self.zone)
        except OverflowError as error:
            raise Unreadable("The timestamp lies outside the calendar.") from error
        if local.replace(tzinfo=None) != written:
            raise OffMark(f"{written.isoformat()} was skipped by the clock of {self.zone}.")
        return instant


def read_csv(
    file: BinaryIO, *, stamps: Stamps, mapping: Mapping[str, str] | None = None, default_serial: str = ""
) -> Records:
    """Yield the rows of a table whose first line names its columns.

    Rows with a start are intervals, of any length; in the others the time is a half-hour mark as ``stamps`` writes it.

    :param file: UTF-8, delimited by commas, semicolons or tabs.
    :param mapping: columns of :data:`COLUMNS` to the file's own names, before any synonym.
    :param default_serial: the meter of rows that name none.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    try:
        yield from _records(text, stamps, mapping or {}, default_serial)
    finally:
        text.detach()


def _records(text: io.TextIOBase, stamps: Stamps, mapping: Mapping[str, str], default_serial: str) -> Records:
    first = text.readline()
    header = next(csv.reader([first], delimiter=_delimiter(first)), [])
    try:
        columns = _columns(header, mapping, needs_serial=not default_serial)
    except DomainError as error:
        yield FileFault.of(1, error)
        return
    default_unit = KWH if header[columns["value"]].strip().casefold() in _KWH_NAMES else ""
    rows = csv.reader(text, delimiter=_delimiter(first))
    for line, row in _numbered(rows):
        if isinstance(row, FileFault):
            yield row
        elif any(cell.strip() for cell in row):
            try:
                yield _reading(line, _Cells(row, columns), stamps, default_serial, default_unit)
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

    def __init__(self, row: Sequence[str], columns: Mapping[str, int]) -> None:
        self._row = row
        self._columns = columns

    def __getitem__(self, name: str) -> str:
        place = self._columns.get(name)
        return restore(self._row[place].strip()) if place is not None and place < len(self._row) else ""


def _reading(line: int, cells: _Cells, stamps: Stamps, default_serial: str, default_unit: str) -> FileReading:
    serial = cells["serial"] or default_serial
    if not serial:
        raise Unreadable("The row names no meter.")
    value, unit = in_portal_unit(number(cells["value"]), cells["unit"] or default_unit)
    start = stamps.instant(cells["start"]) if cells["start"] else None
    end = stamps.mark(cells["time"]) if start is None else stamps.instant(cells["time"])
    if start is not None and end <= start:
        raise Unreadable("The interval ends before it starts.")
    return FileReading(
        line=line,
        serial=serial,
        register_code=cells["register"] or TOTAL_IMPORT,
        start=start,
        end=end,
        value=value,
        unit=unit,
        quality=quality(cells["quality"]),
    )


def _columns(header: Sequence[str], mapping: Mapping[str, str], *, needs_serial: bool) -> dict[str, int]:
    """Return where each column stands.

    :raises Unreadable: one that is needed is not there.
    """
    names = [_plain(cell) for cell in header]
    found: dict[str, int] = {}
    for column, synonyms in _SYNONYMS.items():
        wanted = (_plain(mapping[column]),) if column in mapping else synonyms
        place = next((names.index(name) for name in wanted if name in names), None)
        if place is not None:
            found[column] = place
    needed = ("serial", "time", "value") if needs_serial else ("time", "value")
    if lacking := [column for column in needed if column not in found]:
        raise Unreadable(f"The first line names no column for {', '.join(lacking)}.", code="column_missing")
    return found


def _plain(name: str) -> str:
    return "_".join(restore(name.strip()).casefold().replace("-", " ").split())


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
