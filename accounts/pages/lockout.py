"""What somebody sees who tried too many passwords, at whichever door."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from energy_portal.shared.problems import problem_response


def login_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str | None:
    """Return the name that failures are counted under: the same address in whatever case it is typed."""
    given = (credentials or request.POST).get("username")
    return given.strip().lower() if isinstance(given, str) else None


def locked_out(request: HttpRequest, response: HttpResponse | None, credentials: Any) -> HttpResponse:
    """Answer 429 with the time to wait: a page at the pages' doors, a problem document at the API's."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    minutes = seconds // 60
    if request.path.startswith("/api/"):
        detail = f"Too many failed logins; wait {minutes} minutes."
        answer = problem_response(request, status=429, code="too_many_failures", detail=detail)
    else:
        answer = render(request, "accounts/locked_out.html", {"minutes": minutes}, status=429)
    answer["Retry-After"] = str(seconds)
    return answer
