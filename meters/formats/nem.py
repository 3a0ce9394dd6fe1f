"""NEM12 and NEM13 files, as AEMO's Meter Data File Format specifies them: in.

Times are UTC+10 all year. Missing values stay missing: quality N and empty cells give no reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import BinaryIO

from energy_portal.shared.errors import DomainError
from meters.formats.nem_codes import NO_DATA, VARIES, quality_of, register_of
from meters.formats.records import FileFault, FileReading, Records, Unreadable, in_portal_unit, number
from meters.formats.texts import Lines, rows_of

NEM_ZONE = timezone(timedelta(hours=10))
LENGTHS_MINUTES = (5, 15, 30)
# No such stream is due, but some are sent.
_READ_LENGTHS_MINUTES = (*LENGTHS_MINUTES, 10)
_MINUTES_A_DAY = 1_440
_IGNORED = frozenset({"500", "550", "900"})


def read_nem(file: BinaryIO) -> Records:
    """Yield the intervals (300) and dials (250) of a NEM12 or NEM13 file.

    A header may be missing. E streams come as 1.8.x, B as 2.8.x, Q and K as reactive; the serial is the meter's, or
    the NMI where there is none. A bad value spoils itself, a bad line its line.
    """
    parser = _Parser()
    for line, row in rows_of(Lines(file)):
        yield from [row] if isinstance(row, FileFault) else parser.take(line, [cell.strip() for cell in row])
    yield from parser.flush()


@dataclass(frozen=True)
class _Stream:
    """What a 200 record says of the days below it."""

    serial: str
    register_code: str
    unit: str
    power: int
    minutes: int

    @property
    def count(self) -> int:
        return _MINUTES_A_DAY // self.minutes


@dataclass
class _Day:
    """A 300 record whose qualities vary, until its 400 records are read."""

    readings: list[tuple[int, FileReading]]
    line: int
    count: int
    flags: dict[int, str] = field(default_factory=dict)


class _Parser:
    """Takes records in the order of a file, and holds at most one day back."""

    def __init__(self) -> None:
        self._stream: _Stream | None = None
        self._day: _Day | None = None

    def take(self, line: int, row: Sequence[str]) -> Records:
        """Yield what a record lets us know; a record that cannot be understood is a fault."""
        try:
            if row[0] == "400":
                self._qualify(row)
                return
            yield from self.flush()
            if row[0] == "200":
                self._stream = None
                self._stream = _stream_of(row)
            elif row[0] == "300":
                yield from self._intervals(line, row)
            elif row[0] == "250":
                yield from _dials(line, row)
            elif row[0] == "100":
                self._stream = None
                _check_header(row)
            elif row[0] not in _IGNORED:
                raise Unreadable(f"There is no record {row[0][:10]!r}.", code="unknown_record")
        except DomainError as error:
            yield FileFault.of(line, error)

    def flush(self) -> Records:
        """Yield the day that was held back; an interval whose quality nobody told is a fault."""
        day, self._day = self._day, None
        if day is None:
            return
        untold = 0
        for place, reading in day.readings:
            flag = day.flags.get(place)
            if flag is None:
                untold += 1
            elif not flag.startswith(NO_DATA):
                yield replace(reading, quality=quality_of(flag))
        if untold:
            yield FileFault(day.line, "quality_missing", f"No 400 record tells the quality of {untold} intervals.")

    def _qualify(self, row: Sequence[str]) -> None:
        if self._day is None:
            raise Unreadable("A 400 record stands below a day whose quality varies.", code="misplaced_record")
        first, last = _place(row, 1), _place(row, 2)
        if not 1 <= first <= last <= self._day.count:
            raise Unreadable(f"There are no intervals {first} to {last} in this day.")
        flag = _cell(row, 3)
        quality_of(flag)
        self._day.flags.update(dict.fromkeys(range(first, last + 1), flag))

    def _intervals(self, line: int, row: Sequence[str]) -> Records:
        stream = self._stream
        if stream is None:
            raise Unreadable("A 300 record stands below a good 200 record.", code="misplaced_record")
        cells, flag = row[2 : 2 + stream.count], _cell(row, 2 + stream.count)
        if len(cells) < stream.count or not flag[:1].isalpha():
            raise Unreadable(f"A day holds {stream.count} values of {stream.minutes} minutes.", code="value_count")
        varies = flag.startswith(VARIES)
        quality = None if varies else quality_of(flag)
        if flag.startswith(NO_DATA):
            return
        day_start, length = _day(_cell(row, 1)), timedelta(minutes=stream.minutes)
        held: list[tuple[int, FileReading]] = []
        for place, cell in enumerate(cells, start=1):
            try:
                value = number(cell).scaleb(stream.power)
            except DomainError as error:
                yield FileFault(line, error.code, f"Interval {place}: {error.detail}")
                continue
            end = day_start + place * length
            reading = FileReading(
                line, stream.serial, stream.register_code, end, value, end - length, stream.unit, quality
            )
            if varies:
                held.append((place, reading))
            else:
                yield reading
        if varies:
            self._day = _Day(held, line, stream.count)


def _stream_of(row: Sequence[str]) -> _Stream:
    nmi, configuration, suffix, serial, unit, minutes = (_cell(row, place) for place in (1, 2, 4, 6, 7, 8))
    if not (serial or nmi):
        raise Unreadable("The record names neither a meter nor an NMI.")
    if minutes not in map(str, _READ_LENGTHS_MINUTES):
        raise Unreadable(f"{minutes[:10]!r} is not 5, 10, 15 or 30 minutes.", code="interval_length")
    unit, power = _unit(unit)
    return _Stream(serial or nmi, register_of(suffix, configuration), unit, power, int(minutes))


def _unit(written: str) -> tuple[str, int]:
    """Return the portal's unit and the power of ten to it; another unit stays as it is written."""
    try:
        value, unit = in_portal_unit(number("1"), written)
    except Unreadable:
        return written, 0
    return unit, value.adjusted()


def _dials(line: int, row: Sequence[str]) -> Records:
    """Yield both register reads of a 250 record."""
    nmi, suffix, serial, direction = (_cell(row, place) for place in (1, 4, 6, 7))
    if not (serial or nmi):
        raise Unreadable("The record names neither a meter nor an NMI.")
    code = register_of({"E": "E", "I": "B"}.get(direction.upper(), "") + suffix[1:])
    unit, power = _unit(_cell(row, 19))
    for name, place in (("Previous", 8), ("Current", 13)):
        try:
            flag = _cell(row, place + 2)
            if flag.startswith(NO_DATA):
                continue
            value, end = number(_cell(row, place)).scaleb(power), _instant(_cell(row, place + 1))
            reading = FileReading(
                line, serial or nmi, code, end, value, unit=unit, quality=quality_of(flag), by_hand=True
            )
        except DomainError as error:
            yield FileFault(line, error.code, f"{name} read: {error.detail}")
        else:
            yield reading


def _check_header(row: Sequence[str]) -> None:
    if _cell(row, 1).upper() not in {"NEM12", "NEM13"}:
        raise Unreadable("The header names neither NEM12 nor NEM13.", code="unknown_version")


def _cell(row: Sequence[str], place: int) -> str:
    return row[place] if place < len(row) else ""


def _place(row: Sequence[str], place: int) -> int:
    text = _cell(row, place)
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise Unreadable("A 400 record names its first and its last interval.")
    return int(text)


def _day(text: str) -> datetime:
    return _parsed(text, "%Y%m%d", 8)


def _instant(text: str) -> datetime:
    return _parsed(text, "%Y%m%d%H%M%S", 14)


def _parsed(text: str, pattern: str, length: int) -> datetime:
    if len(text) != length or not (text.isascii() and text.isdigit()):
        raise Unreadable(f"{text[:20]!r} is not a date as in 20250228, with its time where one is due.")
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=NEM_ZONE).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{text!r} is not a date of the calendar.") from error
