"""Make bills of metered energy and prices, many accounts at a time in a constant number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import CustomerAccount
from billing import store
from billing.models import Bill, BillLine, BillRun, Hold
from billing.rating import EnergyLine, TaxLine
from billing.selectors.pricing import NotPriced, PriceBook, Priced, price_books, price_by
from energy_portal.shared.clock import YearMonth, local_month, zone
from meters.selectors.quantities import MeteredQuantity, QuantityRequest, ReadUsed, metered_quantities

_REWRITTEN = (
    "run",
    "period",
    "held_because",
    "currency",
    "consumption_kwh",
    "subtotal",
    "tax",
    "total",
    "complete",
    "estimated_share",
    "as_of",
)


@dataclass(frozen=True)
class _Draft:
    bill: Bill
    lines: tuple[BillLine, ...]


def draft_bills(
    *, accounts: Sequence[CustomerAccount], month: YearMonth, run: BillRun | None, now: datetime
) -> list[Bill]:
    """Draft a month's bills, or rate their drafts anew; an account whose bill is issued is passed over.

    The caller has locked the accounts' rows, in the order of their numbers, and holds a transaction open.

    :returns: the drafts, stored with their lines, in the order of ``accounts``; see their ``held_because``.
    """
    standing = _lock_standing_bills(accounts, month)
    open_accounts = [
        account
        for account in accounts
        if account.pk not in standing or standing[account.pk].status == Bill.Status.DRAFT
    ]
    periods = {account.pk: local_month(month, zone(account.zone)) for account in open_accounts}
    books = price_books(accounts=open_accounts, periods=periods)
    quantities = metered_quantities(
        requests=[QuantityRequest(account_id=account.pk, cuts=books[account.pk].cuts) for account in open_accounts],
        now=now,
    )
    drafts = []
    for account in open_accounts:
        bill = standing.get(account.pk) or Bill(account=account, month=month.first_day)
        bill.account, bill.run, bill.as_of = account, run, now
        drafts.append(_draft(bill, books[account.pk], quantities.get(account.pk, [])))
    _store(drafts)
    return [draft.bill for draft in drafts]


def issue_drafts(*, bills: Sequence[Bill], month: YearMonth, now: datetime) -> list[Bill]:
    """Issue those of a month's drafts that are whole, numbered in the order given; the caller has just stored them.

    :returns: the bills that are issued now.
    """
    whole = [bill for bill in bills if not bill.held_because]
    if not whole:
        return []
    numbers = store.reserve_numbers(month=month.first_day, count=len(whole))
    store.issue_drafts(bill_ids=[bill.pk for bill in whole], numbers=numbers, issued_at=now)
    for bill, number in zip(whole, numbers, strict=True):
        bill.number, bill.status, bill.issued_at = number, Bill.Status.ISSUED, now
    return whole


def _lock_standing_bills(accounts: Sequence[CustomerAccount], month: YearMonth) -> dict[UUID, Bill]:
    standing = Bill.objects.filter(account__in=accounts, month=month.first_day).exclude(status=Bill.Status.VOID)
    return {bill.account_id: bill for bill in standing.order_by("pk").select_for_update()}


def _draft(bill: Bill, book: PriceBook, quantities: Sequence[MeteredQuantity]) -> _Draft:
    energies = [quantity.energy_kwh for quantity in quantities]
    known = [energy for energy in energies if energy is not None]
    bill.period = DateTimeTZRange(book.period.start, book.period.end)
    bill.currency = book.currency
    bill.consumption_kwh = sum(known, Decimal(0)) if known and len(known) == len(energies) else None
    bill.complete = bool(quantities) and all(quantity.complete for quantity in quantities)
    bill.estimated_share = _estimated_share(quantities)
    bill.subtotal = bill.tax = bill.total = None
    bill.held_because = ""
    if not quantities:
        bill.held_because = Hold.NO_METER
    elif not bill.complete:
        bill.held_because = Hold.INCOMPLETE_ENERGY
    else:
        try:
            return _priced(bill, price_by(book, quantities))
        except NotPriced as error:
            bill.held_because = error.code
    return _Draft(bill, ())


def _priced(bill: Bill, priced: Priced) -> _Draft:
    bill.subtotal, bill.tax, bill.total = priced.subtotal, priced.tax, priced.total
    places = len({line.stretch.service_point_id for line in priced.lines})
    lines = [_energy_line(bill, line, named=places > 1) for line in priced.lines]
    lines += [_tax_line(bill, line) for line in priced.taxes]
    for position, line in enumerate(lines, start=1):
        line.position = position
    return _Draft(bill, tuple(lines))


def _energy_line(bill: Bill, line: EnergyLine, *, named: bool) -> BillLine:
    stretch = line.stretch
    place = f" at {stretch.service_point_code}" if named else ""
    return BillLine(
        bill=bill,
        kind=BillLine.Kind.ENERGY,
        description=f"Electricity{place}, {line.rate.name}",
        service_point_id=stretch.service_point_id,
        tariff_version_id=line.rate.version_id,
        period=DateTimeTZRange(stretch.start, stretch.end),
        quantity=stretch.energy_kwh,
        unit="kWh",
        rate=line.rate.rate_per_kwh,
        amount=line.amount,
        reads=[_read(read) for read in stretch.reads],
    )


def _tax_line(bill: Bill, line: TaxLine) -> BillLine:
    return BillLine(
        bill=bill,
        kind=BillLine.Kind.TAX,
        description=line.tax.name,
        tax_version_id=line.tax.version_id,
        period=DateTimeTZRange(line.start, line.end),
        quantity=line.taxed,
        unit=bill.currency,
        rate=line.tax.rate,
        amount=line.amount,
    )


def _read(read: ReadUsed) -> dict[str, Any]:
    return {
        "serial": read.serial,
        "register_code": read.register_code,
        "time": read.time.isoformat(),
        "value": f"{read.value:f}",
        "quality": read.quality,
        "role": read.role,
    }


def _estimated_share(quantities: Sequence[MeteredQuantity]) -> Decimal:
    """Weigh each quantity's estimated share by its energy, or evenly where no energy passed."""
    weights = [abs(quantity.energy_kwh or Decimal(0)) for quantity in quantities]
    if not any(weights):
        weights = [Decimal(1)] * len(quantities)
    shares = [quantity.estimated_share * weight for quantity, weight in zip(quantities, weights, strict=True)]
    return (sum(shares, Decimal(0)) / (sum(weights) or 1)).quantize(Decimal("0.0001"))


def _store(drafts: Sequence[_Draft]) -> None:
    bills = [draft.bill for draft in drafts]
    BillLine.objects.filter(bill__in=bills).delete()
    Bill.objects.bulk_create(bills, update_conflicts=True, unique_fields=["id"], update_fields=_REWRITTEN)
    BillLine.objects.bulk_create([line for draft in drafts for line in draft.lines])
