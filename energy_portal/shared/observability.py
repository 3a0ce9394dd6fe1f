"""Figures about the process itself, for Prometheus: how many requests, by which route, how long they took.

With several worker processes ``PROMETHEUS_MULTIPROC_DIR`` names a folder that they share and that is emptied before
they start; without it a process tells only of itself.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)

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


class _Watched(Collector):
    """Figures that are read when somebody asks for them."""

    def __init__(self) -> None:
        self._reads: dict[str, tuple[str, str, Callable[[], Mapping[str, float]]]] = {}

    def watch(self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        self._reads[name] = (documentation, label, read)

    def describe(self) -> list[Metric]:
        """Say nothing ahead: to find out would be to ask the database while the portal starts."""
        return []

    def collect(self) -> Iterator[Metric]:
        for name, (documentation, label, read) in self._reads.items():
            family = GaugeMetricFamily(name, documentation, labels=[label])
            try:
                for value, figure in read().items():
                    family.add_metric([value], figure)
            except Exception:
                logger.exception("The figure %s cannot be read", name)
            yield family


_watched = _Watched()
REGISTRY.register(_watched)


def watch(name: str, documentation: str, *, label: str, read: Callable[[], Mapping[str, float]]) -> None:
    """Show a figure that ``read`` tells by the values of a label, each time that somebody asks; once a name."""
    _watched.watch(name, documentation, label, read)


def observe_request(*, method: str, route: str, status: int, seconds: float) -> None:
    """Count one request.

    :param route: the pattern, never the path: each value is a series of its own.
    """
    method = method if method in _METHODS else "OTHER"
    _requests.labels(method, route, str(status)).inc()
    _latency.labels(method, route).observe(seconds)


def count_requests(*, method: str, route: str, status: int, count: int) -> None:
    """Count many requests at once, answered where to time each would cost more than to answer it."""
    _requests.labels(method, route, str(status)).inc(count)


def exposition() -> bytes:
    """Return every figure of all processes in Prometheus's text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_watched)
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
