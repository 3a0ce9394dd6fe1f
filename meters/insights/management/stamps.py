"""Stamps as files write them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

_TRIED = 2_000
_ENOUGH = 0.9
_OLDEST, _LATEST = 100_000_000, 10_000_000_000
_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_DAYS = (
    *("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%d-%b-%y"),
    *("%d/%m/%y", "%m/%d/%y", "%Y%m%d", "%d%b%Y"),
)
_FORMATS = (
    *(f"{day}{gap}{clock}" for day in _DAYS for gap in (" ", "T") for clock in _CLOCKS),
    *("%Y%m%d%H%M", "%Y%m%d %H%M", "%Y-%m-%d %H:%M:%S %z", "%d/%m/%Y %H:%M %z"),
)

Parser = Callable[[str], datetime | None]


class CannotTell(ValueError):
    """No known way of writing stamps fits."""


def parser_of(stamps: Sequence[str]) -> Parser:
    """Return what reads stamps as most of them are written; it returns None where one cannot be read.

    Days before months where both would do.

    :raises CannotTell: nine of ten cannot be read in any way that is known.
    """
    known = [stamp for stamp in stamps if stamp]
    tried = known[:: max(len(known) // _TRIED, 1)]
    parsers: list[Parser] = [_iso, _seconds, *(_by(pattern) for pattern in _FORMATS)]
    for parse in parsers:
        if tried and sum(parse(stamp) is not None for stamp in tried) >= _ENOUGH * len(tried):
            return parse
    raise CannotTell(f"stamps like {tried[0]!r} cannot be read." if tried else "there are no stamps.")


def _iso(stamp: str) -> datetime | None:
    if len(stamp) < 12:
        return None
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return _midnight(stamp, _iso)


def _seconds(stamp: str) -> datetime | None:
    try:
        number = float(stamp)
    except ValueError:
        return None
    # Twelve digits are a date and a time.
    number = number / 1000 if number > 100 * _LATEST else number
    return datetime.fromtimestamp(number, UTC) if _OLDEST < number < _LATEST else None


def _by(pattern: str) -> Parser:
    def parse(stamp: str) -> datetime | None:
        try:
            return datetime.strptime(stamp, pattern)  # noqa: DTZ007 - its zone is the file's
        except ValueError:
            return _midnight(stamp, parse)

    return parse


def _midnight(stamp: str, parse: Parser) -> datetime | None:
    """Return the next day's midnight where a day ends at 24:00."""
    for late, early in ((" 24:00", " 00:00"), ("T24:00", "T00:00")):
        if late in stamp:
            moment = parse(stamp.replace(late, early))
            return moment + timedelta(days=1) if moment else None
    return None
