"""Make bills of metered energy and prices, many accounts at a time in a constant number of queries."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.models import CustomerAccount
from billing import store
from billing.models import Bill, BillLine, BillRun, Hold
from billing.selectors.balance import due_day
from billing.selectors.pricing import NotPriced, PriceBook, price_books, price_by
from billing.services.deliveries import queue_deliveries
from billing.services.lines import lines_of
from energy_portal.shared.clock import YearMonth, local_month, zone
from meters.selectors.half_hours import PointProfile, ProfileRequest, metered_half_hours
from meters.selectors.quantities import MeteredQuantity, QuantityRequest, metered_quantities

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
class Draft:
    """A bill that was rated and its lines, in memory."""

    bill: Bill
    lines: tuple[BillLine, ...]


@dataclass(frozen=True)
class _Metered:
    """What passed at an account's service points, and when, where its prices ask for that."""

    quantities: Sequence[MeteredQuantity]
    profiles: Sequence[PointProfile]


def draft_bills(
    *,
    accounts: Sequence[CustomerAccount],
    month: YearMonth,
    run: BillRun | None,
    now: datetime,
    allow_estimates: bool = False,
) -> list[Bill]:
    """Draft a month's bills, or rate their drafts anew; an account whose bill is issued is passed over.

    The caller has locked the accounts' rows, in the order of their numbers, and holds a transaction open.

    :param allow_estimates: however much of the energy is estimated, do not hold a draft because of it.
    :returns: the drafts, stored with their lines, in the order of ``accounts``; see their ``held_because``.
    """
    standing = _lock_standing_bills(accounts, month)
    bills = []
    for account in accounts:
        bill = standing.get(account.pk) or Bill(account=account, month=month.first_day)
        if bill.status == Bill.Status.DRAFT:
            bill.account, bill.run = account, run
            bills.append(bill)
    drafts = rate_bills(bills=bills, month=month, now=now, allow_estimates=allow_estimates)
    store_drafts(drafts)
    return [draft.bill for draft in drafts]


def redraft(*, drafts: Iterable[Bill], accounts: Sequence[CustomerAccount], now: datetime) -> list[Bill]:
    """Rate drafts anew, each month and run by itself; the caller has locked as for :func:`draft_bills`.

    :param accounts: at least those of the drafts, in the order of their numbers.
    """
    groups: dict[tuple[YearMonth, UUID | None], set[UUID]] = defaultdict(set)
    for bill in drafts:
        groups[YearMonth.of(bill.month), bill.run_id].add(bill.account_id)
    runs = BillRun.objects.in_bulk([run_id for _, run_id in groups if run_id])
    return [
        bill
        for (month, run_id), wanted in groups.items()
        for bill in draft_bills(
            accounts=[account for account in accounts if account.pk in wanted],
            month=month,
            run=runs[run_id] if run_id else None,
            now=now,
        )
    ]


def rate_bills(*, bills: Sequence[Bill], month: YearMonth, now: datetime, allow_estimates: bool) -> list[Draft]:
    """Rate a month anew for some accounts' drafts, none of which is stored yet; see :func:`store_drafts`.

    :param bills: drafts with their accounts, one an account.
    :param allow_estimates: as :func:`draft_bills` takes it.
    """
    accounts = [bill.account for bill in bills]
    periods = {account.pk: local_month(month, zone(account.zone)) for account in accounts}
    books = price_books(accounts=accounts, periods=periods)
    metered = _metered(books, now)
    drafts = []
    for bill in bills:
        bill.as_of = now
        key = bill.account_id
        drafts.append(_draft(bill, books[key], metered[key], allow_estimates=allow_estimates))
    return drafts


def issue_drafts(*, bills: Sequence[Bill], month: YearMonth, now: datetime) -> list[Bill]:
    """Issue those of a month's drafts that are whole, numbered in the order given; the caller has just stored them.

    :param bills: all bills, or all credit notes, which have a series of numbers of their own.
    :returns: the bills that are issued now.
    """
    whole = [bill for bill in bills if not bill.held_because]
    if not whole:
        return []
    numbers = store.reserve_numbers(month=month.first_day, count=len(whole), kind=whole[0].kind)
    due_ons = [due_day(account=bill.account, issued_at=now) if bill.kind == Bill.Kind.BILL else None for bill in whole]
    store.issue_drafts(bill_ids=[bill.pk for bill in whole], numbers=numbers, due_ons=due_ons, issued_at=now)
    for bill, number, due_on in zip(whole, numbers, due_ons, strict=True):
        bill.number, bill.status, bill.issued_at, bill.due_on = number, Bill.Status.ISSUED, now, due_on
    queue_deliveries(bills=whole, now=now)
    return whole


def _lock_standing_bills(accounts: Sequence[CustomerAccount], month: YearMonth) -> dict[UUID, Bill]:
    standing = Bill.objects.bills().filter(account__in=accounts, month=month.first_day).exclude(status=Bill.Status.VOID)
    return {bill.account_id: bill for bill in standing.order_by("pk").select_for_update()}


def _metered(books: Mapping[UUID, PriceBook], now: datetime) -> dict[UUID, _Metered]:
    """Ask for all energies between cuts, and for half-hours where prices need them."""
    quantities = metered_quantities(
        requests=[QuantityRequest(account_id=account_id, cuts=book.cuts) for account_id, book in books.items()], now=now
    )
    asked = {account_id: book for account_id, book in books.items() if book.needs_half_hours}
    profiles: dict[UUID, list[PointProfile]] = {}
    if asked:
        profiles = metered_half_hours(
            requests=[ProfileRequest(account_id=account_id, period=book.period) for account_id, book in asked.items()],
            now=now,
            exports=any(book.needs_exports for book in asked.values()),
        )
    return {account_id: _Metered(quantities.get(account_id, ()), profiles.get(account_id, ())) for account_id in books}


def _draft(bill: Bill, book: PriceBook, metered: _Metered, *, allow_estimates: bool) -> Draft:
    quantities = metered.quantities
    energies = [quantity.energy_kwh for quantity in quantities]
    known = [energy for energy in energies if energy is not None]
    bill.period = DateTimeTZRange(book.period.start, book.period.end)
    bill.currency = book.currency
    bill.consumption_kwh = sum(known, Decimal(0)) if known and len(known) == len(energies) else None
    bill.complete = bool(quantities) and all(quantity.complete for quantity in quantities)
    bill.estimated_share = _estimated_share(metered)
    bill.subtotal = bill.tax = bill.total = None
    bill.held_because = ""
    if not quantities:
        bill.held_because = Hold.NO_METER
    elif not bill.complete:
        bill.held_because = Hold.INCOMPLETE_ENERGY
    elif bill.estimated_share > settings.BILL_MAX_ESTIMATED_SHARE and not allow_estimates:
        bill.held_because = Hold.ESTIMATED_ENERGY
    else:
        return _priced(bill, book, metered)
    return Draft(bill, ())


def _priced(bill: Bill, book: PriceBook, metered: _Metered) -> Draft:
    try:
        priced = price_by(book, metered.quantities, metered.profiles)
    except NotPriced as error:
        bill.held_because = error.code
        bill.complete = error.code != Hold.INCOMPLETE_ENERGY
        return Draft(bill, ())
    bill.subtotal, bill.tax, bill.total = priced.subtotal, priced.tax, priced.total
    return Draft(bill, lines_of(bill, priced))


def _estimated_share(metered: _Metered) -> Decimal:
    """Weigh each quantity's estimated share by its energy, or evenly where no energy passed.

    Where half-hours are priced, what is estimated of them counts, if that is more.
    """
    weights = [abs(quantity.energy_kwh or Decimal(0)) for quantity in metered.quantities]
    if not any(weights):
        weights = [Decimal(1)] * len(weights)
    shares = [quantity.estimated_share * weight for quantity, weight in zip(metered.quantities, weights, strict=True)]
    share = sum(shares, Decimal(0)) / (sum(weights) or 1)
    half_hours = [profile.imported for profile in metered.profiles]
    if total := sum((each.total_kwh for each in half_hours), Decimal(0)):
        share = max(share, sum((each.estimated_kwh for each in half_hours), Decimal(0)) / total)
    return share.quantize(Decimal("0.0001"))


def store_drafts(drafts: Sequence[Draft]) -> None:
    """Write drafts with their lines in place of what they were."""
    if standing := [draft.bill for draft in drafts if not draft.bill._state.adding]:
        BillLine.objects.filter(bill__in=standing).delete()
        Bill.objects.bulk_create(standing, update_conflicts=True, unique_fields=["id"], update_fields=_REWRITTEN)
    store.insert_bills([draft.bill for draft in drafts if draft.bill._state.adding])
    store.insert_lines(line for draft in drafts for line in draft.lines)
