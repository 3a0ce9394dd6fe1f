"""Draw a battery's dossier on one A4 page."""

from collections.abc import Iterable
from datetime import timedelta
from io import BytesIO

from django.conf import settings
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from energy_portal.shared.paper import fonts
from energy_portal.shared.paper.sheet import ACCENT, MUTED, TEXT, Sheet
from meters.batteries.pages.dossier_words import Fact, Section, period_in_words, sections_of
from meters.batteries.selectors.dossiers import BatteryDossier

_LEFT, _RIGHT, _TOP = 20 * mm, A4[0] - 20 * mm, A4[1] - 18 * mm
_GUTTER = 8 * mm
_HALF = (_RIGHT - _LEFT - _GUTTER) / 2
_BOTTOM = 20 * mm
_LINE = 14.0
_NOTE, _NOTE_SIZE = 9.0, 7.0
_AFTER_NOTE = 13.0
_CHART_HEIGHT = 24 * mm
_MOST_ALARMS = 8
_WARNING = HexColor("#b45309")
# What stands in the left column; the rest stands in the right one.
_LEFT_KEYS = ("throughput", "efficiency", "outside", "derating")


def dossier_pdf(told: BatteryDossier) -> bytes:
    """Draw a dossier as a PDF of one A4 page; the same dossier always gives the same bytes."""
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=1, lang="en")
    canvas.setTitle(f"Dossier of battery {told.battery}")
    canvas.setSubject(period_in_words(told))
    canvas.setViewerPreference("DisplayDocTitle", "true")
    sheet = Sheet(canvas, left=_LEFT, right=_RIGHT, y=_TOP)
    _head(sheet, told)
    _days(sheet, told)
    sections = sections_of(told)
    top = sheet.y
    _column(canvas, [each for each in sections if each.key in _LEFT_KEYS], x=_LEFT, y=top)
    _column(canvas, [each for each in sections if each.key not in _LEFT_KEYS], x=_LEFT + _HALF + _GUTTER, y=top)
    _foot(canvas, told)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _head(sheet: Sheet, told: BatteryDossier) -> None:
    battery = told.battery
    sheet.text(str(battery), size=15, bold=True, colour=ACCENT, limit=110 * mm)
    sheet.text("Battery dossier", size=15, align="right")
    sheet.down(14)
    plate = (
        battery.battery_id if battery.name else "",
        f"{battery.rated_energy_kwh:,.10g} kWh" if battery.rated_energy_kwh else "",
        f"{battery.rated_power_kw:,.10g} kW" if battery.rated_power_kw else "",
        f"{battery.cells_in_series} cells in series" if battery.cells_in_series else "",
    )
    sheet.text(" · ".join(filter(None, plate)), size=8, colour=MUTED, limit=110 * mm)
    if battery.is_simulated:
        sheet.text("SIMULATED: no such battery stands anywhere", size=9, bold=True, colour=_WARNING, align="right")
    sheet.down(8)
    sheet.rule()
    sheet.down(16)
    sheet.text(period_in_words(told), size=11, bold=True)
    sheet.text(f"times of {told.zone}", size=8, colour=MUTED, align="right")
    sheet.down(16)


def _days(sheet: Sheet, told: BatteryDossier) -> None:
    through = [
        None if day.charged_kwh is None or day.discharged_kwh is None else day.charged_kwh + day.discharged_kwh
        for day in told.dossier.days
    ]
    greatest = max((each for each in through if each is not None), default=0.0)
    if not greatest:
        return
    sheet.heading("kWh in and out a day")
    sheet.down(-14)
    sheet.text(f"most in a day: {greatest:,.1f} kWh", size=8, colour=MUTED, align="right")
    sheet.down(14)
    sheet.bars([None if each is None else each / greatest for each in through], _CHART_HEIGHT)
    sheet.text(f"{told.first.day} {told.first:%b}", size=7, colour=MUTED)
    last = told.first + timedelta(days=len(through) - 1)
    sheet.text(f"{last.day} {last:%b}", size=7, colour=MUTED, align="right")
    sheet.down(14)


def _column(canvas: Canvas, sections: Iterable[Section], *, x: float, y: float) -> None:
    sheet = Sheet(canvas, left=x, right=x + _HALF, y=y)
    for section in sections:
        sheet.heading(section.title)
        shown = section.facts[:_MOST_ALARMS]
        for fact in shown:
            _fact(sheet, fact)
        if left_out := len(section.facts) - len(shown):
            sheet.text(f"{left_out} more are listed in the portal.", size=8, colour=MUTED)
            sheet.down(_LINE)
        sheet.down(4)


def _fact(sheet: Sheet, fact: Fact) -> None:
    sheet.text(fact.name, size=9, limit=_HALF * 0.62)
    sheet.text(fact.value, size=9, bold=fact.is_known, colour=TEXT if fact.is_known else MUTED, align="right")
    for line in fonts.wrap(fact.note, _NOTE_SIZE, _HALF):
        sheet.down(_NOTE)
        sheet.text(line, size=_NOTE_SIZE, colour=MUTED, limit=_HALF)
    sheet.down(_AFTER_NOTE if fact.note else _LINE)


def _foot(canvas: Canvas, told: BatteryDossier) -> None:
    sheet = Sheet(canvas, left=_LEFT, right=_RIGHT, y=_BOTTOM)
    sheet.rule()
    sheet.down(10)
    sheet.text(
        "Sums and extremes of quarters of an hour, as far as their power is known; what is not known is not counted.",
        size=7,
        colour=MUTED,
    )
    sheet.text(settings.BILL_ISSUER_NAME, size=7, colour=MUTED, align="right")
