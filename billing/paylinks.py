"""The address at which a customer pays, signed so that the provider can trust what it asks for. Pure."""

import hashlib
import hmac
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote

_SCHEMES = ("https://", "http://")


@dataclass(frozen=True)
class Asked:
    """What is to be paid: ``number`` is the bill's, empty for a whole balance. The payer returns to ``return_url``."""

    number: str
    amount: Decimal
    currency: str
    account: str
    return_url: str


def pay_link(template: str, secret: str, asked: Asked) -> str | None:
    """Fill a template's ``{number}``, ``{amount}``, ``{currency}``, ``{account}``, ``{return_url}``, ``{signature}``.

    :returns: None where there is no template, or one that is no web address.
    """
    if not template.startswith(_SCHEMES):
        return None
    values = {**_values(asked), "signature": signature(secret, asked)}
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    return template


def signature(secret: str, asked: Asked) -> str:
    """Return the HMAC-SHA256, in hexadecimal, of number, amount, currency, account and return URL, a line each.

    Empty without a secret: nothing vouches for such a link.
    """
    if not secret:
        return ""
    message = "\n".join(_values(asked).values())
    return hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()


def _values(asked: Asked) -> dict[str, str]:
    return {
        "number": asked.number,
        "amount": f"{asked.amount:.2f}",
        "currency": asked.currency,
        "account": asked.account,
        "return_url": asked.return_url,
    }
