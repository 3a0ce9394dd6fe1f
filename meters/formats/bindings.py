"""Tables that say which account is supplied through which meter: in."""

import csv
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from energy_portal.shared.errors import DomainError
from energy_portal.shared.tables import restore
from meters.formats.layout import find_columns
from meters.formats.records import FileFault, Unreadable
from meters.formats.texts import Lines, delimiter_of, rows_of

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "account": ("account", "account_id", "account_number", "account_no", "customer", "customer_id", "customer_number"),
    "meter": ("meter", "meter_id", "meter_serial", "serial", "serial_number", "nmi"),
    "start": ("from", "valid_from", "start", "start_date", "since", "supplied_since", "moved_in", "move_in"),
    "end": ("to", "until", "valid_to", "end", "end_date", "moved_out", "move_out"),
    "owner_name": ("owner_name", "owner", "name", "customer_name"),
    "address": ("address",),
    "zone": ("zone", "time_zone", "timezone"),
    "email": ("email", "e_mail", "mail"),
}


@dataclass(frozen=True, slots=True)
class BindingLine:
    """A line of a mapping as it is written; what it does not say is empty."""

    line: int
    account: str
    meter: str
    start: str = ""
    end: str = ""
    owner_name: str = ""
    address: str = ""
    zone: str = ""
    email: str = ""


def read_bindings(file: BinaryIO) -> Generator[BindingLine | FileFault]:
    """Yield the lines of a table whose first line names its columns; account and meter are needed.

    :param file: UTF-8, delimited by commas, semicolons or tabs.
    """
    try:
        yield from _lines(Lines(file))
    except DomainError as error:
        yield FileFault.of(1, error)


def _lines(lines: Iterator[str]) -> Iterator[BindingLine | FileFault]:
    first = next(lines, "")
    delimiter = delimiter_of(first)
    columns = find_columns(next(csv.reader([first], delimiter=delimiter), []), _SYNONYMS, needed=("account", "meter"))
    for line, row in rows_of(lines, delimiter=delimiter, lines_before=1):
        yield row if isinstance(row, FileFault) else _line(line, row, columns)


def _line(number: int, row: Sequence[str], columns: Mapping[str, tuple[int, ...]]) -> BindingLine | FileFault:
    cells = {name: restore(row[place].strip()) for name, (place, *_) in columns.items() if place < len(row)}
    if lacking := [name for name in ("account", "meter") if not cells.get(name)]:
        return FileFault.of(number, Unreadable(f"The line names no {' and no '.join(lacking)}."))
    if not all(cell.isprintable() for cell in cells.values()):
        return FileFault.of(number, Unreadable("A cell holds a character that cannot be printed."))
    return BindingLine(number, **cells)
