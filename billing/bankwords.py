"""How banks write headings, days and amounts. Pure."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum

# Our names and the headings that banks use, the surest first.
COLUMNS: dict[str, tuple[str, ...]] = {
    "date": (
        "value date",
        "valuta",
        "valutadatum",
        "wertstellung",
        "booking date",
        "buchungstag",
        "buchungsdatum",
        "buchung",
        "transaction date",
        "posting date",
        "posted date",
        "date posted",
        "completed date",
        "date",
        "datum",
        "fecha",
        "data",
    ),
    "amount": (
        "amount",
        "transaction amount",
        "betrag",
        "umsatz",
        "montant",
        "importe",
        "importo",
        "bedrag",
    ),
    "credit": (
        "credit",
        "credit amount",
        "deposit",
        "deposits",
        "money in",
        "paid in",
        "haben",
        "gutschrift",
        "abono",
    ),
    "debit": (
        "debit",
        "debit amount",
        "withdrawal",
        "withdrawals",
        "money out",
        "paid out",
        "soll",
        "lastschrift",
        "cargo",
    ),
    "indicator": ("cr dr", "dr cr", "debit credit", "credit debit", "credit debit indicator", "soll haben", "s h"),
    "currency": ("currency", "ccy", "curr", "currency code", "wahrung", "waehrung", "devise", "moneda", "valuta code"),
    "reference": (
        "reference",
        "payment reference",
        "customer reference",
        "client reference",
        "ref for account owner",
        "our ref",
        "your ref",
        "verwendungszweck",
        "kundenreferenz",
        "description",
        "additional description",
        "transaction description",
        "details",
        "particulars",
        "narrative",
        "remarks",
        "memo",
        "libelle",
        "communication",
        "concepto",
        "transaction ref1",
        "transaction ref2",
        "transaction ref3",
        "transaction reference",
        "bank reference",
        "statement details info",
    ),
    "payer": (
        "payer",
        "payer name",
        "counterparty",
        "counterparty name",
        "name",
        "beguenstigter zahlungspflichtiger",
        "begunstigter zahlungspflichtiger",
        "auftraggeber",
        "auftraggeber empfanger",
        "remitter",
        "ordering party",
        "sender",
        "from",
    ),
    "bank_id": (
        "transaction id",
        "transaction number",
        "bank id",
        "unique id",
        "fitid",
        "umsatz id",
        "id",
    ),
}
INDICATORS = {
    **dict.fromkeys(("c", "cr", "credit", "crdt", "h", "haben", "in", "+"), 1),
    **dict.fromkeys(("d", "dr", "debit", "dbit", "s", "soll", "out", "-"), -1),
}
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "januar", "january"),
            ("feb", "februar", "february"),
            ("mar", "mär", "marz", "märz", "march"),
            ("apr", "april"),
            ("may", "mai"),
            ("jun", "juni", "june"),
            ("jul", "juli", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "okt", "oktober", "october"),
            ("nov", "november"),
            ("dec", "dez", "dezember", "december"),
        ),
        start=1,
    )
    for name in names
}
_CENTURY = 2000
_NUMBERS = re.compile(r"(\d{1,4})([./\- ])(\d{1,2})\2(\d{1,4})", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_WORDED = re.compile(r"(\d{1,2})[ .\-/]*([^\W\d_]{3,})[ .\-/]*(\d{2}|\d{4})")
_TIME_BEHIND = re.compile(r"[T ]\d{1,2}:\d{2}.*$", re.ASCII)
_DIGITS = re.compile(r"\d+([.,' ]\d+)*|[.,]\d+", re.ASCII)
_BEFORE_AMOUNT = re.compile(r"(?:[A-Za-z]{3}|[A-Za-z]{0,2}[$€£¥])\s*")
_BEHIND_AMOUNT = re.compile(r"\s*(?:\b[A-Za-z]{3}|[$€£¥])$|(?<=\d)[A-Za-z]{3}$")
_WORD_BEHIND = re.compile(r"(?<=[\d\s)])(cr|dr|[cdhs])$", re.IGNORECASE)
_MOST_DIGITS = 12


class DateOrder(StrEnum):
    """In which order a day of numbers alone is written."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


class DecimalMark(StrEnum):
    """What parts cents from whole amounts."""

    POINT = "point"
    COMMA = "comma"


class UnreadableText(Exception):
    """A cell does not say what its column is for."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class AmbiguousText(UnreadableText):
    """A cell can be read in two ways, and nothing in the file tells which is meant."""


def plain_heading(text: str) -> str:
    """Return a heading in small letters without accents and punctuation."""
    spelt = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss"))
    letters = "".join(letter if letter.isalnum() else " " for letter in spelt if not unicodedata.combining(letter))
    return " ".join(letters.split())


def date_order_of(texts: Iterable[str]) -> DateOrder | None:
    """Tell the order that days of a file are written in, where one of them can be read in one way alone."""
    found = set()
    for text in texts:
        match = _NUMBERS.fullmatch(_without_time(text))
        if match and len(match[1]) < 4:
            if int(match[1]) > 12:
                found.add(DateOrder.DMY)
            elif int(match[3]) > 12:
                found.add(DateOrder.MDY)
    return found.pop() if len(found) == 1 else None


def day_of(text: str, order: DateOrder | None) -> date:
    """Read a day: ``2025-03-04``, ``20250304``, ``4 Mar 2025``, ``04.03.25``, or ``04/03/2025`` in the order told.

    :raises UnreadableText: it is no day.
    :raises AmbiguousText: it is one of two days, and no order is told.
    """
    text = _without_time(text)
    if match := _COMPACT.fullmatch(text):
        return _day(text, *match.groups())
    if match := _WORDED.fullmatch(text):
        month = _MONTHS.get(match[2].casefold())
        if month is not None:
            return _day(text, match[3], month, match[1])
    match = _NUMBERS.fullmatch(text)
    if match is None:
        raise UnreadableText("bad_date", f"{text!r} is no day.")
    first, mark, second, third = match.groups()
    if len(first) == 4:
        return _day(text, first, second, third)
    if order == DateOrder.YMD:
        return _day(text, first, second, third)
    if mark == "." or order == DateOrder.DMY or first == second:
        return _day(text, third, second, first)
    if order == DateOrder.MDY:
        return _day(text, third, first, second)
    raise AmbiguousText("ambiguous_date", f"{text!r} is one of two days: say in which order days are written.")


def _without_time(text: str) -> str:
    return _TIME_BEHIND.sub("", text.strip())


def _day(text: str, year: str, month: str | int, day: str) -> date:
    whole = int(year) + _CENTURY if len(year) == 2 else int(year)
    try:
        return date(whole, int(month), int(day))
    except ValueError as error:
        raise UnreadableText("bad_date", f"{text!r} is no day.") from error


def decimal_mark_of(texts: Iterable[str]) -> DecimalMark | None:
    """Tell what parts the cents of a file's amounts, where one of them can be read in one way alone."""
    found = {mark for text in texts if (mark := _mark_of(_digits(text)[0])) is not None}
    return found.pop() if len(found) == 1 else None


def amount_of(text: str, mark: DecimalMark | None) -> Decimal:
    """Read an amount: ``1,234.56``, ``1.234,56-``, ``1'234.56``, ``(12.00)``, ``SGD 12.00 CR``, ``-€ 5``.

    :raises UnreadableText: it is no amount, or finer than a cent.
    :raises AmbiguousText: ``1,234`` may be a thousand or one, and the file does not tell which.
    """
    digits, sign = _digits(text)
    if _DIGITS.fullmatch(digits) is None:
        raise UnreadableText("bad_amount", f"{text!r} is no amount.")
    own = _mark_of(digits)
    if own is None and len(re.sub(r"[\d' ]", "", digits)) == 1:
        own = mark
        if own is None:
            raise AmbiguousText("ambiguous_amount", f"{text!r} can be read in two ways: say what parts the cents.")
    if own is not None and mark is not None and own != mark:
        raise UnreadableText("bad_amount", f"{text!r} parts its cents unlike the other lines.")
    point = "," if own == DecimalMark.COMMA else "."
    whole, _, cents = digits.partition(point) if own is not None else (digits, "", "")
    parts = re.split(r"[.,' ]", whole)
    grouped = len(parts) == 1 or (len(parts[0]) <= 3 and all(len(part) == 3 for part in parts[1:]))
    if not grouped or len("".join(parts)) > _MOST_DIGITS:
        raise UnreadableText("bad_amount", f"{text!r} is no amount.")
    if len(cents.rstrip("0")) > 2 or (cents and not cents.isdigit()):
        raise UnreadableText("not_cents", f"{text!r} is finer than a cent.")
    return sign * Decimal(f"{''.join(parts) or '0'}.{cents or '0'}").quantize(Decimal("0.01"))


def _digits(text: str) -> tuple[str, int]:
    """Return an amount without its currency and its sign, and the sign."""
    plain = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\u2019", "'").strip()
    sign = 1
    if word := _WORD_BEHIND.search(plain):
        plain, sign = plain[: word.start()].strip(), INDICATORS[word[1].casefold()]
    if plain.startswith("(") and plain.endswith(")"):
        plain, sign = plain[1:-1].strip(), -1
    for _ in range(2):
        if plain.startswith(("-", "+")):
            plain, sign = plain[1:].strip(), -sign if plain[0] == "-" else sign
        elif plain.endswith(("-", "+")):
            plain, sign = plain[:-1].strip(), -sign if plain[-1] == "-" else sign
        if found := _BEFORE_AMOUNT.match(plain):
            plain = plain[found.end() :]
        plain = _BEHIND_AMOUNT.sub("", plain)
    return plain, sign


def _mark_of(digits: str) -> DecimalMark | None:
    """Return what parts the cents where an amount tells it by itself."""
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        last = "." if digits.rfind(".") > digits.rfind(",") else ","
    elif points + commas == 1:
        last = "." if points else ","
        behind = len(digits) - digits.index(last) - 1
        before = digits.index(last)
        if behind == 3 and 0 < before <= 3 and not digits.startswith("0"):
            return None
    elif points + commas > 1:
        # Several of one kind part thousands: cents, had it any, would follow the other.
        return DecimalMark.COMMA if points else DecimalMark.POINT
    else:
        return None
    return DecimalMark.POINT if last == "." else DecimalMark.COMMA
