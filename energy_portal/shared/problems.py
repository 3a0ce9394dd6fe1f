"""Problem documents (RFC 9457): one shape for everything that an interface refuses."""

from collections.abc import Iterable, Mapping
from http.client import responses
from typing import Any

from django.http import HttpRequest, HttpResponse

from energy_portal.shared.errors import ItemError
from energy_portal.shared.strict_json import dumps

PROBLEM_TYPE = "application/problem+json"
TOO_LARGE = "The request is larger than the portal takes."
_READABLE = (PROBLEM_TYPE, "application/json", "text/html")


def problem(
    *,
    status: int,
    code: str,
    detail: str,
    instance: str,
    errors: Iterable[ItemError] = (),
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a problem document; ``type`` is ``about:blank``, and ``code`` tells the kinds apart.

    :param instance: the path that was asked for.
    :param extra: further members, which cannot displace the standard ones.
    """
    items = [item.as_dict() for item in errors]
    return {
        **(extra or {}),
        "type": "about:blank",
        "title": responses.get(status, "Refused"),
        "status": status,
        "code": code,
        "detail": detail,
        "instance": instance,
        **({"errors": items} if items else {}),
    }


def problem_response(request: HttpRequest, *, status: int, code: str, detail: str) -> HttpResponse:
    """Return a problem document as a plain Django response."""
    document = problem(status=status, code=code, detail=detail, instance=request.path)
    return HttpResponse(dumps(document), status=status, content_type=PROBLEM_TYPE)


def wants_page(request: HttpRequest) -> bool:
    """Tell whether the client asks for a page rather than for data, as browsers do."""
    return request.get_preferred_type(list(_READABLE)) == "text/html"
