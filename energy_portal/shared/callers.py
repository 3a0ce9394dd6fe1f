"""Who is calling, as far as common ground can tell without knowing any app."""

from ipaddress import ip_address
from typing import Any, Protocol

from django.conf import settings
from django.http import HttpRequest


class Source(Protocol):
    """A machine that came in with a key."""

    pk: Any

    def allows(self, scope: str) -> bool:
        """Tell whether its keys open a scope."""


def source_of(credential: Any) -> Source | None:
    """Return the data source behind a request's ``auth``, which is the source or one of its keys; else None."""
    for candidate in (credential, getattr(credential, "source", None)):
        if callable(getattr(candidate, "allows", None)):
            return candidate
    return None


def client_address(request: HttpRequest) -> str:
    """Return the address of the client, behind as many proxies as are ours (``TRUSTED_PROXIES``).

    What a client itself writes into ``X-Forwarded-For`` is never believed. Empty over a Unix socket without a proxy.
    """
    direct: str = request.META.get("REMOTE_ADDR") or ""
    proxies = settings.TRUSTED_PROXIES
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if not proxies or not forwarded:
        return direct
    return str(forwarded[-min(proxies, len(forwarded))])


def is_loopback(request: HttpRequest) -> bool:
    """Tell whether a program on this very machine calls, not a proxy on behalf of somebody else."""
    if any(
        request.headers.get(name) for name in ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Via", "X-Real-IP")
    ):
        return False
    try:
        address = ip_address(request.META.get("REMOTE_ADDR") or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
