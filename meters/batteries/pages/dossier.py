"""A battery's dossier as a page and as a document of one sheet."""

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import slugify

from accounts.pages.chosen import LoggedInRequest
from meters.batteries.pages.doors import battery_page, zone_of
from meters.batteries.pages.dossier_pdf import dossier_pdf
from meters.batteries.pages.dossier_words import period_in_words, sections_of
from meters.batteries.selectors.batteries import UnknownBattery, battery_for
from meters.batteries.selectors.dossiers import BatteryDossier, days_asked, dossier_between, instant_of

# What a row of the table holds: the chart's columns, in their order.
_ROW = ("day", "charged", "discharged", "soc", "known")


@battery_page
def dossier(request: LoggedInRequest, battery_id: str) -> HttpResponse:
    """Show a battery's dossier of local days, ``?from`` and ``?to`` included; by default of the last thirty."""
    told = _told(request, battery_id)
    with timezone.override(told.zone):
        context = {
            "battery": told.battery,
            "told": told,
            "period": period_in_words(told),
            "sections": sections_of(told),
            "chart": (chart := chart_of(told)),
            "rows": [dict(zip(_ROW, values, strict=True)) for values in zip(*chart.values(), strict=True)],
            "today": _today(told.zone),
        }
        return render(request, "batteries/dossier.html", context)


@battery_page
def dossier_document(request: LoggedInRequest, battery_id: str) -> HttpResponse:
    """Hand out the same as a PDF of one A4 page."""
    told = _told(request, battery_id)
    name = f"dossier-{slugify(battery_id)}-{told.first:%Y-%m-%d}-{told.last:%Y-%m-%d}.pdf"
    response = HttpResponse(dossier_pdf(told), content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{name}"'
    return response


def chart_of(told: BatteryDossier) -> dict[str, Any]:
    """Return the days as the page's chart draws them; what is not known is left blank."""
    clock = ZoneInfo(told.zone)
    days = [(instant_of(day.start).astimezone(clock), day) for day in told.dossier.days]
    return {
        "labels": [f"{local.day} {local:%b}" for local, _ in days],
        "charged": [None if day.charged_kwh is None else round(day.charged_kwh, 2) for _, day in days],
        "discharged": [None if day.discharged_kwh is None else round(day.discharged_kwh, 2) for _, day in days],
        "soc": [_soc(day.soc_low_percent, day.soc_high_percent) for _, day in days],
        "known": [round(day.share * 100, 1) for _, day in days],
    }


def _soc(low: float | None, high: float | None) -> list[float] | None:
    return None if low is None or high is None else [round(low, 1), round(high, 1)]


def _told(request: LoggedInRequest, battery_id: str) -> BatteryDossier:
    try:
        battery = battery_for(battery_id=battery_id, user=request.user)
    except UnknownBattery as error:
        raise Http404 from error
    zone = zone_of(battery)
    asked = {"first": request.GET.get("from", ""), "last": request.GET.get("to", "")}
    first, last = days_asked(**asked, today=_today(zone))
    return dossier_between(battery=battery, first=first, last=last, zone=zone, now=timezone.now())


def _today(zone: str) -> date:
    return timezone.now().astimezone(ZoneInfo(zone)).date()
