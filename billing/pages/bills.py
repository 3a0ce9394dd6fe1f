"""Bills as their payer reads them: a list, one bill that explains itself, and its PDF."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache

from billing.documents import BillDocument, DocumentLine, DocumentRead, bill_pdf
from billing.documents.text import plain, rate_of
from billing.models import Bill
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.disputes import dispute_context
from billing.pages.notices import in_percent
from billing.pages.standing import bill_row
from billing.pages.why import Fall, price_rows, waterfall
from billing.pages.windows import days_in_words
from billing.selectors.balance import bill_standing
from billing.selectors.bills import bill_document, bill_with_lines, bills_visible_to
from billing.selectors.difference_words import SaidDifference
from billing.selectors.explain import ExplainedLine, RelatedBill, Relation, explain_bill, related_bills
from billing.selectors.explain_words import LineWords

BILLS_A_PAGE = 24
# Other units are signs, such as kWh.
_UNITS = {"days": gettext_lazy("days"), "months": gettext_lazy("months")}


@dataclass(frozen=True)
class LineRow:
    """A line with its quantity and rate written as on the document, and what it says in words."""

    position: int
    kind: str
    description: str
    quantity: str
    rate: str
    amount: Decimal
    words: LineWords
    opens: bool


@dataclass(frozen=True)
class RelatedRow:
    """How another bill or note belongs to this one, what it is called, and itself."""

    words: str
    name: str
    bill: Bill


@dataclass(frozen=True)
class ReadRow:
    """What a dial showed, when, and why it was looked at."""

    time: datetime
    why: str
    value: Decimal


@dataclass(frozen=True)
class ReadsOfRegister:
    """The reads of one register, in the order of time, that a bill's energy follows from."""

    serial: str
    service_point: str
    rows: tuple[ReadRow, ...]


@dataclass(frozen=True)
class DayBar:
    """One day of a bill as a bar: its place and size in percent, kWh None where it is not known."""

    day: date
    energy_kwh: Decimal | None
    estimated: bool
    left: float
    width: float
    top: float
    height: float


@customer_page
def bills_page(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """List an account's bills, newest first."""
    bills = bills_visible_to(request.user).filter(account=chosen.account)
    page = Paginator(bills, BILLS_A_PAGE).get_page(request.GET.get("page"))
    currencies = {bill.currency for bill in page}
    standings = bill_standing(page.object_list, now=timezone.now())
    context = {
        "chosen": chosen,
        "page": page,
        "rows": [bill_row(bill, standings.get(bill.pk)) for bill in page],
        "currency": currencies.pop() if len(currencies) == 1 else None,
    }
    return render(request, "billing/bills.html", context)


@login_required
@never_cache
def bill_page(request: LoggedInRequest, bill_id: UUID) -> HttpResponse:
    """Show one bill: what is owed, for which energy at which rate, and the reads behind it."""
    bill, document = _bill_and_document(request, bill_id)
    period = days_in_words(document.first_day, document.last_day)
    explained = explain_bill(bill=bill, user=request.user)
    rows = [_row(each, line) for each, line in zip(explained.lines, document.lines, strict=True)]
    context = {
        "bill": bill,
        "document": document,
        "heading": _heading(bill),
        "standing": bill_row(bill, bill_standing([bill], now=timezone.now()).get(bill.pk)).standing,
        "period": period,
        "owed_words": _owed_words(bill, period),
        "total_words": _total_words(bill),
        "related": [_related(each) for each in related_bills(bill=bill, user=request.user)],
        "difference": explained.difference,
        "falls": _falls(bill, explained.difference),
        "price": price_rows(explained.difference),
        "charges": [row for row in rows if row.kind != "tax"],
        "taxes": [row for row in rows if row.kind == "tax"],
        "registers": _by_register(document),
        "bars": _bars(document),
        "some_estimated": any(use.estimated for use in document.daily_use),
        "highest": max((use.energy_kwh for use in document.daily_use if use.energy_kwh is not None), default=None),
        "estimated": in_percent(document.estimated_share),
        "days": (document.last_day - document.first_day) // timedelta(days=1) + 1,
        **dispute_context(bill, request),
    }
    with timezone.override(document.zone):
        return render(request, "billing/bill.html", context)


@login_required
@never_cache
def bill_pdf_file(request: LoggedInRequest, bill_id: UUID) -> HttpResponse:
    """Hand out a bill as a PDF."""
    _, document = _bill_and_document(request, bill_id)
    response = HttpResponse(bill_pdf(document), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="bill-{slugify(document.number or "draft")}.pdf"'
    return response


def _bill_and_document(request: LoggedInRequest, bill_id: UUID) -> tuple[Bill, BillDocument]:
    try:
        bill = bill_with_lines(user=request.user, bill_id=bill_id)
    except Bill.DoesNotExist as error:
        raise Http404 from error
    return bill, bill_document(bill, now=timezone.now())


def _row(explained: ExplainedLine, line: DocumentLine) -> LineRow:
    return LineRow(
        position=explained.line.position,
        kind=line.kind,
        description=line.description,
        quantity=f"{plain(line.quantity)} {_UNITS.get(line.unit, line.unit)}",
        rate=rate_of(line),
        amount=line.amount,
        words=explained.words,
        opens=explained.opens,
    )


def _heading(bill: Bill) -> str:
    words = gettext("Credit note for %(month)s") if _is_credit(bill) else gettext("Bill for %(month)s")
    return words % {"month": date_format(bill.month, gettext("F Y"))}


def _is_credit(bill: Bill) -> bool:
    return bill.kind == Bill.Kind.CREDIT_NOTE


def _owed_words(bill: Bill, period: str) -> str:
    if _is_credit(bill):
        words = gettext("Given back for %(period)s")
    elif bill.status == Bill.Status.VOID:
        words = gettext("Was due for %(period)s")
    else:
        words = gettext("Due for %(period)s")
    return words % {"period": period}


def _total_words(bill: Bill) -> str:
    if _is_credit(bill):
        return gettext("Given back")
    return gettext("Was to pay") if bill.status == Bill.Status.VOID else gettext("To pay")


def _related(related: RelatedBill) -> RelatedRow:
    words = {
        Relation.TAKES_BACK: gettext("This takes back the"),
        Relation.STANDS_IN_FOR: gettext("This stands in for the"),
        Relation.TAKEN_BACK_BY: gettext("It is taken back by the"),
        Relation.REPLACED_BY: gettext("In its place there is the"),
    }
    noun = gettext("credit note") if _is_credit(related.bill) else gettext("bill")
    return RelatedRow(words[related.relation], f"{noun} {related.bill.number}", related.bill)


def _falls(bill: Bill, difference: SaidDifference | None) -> list[Fall]:
    if difference is None or difference.before is None or bill.total is None:
        return []
    after, before = (date_format(each.month, gettext("F Y")) for each in (bill, difference.before))
    return waterfall(difference, after=after, before=before, total=bill.total)


def _by_register(document: BillDocument) -> list[ReadsOfRegister]:
    """Group the reads by register; one that ends a stretch and starts the next is told once."""
    ordered = sorted(set(document.reads), key=lambda read: (read.service_point, read.serial, read.time))
    groups = groupby(ordered, key=lambda read: (read.serial, read.service_point))
    return [
        ReadsOfRegister(serial, place, tuple(ReadRow(read.time, _why(read, document), read.value) for read in group))
        for (serial, place), group in groups
    ]


def _why(read: DocumentRead, document: BillDocument) -> str:
    if read.role == "installed":
        return gettext("meter installed")
    if read.role == "removed":
        return gettext("meter removed")
    if read.role == "summed":
        return gettext("half-hours added up")
    if read.time.date() <= document.first_day:
        return gettext("the bill starts")
    return gettext("the bill ends") if read.time.date() > document.last_day else gettext("the price changes")


def _bars(document: BillDocument) -> list[DayBar]:
    highest = max((float(use.energy_kwh or 0) for use in document.daily_use), default=0) or 1
    slot = 100 / max(len(document.daily_use), 1)
    bars = []
    for index, use in enumerate(document.daily_use):
        height = 100.0 if use.energy_kwh is None else 100 * float(use.energy_kwh) / highest
        bars.append(DayBar(use.day, use.energy_kwh, use.estimated, index * slot, slot * 0.8, 100 - height, height))
    return bars
