"""How figures and days read on a bill."""

from datetime import date
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.documents.content import BillDocument, DocumentLine

# What is handed out on paper speaks one language: whoever opens a bill sees what was issued.
LANGUAGE = "en"


def money(amount: Decimal) -> str:
    """Write an amount to the cent: 1,234.50."""
    return f"{amount:,.2f}"


def plain(number: Decimal) -> str:
    """Write a number without trailing zeros: 308.52."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity_of(line: DocumentLine) -> str:
    """Write a line's quantity with its unit."""
    return f"{plain(line.quantity)} {line.unit}"


def rate_of(line: DocumentLine) -> str:
    """Write a line's rate: currency a unit, with at least four decimals; never rounded."""
    decimals = max(4, len(plain(line.rate).partition(".")[2]))
    return f"{line.rate:.{decimals}f}"


def day_in_words(day: date) -> str:
    """Write a local day: 1 Feb 2023."""
    return date_format(day, "j M Y")


def day_span(first: date, last: date) -> str:
    """Write local days, the last one included, no longer than need be: 1 to 28 Feb 2023."""
    if first == last:
        return day_in_words(last)
    if (first.year, first.month) == (last.year, last.month):
        start = date_format(first, "j")
    elif first.year == last.year:
        start = date_format(first, "j M")
    else:
        start = day_in_words(first)
    return _("%(first)s to %(last)s") % {"first": start, "last": day_in_words(last)}


def short_span(first: date, last: date, *, year: int) -> str:
    """Write local days without the year that a reader takes for granted: 1 to 14 Feb."""
    span = day_span(first, last)
    return span.removesuffix(f" {year}") if first.year == last.year == year else span


def name_of(bill: BillDocument) -> str:
    """Say what a document is: Electricity bill."""
    return _("Credit note") if bill.is_credit_note else _("Electricity bill")
