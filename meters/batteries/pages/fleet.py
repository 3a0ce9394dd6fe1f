"""All batteries at a glance, those first that need somebody."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.pages.chosen import LoggedInRequest
from accounts.roles import DESK_ROLES, Role
from meters.batteries.pages.doors import battery_page
from meters.batteries.pages.standing import standing_of
from meters.batteries.selectors.fleet import fleet_for

BATTERIES_A_PAGE = 24


@battery_page
def fleet(request: LoggedInRequest) -> HttpResponse:
    """Show the batteries that somebody may see; a customer's only one at once, and to htmx the list alone."""
    now = timezone.now()
    page = Paginator(fleet_for(request.user, now=now), BATTERIES_A_PAGE).get_page(request.GET.get("page"))
    if request.user.role == Role.CUSTOMER and page.paginator.count == 1:
        return redirect("batteries:battery", page[0].battery_id)
    context = {
        "page": page,
        "standings": [standing_of(battery, now=now) for battery in page],
        "is_desk": request.user.role in DESK_ROLES,
        "now": now,
    }
    return render(request, "batteries/fleet_list.html" if request.htmx else "batteries/fleet.html", context)
