"""Bills as people and machines ask for them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Max, Min, Prefetch, Q, QuerySet

from accounts.models import CustomerAccount, User
from billing.documents import BillDocument, BilledUse, DayUse, DocumentLine, DocumentRead, Issuer
from billing.models import Bill, BillLine
from billing.querysets import BillQuerySet
from energy_portal.shared.clock import Period, YearMonth, local_month, zone
from energy_portal.shared.errors import NotFound
from meters.models import Binding
from meters.selectors.consumption import Granularity, account_consumption
from meters.selectors.flows import as_period

NOT_ISSUED = "not_issued"
_INSTANT = timedelta(microseconds=1)
_LINES = Prefetch(
    "lines",
    queryset=BillLine.objects.select_related(
        "service_point", "component", "tariff_version__tariff", "tax_version__tax"
    ),
)


class NoSuchSupply(NotFound):
    """No account or meter of that name, or none that the caller may see."""


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


def bills_visible_to(user: User | None) -> BillQuerySet:
    """List the bills that somebody may see, newest first, with their accounts.

    :param user: None for a data source, which sees every bill but drafts.
    """
    bills: BillQuerySet = Bill.objects.exclude(status="draft") if user is None else Bill.objects.all().visible_to(user)
    return bills.select_related("account").order_by("-month", "account__number", "pk")


def with_lines(bills: BillQuerySet) -> BillQuerySet:
    """Fetch bills with their accounts, what they correct, their lines, and what the lines name."""
    return bills.select_related("account", "corrects").prefetch_related(_LINES)


def bill_with_lines(*, user: User | None, bill_id: UUID) -> Bill:
    """Fetch one bill with its account, lines, and what the lines name.

    :param user: None for a data source, as in :func:`bills_visible_to`.
    :raises Bill.DoesNotExist: there is none, or it is not theirs to see.
    """
    bill: Bill = with_lines(bills_visible_to(user)).get(pk=bill_id)
    return bill


def bills_with_lines(bill_ids: Collection[UUID]) -> QuerySet[Bill]:
    """Return bills as :func:`bill_with_lines` does, those that exist, whoever may see them."""
    return with_lines(Bill.objects.filter(pk__in=bill_ids))


def latest_bill(account: CustomerAccount) -> Bill | None:
    """Return an account's newest issued bill."""
    issued = account.bills.filter(kind=Bill.Kind.BILL, status__in=(Bill.Status.ISSUED, Bill.Status.ARCHIVED))
    return issued.select_related("account").order_by("-month").first()


def account_for_query(*, number: str | None, serial: str | None, user: User | None, now: datetime) -> CustomerAccount:
    """Find the account that a caller names by its number, or by the serial of a meter that supplied it last month.

    :param user: who asks; None for a data source, which sees every account.
    :raises NoSuchSupply: there is none, or it is not theirs to see.
    """
    accounts = CustomerAccount.objects.all() if user is None else CustomerAccount.objects.visible_to(user)
    if number is not None:
        account: CustomerAccount | None = accounts.filter(number=number).first()
        if account is None:
            raise NoSuchSupply(f"There is no account {number!r}.", code="unknown_account")
        return account
    bindings = Binding.objects.filter(
        account__in=accounts.values("pk"), service_point__installations__meter__serial=serial
    ).select_related("account")
    for binding in bindings.order_by("-valid").distinct():
        supplied: CustomerAccount = binding.account
        if as_period(binding.valid).intersect(local_month(_month_before(supplied, now), zone(supplied.zone))):
            return supplied
    raise NoSuchSupply(f"No meter {serial!r} supplied an account last month.", code="unknown_meter")


def last_month_bill(*, account: CustomerAccount, now: datetime) -> MonthBill:
    """Tell what an account used and owes for the month before ``now``, in its own zone."""
    month = _month_before(account, now)
    standing = account.bills.bills().filter(month=month.first_day).exclude(status=Bill.Status.VOID).first()
    if standing is None or standing.status == Bill.Status.DRAFT:
        used = account_consumption(
            account=account, period=local_month(month, zone(account.zone)), granularity=None, now=now
        )
        return MonthBill(
            account_number=account.number,
            month=month,
            consumption_kwh=used.energy_kwh,
            amount=None,
            tax=None,
            total=None,
            currency=(standing.currency or None) if standing else None,
            bill_number=None,
            status=standing.status if standing else NOT_ISSUED,
        )
    return MonthBill(
        account_number=account.number,
        month=month,
        consumption_kwh=standing.consumption_kwh,
        amount=standing.subtotal,
        tax=standing.tax,
        total=standing.total,
        currency=standing.currency,
        bill_number=standing.number,
        status=standing.status,
    )


def bill_document(bill: Bill, *, now: datetime) -> BillDocument:
    """Gather what a bill's document says; pass the answer to :func:`billing.documents.bill_pdf`.

    :param bill: from :func:`bill_with_lines`.
    """
    site = zone(bill.account.zone)
    first, last = _local_days(bill.period, site)
    lines = list(bill.lines.all())
    is_bill = bill.kind == Bill.Kind.BILL
    return BillDocument(
        issuer=_issuer(),
        number=bill.number,
        status=bill.status,
        held_because=bill.get_held_because_display(),
        account_number=bill.account.number,
        owner_name=bill.account.owner_name,
        address=bill.account.address,
        first_day=first,
        last_day=last,
        issued_on=bill.issued_at.astimezone(site).date() if bill.issued_at else None,
        zone=bill.account.zone,
        currency=bill.currency,
        consumption_kwh=bill.consumption_kwh,
        subtotal=bill.subtotal,
        tax=bill.tax,
        total=bill.total,
        estimated_share=bill.estimated_share,
        lines=tuple(_document_line(line, site) for line in lines),
        reads=tuple(read for line in lines for read in _document_reads(line, site)),
        daily_use=_daily_use(bill, site, now) if is_bill else (),
        kind=bill.kind,
        corrects=bill.corrects.number if bill.corrects else None,
        taken_back_by=_taken_back_by(bill),
        due_on=bill.due_on,
        compared=_compared(bill, site) if is_bill else (),
    )


def _issuer() -> Issuer:
    return Issuer(
        settings.BILL_ISSUER_NAME,
        settings.BILL_ISSUER_ADDRESS,
        settings.BILL_ISSUER_CONTACT,
        settings.BILL_HOW_TO_PAY,
        settings.PORTAL_URL,
    )


def _taken_back_by(bill: Bill) -> str | None:
    if bill.status != Bill.Status.VOID:
        return None
    notes = bill.corrections.filter(kind=Bill.Kind.CREDIT_NOTE).exclude(number=None)
    return notes.values_list("number", flat=True).first()


def _compared(bill: Bill, site: ZoneInfo) -> tuple[BilledUse, ...]:
    """Return the use of a bill, and what was billed for the month before it and for the same month a year before."""
    month = YearMonth.of(bill.month)
    before = (month.previous().first_day, YearMonth(month.year - 1, month.month).first_day)
    bills = Bill.objects.filter(
        account=bill.account_id,
        month__in=before,
        kind=Bill.Kind.BILL,
        status__in=(Bill.Status.ISSUED, Bill.Status.ARCHIVED),
    )
    charges = ~Q(lines__kind=BillLine.Kind.TAX)
    found = bills.values_list("month", "consumption_kwh").annotate(
        start=Min("lines__period__startswith", filter=charges), end=Max("lines__period__endswith", filter=charges)
    )
    billed = {month: BilledUse(month, kwh, _days(start, end, site)) for month, kwh, start, end in found}
    ends = [(line.period.lower, line.period.upper) for line in bill.lines.all() if line.kind != BillLine.Kind.TAX]
    start, end = min((start for start, _ in ends), default=None), max((end for _, end in ends), default=None)
    own = BilledUse(bill.month, bill.consumption_kwh, _days(start, end, site))
    return (own, *(billed.get(month, BilledUse(month, None, 0)) for month in before))


def _days(start: datetime | None, end: datetime | None, site: ZoneInfo) -> int:
    """Count the local days from an instant to another."""
    if start is None or end is None:
        return 0
    first, last = _local_days(DateTimeTZRange(start, end), site)
    return (last - first).days + 1


def _month_before(account: CustomerAccount, now: datetime) -> YearMonth:
    return YearMonth.of(now, zone(account.zone)).previous()


def _local_days(period: DateTimeTZRange, site: ZoneInfo) -> tuple[date, date]:
    """Return the first and the last local day of a period."""
    return period.lower.astimezone(site).date(), (period.upper - _INSTANT).astimezone(site).date()


def _document_line(line: BillLine, site: ZoneInfo) -> DocumentLine:
    first, last = _local_days(line.period, site)
    return DocumentLine(
        kind=line.kind,
        description=line.description,
        first_day=first,
        last_day=last,
        quantity=line.quantity,
        unit=line.unit,
        rate=line.rate,
        amount=line.amount,
    )


def _document_reads(line: BillLine, site: ZoneInfo) -> Iterator[DocumentRead]:
    for read in line.reads:
        yield DocumentRead(
            service_point=line.service_point.code if line.service_point else "",
            serial=read["serial"],
            register_code=read["register_code"],
            time=datetime.fromisoformat(read["time"]).astimezone(site),
            value=Decimal(read["value"]),
            quality=read["quality"],
            role=read["role"],
        )


def _daily_use(bill: Bill, site: ZoneInfo, now: datetime) -> tuple[DayUse, ...]:
    used = account_consumption(
        account=bill.account,
        period=Period(bill.period.lower, bill.period.upper),
        granularity=Granularity.DAY,
        now=now,
    )
    return tuple(DayUse(day.start.astimezone(site).date(), day.energy_kwh, day.estimated) for day in used.series)
