"""CSV that a spreadsheet opens safely: no cell of ours is ever a formula, and numbers stay numbers."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal

BOM = "\ufeff"
_ROWS_A_CHUNK = 500
_FORMULA = re.compile(r"[\s'\0]*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\s'\0]*[\t\r\n]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_QUOTED = re.compile(r"[\",;|\r\n\t]|^\s|\s$")


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]], *, bom: bool = False) -> Iterator[bytes]:
    """Yield a table in chunks of UTF-8, RFC 4180, headed by its columns.

    :param rows: any length, read as they are written; each as long as ``columns``.
    :param bom: start with a byte order mark, which Excel needs to see UTF-8.
    :raises ValueError: a row of another length, or a naive time.
    """
    chunk = [BOM * bom + _line(columns)]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"A row has {len(row)} cells under {len(columns)} columns.")
        chunk.append(_line(row))
        if len(chunk) >= _ROWS_A_CHUNK:
            yield "".join(chunk).encode()
            chunk.clear()
    if chunk:
        yield "".join(chunk).encode()


def cell_text(value: object) -> str:
    """Return what a cell holds, before quoting.

    Times are ISO 8601 with their offset, Decimals plain digits, what is missing (None, NaN) is empty. Text that a
    spreadsheet would run starts with an apostrophe; text that is a plain number is left alone.

    :raises ValueError: a naive time.
    """
    if value is None:
        return ""
    if isinstance(value, (int, float, Decimal)):
        return _number_text(value)
    if isinstance(value, date):
        return _time_text(value)
    return neutralise(str(value))


def neutralise(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def restore(text: str) -> str:
    """Undo :func:`neutralise` when a table of ours comes back."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text


def _number_text(number: int | float | Decimal) -> str:
    if isinstance(number, bool):
        return "true" if number else "false"
    if not math.isfinite(number):
        return ""
    if isinstance(number, Decimal):
        return format(number, "f")
    return repr(float(number)) if isinstance(number, float) else str(int(number))


def _time_text(moment: date) -> str:
    if isinstance(moment, datetime) and moment.utcoffset() is None:
        raise ValueError(f"{moment} has no time zone.")
    return moment.isoformat()


def _line(cells: Sequence[object]) -> str:
    return ",".join(_quoted(cell_text(cell)) for cell in cells) + "\r\n"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
