"""The page of the whole fleet: how fast it talks, who is online where, what it used today, what waits."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin

from energy_portal.shared.clock import zone
from meters.admin.common import list_url
from meters.devices.admin.common import OPEN_COMMANDS, energy, person, watts
from meters.devices.models import Command, Device, UnknownCode
from meters.devices.selectors.fleet import (
    LISTED,
    FleetToday,
    fleet_standing_of_late,
    fleet_today,
    most_frequent_unknown_codes,
    newest_commands,
    open_alarms_of_devices,
)
from meters.devices.selectors.pulse import pulse_at
from meters.models import Alarm

_CODES_SHOWN = 5


class FleetPage(ModelAdmin):  # type: ignore[misc]
    """The pages beside the list of devices."""

    def fleet_view(self, request: HttpRequest) -> HttpResponse:
        """Show the fleet; the figures bring themselves up to date."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Fleet",
            "live_url": reverse("admin:devices_device_fleet_live"),
            **self._fleet(request),
        }
        return TemplateResponse(request, "admin/devices/fleet.html", context)

    def fleet_live_view(self, request: HttpRequest) -> HttpResponse:
        """Return the figures as they are now."""
        return TemplateResponse(request, "admin/devices/fleet_live.html", self._fleet(request))

    def _fleet(self, request: HttpRequest) -> dict[str, Any]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now, user = timezone.now(), person(request)
        site = zone(settings.SITE_ZONE)
        standing = fleet_standing_of_late()
        alarms = open_alarms_of_devices(user=user)
        today = fleet_today(now=now, zone=site)
        return {
            "now": now,
            "pulse": pulse_at(now=now),
            "standing": standing,
            "power": watts(standing.whole.power_w),
            "today": today,
            "today_energy": energy(today.energy_wh),
            "hours": _bars(today),
            "alarms": list(alarms[:LISTED]),
            "alarm_count": alarms.count(),
            "commands": list(newest_commands(user=user)[:LISTED]),
            "open_commands": OPEN_COMMANDS,
            "codes": list(most_frequent_unknown_codes()[:_CODES_SHOWN]),
            "links": {
                "devices": list_url(Device),
                "commands": list_url(Command),
                "codes": list_url(UnknownCode),
                "alarms": list_url(Alarm) if admin.site.is_registered(Alarm) else None,
            },
        }


def _bars(today: FleetToday) -> list[dict[str, Any]]:
    """Return the hours as bars and rows; ``height`` is percent of the highest."""
    highest = max((hour.energy_wh for hour in today.hours), default=0.0)
    return [
        {
            "start": hour.start,
            "energy": energy(hour.energy_wh),
            "height": round(100 * hour.energy_wh / highest, 1) if highest else 0,
            "covered": int(100 * hour.covered),
            "devices": hour.devices,
        }
        for hour in today.hours
    ]
