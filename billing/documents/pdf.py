"""Draw a bill on one A4 page."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from django.utils.translation import gettext as _
from django.utils.translation import override
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from billing.documents.chart import draw_use
from billing.documents.content import BillDocument
from billing.documents.layout import lay_out
from billing.documents.tables import description_width, distinct_reads, draw_lines, draw_reads
from billing.documents.text import LANGUAGE, day_in_words, day_span, money, name_of, plain
from energy_portal.shared.paper import fonts
from energy_portal.shared.paper.sheet import ACCENT, MUTED, Sheet
from energy_portal.shared.paper.structure import Structure

_LEFT, _RIGHT, _TOP, _BOTTOM = 20 * mm, A4[0] - 20 * mm, A4[1] - 18 * mm, 11 * mm
_WARNING, _WATERMARK = HexColor("#b91c1c"), HexColor("#fbe9e9")
_GAP = 4 * mm
_COLUMN = (_RIGHT - _LEFT - 2 * _GAP) / 3
_NOTE_SIZE, _NOTE = 7.5, 9.2
_FOOT_HEAD = 22.0
_DRAFT, _VOID = "draft", "void"


@dataclass(frozen=True)
class _Foot:
    """What stands at the foot of the page: three columns, each with its heading, and notes across them."""

    columns: tuple[tuple[str, tuple[str, ...]], ...]
    notes: tuple[str, ...]

    @property
    def height(self) -> float:
        return _FOOT_HEAD + (max(len(lines) for _, lines in self.columns) + len(self.notes) + 0.6) * _NOTE


@override(LANGUAGE)
def bill_pdf(bill_document: BillDocument) -> bytes:
    """Draw a bill as a tagged PDF of one A4 page; the same document always gives the same bytes, in one language."""
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, lang=LANGUAGE)
    canvas.setTitle(f"{name_of(bill_document)} {bill_document.number or _('draft')}")
    canvas.setAuthor(bill_document.issuer.name)
    canvas.setSubject(
        _("Account %(account)s, %(period)s")
        % {"account": bill_document.account_number, "period": _period(bill_document)}
    )
    canvas.setViewerPreference("DisplayDocTitle", "true")
    structure = Structure(canvas)
    sheet = Sheet(canvas, left=_LEFT, right=_RIGHT, y=_TOP, structure=structure)
    _draw(sheet, bill_document)
    canvas.showPage()
    structure.attach(canvas._doc.Pages.pages[0])
    canvas.save()
    return buffer.getvalue()


def _draw(sheet: Sheet, bill: BillDocument) -> None:
    _watermark(sheet, bill)
    _head(sheet, bill)
    _parties(sheet, bill)
    _total(sheet, bill)
    foot = _foot_of(bill)
    layout = lay_out(
        bill,
        room=sheet.y - _BOTTOM - foot.height,
        reads=len(distinct_reads(bill)),
        description_width=description_width(bill),
    )
    if layout.bars:
        draw_use(sheet, bill, layout.bars)
    draw_lines(sheet, bill, layout)
    draw_reads(sheet, bill, layout)
    _draw_foot(sheet, foot)


def _watermark(sheet: Sheet, bill: BillDocument) -> None:
    words = {_DRAFT: _("DRAFT"), _VOID: _("VOID")}.get(bill.status)
    if words is None:
        return
    canvas = sheet.canvas
    with sheet.artifact():
        canvas.saveState()
        canvas.translate(A4[0] / 2, A4[1] * 0.42)
        canvas.rotate(52)
        mark = Sheet(canvas, left=0, right=0, y=-50)
        mark.text(words, size=150, bold=True, colour=_WATERMARK, x=-fonts.width(words, 150, bold=True) / 2)
        canvas.restoreState()


def _head(sheet: Sheet, bill: BillDocument) -> None:
    issuer = bill.issuer
    name = name_of(bill)
    room = _RIGHT - _LEFT - fonts.width(name, 15) - 12
    sheet.text(issuer.name, size=15, bold=True, colour=ACCENT, limit=room)
    with sheet.element("H1"):
        sheet.text(name, size=15, align="right")
    sheet.down(14)
    notice = _notice(bill)
    room = _RIGHT - _LEFT - (fonts.width(notice, 10, bold=True) + 12 if notice else 0)
    sheet.text(" · ".join(filter(None, (issuer.address, issuer.contact))), size=8, colour=MUTED, limit=room)
    if notice:
        sheet.text(notice, size=10, bold=True, colour=_WARNING, align="right")
    sheet.down(8)
    sheet.rule()
    sheet.down(18)


def _notice(bill: BillDocument) -> str:
    if bill.status == _DRAFT:
        return _("DRAFT: not a credit note yet") if bill.is_credit_note else _("DRAFT: not a bill yet")
    if bill.status != _VOID:
        return ""
    if bill.taken_back_by is None:
        return _("VOID: replaced by a credit note")
    return _("VOID: taken back by credit note %(number)s") % {"number": bill.taken_back_by}


def _parties(sheet: Sheet, bill: BillDocument) -> None:
    top = sheet.y
    sheet.text(bill.owner_name, size=11, bold=True, limit=85 * mm)
    for line in _address_lines(bill.address):
        sheet.down(12)
        sheet.text(line, size=9, limit=85 * mm)
    bottom = sheet.y
    sheet.y = top
    with sheet.element("Table"):
        for name, value in _facts(bill):
            with sheet.element("TR"):
                with sheet.element("TH", scope="Row"):
                    sheet.text(name, size=9, x=_LEFT + 92 * mm, colour=MUTED)
                with sheet.element("TD"):
                    sheet.text(value, size=9, x=_LEFT + 122 * mm, limit=48 * mm)
            sheet.down(12)
    sheet.y = min(bottom - 12, sheet.y) - 4


def _facts(bill: BillDocument) -> list[tuple[str, str]]:
    number = _("Credit note number") if bill.is_credit_note else _("Bill number")
    facts = [(number, bill.number or _("not issued"))]
    if bill.corrects:
        facts.append((_("Takes back bill") if bill.is_credit_note else _("Replaces bill"), bill.corrects))
    facts += [
        (_("Account"), bill.account_number),
        (_("Period"), _period(bill)),
        (_("Issued"), day_in_words(bill.issued_on) if bill.issued_on else _("not issued")),
    ]
    if _is_payable(bill) and bill.due_on is not None:
        facts.append((_("Pay by"), day_in_words(bill.due_on)))
    return facts


def _total(sheet: Sheet, bill: BillDocument) -> None:
    sheet.band(46)
    sheet.down(29)
    name = _("Was to pay") if bill.status == _VOID else _("Total to pay")
    if bill.is_credit_note:
        name = _("Credited to you")
    sheet.text(name, size=10, x=_LEFT + 10)
    sheet.text(_headline(bill), size=24, bold=True, x=_LEFT + 20 + fonts.width(name, 10))
    used = _("energy not known")
    if bill.consumption_kwh is not None:
        used = f"{plain(bill.consumption_kwh)} kWh"
    sheet.text(used, size=13, x=_RIGHT - 10, align="right")
    sheet.down(29)
    for sentence in _sentences(bill):
        for line in fonts.wrap(sentence, 9, _RIGHT - _LEFT):
            sheet.text(line, size=9)
            sheet.down(12)


def _headline(bill: BillDocument) -> str:
    if bill.total is None:
        return _("Held")
    return f"{bill.currency} {money(-bill.total if bill.is_credit_note else bill.total)}"


def _sentences(bill: BillDocument) -> list[str]:
    sentences = []
    if bill.held_because:
        sentences.append(bill.held_because)
    if bill.estimated_share:
        share = plain((bill.estimated_share * 100).normalize())
        sentences.append(_("%(share)s %% of the energy is estimated.") % {"share": share})
    return sentences


def _foot_of(bill: BillDocument) -> _Foot:
    texts = (
        (_("How to pay"), _how_to_pay(bill)),
        (_("Questions"), _questions(bill)),
        (_("Not right?"), _dispute(bill)),
    )
    if bill.is_credit_note:
        texts = ((_("Nothing to pay"), _how_to_pay(bill)), *texts[1:])
    return _Foot(
        tuple((head, tuple(fonts.wrap(text, _NOTE_SIZE, _COLUMN))) for head, text in texts),
        tuple(line for note in _notes(bill) for line in fonts.wrap(note, _NOTE_SIZE, _RIGHT - _LEFT)),
    )


def _how_to_pay(bill: BillDocument) -> str:
    if bill.is_credit_note:
        return _("The amount is credited to your account and set against what you owe.")
    if bill.status == _DRAFT:
        return _("This is a draft: please do not pay it. The bill follows.")
    if bill.status == _VOID:
        return _("This bill was withdrawn: please do not pay it.")
    words = {"amount": _headline(bill), "reference": bill.number or ""}
    if bill.total is not None and bill.total <= 0:
        return _("Nothing is to be paid: what is in your favour is set against what you owe.")
    if bill.due_on is None:
        request = _("Please pay %(amount)s and give the payment reference %(reference)s.") % words
    else:
        words["day"] = day_in_words(bill.due_on)
        request = _("Please pay %(amount)s by %(day)s and give the payment reference %(reference)s.") % words
    return f"{request} {bill.issuer.payment}".strip()


def _questions(bill: BillDocument) -> str:
    words = {"contact": bill.issuer.contact, "account": bill.account_number, "website": bill.issuer.website}
    asked = _("Write to %(contact)s and name your account, %(account)s.") % words
    if not bill.issuer.website:
        return asked
    return f"{asked} " + _("Every line opens down to its half-hours at %(website)s.") % words


def _dispute(bill: BillDocument) -> str:
    words = {"contact": bill.issuer.contact, "website": bill.issuer.website}
    if bill.issuer.website:
        return (
            _("Open the bill at %(website)s and dispute it there, or write to %(contact)s. A person looks at it.")
            % words
        )
    return _("Write to %(contact)s and say which line you dispute. A person looks at it.") % words


def _notes(bill: BillDocument) -> list[str]:
    notes = [
        _(
            "How to read this bill: each line is its quantity times its rate, before tax, rounded to the cent. Tax is"
            " taken on the sum of the lines. The energy is the difference of the meter readings. Days and times are"
            " those of %(zone)s; a reading at 00:00 closes the day before."
        )
        % {"zone": bill.zone}
    ]
    if not all(fonts.is_printable(text) for text in (bill.owner_name, bill.address)):
        notes.append(
            _("Characters that this page cannot print stand as a question mark; the website shows them in full.")
        )
    return notes


def _draw_foot(sheet: Sheet, foot: _Foot) -> None:
    top = _BOTTOM + foot.height
    sheet.y = top
    sheet.rule()
    lowest = top
    for index, (head, lines) in enumerate(foot.columns):
        x = _LEFT + index * (_COLUMN + _GAP)
        sheet.y = top - 12
        with sheet.element("H2"):
            sheet.text(head, size=8.5, bold=True, colour=ACCENT, x=x)
        sheet.down(10)
        _paragraph(sheet, lines, x=x)
        lowest = min(lowest, sheet.y)
    sheet.y = lowest - 0.4 * _NOTE
    _paragraph(sheet, foot.notes, x=_LEFT)


def _paragraph(sheet: Sheet, lines: Sequence[str], *, x: float) -> None:
    with sheet.element("P"):
        for line in lines:
            sheet.text(line, size=_NOTE_SIZE, colour=MUTED, x=x)
            sheet.down(_NOTE)


def _is_payable(bill: BillDocument) -> bool:
    return bill.status not in {_DRAFT, _VOID} and not bill.is_credit_note


def _address_lines(address: str) -> Sequence[str]:
    return [line.strip() for line in address.splitlines() if line.strip()][:5]


def _period(bill: BillDocument) -> str:
    return day_span(bill.first_day, bill.last_day)
