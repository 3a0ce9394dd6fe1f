"""How figures and days read on a bill."""

from datetime import date
from decimal import Decimal

from billing.documents.content import DocumentLine


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


def day_span(first: date, last: date) -> str:
    """Write local days, the last one included, no longer than need be: 1 to 28 Feb 2023."""
    if first == last:
        return f"{last.day} {last:%b %Y}"
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {last.day} {last:%b %Y}"
    if first.year == last.year:
        return f"{first.day} {first:%b} to {last.day} {last:%b %Y}"
    return f"{first.day} {first:%b %Y} to {last.day} {last:%b %Y}"
