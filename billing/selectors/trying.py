"""What components would cost before anybody pays by them: a typical home, and an account that somebody picks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from accounts.models import CustomerAccount
from billing.models import Tariff
from billing.rating.terms import Component
from billing.rating.typical import typical_household
from billing.selectors.pricing import NotPriced
from billing.selectors.quotes import Quote, quote_components
from billing.selectors.what_if import months_before, quote_account
from energy_portal.shared.clock import Period, YearMonth, local_month

_YEAR = 12


@dataclass(frozen=True)
class Trial:
    """What something would cost; ``quote`` is None where it cannot be told, as ``because`` says."""

    title: str
    quote: Quote | None
    because: str = ""


def trials(
    *, tariff: Tariff, components: Sequence[Component], site: ZoneInfo, account_number: str, now: datetime
) -> list[Trial]:
    """Price a typical home's last month and last twelve months, and an account's last month where one is named."""
    months = months_before(now=now, account_zone=site.key, count=_YEAR)
    found = [
        _typical(f"A typical home, {months[-1].first_day:%B %Y}", tariff, components, site, months[-1:]),
        _typical("A typical home, the last twelve months", tariff, components, site, months),
    ]
    if account_number:
        found.append(_of_account(account_number, tariff, components, now))
    return found


def _typical(
    title: str, tariff: Tariff, components: Sequence[Component], site: ZoneInfo, months: Sequence[YearMonth]
) -> Trial:
    period = Period(local_month(months[0], site).start, local_month(months[-1], site).end)
    profile = typical_household(period=period, zone=site)
    try:
        quote = quote_components(
            components=components,
            currency=tariff.currency,
            tax=tariff.tax,
            profile=profile,
            zone=site,
            period=period,
        )
    except NotPriced as error:
        return Trial(title, None, str(error))
    return Trial(title, quote)


def _of_account(number: str, tariff: Tariff, components: Sequence[Component], now: datetime) -> Trial:
    account = CustomerAccount.objects.filter(number=number).first()
    if account is None:
        return Trial(f"Account {number}", None, "There is no such account.")
    (month,) = months_before(now=now, account_zone=account.zone, count=1)
    title = f"Account {number}, {month.first_day:%B %Y}"
    try:
        return Trial(title, quote_account(account=account, month=month, components=components, tariff=tariff, now=now))
    except NotPriced as error:
        return Trial(title, None, str(error))
