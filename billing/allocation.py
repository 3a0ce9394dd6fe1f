"""What is still open of each bill: money settles the oldest first. Pure; amounts are of one currency, in Decimal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Document:
    """A bill, or a credit note, whose ``total`` is below zero, that takes back the bill ``takes_back``."""

    id: UUID
    total: Decimal
    due_on: date
    issued_at: datetime
    takes_back: UUID | None = None


@dataclass(frozen=True)
class Allocation:
    """What is open of each bill that asks for money, what is left over, and what is owed for no bill.

    ``sum(open_amounts) + owed_besides - credit`` is the balance. Something is owed besides where more was paid back
    than had come in.
    """

    open_amounts: Mapping[UUID, Decimal]
    credit: Decimal
    owed_besides: Decimal


def allocate(documents: Iterable[Document], paid: Decimal) -> Allocation:
    """Settle bills with credit notes and with what was paid, less what was paid back.

    A credit note settles the bill that it takes back; what it leaves over, bills below zero and payments settle the
    bills that are due first, of those the ones that were issued first.

    :param documents: of one account and currency, all that were ever issued.
    :param paid: payments less refunds and reversals.
    """
    known = sorted(documents, key=lambda document: (document.due_on, document.issued_at, document.id.int))
    bills = [document for document in known if document.takes_back is None]
    open_amounts = {bill.id: bill.total for bill in bills if bill.total > 0}
    money = paid - sum((bill.total for bill in bills if bill.total < 0), NOTHING)
    for note in known:
        if note.takes_back is not None:
            settled = max(min(open_amounts.get(note.takes_back, NOTHING), -note.total), NOTHING)
            if settled:
                open_amounts[note.takes_back] -= settled
            money -= note.total + settled
    for bill_id, amount in open_amounts.items():
        settled = max(min(amount, money), NOTHING)
        open_amounts[bill_id] = amount - settled
        money -= settled
    return Allocation(open_amounts, credit=max(money, NOTHING), owed_besides=max(-money, NOTHING))
