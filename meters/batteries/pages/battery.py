"""One battery as it is now, kept so by its websocket; without scripts, as it was when the page was made."""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.pages.chosen import LoggedInRequest
from accounts.roles import DESK_ROLES
from meters.batteries.models import Battery
from meters.batteries.pages.charts import RANGES, USUAL_HOURS, history_of
from meters.batteries.pages.doors import battery_page, zone_of
from meters.batteries.pages.standing import rest_kw, standing_of
from meters.batteries.selectors.batteries import UnknownBattery, batteries_for, battery_for
from meters.batteries.selectors.fleet import SILENT_AFTER, open_alarms_of

_MODES = frozenset({"live", "replay"})
_WINDOWS = (
    "soc_low_percent",
    "soc_high_percent",
    "cell_voltage_low_v",
    "cell_voltage_high_v",
    "cell_temp_low_c",
    "cell_temp_high_c",
    "igbt_temp_high_c",
)


@battery_page
def battery(request: LoggedInRequest, battery_id: str) -> HttpResponse:
    """Show a battery to whoever may see it; ``?hours`` is how far its charts reach, ``?mode`` live or replay alone."""
    now = timezone.now()
    try:
        found = battery_for(battery_id=battery_id, user=request.user)
    except UnknownBattery as error:
        raise Http404 from error
    standing = standing_of(found, now=now)
    hours = _hours(request.GET.get("hours", ""))
    history = history_of(found, until=standing.at or now, hours=hours)
    mode = request.GET.get("mode", "")
    zone, is_desk = zone_of(found), request.user.role in DESK_ROLES
    with timezone.override(zone):
        context = {
            "battery": found,
            "standing": standing,
            "alarms": open_alarms_of(found, request.user),
            "history": history,
            "chart": history.as_json(zone),
            "page_data": _page_data(found, mode if mode in _MODES else "", zone, now.timestamp()),
            "hours": hours,
            "ranges": list(RANGES),
            "mode": mode if mode in _MODES else "",
            "zone": zone,
            "is_desk": is_desk,
            "has_others": is_desk or batteries_for(user=request.user).count() > 1,
        }
        return render(request, "batteries/battery.html", context)


def _hours(text: str) -> int:
    return int(text) if text.isdecimal() and int(text) in RANGES else USUAL_HOURS


def _page_data(found: Battery, mode: str, zone: str, now: float) -> dict[str, Any]:
    """Return what the page's script has to know of the battery."""
    return {
        "id": found.battery_id,
        "mode": mode,
        "zone": zone,
        "now": round(1_000 * now),
        "silentAfter": 1_000 * SILENT_AFTER.total_seconds(),
        "restKw": rest_kw(found),
        "ratedKwh": found.rated_energy_kwh,
        "windows": {name: getattr(found, name) for name in _WINDOWS},
    }
