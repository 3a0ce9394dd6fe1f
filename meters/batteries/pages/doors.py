"""Who opens the pages of batteries, and by whose clock they are written."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.views.decorators.cache import never_cache

from accounts.pages.chosen import LoggedInRequest
from accounts.roles import Role
from meters.batteries.models import Battery

P = ParamSpec("P")
BatteryView = Callable[Concatenate[LoggedInRequest, P], HttpResponse]


def battery_page(view: BatteryView[P]) -> Callable[..., HttpResponse]:
    """Let in whoever may have to do with batteries: everybody but field agents; they see what is theirs."""

    @login_required
    @never_cache
    @wraps(view)
    def page(request: LoggedInRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if request.user.role == Role.AGENT:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return page


def zone_of(battery: Battery) -> str:
    """Return the zone by whose clock a battery's pages are written."""
    of_account: Any = battery.account.zone if battery.account is not None else ""
    return battery.zone or of_account or settings.SITE_ZONE
