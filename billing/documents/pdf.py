"""Draw a bill on one A4 page."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from billing.documents.content import BillDocument, DocumentLine
from billing.documents.text import day_span, money, plain, quantity_of, rate_of
from energy_portal.shared.paper import fonts
from energy_portal.shared.paper.sheet import ACCENT, MUTED, ROW_HEIGHT, Column, Sheet

_LEFT, _RIGHT, _TOP = 20 * mm, A4[0] - 20 * mm, A4[1] - 18 * mm
_FOOTER_TOP = 32 * mm
_GREATEST_LINES = 16
_CHART_HEIGHT = 26 * mm
_NOTICES = {"draft": "DRAFT: not a bill yet", "void": "VOID: replaced by a credit note"}
_ROLES = {"boundary": "", "installed": "meter installed", "removed": "meter removed", "summed": "half-hours added up"}

_LINE_COLUMNS = (
    Column("What", 0, "left"),
    Column("When", 62 * mm, "left"),
    Column("Quantity", 118 * mm, "right"),
    Column("Rate", 145 * mm, "right"),
    Column("Amount", 170 * mm, "right"),
)
_READ_COLUMNS = (
    Column("Meter", 0, "left"),
    Column("Register", 42 * mm, "left"),
    Column("Read at", 62 * mm, "left"),
    Column("Showed", 118 * mm, "right"),
    Column("", 124 * mm, "left"),
)


def bill_pdf(bill_document: BillDocument) -> bytes:
    """Draw a bill as a PDF of one A4 page; the same document always gives the same bytes."""
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, lang="en")
    title = f"Electricity bill {bill_document.number or 'draft'}"
    canvas.setTitle(title)
    canvas.setAuthor(bill_document.issuer.name)
    canvas.setSubject(f"Account {bill_document.account_number}, {_period(bill_document)}")
    canvas.setViewerPreference("DisplayDocTitle", "true")
    sheet = Sheet(canvas, left=_LEFT, right=_RIGHT, y=_TOP)
    _head(sheet, bill_document)
    _parties(sheet, bill_document)
    _total(sheet, bill_document)
    _lines(sheet, bill_document)
    _sums(sheet, bill_document)
    _reads(sheet, bill_document)
    _daily_use(sheet, bill_document)
    _footer(sheet, bill_document)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _head(sheet: Sheet, bill: BillDocument) -> None:
    sheet.text(bill.issuer.name, size=15, bold=True, colour=ACCENT)
    sheet.text("Electricity bill", size=15, align="right")
    sheet.down(14)
    sheet.text(" · ".join(filter(None, (bill.issuer.address, bill.issuer.contact))), size=8, colour=MUTED)
    if notice := _NOTICES.get(bill.status):
        sheet.text(notice, size=10, bold=True, colour=HexColor("#b91c1c"), align="right")
    sheet.down(8)
    sheet.rule()
    sheet.down(20)


def _parties(sheet: Sheet, bill: BillDocument) -> None:
    facts = (
        ("Bill number", bill.number or "not issued"),
        ("Account", bill.account_number),
        ("Period", _period(bill)),
        ("Issued", day_span(bill.issued_on, bill.issued_on) if bill.issued_on else "not issued"),
    )
    top = sheet.y
    sheet.text(bill.owner_name, size=11, bold=True, limit=85 * mm)
    for line in _address_lines(bill.address):
        sheet.down(13)
        sheet.text(line, size=9, limit=85 * mm)
    bottom = sheet.y
    sheet.y = top
    for name, value in facts:
        sheet.text(name, size=9, x=_LEFT + 95 * mm, colour=MUTED)
        sheet.text(value, size=9, x=_LEFT + 118 * mm, limit=52 * mm)
        sheet.down(13)
    sheet.y = min(bottom, sheet.y) - 18


def _total(sheet: Sheet, bill: BillDocument) -> None:
    sheet.band(46)
    sheet.down(29)
    amount = "Held" if bill.total is None else f"{bill.currency} {money(bill.total)}"
    sheet.text("Total to pay", size=10, x=_LEFT + 10)
    sheet.text(amount, size=26, bold=True, x=_LEFT + 76)
    used = "energy not known" if bill.consumption_kwh is None else f"{plain(bill.consumption_kwh)} kWh"
    sheet.text(used, size=14, x=_RIGHT - 10, align="right")
    sheet.down(30)
    if bill.held_because:
        for line in fonts.wrap(bill.held_because, 9, _RIGHT - _LEFT):
            sheet.text(line, size=9)
            sheet.down(12)
    if bill.estimated_share:
        sheet.text(f"{plain(bill.estimated_share * 100)} % of the energy is estimated.", size=9)
        sheet.down(12)
    sheet.down(4)


def _lines(sheet: Sheet, bill: BillDocument) -> None:
    energy = [line for line in bill.lines if line.kind != "tax"]
    if not energy:
        return
    sheet.heading("What you pay for")
    sheet.columns(_LINE_COLUMNS)
    shown = energy if len(energy) <= _GREATEST_LINES else energy[: _GREATEST_LINES - 1]
    for line in shown:
        sheet.row(
            _LINE_COLUMNS,
            (line.description, day_span(line.first_day, line.last_day), *quantity_and_rate(line), money(line.amount)),
        )
    rest = energy[len(shown) :]
    if rest:
        used, amount = (
            sum((line.quantity for line in rest), Decimal(0)),
            sum((line.amount for line in rest), Decimal(0)),
        )
        sheet.row(
            _LINE_COLUMNS,
            (f"{len(rest)} more lines, listed in the portal", "", f"{plain(used)} {rest[0].unit}", "", money(amount)),
        )


def quantity_and_rate(line: DocumentLine) -> tuple[str, str]:
    """Write a line's quantity with its unit, and its rate."""
    return quantity_of(line), rate_of(line)


def _sums(sheet: Sheet, bill: BillDocument) -> None:
    if bill.subtotal is None or bill.total is None:
        return
    taxes = [line for line in bill.lines if line.kind == "tax"]
    sheet.rule()
    sheet.down(13)
    _sum(sheet, "Subtotal before tax", money(bill.subtotal))
    for line in taxes:
        _sum(sheet, f"{line.description} on {money(line.quantity)}", money(line.amount))
    _sum(sheet, f"Total {bill.currency}", money(bill.total), bold=True)
    sheet.down(10)


def _sum(sheet: Sheet, name: str, amount: str, *, bold: bool = False) -> None:
    sheet.text(name, size=9, x=_LEFT + 118 * mm, align="right", bold=bold)
    sheet.text(amount, size=9, align="right", bold=bold)
    sheet.down(13)


def _reads(sheet: Sheet, bill: BillDocument) -> None:
    if not bill.reads:
        return
    sheet.heading("Meter readings")
    sheet.columns(_READ_COLUMNS)
    reads = list(dict.fromkeys(bill.reads))
    room = int((sheet.y - _FOOTER_TOP) / ROW_HEIGHT) - 2
    shown = reads[:room]
    for read in shown:
        sheet.row(
            _READ_COLUMNS,
            (
                read.serial,
                read.register_code,
                f"{_day(read.time.date())} {read.time:%H:%M}",
                plain(read.value),
                _ROLES.get(read.role, read.role),
            ),
        )
    if len(reads) > len(shown):
        sheet.text(f"{len(reads) - len(shown)} more readings are listed in the portal.", size=8, colour=MUTED)
        sheet.down(12)
    sheet.down(8)


def _daily_use(sheet: Sheet, bill: BillDocument) -> None:
    days = bill.daily_use
    known = [day.energy_kwh for day in days if day.energy_kwh is not None]
    if not any(known) or sheet.y - _CHART_HEIGHT - 30 < _FOOTER_TOP:
        return
    greatest = max(known)
    sheet.heading("kWh a day")
    sheet.text(f"most in a day: {plain(greatest.quantize(Decimal('0.1')))} kWh", size=8, colour=MUTED, align="right")
    sheet.bars([None if day.energy_kwh is None else float(day.energy_kwh / greatest) for day in days], _CHART_HEIGHT)
    sheet.text(_day(days[0].day), size=7, colour=MUTED)
    sheet.text(_day(days[-1].day), size=7, colour=MUTED, align="right")
    sheet.down(12)


def _footer(sheet: Sheet, bill: BillDocument) -> None:
    sheet.y = _FOOTER_TOP
    sheet.rule()
    notes = [
        "How to read this bill: each line is the energy of one stretch of days times the price in force in it, before"
        " tax, rounded to the cent. Tax is taken on the sum of the lines. The energy is the difference of the meter"
        f" readings. Days and times are those of {bill.zone}; a reading at 00:00 closes the day before.",
    ]
    if not all(fonts.is_printable(text) for text in (bill.owner_name, bill.address)):
        notes.append("Characters that this page cannot print stand as a question mark; the portal shows them in full.")
    sheet.down(11)
    for note in notes:
        for line in fonts.wrap(note, 7.5, _RIGHT - _LEFT):
            sheet.text(line, size=7.5, colour=MUTED)
            sheet.down(10)


def _address_lines(address: str) -> Sequence[str]:
    return [line.strip() for line in address.splitlines() if line.strip()][:5]


def _period(bill: BillDocument) -> str:
    return day_span(bill.first_day, bill.last_day)


def _day(day: date) -> str:
    return day_span(day, day)
