"""The energy of each day as bars, and how it compares with other months."""

from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from reportlab.lib.units import mm

from billing.documents.content import BillDocument, BilledUse, DayUse
from billing.documents.text import day_span, plain
from energy_portal.shared.paper.sheet import ACCENT, LINE, MUTED, Column, Sheet
from energy_portal.shared.paper.structure import Box

_CHART_WIDTH = 112 * mm
_AXIS = 9 * mm
_HEAD, _FOOT = 20.0, 28.0
_SMALLEST_BAR = 0.6
_HATCH = 2.2
_DAYS_A_LABEL = 7
_ROW = 13.0
_NEAR = Decimal("0.5")
_COMPARED_AT = 120 * mm


def chart_height(bill: BillDocument, bars: float) -> float:
    """Return how much of the page the chart and the comparison take when bars are up to so many points high."""
    return _HEAD + bars + _FOOT if has_chart(bill) or _is_compared(bill) else 0


def has_chart(bill: BillDocument) -> bool:
    """Tell whether the energy of any day is known to be more than nothing."""
    return any(use.energy_kwh for use in bill.daily_use)


def draw_use(sheet: Sheet, bill: BillDocument, bars: float) -> None:
    """Draw the chart, with the comparison at its right."""
    charted, compared = has_chart(bill), _is_compared(bill)
    if not (charted or compared):
        return
    sheet.heading(_("Your use by day") if charted else _("Your use"))
    top = sheet.y
    if charted:
        _draw_chart(sheet, bill, bars)
    if compared:
        sheet.y = top
        _draw_compared(sheet, bill)
    sheet.y = top - bars - _FOOT


def _is_compared(bill: BillDocument) -> bool:
    return any(use.kwh_a_day is not None for use in bill.compared[1:])


def _draw_chart(sheet: Sheet, bill: BillDocument, bars: float) -> None:
    greatest = max(use.energy_kwh for use in bill.daily_use if use.energy_kwh is not None)
    box = Box(sheet.left, sheet.y - bars - _FOOT + 8, sheet.left + _CHART_WIDTH, sheet.y)
    base = sheet.y - bars
    left = sheet.left + _AXIS
    step = (_CHART_WIDTH - _AXIS) / len(bill.daily_use)
    with sheet.element("Figure", alt=_in_words(bill), box=box):
        with sheet.content():
            _draw_grid(sheet, base, bars)
            for index, use in enumerate(bill.daily_use):
                if use.energy_kwh is not None:
                    tall = max(float(use.energy_kwh / greatest) * bars, _SMALLEST_BAR)
                    _draw_bar(sheet, left + (index + 0.15) * step, base, step * 0.7, tall, hatched=use.estimated)
        _label(sheet, bill, greatest, base=base, bars=bars, step=step)


def _draw_grid(sheet: Sheet, base: float, bars: float) -> None:
    sheet.canvas.setStrokeColor(LINE)
    sheet.canvas.setLineWidth(0.6)
    for share in (0, 0.5, 1):
        y = base + bars * share
        sheet.canvas.line(sheet.left + _AXIS, y, sheet.left + _CHART_WIDTH, y)


def _draw_bar(sheet: Sheet, x: float, y: float, width: float, height: float, *, hatched: bool) -> None:
    canvas = sheet.canvas
    canvas.setFillColor(ACCENT)
    if not hatched:
        canvas.rect(x, y, width, height, stroke=0, fill=1)
        return
    canvas.saveState()
    outline = canvas.beginPath()
    outline.rect(x, y, width, height)
    canvas.clipPath(outline, stroke=0, fill=0)
    canvas.setStrokeColor(ACCENT)
    canvas.setLineWidth(0.7)
    across = y - width
    while across < y + height:
        canvas.line(x, across, x + width, across + width)
        across += _HATCH
    canvas.rect(x, y, width, height, stroke=1, fill=0)
    canvas.restoreState()


def _label(sheet: Sheet, bill: BillDocument, greatest: Decimal, *, base: float, bars: float, step: float) -> None:
    for share in (Decimal(1), Decimal("0.5"), Decimal(0)):
        sheet.y = base + bars * float(share) - 2
        value = (greatest * share).quantize(Decimal("0.1"))
        sheet.text(plain(value), size=6.5, colour=MUTED, x=sheet.left + _AXIS - 4, align="right")
    sheet.y = base - 8
    for index in range(0, len(bill.daily_use), _DAYS_A_LABEL):
        day = bill.daily_use[index].day
        label = date_format(day, "j M") if index == 0 else str(day.day)
        sheet.text(label, size=6.5, colour=MUTED, x=sheet.left + _AXIS + index * step)
    sheet.y = base - 16.5
    sheet.text(_legend(bill.daily_use), size=6.5, colour=MUTED, x=sheet.left + _AXIS)


def _legend(days: tuple[DayUse, ...]) -> str:
    words = [_("kWh a day")]
    if any(use.estimated for use in days):
        words.append(_("hatched: estimated"))
    if any(use.energy_kwh is None for use in days):
        words.append(_("blank: not known"))
    return " · ".join(words)


def _in_words(bill: BillDocument) -> str:
    known = [use for use in bill.daily_use if use.energy_kwh is not None]
    most = max(known, key=lambda use: use.energy_kwh or 0)
    least = min(known, key=lambda use: use.energy_kwh or 0)
    words = [
        _(
            "Bar chart of the energy of each day, %(days)s: most on %(most_day)s, %(most)s kWh;"
            " least on %(least_day)s, %(least)s kWh."
        )
        % {
            "days": day_span(bill.first_day, bill.last_day),
            "most_day": date_format(most.day, "j M"),
            "most": _tenth(most),
            "least_day": date_format(least.day, "j M"),
            "least": _tenth(least),
        }
    ]
    estimated = sum(use.estimated for use in known)
    if estimated:
        words.append(
            ngettext("%(days)s day is estimated.", "%(days)s days are estimated.", estimated) % {"days": estimated}
        )
    missing = len(bill.daily_use) - len(known)
    if missing:
        words.append(
            ngettext("%(days)s day is not known.", "%(days)s days are not known.", missing) % {"days": missing}
        )
    return " ".join(words)


def _tenth(use: DayUse) -> str:
    return plain((use.energy_kwh or Decimal(0)).quantize(Decimal("0.1")))


def _draw_compared(sheet: Sheet, bill: BillDocument) -> None:
    columns = (
        Column(_("Month"), _COMPARED_AT, "left"),
        Column(_("kWh a day"), _COMPARED_AT + 32 * mm, "right"),
        Column(_("This bill is"), 170 * mm, "right"),
    )
    this = bill.compared[0]
    sheet.down(8)
    with sheet.element("Table"):
        with sheet.element("TR"):
            for column in columns:
                with sheet.element("TH", scope="Column"):
                    sheet.text(column.name, size=7.5, colour=MUTED, x=sheet.left + column.x, align=column.align)
        sheet.down(_ROW)
        for index, use in enumerate(bill.compared):
            cells = (date_format(use.month, "M Y"), _a_day(use), "" if index == 0 else _change(this, use))
            sheet.row(columns, cells, size=8.5, height=_ROW)


def _a_day(use: BilledUse) -> str:
    return _("not billed") if use.kwh_a_day is None else f"{use.kwh_a_day:,.2f}"


def _change(this: BilledUse, other: BilledUse) -> str:
    """Say how much more or less this bill's days used than another's, in whole percent."""
    if not this.kwh_a_day or not other.kwh_a_day:
        return ""
    percent = (this.kwh_a_day - other.kwh_a_day) / other.kwh_a_day * 100
    if abs(percent) < _NEAR:
        return _("the same")
    words = _("%(percent)s %% higher") if percent > 0 else _("%(percent)s %% lower")
    return words % {"percent": f"{abs(percent):,.0f}"}
