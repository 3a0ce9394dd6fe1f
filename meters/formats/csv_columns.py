"""Rows of a table as columns, where all of them say plainly what dials showed: no step of their own a row."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from energy_portal.shared.errors import DomainError
from meters.formats.csv_rows import Rows
from meters.formats.layout import Layout, Stamps
from meters.formats.obis import register_code
from meters.formats.records import DialColumns, Unreadable, in_portal_unit, quality
from meters.validation import are_plain

Parsed = TypeVar("Parsed")

_ONE = Decimal(1)


def dial_columns(
    rows: Rows,
    *,
    places: Mapping[str, tuple[int, ...]],
    stamps: Stamps,
    layout: Layout,
) -> DialColumns | None:
    """Return rows as columns; None where a row of them needs a look of its own.

    What comes back is what the rows would say one by one.

    :param places: where each column stands.
    """
    cells = rows.columns
    if layout.interval is not None or layout.scale != 1 or any(len(found) != 1 for found in places.values()):
        return None
    if cells is None or len(cells) <= max(place for (place,) in places.values()):
        return None
    size = len(rows.lines)
    written = {name: cells[place] for name, (place,) in places.items()}
    if any(map(str.strip, written.get("start", ()))):
        return None
    values = written["value"]
    serials = _serials(written.get("serial", [""] * size), layout)
    if serials is None or not are_plain(values):
        return None

    def parsed(name: str, parse: Callable[[str], Parsed]) -> list[Parsed]:
        if name not in written:
            return [parse("")] * size
        known = {text: parse(_plain(text)) for text in dict.fromkeys(written[name])}
        return list(map(known.__getitem__, written[name]))

    try:
        return DialColumns(
            lines=rows.lines,
            serials=serials,
            register_codes=parsed("register", register_code),
            times=parsed("time", lambda text: _mark(text, stamps)),
            values=values,
            units=parsed("unit", lambda text: _unscaled(text or layout.unit)),
            qualities=parsed("quality", quality),
        )
    except DomainError:
        return None


def _serials(written: Sequence[str], layout: Layout) -> Sequence[str] | None:
    serials = list(map(str.strip, written))
    if not all(serials):
        if not layout.serial:
            return None
        serials = [serial or layout.serial for serial in serials]
    return None if "\n'" in "\n" + "\n".join(serials) else serials


def _plain(text: str) -> str:
    """Return a cell's text.

    :raises Unreadable: it may be one that was kept from being a formula.
    """
    if text.startswith("'"):
        raise Unreadable("The cell needs a look of its own.")
    return text.strip()


def _mark(text: str, stamps: Stamps) -> datetime:
    """Return the mark that a stamp names.

    :raises DomainError: it names none, or which of two depends on the rows before.
    """
    if stamps.is_repeated(text):
        raise Unreadable("The clock was put back.")
    return stamps.mark(text)


def _unscaled(unit: str) -> str:
    """Return the portal's name of a unit that values are taken in as they are.

    :raises DomainError: there is no such unit, or values of it change.
    """
    value, name = in_portal_unit(_ONE, unit)
    if value != _ONE:
        raise Unreadable("Values of that unit change.")
    return name
