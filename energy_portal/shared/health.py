"""Is the process alive, is it ready, and what has it done: for supervisors, load balancers and Prometheus."""

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from energy_portal.shared.callers import is_loopback, source_of
from energy_portal.shared.observability import METRICS_TYPE, exposition

logger = logging.getLogger(__name__)

_CACHE_KEY = "readyz"


def _database_answers() -> bool:
    connection.ensure_connection()
    return bool(connection.is_usable())


def _cache_answers() -> bool:
    cache.set(_CACHE_KEY, 1, timeout=60)
    return bool(cache.get(_CACHE_KEY) == 1)


_PARTS: dict[str, Callable[[], bool]] = {"database": _database_answers, "cache": _cache_answers}


def readiness() -> dict[str, bool]:
    """Ask each part that the portal cannot work without, and tell by name which of them answer."""
    return {name: _answers(name, check) for name, check in _PARTS.items()}


def _answers(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception:
        logger.exception("The %s does not answer", name)
        return False


@never_cache
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process runs at all; nothing else is asked."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when every part answers, otherwise 503 with the parts that do not."""
    parts = readiness()
    ready = all(parts.values())
    document = {
        "status": "ready" if ready else "not ready",
        "parts": {name: "ok" if answers else "down" for name, answers in parts.items()},
    }
    return JsonResponse(document, status=200 if ready else 503)


class MayReadMetrics(BasePermission):
    """Admit admins, keys with the scope ``metrics``, and programs on this machine unless proxies stand before us."""

    message = "Metrics are for admins, keys with the scope metrics, and programs on this machine."

    def has_permission(self, request: Request, view: Any) -> bool:
        source = source_of(request.auth)
        if source is not None:
            return source.allows("metrics")
        if request.user and request.user.is_authenticated:
            return bool(request.user.is_superuser or getattr(request.user, "role", None) == "admin")
        return settings.TRUSTED_PROXIES == 0 and is_loopback(request)


class _AnyAccept(BaseContentNegotiation):
    """Answer in the one format there is, whatever the client would rather have."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class MetricsView(APIView):
    """The figures of all processes in Prometheus's text format."""

    schema = None
    permission_classes = (MayReadMetrics,)
    throttle_classes = ()
    content_negotiation_class = _AnyAccept

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(exposition(), content_type=METRICS_TYPE, headers={"Cache-Control": "no-store"})


metrics = MetricsView.as_view()
