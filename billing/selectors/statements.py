"""An account's ledger over a stretch of local days: every document and payment, with the running balance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext

from accounts.models import CustomerAccount
from billing.allocation import NOTHING
from billing.models import Bill, Payment
from billing.selectors.balance import currencies_of
from energy_portal.shared.clock import Period, local_day, zone
from energy_portal.shared.errors import Invalid

MOST_DAYS = 3 * 366
_DAY = timedelta(days=1)


class BadStatementDays(Invalid):
    """A statement's days are in the wrong order, or more than three years."""

    code = "bad_period"


class NeedsCurrency(Invalid):
    """A statement is in one currency, which the account must have."""

    code = "needs_currency"


@dataclass(frozen=True)
class Entry:
    """One movement: ``amount`` is above zero for what is owed more; ``balance`` is the account's after it.

    ``kind`` is bill, credit_note, payment, refund or reversal; ``booked_at`` is when it entered the ledger. A document
    names its ``month``; money has a ``received_on``, the day on which it moved, and in ``text`` what the payer wrote.
    """

    position: int
    booked_at: datetime
    day: date
    kind: str
    id: UUID
    number: str
    text: str
    amount: Decimal
    balance: Decimal
    received_on: date | None = None
    month: date | None = None


@dataclass(frozen=True)
class Statement:
    """A ledger in one currency over local days, the last one included, oldest entry first."""

    account_number: str
    currency: str
    first_day: date
    last_day: date
    opening: Decimal
    closing: Decimal
    entries: tuple[Entry, ...]

    @property
    def billed(self) -> Decimal:
        """Return what documents asked for, less what they took back."""
        return sum((entry.amount for entry in self.entries if entry.received_on is None), NOTHING)

    @property
    def paid(self) -> Decimal:
        """Return what came in, less what went back."""
        return -sum((entry.amount for entry in self.entries if entry.received_on is not None), NOTHING)


class EntryPages:
    """A statement's entries, in pages."""

    ordering: ClassVar[tuple[str, ...]] = ("position",)

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries

    def page(self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None) -> list[Entry]:
        """Return the entries beyond one that is given by its position."""
        if beyond is None:
            return list(reversed(self._entries))[:limit] if backwards else list(self._entries[:limit])
        at = int(beyond[0])
        if backwards:
            return [entry for entry in reversed(self._entries) if entry.position < at][:limit]
        return [entry for entry in self._entries if entry.position > at][:limit]


def statement_days(
    *, account: CustomerAccount, first: date | None, last: date | None, now: datetime
) -> tuple[date, date]:
    """Return the days of a statement: up to today, and over a year, where nothing else is told.

    :raises BadStatementDays: in the wrong order, or more than three years.
    """
    last = last or now.astimezone(zone(account.zone)).date()
    first = first or last - timedelta(days=365)
    if not 0 <= (last - first).days <= MOST_DAYS:
        raise BadStatementDays(gettext("A statement is of one day to three years."))
    return first, last


def statement_currency(*, account: CustomerAccount, currency: str | None) -> str:
    """Return the currency of a statement: the one that is asked for, or the only one that the account has.

    :raises NeedsCurrency: it has several, or has not that one.
    """
    paid = Payment.objects.filter(account=account).order_by().values_list("currency", flat=True).distinct()
    known = currencies_of([account])[account.pk] | set(paid)
    if currency is None and len(known) == 1:
        return known.pop()
    if currency is not None and currency in known:
        return currency
    raise NeedsCurrency(f"Ask for one of {', '.join(sorted(known)) or 'no currency yet'}.")


def statement(*, account: CustomerAccount, currency: str, first: date, last: date) -> Statement:
    """Tell of an account's movements on local days, in four queries.

    An entry stands on the day on which it was booked, so that what a statement said does not change later.
    """
    site = zone(account.zone)
    period = Period(local_day(first, site).start, local_day(last, site).end)
    bills = Bill.objects.filter(account=account, currency=currency).exclude(status=Bill.Status.DRAFT)
    payments = Payment.objects.filter(account=account, currency=currency)
    opening = _sum(bills.filter(issued_at__lt=period.start), "total") - _sum(
        payments.filter(booked_at__lt=period.start), "amount"
    )
    documents = bills.filter(issued_at__gte=period.start, issued_at__lt=period.end)
    within = payments.filter(booked_at__gte=period.start, booked_at__lt=period.end)
    moves = [
        *((_instant(bill.issued_at), 0, bill.number or "", bill) for bill in documents),
        *((payment.booked_at, 1, str(payment.pk), payment) for payment in within.select_related("bill")),
    ]
    balance, entries = opening, []
    for position, (instant, _, _, row) in enumerate(sorted(moves, key=lambda move: move[:3]), start=1):
        amount = (row.total or NOTHING) if isinstance(row, Bill) else -row.amount
        balance += amount
        entries.append(_entry(position, instant, instant.astimezone(site).date(), row, amount, balance))
    return Statement(account.number, currency, first, last, opening, balance, tuple(entries))


def _sum(rows: QuerySet[Any], name: str) -> Decimal:
    return rows.order_by().aggregate(sum=Sum(name))["sum"] or NOTHING


def _instant(at: datetime | None) -> datetime:
    return at or datetime.min.replace(tzinfo=UTC)


def _entry(
    position: int, instant: datetime, day: date, row: Bill | Payment, amount: Decimal, balance: Decimal
) -> Entry:
    if isinstance(row, Bill):
        return Entry(position, instant, day, row.kind, row.pk, row.number or "", "", amount, balance, month=row.month)
    number = (row.bill.number or "") if row.bill else ""
    return Entry(
        position, instant, day, row.kind, row.pk, number, row.reference, amount, balance, received_on=row.received_on
    )
