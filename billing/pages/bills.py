"""Bills as their payer reads them: a list, one bill that explains itself, and its PDF."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.cache import never_cache

from billing.documents import BillDocument, DocumentLine, DocumentRead, bill_pdf
from billing.documents.text import quantity_of, rate_of
from billing.models import Bill
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.windows import days_in_words
from billing.selectors.bills import bill_document, bill_with_lines, bills_visible_to

BILLS_A_PAGE = 24


@dataclass(frozen=True)
class PricedLine:
    """A line with its quantity and rate written as on the document."""

    line: DocumentLine
    quantity: str
    rate: str


@dataclass(frozen=True)
class ReadsOfRegister:
    """The reads of one register, in the order of time, that a bill's energy follows from."""

    serial: str
    service_point: str
    reads: tuple[DocumentRead, ...]


@customer_page
def bills_page(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """List an account's bills, newest first."""
    bills = bills_visible_to(request.user).filter(account=chosen.account)
    page = Paginator(bills, BILLS_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "billing/bills.html", {"chosen": chosen, "page": page})


@login_required
@never_cache
def bill_page(request: LoggedInRequest, bill_id: UUID) -> HttpResponse:
    """Show one bill: what is owed, for which energy at which rate, and the reads behind it."""
    bill, document = _bill_and_document(request, bill_id)
    context = {
        "bill": bill,
        "document": document,
        "period": days_in_words(document.first_day, document.last_day),
        "priced": [PricedLine(line, quantity_of(line), rate_of(line)) for line in document.lines if line.kind != "tax"],
        "registers": _by_register(document.reads),
        "days": (document.last_day - document.first_day) // timedelta(days=1) + 1,
    }
    with timezone.override(document.zone):
        return render(request, "billing/bill.html", context)


@login_required
@never_cache
def bill_pdf_file(request: LoggedInRequest, bill_id: UUID) -> HttpResponse:
    """Hand out a bill as a PDF."""
    _, document = _bill_and_document(request, bill_id)
    response = HttpResponse(bill_pdf(document), content_type="application/pdf")
    name = f"bill-{document.number or 'draft'}.pdf"
    response["Content-Disposition"] = content_disposition_header(as_attachment=False, filename=name)
    return response


def _bill_and_document(request: LoggedInRequest, bill_id: UUID) -> tuple[Bill, BillDocument]:
    try:
        bill = bill_with_lines(user=request.user, bill_id=bill_id)
    except Bill.DoesNotExist as error:
        raise Http404 from error
    return bill, bill_document(bill, now=timezone.now())


def _by_register(reads: tuple[DocumentRead, ...]) -> list[ReadsOfRegister]:
    ordered = sorted(reads, key=lambda read: (read.service_point, read.serial, read.time))
    groups = groupby(ordered, key=lambda read: (read.serial, read.service_point))
    return [ReadsOfRegister(serial, place, tuple(group)) for (serial, place), group in groups]
