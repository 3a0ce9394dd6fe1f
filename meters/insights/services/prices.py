"""What energy costs, asked of whoever bills: insights lie below billing, which registers itself here."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

# (account, service point's code, kWh, when) -> money and its currency; None where nobody can tell.
Price: TypeAlias = Callable[[UUID, str, Decimal, datetime], tuple[Decimal, str] | None]
_PRICES: list[Price] = []


def register_price(price: Price) -> None:
    """Have energy priced by a function from now on, instead of by the one before."""
    _PRICES[:] = [price]


def money_of(
    *, account_id: UUID | None, service_point_code: str, kwh: Decimal, at: datetime
) -> tuple[Decimal, str] | None:
    """Return what energy costs an account at an instant, tax included, and the currency; None where nobody can tell.

    Less than nothing costs less than nothing.
    """
    if not _PRICES or account_id is None:
        return None
    return _PRICES[0](account_id, service_point_code, kwh, at)
