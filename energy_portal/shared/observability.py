"""Figures about the process itself, for Prometheus: how many requests, by which route, how long they took.

With several worker processes ``PROMETHEUS_MULTIPROC_DIR`` names a folder that they share and that is emptied before
they start; without it a process tells only of itself.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

METRICS_TYPE = CONTENT_TYPE_LATEST
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_requests = Counter("portal_http_requests", "Requests answered.", ("method", "route", "status"))
_latency = Histogram(
    "portal_http_request_seconds",
    "Time until the answer's head was ready.",
    ("method", "route"),
    buckets=_BUCKETS_SECONDS,
)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one request.

    :param route: the pattern, never the path: each value is a series of its own.
    """
    method = method if method in _METHODS else "OTHER"
    _requests.labels(method, route, str(status)).inc()
    _latency.labels(method, route).observe(seconds)


def exposition() -> bytes:
    """Return every figure of all processes in Prometheus's text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


@sync_and_async_middleware
def request_metrics(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Count every request that Django answers, sync or async."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponseBase:
            start = time.perf_counter()
            response: HttpResponseBase = await get_response(request)
            _observe(request, response, start)
            return response

        return async_middleware

    def middleware(request: HttpRequest) -> HttpResponseBase:
        start = time.perf_counter()
        response: HttpResponseBase = get_response(request)
        _observe(request, response, start)
        return response

    return middleware


def _observe(request: HttpRequest, response: HttpResponseBase, start: float) -> None:
    match = request.resolver_match
    observe_request(
        method=request.method or "",
        route=f"/{match.route}" if match else "(none)",
        status=response.status_code,
        seconds=time.perf_counter() - start,
    )
