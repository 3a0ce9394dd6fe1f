"""What accounts owe: how each of their bills stands, by currency, and what is left over."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db.models import Sum

from accounts.models import CustomerAccount
from billing.allocation import NOTHING, Allocation, Document, allocate
from billing.models import Bill, Payment, Tariff
from energy_portal.shared.clock import zone

_OF_A_DOCUMENT = (
    "pk",
    "kind",
    "status",
    "number",
    "month",
    "account_id",
    "corrects_id",
    "currency",
    "total",
    "due_on",
    "issued_at",
)


class Standing(StrEnum):
    """How a document stands on a day."""

    OPEN = "open"
    PART_PAID = "part_paid"
    OVERDUE = "overdue"
    PAID = "paid"
    WITHDRAWN = "withdrawn"
    CREDIT = "credit"


@dataclass(frozen=True)
class BillStanding:
    """A document that was issued, and what is open of it; a credit note's or a withdrawn bill's is nothing."""

    bill_id: UUID
    number: str
    month: date
    currency: str
    total: Decimal
    open_amount: Decimal
    due_on: date
    standing: Standing


@dataclass(frozen=True)
class CurrencyBalance:
    """What an account owes in one currency: ``balance`` is billed less paid, below zero where it has a credit.

    ``bills`` are those with something open, the one that is due first at the head. ``owed_besides`` is owed for no
    bill: more was paid back than had come in.
    """

    currency: str
    billed: Decimal
    paid: Decimal
    balance: Decimal
    credit: Decimal
    owed_besides: Decimal
    overdue: Decimal
    bills: tuple[BillStanding, ...]

    @property
    def next_due_on(self) -> date | None:
        """Return the day by which the oldest open bill is, or was, to be paid."""
        return self.bills[0].due_on if self.bills else None


@dataclass(frozen=True)
class AccountBalance:
    """An account's balances, a currency each, and how every document of it stands; ``today`` is its local day."""

    account_id: UUID
    today: date
    as_of: datetime
    balances: tuple[CurrencyBalance, ...]
    standings: Mapping[UUID, BillStanding]

    @property
    def open_bills(self) -> list[BillStanding]:
        """List what is to be paid, the first due at the head."""
        bills = (bill for balance in self.balances for bill in balance.bills)
        return sorted(bills, key=lambda bill: (bill.due_on, bill.number))


def due_day(*, account: CustomerAccount, issued_at: datetime) -> date:
    """Return the local day by which a bill that is issued at an instant is to be paid."""
    return issued_at.astimezone(zone(account.zone)).date() + timedelta(days=settings.BILL_DUE_DAYS)


def account_balance(*, account: CustomerAccount, now: datetime) -> AccountBalance:
    """Tell what an account owes, and for which bills."""
    return account_balances(accounts=[account], now=now)[account.pk]


def account_balances(*, accounts: Sequence[CustomerAccount], now: datetime) -> dict[UUID, AccountBalance]:
    """Tell what accounts owe, in two queries whatever their number."""
    keys = [account.pk for account in accounts]
    documents: dict[tuple[UUID, str], list[Bill]] = defaultdict(list)
    issued = Bill.objects.filter(account__in=keys).exclude(status=Bill.Status.DRAFT)
    for bill in issued.only(*_OF_A_DOCUMENT):
        documents[bill.account_id, bill.currency].append(bill)
    sums = Payment.objects.filter(account__in=keys).order_by().values_list("account", "currency")
    paid: dict[tuple[UUID, str], Decimal] = {
        (account_id, currency): amount for account_id, currency, amount in sums.annotate(Sum("amount"))
    }
    currencies: dict[UUID, set[str]] = defaultdict(set)
    for account_id, currency in (*documents, *paid):
        currencies[account_id].add(currency)
    found = {}
    for account in accounts:
        parts = [
            _in_one_currency(account, currency, documents[account.pk, currency], paid.get((account.pk, currency)), now)
            for currency in sorted(currencies[account.pk])
        ]
        found[account.pk] = AccountBalance(
            account_id=account.pk,
            today=now.astimezone(zone(account.zone)).date(),
            as_of=now,
            balances=tuple(balance for balance, _ in parts),
            standings={each.bill_id: each for _, standings in parts for each in standings},
        )
    return found


def bill_standing(bills: Iterable[Bill], *, now: datetime) -> dict[UUID, BillStanding]:
    """Tell how bills stand, by their keys, in two queries whatever their number; a draft has no standing.

    :param bills: with their accounts.
    """
    wanted = list(bills)
    accounts = list({bill.account_id: bill.account for bill in wanted}.values())
    balances = account_balances(accounts=accounts, now=now)
    known = (balances[bill.account_id].standings.get(bill.pk) for bill in wanted)
    return {standing.bill_id: standing for standing in known if standing is not None}


def currencies_of(accounts: Sequence[CustomerAccount]) -> dict[UUID, set[str]]:
    """Return the currencies in which accounts are billed, or will be: their tariffs', where none has a bill yet."""
    keys = [account.pk for account in accounts]
    found: dict[UUID, set[str]] = {key: set() for key in keys}
    billed = Bill.objects.filter(account__in=keys).exclude(status=Bill.Status.DRAFT).order_by()
    for account_id, currency in billed.values_list("account", "currency").distinct():
        found[account_id].add(currency)
    unbilled = [key for key in keys if not found[key]]
    if unbilled:
        usual = set(Tariff.objects.filter(is_default=True).values_list("currency", flat=True))
        assigned = Tariff.objects.filter(assignments__account__in=unbilled)
        for account_id, currency in assigned.values_list("assignments__account", "currency"):
            found[account_id].add(currency)
        for key in unbilled:
            found[key] = found[key] or usual
    return found


def _in_one_currency(
    account: CustomerAccount, currency: str, bills: Sequence[Bill], paid: Decimal | None, now: datetime
) -> tuple[CurrencyBalance, list[BillStanding]]:
    today = now.astimezone(zone(account.zone)).date()
    paid = NOTHING if paid is None else paid
    documents = [_document(account, bill) for bill in bills]
    allocation = allocate(documents, paid)
    standings = [_standing(bill, document, allocation, today) for bill, document in zip(bills, documents, strict=True)]
    due = sorted((each for each in standings if each.open_amount), key=lambda each: (each.due_on, each.number))
    billed = sum((document.total for document in documents), NOTHING)
    balance = CurrencyBalance(
        currency=currency,
        billed=billed,
        paid=paid,
        balance=billed - paid,
        credit=allocation.credit,
        owed_besides=allocation.owed_besides,
        overdue=sum((each.open_amount for each in due if each.standing == Standing.OVERDUE), NOTHING),
        bills=tuple(due),
    )
    return balance, standings


def _document(account: CustomerAccount, bill: Bill) -> Document:
    if bill.total is None or bill.issued_at is None:
        raise ValueError(f"Bill {bill.pk} is not whole.")
    return Document(
        id=bill.pk,
        total=bill.total,
        # Bills that were issued before bills had a due day cannot be given one any more.
        due_on=bill.due_on or due_day(account=account, issued_at=bill.issued_at),
        issued_at=bill.issued_at,
        takes_back=bill.corrects_id if bill.kind == Bill.Kind.CREDIT_NOTE else None,
    )


def _standing(bill: Bill, document: Document, allocation: Allocation, today: date) -> BillStanding:
    open_amount = allocation.open_amounts.get(bill.pk, NOTHING)
    return BillStanding(
        bill_id=bill.pk,
        number=bill.number or "",
        month=bill.month,
        currency=bill.currency,
        total=document.total,
        open_amount=open_amount,
        due_on=document.due_on,
        standing=_word(bill, open_amount, overdue=document.due_on < today),
    )


def _word(bill: Bill, open_amount: Decimal, *, overdue: bool) -> Standing:
    if open_amount:
        if overdue:
            return Standing.OVERDUE
        return Standing.OPEN if open_amount == bill.total else Standing.PART_PAID
    if bill.kind == Bill.Kind.CREDIT_NOTE:
        return Standing.CREDIT
    return Standing.WITHDRAWN if bill.status == Bill.Status.VOID else Standing.PAID
