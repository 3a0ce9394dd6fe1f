"""What a little energy more, or less, costs an account: what is at stake where its use is unusual."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.models import CustomerAccount
from billing.rating.versions import RatingError, tax_in_force
from billing.selectors.bands import rate_at
from billing.selectors.price_books import price_books
from energy_portal.shared.clock import HALF_HOUR, Period
from energy_portal.shared.units import to_cents
from meters.models import ServicePoint


def price_of(account_id: UUID, service_point_code: str, kwh: Decimal, at: datetime) -> tuple[Decimal, str] | None:
    """Return what energy costs an account by the price in force at an instant, tax included, and the currency.

    Of tiers the first one counts: which one a month ends in is not known yet. None where no price is in force.
    """
    account = CustomerAccount.objects.filter(pk=account_id).first()
    point_id = ServicePoint.objects.filter(code=service_point_code).values_list("pk", flat=True).first()
    if account is None or point_id is None:
        return None
    moment = Period(at, at + HALF_HOUR)
    book = price_books(accounts=[account], periods={account.pk: moment})[account.pk]
    found = rate_at(book, point_id, at)
    if found is None:
        return None
    version, rate = found
    try:
        tax = tax_in_force(book.prices.taxes, version.tax_code, at, at + HALF_HOUR)
    except RatingError:
        return None
    return to_cents(kwh * rate * (1 + (tax.rate if tax else 0))), version.currency
