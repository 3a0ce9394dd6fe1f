"""The tables of a bill: what is paid for, what it adds up to, and the readings behind it."""

from collections.abc import Sequence
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from reportlab.lib.units import mm

from billing.documents.content import BillDocument, DocumentLine, DocumentRead
from billing.documents.layout import AFTER_TABLE, NOTE, RULE, Layout, Type, described, sum_height
from billing.documents.text import day_in_words, money, plain, quantity_of, rate_of, short_span
from energy_portal.shared.paper.sheet import MUTED, Column, Sheet

_WIDTH = 170 * mm
_WHEN = 80 * mm
_BETWEEN = 3 * mm
_QUANTITY, _RATE = 128 * mm, 149 * mm
_QUANTITY_WIDTH = 27 * mm
_SUMS_AT = 128 * mm


def description_width(bill: BillDocument) -> float:
    """Return how wide the descriptions of lines may be, in points; wider where every line is of the whole period."""
    width: float = (_WHEN if _has_parts(bill) else _QUANTITY - _QUANTITY_WIDTH) - _BETWEEN
    return width


def distinct_reads(bill: BillDocument) -> list[DocumentRead]:
    """Return the readings behind a bill; one that ends a stretch and starts the next stands once."""
    return list(dict.fromkeys(bill.reads))


def draw_lines(sheet: Sheet, bill: BillDocument, layout: Layout) -> None:
    """Draw what is paid for, and what it adds up to."""
    charges = [line for line in bill.lines if line.kind != "tax"]
    if not charges and bill.total is None:
        return
    has_parts = _has_parts(bill)
    columns = _columns(has_parts=has_parts)
    if charges:
        sheet.heading(_("What is credited") if bill.is_credit_note else _("What you pay for"))
    with sheet.element("Table"):
        if charges:
            sheet.columns(columns, size=min(8, layout.type.size))
        for line in charges[: layout.lines]:
            when = [short_span(line.first_day, line.last_day, year=bill.last_day.year)] if has_parts else []
            text = described(line.description, layout.type.size, description_width(bill))
            cells = (text, *when, quantity_of(line), rate_of(line), money(line.amount))
            sheet.row(columns, cells, size=layout.type.size, height=layout.type.row)
        if rest := charges[layout.lines :]:
            _draw_rest(sheet, rest, columns, layout.type)
        _draw_sums(sheet, bill, layout.type, span=len(columns) - 1)


def draw_reads(sheet: Sheet, bill: BillDocument, layout: Layout) -> None:
    """Draw the readings that the energy follows from, as many as there is room for."""
    reads = distinct_reads(bill)
    if not reads:
        return
    if layout.reads:
        sheet.heading(_("Meter readings"))
        columns = (
            Column(_("Meter"), 0, "left"),
            Column(_("Register"), 46 * mm, "left"),
            Column(_("Read at"), 66 * mm, "left"),
            Column(_("Showed, kWh"), 122 * mm, "right"),
            Column(_("Why"), 128 * mm, "left"),
        )
        with sheet.element("Table"):
            sheet.columns(columns, size=min(8, layout.type.size))
            for read in reads[: layout.reads]:
                sheet.row(columns, _read_cells(read), size=layout.type.size, height=layout.type.row)
    if left_out := len(reads) - layout.reads:
        words = (
            ngettext(
                "%(count)s more reading is on the website.", "%(count)s more readings are on the website.", left_out
            )
            if layout.reads
            else ngettext(
                "%(count)s meter reading is on the website.", "%(count)s meter readings are on the website.", left_out
            )
        )
        sheet.text(words % {"count": left_out}, size=8, colour=MUTED)
        sheet.down(NOTE)
    sheet.down(AFTER_TABLE)


def _has_parts(bill: BillDocument) -> bool:
    whole = (bill.first_day, bill.last_day)
    return any((line.first_day, line.last_day) != whole for line in bill.lines if line.kind != "tax")


def _columns(*, has_parts: bool) -> tuple[Column, ...]:
    when = [Column(_("When"), _WHEN, "left")] if has_parts else []
    return (
        Column(_("What"), 0, "left"),
        *when,
        Column(_("Quantity"), _QUANTITY, "right"),
        Column(_("Rate"), _RATE, "right"),
        Column(_("Amount"), _WIDTH, "right"),
    )


def _draw_rest(sheet: Sheet, rest: Sequence[DocumentLine], columns: Sequence[Column], type_: Type) -> None:
    words = ngettext("%(count)s more line on the website", "%(count)s more lines on the website", len(rest))
    amount = sum((line.amount for line in rest), Decimal(0))
    cells = (words % {"count": len(rest)}, *[""] * (len(columns) - 2), money(amount))
    sheet.row(columns, cells, size=type_.size, height=type_.row)


def _draw_sums(sheet: Sheet, bill: BillDocument, type_: Type, *, span: int) -> None:
    if bill.subtotal is None or bill.total is None:
        return
    sheet.rule()
    sheet.down(RULE)
    _draw_sum(sheet, _("Subtotal before tax"), bill.subtotal, type_, span=span)
    for line in bill.lines:
        if line.kind == "tax":
            name = _("%(tax)s on %(amount)s") % {"tax": line.description, "amount": money(line.quantity)}
            _draw_sum(sheet, name, line.amount, type_, span=span)
    _draw_sum(sheet, _("Total %(currency)s") % {"currency": bill.currency}, bill.total, type_, span=span, bold=True)
    sheet.down(AFTER_TABLE)


def _draw_sum(sheet: Sheet, name: str, amount: Decimal, type_: Type, *, span: int, bold: bool = False) -> None:
    size = max(type_.size, 7)
    with sheet.element("TR"):
        with sheet.element("TH", scope="Row", span=span):
            sheet.text(name, size=size, x=sheet.left + _SUMS_AT, align="right", bold=bold, limit=_SUMS_AT)
        with sheet.element("TD"):
            sheet.text(money(amount), size=size, align="right", bold=bold)
    sheet.down(sum_height(type_))


def _read_cells(read: DocumentRead) -> tuple[str, ...]:
    roles = {
        "boundary": "",
        "installed": _("meter installed"),
        "removed": _("meter removed"),
        "summed": _("half-hours added up"),
    }
    return (
        " ".join(read.serial.split()),
        read.register_code,
        f"{day_in_words(read.time.date())} {read.time:%H:%M}",
        plain(read.value),
        roles.get(read.role, read.role),
    )
