"""The front door, and the way from it to where each role belongs."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext_noop

from accounts.roles import DESK_ROLES, Role
from billing.pages.accounts import LoggedInRequest

DOCUMENTATION = "/docs"
ENDPOINTS = (
    ("POST", "/register_account", gettext_noop("Register an account with its meters and family members.")),
    ("POST", "/receive_meter_reading", gettext_noop("Hand in one reading, or a list.")),
    ("POST", "/archive_and_prepare", gettext_noop("Move closed months of readings into the archive.")),
    ("GET", "/get_consumption", gettext_noop("Energy of a meter or an account in a period.")),
    ("GET", "/get_last_month_bill", gettext_noop("Last month's energy and, once billed, its amount.")),
    ("GET", "/health", gettext_noop("Whether the portal and what it leans on are well.")),
    ("GET", "/api/schema/", gettext_noop("The OpenAPI description of every path.")),
)


def welcome(request: HttpRequest) -> HttpResponse:
    """Say what this is: a page to browsers, JSON to clients that do not ask for HTML."""
    response: HttpResponse
    if request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        response = render(request, "billing/welcome.html", {"endpoints": ENDPOINTS})
    else:
        response = JsonResponse(
            {
                "message": "Energy portal: half-hourly readings in, consumption and bills out.",
                "endpoints": [{"method": method, "path": path, "does": does} for method, path, does in ENDPOINTS],
                "documentation": DOCUMENTATION,
            }
        )
    patch_vary_headers(response, ["Accept"])
    return response


@login_required
def landing(request: LoggedInRequest) -> HttpResponse:
    """Send each role where it belongs."""
    if request.user.role == Role.OPERATOR:
        return redirect("admin:devices_device_fleet")
    if request.user.role in DESK_ROLES:
        return redirect("admin:index")
    return redirect("field_ops:today" if request.user.role == Role.AGENT else "billing:home")
