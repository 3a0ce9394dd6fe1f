"""Draw a statement of account, on as many A4 pages as it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import BytesIO

from django.utils.translation import override
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from billing.documents.content import Issuer
from billing.documents.text import LANGUAGE, day_span, money
from energy_portal.shared.paper.sheet import ACCENT, MUTED, ROW_HEIGHT, Column, Sheet

_LEFT, _RIGHT, _TOP, _BOTTOM = 20 * mm, A4[0] - 20 * mm, A4[1] - 18 * mm, 24 * mm
_COLUMNS = (
    Column("Day", 0, "left"),
    Column("What", 28 * mm, "left"),
    Column("Number or text", 66 * mm, "left"),
    Column("Amount", 142 * mm, "right"),
    Column("Balance", 170 * mm, "right"),
)


@dataclass(frozen=True)
class EntryText:
    """A movement as it is printed: ``amount`` above zero is owed more."""

    day: date
    kind: str
    text: str
    amount: Decimal
    balance: Decimal


@dataclass(frozen=True)
class StatementDocument:
    """A statement in one currency; days are local and inclusive, entries the oldest first."""

    issuer: Issuer
    account_number: str
    owner_name: str
    currency: str
    first_day: date
    last_day: date
    opening: Decimal
    closing: Decimal
    entries: tuple[EntryText, ...]


@override(LANGUAGE)
def statement_pdf(document: StatementDocument) -> bytes:
    """Draw a statement as a PDF; the same document always gives the same bytes."""
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, lang=LANGUAGE)
    canvas.setTitle(f"Statement of account {document.account_number}")
    canvas.setAuthor(document.issuer.name)
    canvas.setSubject(day_span(document.first_day, document.last_day))
    canvas.setViewerPreference("DisplayDocTitle", "true")
    sheet = Sheet(canvas, left=_LEFT, right=_RIGHT, y=_TOP)
    _head(sheet, document)
    _rows(sheet, document.entries)
    sheet.down(4)
    sheet.rule()
    sheet.down(14)
    sheet.text(_owed(document.closing, document.currency), size=11, bold=True, align="right")
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _head(sheet: Sheet, document: StatementDocument) -> None:
    sheet.text(document.issuer.name, size=15, bold=True, colour=ACCENT)
    sheet.text("Statement of account", size=15, align="right")
    sheet.down(14)
    sheet.text(" · ".join(filter(None, (document.issuer.address, document.issuer.contact))), size=8, colour=MUTED)
    sheet.down(8)
    sheet.rule()
    sheet.down(20)
    sheet.text(document.owner_name, size=11, bold=True, limit=85 * mm)
    sheet.text(f"Account {document.account_number}", size=11, align="right")
    sheet.down(14)
    sheet.text(f"{day_span(document.first_day, document.last_day)}, in {document.currency}", size=9)
    sheet.text(f"Balance before: {money(document.opening)}", size=9, align="right")
    sheet.down(20)
    sheet.columns(_COLUMNS)


def _rows(sheet: Sheet, entries: Sequence[EntryText]) -> None:
    for entry in entries:
        if sheet.y < _BOTTOM + ROW_HEIGHT:
            sheet.canvas.showPage()
            sheet.y = _TOP
            sheet.columns(_COLUMNS)
        day = day_span(entry.day, entry.day)
        sheet.row(_COLUMNS, (day, entry.kind, entry.text, money(entry.amount), money(entry.balance)))


def _owed(balance: Decimal, currency: str) -> str:
    if balance > 0:
        return f"To pay: {currency} {money(balance)}"
    return f"In your favour: {currency} {money(-balance)}" if balance else "Nothing to pay"
