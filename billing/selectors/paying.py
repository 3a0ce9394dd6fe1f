"""Where customers pay: the address of the payment provider that is attached, if one is."""

from decimal import Decimal

from django.conf import settings
from django.urls import reverse

from accounts.models import CustomerAccount
from billing.paylinks import Asked, pay_link


def link_to_pay(*, account: CustomerAccount, amount: Decimal, currency: str, number: str = "") -> str | None:
    """Return where an amount is paid, or None where no provider is attached.

    :param number: the bill's; empty for all that is open.
    """
    asked = Asked(
        number=number,
        amount=amount,
        currency=currency,
        account=account.number,
        return_url=settings.PORTAL_URL + reverse("billing:payments"),
    )
    return pay_link(settings.PAYMENT_LINK, settings.PAYMENT_LINK_SECRET, asked)
