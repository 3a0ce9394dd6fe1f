"""A bank's CSV: its header found by the names of its columns, its dates and amounts as banks write them. Pure.

Nothing is guessed that could change an amount or a day: what can be read in two ways is a problem of its line, and
whoever loads the file says which way is meant.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from io import StringIO

from billing.bankwords import (
    COLUMNS,
    INDICATORS,
    AmbiguousText,
    DateOrder,
    DecimalMark,
    UnreadableText,
    amount_of,
    date_order_of,
    day_of,
    decimal_mark_of,
    plain_heading,
)

_DELIMITERS = ";,\t|"
_HEADER_WITHIN = 30
_LONGEST_ID = 90
_MAPPED = tuple(COLUMNS)


class NotABankFile(Exception):
    """No line names a column of days and one of amounts; ``str()`` of it says what is missing."""


@dataclass(frozen=True)
class Options:
    """How a file is to be read where it does not say so itself; ``columns`` maps our names to the file's headings."""

    date_order: DateOrder | None = None
    decimal_mark: DecimalMark | None = None
    currency: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BankRow:
    """One line of the file: what it says, or the ``code`` and the sentence of why that cannot be told.

    ``amount`` is above zero for what came in. ``fingerprint`` tells lines apart over files: by the bank's own number,
    otherwise by what they say and which of several alike ones in a file they are.
    """

    line: int
    raw: str
    day: date | None = None
    amount: Decimal | None = None
    currency: str = ""
    reference: str = ""
    payer: str = ""
    bank_id: str = ""
    code: str = ""
    problem: str = ""
    fingerprint: str = ""


def read_bank_file(content: bytes, options: Options) -> list[BankRow]:
    """Read every line below the header, in the file's order; empty ones are left out.

    :param content: UTF-8, UTF-16 with its mark, or Windows-1252.
    :raises NotABankFile: no header is found, or a column that was named is not there.
    """
    lines = list(StringIO(_text_of(content).replace("\0", ""), newline=""))
    delimiter = max(_DELIMITERS, key=lambda mark: _columns_known(lines[:_HEADER_WITHIN], mark, options))
    records = list(_records(lines, delimiter))
    header_at, places = _header(records, options)
    width = len(records[header_at].cells)
    rows = [_Cells(record, places, width) for record in records[header_at + 1 :]]
    options = replace(
        options,
        date_order=options.date_order or date_order_of(cells["date"] for cells in rows),
        decimal_mark=options.decimal_mark
        or decimal_mark_of(cells[name] for cells in rows for name in ("amount", "credit", "debit")),
    )
    return _told_apart([_row(cells, options) for cells in rows])


@dataclass(frozen=True)
class _Record:
    line: int
    raw: str
    cells: Sequence[str]


class _Cells:
    """The cells of a line by the columns that the header names; those of one name are joined."""

    def __init__(self, record: _Record, places: Mapping[str, Sequence[int]], width: int) -> None:
        self.record, self._places = record, places
        self.is_short = len(record.cells) < width

    def __getitem__(self, name: str) -> str:
        cells = self.record.cells
        found = (cells[place].strip() for place in self._places.get(name, ()) if place < len(cells))
        return " ".join(filter(None, found))

    def has(self, name: str) -> bool:
        return name in self._places


def _text_of(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _columns_known(lines: Sequence[str], delimiter: str, options: Options) -> int:
    """Count the columns of ours that a header has when its cells are parted by a delimiter."""
    try:
        return len(_header(list(_records(lines, delimiter)), options)[1])
    except NotABankFile:
        return 0


def _records(lines: Sequence[str], delimiter: str) -> Iterator[_Record]:
    """Yield the lines that hold anything, each as it stood and in cells; a quoted cell may hold line ends."""
    reader = csv.reader(lines, delimiter=delimiter)
    taken = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            cells = []
        raw = "".join(lines[taken : reader.line_num]).rstrip("\r\n")
        if raw.strip(f"{delimiter} \t\r\n"):
            yield _Record(taken + 1, raw, cells)
        taken = reader.line_num


def _header(records: Sequence[_Record], options: Options) -> tuple[int, dict[str, tuple[int, ...]]]:
    wanted = {name: plain_heading(heading) for name, heading in options.columns.items() if heading}
    rows = [[plain_heading(cell) for cell in record.cells] for record in records[:_HEADER_WITHIN]]
    for index, headings in enumerate(rows):
        places = _places(headings, wanted)
        if "date" in places and {"amount", "credit", "debit"} & places.keys() and set(wanted.values()) <= {*headings}:
            return index, places
    absent = [options.columns[name] for name, heading in wanted.items() if not any(heading in row for row in rows)]
    missing = " and ".join(map(repr, absent)) or "a date and an amount"
    raise NotABankFile(f"No line of the first {_HEADER_WITHIN} names columns for {missing}.")


def _places(headings: Sequence[str], wanted: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Return where our columns stand: as they were named, otherwise by the best known heading that is there."""
    places: dict[str, tuple[int, ...]] = {}
    claimed = set(wanted.values())
    for name in _MAPPED:
        if name in wanted:
            found = [place for place, heading in enumerate(headings) if heading == wanted[name]]
        elif name == "reference":
            # Whatever the payer may have written in, since a number may stand in any of them.
            known = COLUMNS[name]
            found = [place for place, text in enumerate(headings) if text in known and text not in claimed]
        else:
            best = next((text for text in COLUMNS[name] if text in headings and text not in claimed), None)
            found = [] if best is None else [headings.index(best)]
        if found:
            places[name] = tuple(found)
    return places


def _row(cells: _Cells, options: Options) -> BankRow:
    record = cells.record
    row = BankRow(
        record.line,
        record.raw,
        reference=cells["reference"],
        payer=cells["payer"][:300],
        bank_id=cells["bank_id"],
    )
    if cells.is_short:
        return replace(row, code="short_line", problem="The line has fewer cells than the header.")
    if len(row.bank_id) > _LONGEST_ID:
        return replace(row, bank_id="", code="long_bank_id", problem="The bank's number is longer than any bank's.")
    currency = (cells["currency"] or options.currency).upper()
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        return replace(row, code="unknown_currency", problem="The line names no currency of three letters.")
    row = replace(row, currency=currency)
    try:
        day = day_of(cells["date"], options.date_order)
        amount = _amount(cells, options.decimal_mark)
    except (UnreadableText, AmbiguousText) as error:
        return replace(row, code=error.code, problem=str(error))
    return replace(row, day=day, amount=amount)


def _amount(cells: _Cells, mark: DecimalMark | None) -> Decimal:
    """Return what came in, below zero for what went out."""
    if cells["amount"]:
        amount = amount_of(cells["amount"], mark)
        word = cells["indicator"]
        if not word:
            return amount
        sign = INDICATORS.get(word.casefold().rstrip("."))
        if sign is None:
            raise UnreadableText("unknown_indicator", f"{word!r} says neither credit nor debit.")
        return abs(amount) * sign
    credit, debit = (amount_of(cells[name], mark) if cells[name] else Decimal(0) for name in ("credit", "debit"))
    if credit and debit:
        raise UnreadableText("two_amounts", "The line has both a credit and a debit.")
    if not cells["credit"] and not cells["debit"]:
        raise UnreadableText("no_amount", "The line has no amount.")
    # Some banks write debits below zero, others not: what stands in their column went out.
    return credit - abs(debit)


def _told_apart(rows: Sequence[BankRow]) -> list[BankRow]:
    alike: Counter[str] = Counter()
    told = []
    for row in rows:
        if row.code:
            told.append(row)
            continue
        if row.bank_id:
            told.append(replace(row, fingerprint=f"id:{row.bank_id}"))
            continue
        words = "\x1f".join((f"{row.day}", f"{row.amount:.2f}", row.currency, row.reference, row.payer))
        alike[words] += 1
        digest = hashlib.sha256(f"{words}\x1f{alike[words]}".encode()).hexdigest()
        told.append(replace(row, fingerprint=f"line:{digest}"))
    return told
