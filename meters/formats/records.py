"""What a file of readings holds: rows that were understood, and rows that were not, each with its line."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from energy_portal.shared.errors import DomainError, Invalid
from meters.validation import parse_value

TOTAL_IMPORT = "1.8.0"
TOTAL_EXPORT = "2.8.0"
KWH, M3, GJ = "kWh", "m³", "GJ"
QUALITIES = frozenset({0, 7, 8, 9, 10, 11, 12, 14, 17, 18, 19})
_SCALED_UNITS: dict[str, tuple[str, int]] = {
    "wh": (KWH, -3),
    "kwh": (KWH, 0),
    "mwh": (KWH, 3),
    "m3": (M3, 0),
    "m³": (M3, 0),
    "kl": (M3, 0),
    "l": (M3, -3),
    "gj": (GJ, 0),
    "mj": (GJ, -3),
}


class Unreadable(Invalid):
    """A row, or a whole file, is not what its format says; the code says why."""

    code = "malformed"


@dataclass(frozen=True, slots=True)
class FileReading:
    """A row that was understood.

    ``start`` is None for what a dial showed at ``end``; otherwise ``value`` passed during ``[start, end)``. Times are
    aware. ``quality`` is Green Button's, None where the file does not say. ``unit`` is kWh, m³ or GJ for every multiple
    of them, and empty where the file does not say, as is ``register_code``. A reading ``by_hand`` was taken at whatever
    instant somebody stood before the dial.
    """

    line: int
    serial: str
    register_code: str
    end: datetime
    value: Decimal
    start: datetime | None = None
    unit: str = KWH
    quality: int | None = None
    by_hand: bool = False

    @property
    def kind(self) -> Literal["interval", "dial"]:
        """Tell whether the value passed in a stretch of time, or stood on a dial."""
        return "dial" if self.start is None else "interval"

    @property
    def length(self) -> timedelta | None:
        """How long an interval is; None for a dial."""
        return None if self.start is None else self.end - self.start


@dataclass(frozen=True, slots=True)
class FileFault:
    """A line, or one value of it, that was not understood, with a stable code and a sentence."""

    line: int
    code: str
    detail: str

    @classmethod
    def of(cls, line: int, error: DomainError) -> "FileFault":
        """Return what an error says of a line."""
        return cls(line, error.code, error.detail)


@dataclass(frozen=True, slots=True)
class DialColumns:
    """n rows of what dials showed, all understood, as columns of n; see :class:`FileReading`.

    Values are plain numbers as written. A row that names no register has an empty code.
    """

    lines: Sequence[int]
    serials: Sequence[str]
    register_codes: Sequence[str]
    times: Sequence[datetime]
    values: Sequence[str]
    units: Sequence[str]
    qualities: Sequence[int | None]

    @property
    def line(self) -> int:
        """The line of the last row."""
        return self.lines[-1]

    def row(self, place: int) -> FileReading:
        """Return one row."""
        return FileReading(
            line=self.lines[place],
            serial=self.serials[place],
            register_code=self.register_codes[place],
            end=self.times[place],
            value=number(self.values[place]),
            unit=self.units[place],
            quality=self.qualities[place],
        )

    def take(self, places: Sequence[int]) -> "DialColumns":
        """Return some of the rows."""
        return DialColumns(*([getattr(self, name)[place] for place in places] for name in self.__slots__))


Records = Generator[FileReading | FileFault | DialColumns]


def in_portal_unit(value: Decimal, unit: str) -> tuple[Decimal, str]:
    """Return a value with the portal's name of its unit; Wh and MWh become kWh, MJ GJ and litres m³, exactly.

    :raises Unreadable: the portal knows no such unit.
    """
    if not unit:
        return value, unit
    known = _SCALED_UNITS.get(unit.casefold())
    if known is None:
        raise Unreadable(f"The unit {unit[:20]!r} is not known.", code="wrong_unit")
    name, power = known
    return value.scaleb(power), name


def number(text: str) -> Decimal:
    """Return the exact number that a cell holds.

    :raises Unreadable: the cell is empty.
    :raises DomainError: it holds something else, or too many digits.
    """
    if not text.strip():
        raise Unreadable("The value is missing.", code="value_missing")
    return parse_value(text)


def quality(text: str) -> int | None:
    """Return Green Button's quality of reading, None for an empty cell.

    :raises Unreadable: there is no such quality.
    """
    text = text.strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 2 or int(text) not in QUALITIES:
        raise Unreadable(f"{text[:20]!r} is not a quality of reading.", code="unknown_quality")
    return int(text)
