"""The meters of an account and their history, each in its own time only."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy

from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from meters.models import ChainEvent
from meters.models.readings import Quality
from meters.selectors.own_meters import meter_of_account, meters_of_account

_EVENTS = {
    ChainEvent.Kind.INSTALLED: gettext_lazy("Meter installed"),
    ChainEvent.Kind.REMOVED: gettext_lazy("Meter removed"),
    ChainEvent.Kind.MULTIPLIER_CHANGED: gettext_lazy("Multiplier changed"),
    ChainEvent.Kind.MOVED_IN: gettext_lazy("You moved in"),
    ChainEvent.Kind.MOVED_OUT: gettext_lazy("You moved out"),
}
_QUALITIES = {
    Quality.VALID: gettext_lazy("measured"),
    Quality.EDITED: gettext_lazy("corrected by hand"),
    Quality.REFERENCE_DAY: gettext_lazy("estimated from a like day"),
    Quality.LINEAR: gettext_lazy("estimated on a line"),
    Quality.QUESTIONABLE: gettext_lazy("measured, in question"),
    Quality.DERIVED: gettext_lazy("worked out"),
    Quality.PROJECTED: gettext_lazy("estimated ahead"),
    Quality.RAW: gettext_lazy("measured, not checked"),
    Quality.VALIDATED: gettext_lazy("measured and checked"),
    Quality.VERIFIED: gettext_lazy("measured and verified"),
    Quality.REVENUE: gettext_lazy("measured, as billed"),
}


@customer_page
def meters_page(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """List the meters that count, or counted, for the account."""
    stays = meters_of_account(account=chosen.account, now=timezone.now())
    return render(request, "billing/meters.html", {"chosen": chosen, "stays": stays})


@customer_page
def meter_page(request: LoggedInRequest, chosen: Chosen, serial: str) -> HttpResponse:
    """Show what happened to a meter while it counted for the account, and what it showed last."""
    found = meter_of_account(account=chosen.account, serial=serial, now=timezone.now())
    if found is None:
        raise Http404
    context = {
        "chosen": chosen,
        "own": found,
        "events": [(each, _EVENTS[ChainEvent.Kind(each.kind)]) for each in found.happenings],
        "registers": [
            (register, [(reading, _QUALITIES[Quality(reading.quality)]) for reading in readings])
            for register, readings in found.readings
        ],
    }
    return render(request, "billing/meter.html", context)
