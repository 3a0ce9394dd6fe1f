"""What an account owes, what is due when, and its statement: as a page, as CSV and on paper."""

from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.functional import Promise
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.models import CustomerAccount
from billing.documents import Issuer
from billing.documents.statements import EntryText, StatementDocument, statement_pdf
from billing.documents.text import LANGUAGE
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.selectors.balance import AccountBalance, BillStanding, CurrencyBalance, Standing, account_balance
from billing.selectors.paying import link_to_pay
from billing.selectors.statements import (
    BadStatementDays,
    Entry,
    NeedsCurrency,
    Statement,
    statement,
    statement_currency,
    statement_days,
)
from energy_portal.shared.tables import csv_lines

ENTRIES_A_PAGE = 50
FILE_HEADS = ("day", "kind", "number", "received_on", "text", "amount", "balance", "currency")
_KINDS: dict[str, str | Promise] = {
    "bill": _("Bill"),
    "credit_note": _("Credit note"),
    "payment": _("Payment"),
    "refund": _("Refund"),
    "reversal": _("Payment taken back"),
}
_STANDINGS: dict[Standing, str | Promise] = {
    Standing.OPEN: _("to pay"),
    Standing.PART_PAID: _("paid in part"),
    Standing.OVERDUE: _("overdue"),
}


@dataclass(frozen=True)
class ToPay:
    """An open bill, how it stands in words, and where it is paid."""

    bill: BillStanding
    words: str | Promise
    link: str | None

    @property
    def is_overdue(self) -> bool:
        return self.bill.standing == Standing.OVERDUE


@dataclass(frozen=True)
class CurrencyPart:
    """The balance in one currency, with what is open and where all of it is paid."""

    balance: CurrencyBalance
    to_pay: tuple[ToPay, ...]
    link: str | None


@dataclass(frozen=True)
class Told:
    """An entry of the statement and what its kind is called."""

    entry: Entry
    kind: str | Promise


@customer_page
def payments_page(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show what is owed, what is due when, and the statement of a stretch of days."""
    found = account_balance(account=chosen.account, now=timezone.now())
    ledger, problem = _ledger_or_problem(request, chosen.account)
    page: Page[Told] | None = None
    if ledger is not None:
        told = [Told(entry, _KINDS[entry.kind]) for entry in reversed(ledger.entries)]
        page = Paginator(told, ENTRIES_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "chosen": chosen,
        "parts": [_part(chosen.account, balance) for balance in found.balances],
        "today": found.today,
        "statement": ledger,
        "problem": problem,
        "page": page,
        "currencies": _currencies(found),
        "asked": _asked(request, ledger),
    }
    return render(request, "billing/payments.html", context)


@customer_page
def statement_file(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Hand out a statement as CSV."""
    ledger = _ledger(request, chosen.account)
    rows = [
        (
            entry.day,
            entry.kind,
            entry.number,
            entry.received_on,
            entry.text,
            entry.amount,
            entry.balance,
            ledger.currency,
        )
        for entry in ledger.entries
    ]
    response = HttpResponse(b"".join(csv_lines(FILE_HEADS, rows, bom=True)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_file_name(ledger)}.csv"'
    return response


@customer_page
def statement_pdf_file(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Hand out a statement as a PDF."""
    ledger = _ledger(request, chosen.account)
    with override(LANGUAGE):
        document = _document(ledger, chosen.account)
    response = HttpResponse(statement_pdf(document), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{_file_name(ledger)}.pdf"'
    return response


def _document(ledger: Statement, account: CustomerAccount) -> StatementDocument:
    return StatementDocument(
        issuer=Issuer(settings.BILL_ISSUER_NAME, settings.BILL_ISSUER_ADDRESS, settings.BILL_ISSUER_CONTACT),
        account_number=account.number,
        owner_name=account.owner_name,
        currency=ledger.currency,
        first_day=ledger.first_day,
        last_day=ledger.last_day,
        opening=ledger.opening,
        closing=ledger.closing,
        entries=tuple(
            EntryText(entry.day, str(_KINDS[entry.kind]), entry.number or entry.text, entry.amount, entry.balance)
            for entry in ledger.entries
        ),
    )


def _ledger(request: LoggedInRequest, account: CustomerAccount) -> Statement:
    """Return the statement that is asked for; a file of one that there is not is not found."""
    ledger, problem = _ledger_or_problem(request, account)
    if ledger is None:
        raise Http404(problem)
    return ledger


def _ledger_or_problem(request: LoggedInRequest, account: CustomerAccount) -> tuple[Statement | None, str]:
    try:
        first, last = statement_days(
            account=account,
            first=_day(request.GET.get("from")),
            last=_day(request.GET.get("to")),
            now=timezone.now(),
        )
        currency = statement_currency(account=account, currency=request.GET.get("currency") or _usual(account))
    except (BadStatementDays, NeedsCurrency) as error:
        return None, error.detail
    return statement(account=account, currency=currency, first=first, last=last), ""


def _usual(account: CustomerAccount) -> str | None:
    """Return the currency of the newest bill, which an account with several is shown first."""
    newest = account.bills.exclude(status="draft").order_by("-issued_at").values_list("currency", flat=True)
    return newest.first()


def _day(text: str | None) -> date | None:
    try:
        return parse_date(text or "")
    except ValueError:
        return None


def _part(account: CustomerAccount, balance: CurrencyBalance) -> CurrencyPart:
    currency = balance.currency
    to_pay = tuple(
        ToPay(
            bill,
            _STANDINGS[bill.standing],
            link_to_pay(account=account, amount=bill.open_amount, currency=currency, number=bill.number),
        )
        for bill in balance.bills
    )
    whole = balance.balance if balance.balance > 0 and len(to_pay) != 1 else None
    link = link_to_pay(account=account, amount=whole, currency=currency) if whole else None
    return CurrencyPart(balance, to_pay, link)


def _currencies(found: AccountBalance) -> list[str]:
    return [balance.currency for balance in found.balances]


def _asked(request: LoggedInRequest, ledger: Statement | None) -> dict[str, str]:
    """Return what the form is filled with, and what links to the files carry on."""
    if ledger is None:
        return {name: request.GET.get(name, "") for name in ("from", "to", "currency")}
    return {
        "from": ledger.first_day.isoformat(),
        "to": ledger.last_day.isoformat(),
        "currency": ledger.currency,
    }


def _file_name(ledger: Statement) -> str:
    return f"statement-{slugify(ledger.account_number)}-{ledger.first_day}-{ledger.last_day}"
