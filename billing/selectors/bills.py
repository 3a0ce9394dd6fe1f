"""Bills as people and machines ask for them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.models import CustomerAccount, User
from billing.documents import BillDocument
from billing.models import Bill
from billing.querysets import BillQuerySet
from energy_portal.shared.clock import YearMonth


@dataclass(frozen=True)
class MonthBill:
    """What an account used in a month and, once billed, owes. Amounts None: no bill was issued."""

    account_number: str
    month: YearMonth
    consumption_kwh: Decimal | None
    amount: Decimal | None
    tax: Decimal | None
    total: Decimal | None
    currency: str | None
    bill_number: str | None
    status: str


def bills_visible_to(user: User) -> BillQuerySet:
    """List the bills that somebody may see, newest first, with their accounts."""
    raise NotImplementedError


def bill_with_lines(*, user: User, bill_id: UUID) -> Bill:
    """Fetch one bill with its account, lines, and what the lines name.

    :raises Bill.DoesNotExist: there is none, or it is not theirs to see.
    """
    raise NotImplementedError


def latest_bill(account: CustomerAccount) -> Bill | None:
    """Return an account's newest issued bill, with its lines."""
    raise NotImplementedError


def last_month_bill(*, account: CustomerAccount, now: datetime) -> MonthBill:
    """Tell what an account used and owes for the month before ``now``, in its own zone."""
    raise NotImplementedError


def bill_document(bill: Bill, *, now: datetime) -> BillDocument:
    """Gather what a bill's document says; pass the answer to :func:`billing.documents.bill_pdf`."""
    raise NotImplementedError
