"""The pages of an agent: one document for all of them, which scripts fill from what the phone keeps."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from field_ops.pages.doors import AgentRequest, agents_page


def _tile_sources() -> dict[str, Any]:
    """Let maps show the tiles that an operator has chosen."""
    parts = urlsplit(settings.MAP_TILE_URL)
    host = parts.netloc.replace("{s}", "*")
    return {"img-src": [f"{parts.scheme}://{host}"]} if host else {}


@csp_update(_tile_sources())
@agents_page
def today(request: AgentRequest) -> HttpResponse:
    """Show what is to be done, in walking order."""
    return _shell(request, "Today")


@csp_update(_tile_sources())
@agents_page
def walk_map(request: AgentRequest) -> HttpResponse:
    """Show the same on a map."""
    return _shell(request, "Map")


@csp_update(_tile_sources())
@agents_page
def capture(request: AgentRequest, assignment_id: UUID) -> HttpResponse:
    """Take a reading, or say why there is none; whose assignment it is, the phone's own list tells."""
    return _shell(request, "Reading")


@csp_update(_tile_sources())
@agents_page
def sent(request: AgentRequest) -> HttpResponse:
    """Show what became of what was sent, and what waits."""
    return _shell(request, "Sent")


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Say that there is no connection and nothing kept; needs no login and names nobody."""
    return render(request, "field_ops/offline.html")


@require_safe
def revoked(request: HttpRequest) -> HttpResponse:
    """Say that a phone has wiped itself; a link to this page deletes nothing."""
    return render(request, "field_ops/revoked.html")


def _shell(request: AgentRequest, title: str) -> HttpResponse:
    context = {"title": title, "agent": request.agent, "tiles": settings.MAP_TILE_URL}
    return render(request, "field_ops/shell.html", context)
