"""Limits on calls, by who calls."""

import time
from typing import Any

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from energy_portal.shared.callers import client_address, source_of
from energy_portal.shared.rates import Rate, take

_MINUTE = 60


class CallerThrottle(BaseThrottle):
    """Refuse with 429 and Retry-After whoever calls more often than ``DEFAULT_THROTTLE_RATES`` lets their kind.

    A data source counts as one caller however many keys it has, and may have a rate of its own
    (``messages_per_minute``); a person counts by id, anybody else by address. A view whose calls differ in weight
    defines ``throttle_cost(request) -> int``, such as the number of messages; it must not trust what it reads.
    """

    _seconds: float = 0

    def allow_request(self, request: Request, view: Any) -> bool:
        key, rate = _caller(request)
        measure = getattr(view, "throttle_cost", None)
        cost = 1 if measure is None else max(1, measure(request))
        self._seconds = take(key, rate, cost=cost, now=time.time())
        return not self._seconds

    def wait(self) -> float:
        return self._seconds


def _caller(request: Request) -> tuple[str, Rate]:
    rates: dict[str, Any] = api_settings.DEFAULT_THROTTLE_RATES
    source = source_of(request.auth)
    if source is not None:
        own = getattr(source, "messages_per_minute", None)
        return f"source:{source.pk}", Rate(own, _MINUTE) if own else Rate.parse(rates["source"])
    if request.user and request.user.is_authenticated:
        return f"user:{request.user.pk}", Rate.parse(rates["user"])
    return f"anonymous:{client_address(request)}", Rate.parse(rates["anonymous"])
