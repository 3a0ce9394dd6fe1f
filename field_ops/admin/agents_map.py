"""The map of agents on shift: a page of its own, and a part of the admin's front page."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin

from accounts.models import User
from field_ops.admin.common import person
from field_ops.models import Agent
from field_ops.selectors.agents import agents_now
from meters.models import Region

_NOBODY = "00000000-0000-0000-0000-000000000000"


class AgentsMapPage(ModelAdmin):  # type: ignore[misc]
    """The map beside the list of agents."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.map_view)
        return [path("map/", view, name="field_ops_agent_map"), *super().get_urls()]

    def map_view(self, request: HttpRequest) -> HttpResponse:
        """Show where agents on shift are; the page follows them by itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Map of agents",
            "agents": agents_map(person(request)),
        }
        return TemplateResponse(request, "admin/field_ops/agents_map.html", context)


def agents_map(user: User) -> dict[str, Any]:
    """Return what the map of agents on shift needs, as somebody may see it."""
    regions = Region.objects.visible_to(user).exclude(status=Region.Status.INACTIVE)
    circles = [
        {
            "latitude": region.latitude,
            "longitude": region.longitude,
            "radius_m": region.radius_m,
            "label": region.name,
            "tone": "muted",
        }
        for region in regions
    ]
    return {
        "data": {"agents": [_shown(agent) for agent in agents_now(user)], "regions": circles},
        "tiles": settings.MAP_TILE_URL,
        "zone": settings.SITE_ZONE,
        "agent_page": reverse("admin:field_ops_agent_change", args=[_NOBODY]),
        "placeholder": _NOBODY,
    }


def _shown(agent: Agent) -> dict[str, Any]:
    """Return an agent as the stream of positions tells them, so that the page begins as it goes on."""
    return {
        "id": agent.pk,
        "name": str(agent),
        "status": agent.status,
        "latitude": agent.latitude,
        "longitude": agent.longitude,
        "accuracy_m": agent.accuracy_m,
        "located_at": agent.located_at,
        "load": agent.current_load,
        "max_load": agent.max_load,
    }
