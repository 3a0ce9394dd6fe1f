"""What Django itself answers when no view did: a page for browsers, a problem document for machines."""

import logging

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from energy_portal.shared.problems import TOO_LARGE, problem_response, wants_page

logger = logging.getLogger(__name__)

_BARE_PAGE = "<!doctype html><html lang='en'><title>{0}</title><h1>{0}</h1></html>"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django could not read (``handler400``)."""
    if isinstance(exception, RequestDataTooBig):
        return _answer(request, status=413, code="body_too_large", detail=TOO_LARGE)
    return _answer(request, status=400, code="bad_request", detail="The request could not be read.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer somebody who may not do this (``handler403``)."""
    return _answer(request, status=403, code="permission_denied", detail="You may not do this.")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a path that leads nowhere (``handler404``)."""
    return _answer(request, status=404, code="not_found", detail="Nothing is to be found here.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer after a fault of ours (``handler500``), without asking anything of what may be broken."""
    return _answer(request, status=500, code="internal_error", detail="Something went wrong on our side.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that does not carry its token (``CSRF_FAILURE_VIEW``)."""
    detail = "The form has expired or did not come from this site. Reload the page and try again."
    return _answer(request, status=403, code="csrf_failed", detail=detail)


def _answer(request: HttpRequest, *, status: int, code: str, detail: str) -> HttpResponse:
    if not wants_page(request):
        return problem_response(request, status=status, code=code, detail=detail)
    return HttpResponse(_page(request, status, detail), status=status)


def _page(request: HttpRequest, status: int, detail: str) -> str:
    """Render the page of a status; that of 500 without context processors, which may be what failed.

    A page that fails itself gives way to a bare one: the answer keeps its status.
    """
    template = f"errors/{400 if status == 413 else status}.html"
    try:
        return render_to_string(template, {"detail": detail}, None if status == 500 else request)
    except Exception:
        logger.exception("The page %s failed", template)
        return _BARE_PAGE.format(detail)
