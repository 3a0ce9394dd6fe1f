"""How a bill stands with its payer, in words: what is open of it, and by when."""

from dataclasses import dataclass

from django.utils.formats import date_format
from django.utils.translation import gettext

from accounts.models import CustomerAccount
from billing.models import Bill
from billing.selectors.balance import BillStanding, Standing
from billing.selectors.paying import link_to_pay


@dataclass(frozen=True)
class StandingWords:
    """A standing in a word and in a sentence, how it looks, and where it is paid."""

    word: str
    sentence: str
    tone: str
    icon: str
    link: str | None = None


def in_words(standing: BillStanding, *, account: CustomerAccount) -> StandingWords:
    """Say how a bill or a note stands."""
    facts = {
        "amount": f"{standing.currency} {standing.open_amount:,.2f}",
        "day": date_format(standing.due_on, gettext("j F Y")),
    }
    match standing.standing:
        case Standing.OPEN:
            words = gettext("to pay"), gettext("To pay by %(day)s"), "plain", "clock"
        case Standing.PART_PAID:
            words = gettext("paid in part"), gettext("%(amount)s still to pay by %(day)s"), "plain", "clock"
        case Standing.OVERDUE:
            words = gettext("overdue"), gettext("%(amount)s overdue since %(day)s"), "warn", "alert"
        case Standing.CREDIT:
            words = gettext("credit note"), gettext("Credited to the account"), "plain", "info"
        case Standing.WITHDRAWN:
            words = gettext("withdrawn"), gettext("No longer owed"), "warn", "info"
        case Standing.PAID:
            words = gettext("paid"), gettext("Paid"), "good", "check"
    word, sentence, tone, icon = words
    return StandingWords(word, sentence % facts, tone, icon, _link(standing, account))


def _link(standing: BillStanding, account: CustomerAccount) -> str | None:
    if not standing.open_amount:
        return None
    return link_to_pay(account=account, amount=standing.open_amount, currency=standing.currency, number=standing.number)


@dataclass(frozen=True)
class BillRow:
    """A bill in the list, with how it stands; a draft has no standing."""

    bill: Bill
    standing: StandingWords | None


def bill_row(bill: Bill, standing: BillStanding | None) -> BillRow:
    """Put a bill beside its standing."""
    return BillRow(bill, in_words(standing, account=bill.account) if standing is not None else None)
