"""What hangs behind a household's devices: said by its people, watched for faults, and what to do about these."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.actors import Actor
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from energy_portal.shared.errors import DomainError
from meters.devices.models import Device
from meters.devices.selectors.devices import devices_of_account
from meters.insights.models import Appliance, Fault
from meters.insights.selectors.appliances import appliances_of
from meters.insights.selectors.faults import open_faults_of
from meters.insights.services.appliances import remove_appliance, set_appliance
from meters.insights.services.faults import acknowledge_fault

_KINDS = {
    Appliance.Kind.REFRIGERATOR: gettext_lazy("Refrigerator"),
    Appliance.Kind.FREEZER: gettext_lazy("Freezer"),
    Appliance.Kind.WASHING_MACHINE: gettext_lazy("Washing machine"),
    Appliance.Kind.DISHWASHER: gettext_lazy("Dishwasher"),
    Appliance.Kind.DRYER: gettext_lazy("Laundry dryer"),
    Appliance.Kind.KETTLE: gettext_lazy("Kettle"),
    Appliance.Kind.COFFEE_MAKER: gettext_lazy("Coffee maker"),
    Appliance.Kind.OTHER: gettext_lazy("Something else"),
}
_FAULTS = {
    Fault.Kind.STUCK_ON: (
        gettext_lazy("It does not switch off"),
        gettext_lazy("See whether it should be running. If it does not stop by itself, unplug it."),
    ),
    Fault.Kind.DEAD: (
        gettext_lazy("It does not start any more"),
        gettext_lazy("See whether it is plugged in and switched on, and move what must stay cold."),
    ),
    Fault.Kind.SHORT_CYCLING: (
        gettext_lazy("It starts too often"),
        gettext_lazy("Let air reach it and clean its back; frequent starts wear it out, so have it examined."),
    ),
    Fault.Kind.POWER_DRIFT: (
        gettext_lazy("It draws another power than it used to"),
        gettext_lazy("Clean or descale it; if that does not help, have it examined."),
    ),
    Fault.Kind.SEAL_LEAK: (
        gettext_lazy("It runs longer than it should"),
        gettext_lazy("Look whether its door closes tightly all around, and defrost it."),
    ),
    Fault.Kind.STANDBY_CREEP: (
        gettext_lazy("It draws more at rest than it used to"),
        gettext_lazy("See what stays on, and switch it off at the plug when you do not need it."),
    ),
    Fault.Kind.NO_HEATING: (
        gettext_lazy("It does not heat"),
        gettext_lazy("Choose a warm programme once more; if it stays cold, have its heater examined."),
    ),
    Fault.Kind.NO_PUMPING: (
        gettext_lazy("It does not pump"),
        gettext_lazy("Clean its filter and hose, and do not leave it alone with water inside."),
    ),
}


@dataclass(frozen=True)
class FaultTold:
    """What is wrong, in the reader's words; ``measured`` are the portal's own, with the figures."""

    fault: Fault
    name: str
    advice: str
    measured: str
    cost: str


@dataclass(frozen=True)
class ApplianceRow:
    """What hangs behind a device, how far it is known, and what is wrong with it."""

    device: Device
    appliance: Appliance | None
    kind: str
    standing: str
    faults: Sequence[FaultTold]


class KindForm(forms.Form):
    """What hangs there; empty: nothing that is to be watched."""

    kind = forms.ChoiceField(choices=Appliance.Kind.choices, required=False)


def appliance_rows(devices: Sequence[Device]) -> dict[str, Any]:
    """Return what the section about appliances shows: two queries."""
    appliances, faults = appliances_of(devices), open_faults_of(devices)
    rows = [_row(device, appliances.get(device.pk), faults[device.pk]) for device in devices]
    return {
        "appliances": rows,
        "kinds": list(_KINDS.items()),
        "faults": [(row, told) for row in rows for told in row.faults],
    }


@require_POST
@customer_page
def set_kind(request: LoggedInRequest, chosen: Chosen, device_id: str) -> HttpResponse:
    """Take what hangs behind a device."""
    device = devices_of_account(account=chosen.account).filter(device_id=device_id).first()
    form = KindForm(request.POST)
    if device is None or not form.is_valid():
        raise Http404
    told: dict[str, Any] = {"device_id": device_id, "actor": Actor(user=request.user), "now": timezone.now()}
    try:
        if form.cleaned_data["kind"]:
            set_appliance(kind=form.cleaned_data["kind"], **told)
        else:
            remove_appliance(**told)
    except DomainError as error:
        messages.warning(request, f"{device}: {error}")
    else:
        messages.success(request, _("%(device)s: noted.") % {"device": device})
    return _back()


@require_POST
@customer_page
def take_care_of_fault(request: LoggedInRequest, chosen: Chosen, fault_id: UUID) -> HttpResponse:
    """Take it that somebody takes care of a fault."""
    if not Fault.objects.visible_to(request.user).filter(pk=fault_id, account=chosen.account).exists():
        raise Http404
    try:
        acknowledge_fault(fault_id=fault_id, note="", actor=Actor(user=request.user), now=timezone.now())
    except DomainError as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("Noted: you take care of it. It stays here until the fault is over."))
    return _back()


def _back() -> HttpResponse:
    return redirect(reverse("billing:devices") + "#appliances")


def _row(device: Device, appliance: Appliance | None, faults: Sequence[Fault]) -> ApplianceRow:
    told = [_told(fault) for fault in faults]
    if appliance is None:
        return ApplianceRow(device, None, "", _("not watched"), told)
    standing = _watched(appliance.diagnosed_until) if appliance.standing == Appliance.Standing.WATCHED else ""
    return ApplianceRow(
        device,
        appliance,
        appliance.kind,
        standing or _("being learnt: not enough is known of it yet"),
        told,
    )


def _watched(until: datetime | None) -> str:
    if until is None:
        return ""
    return _("watched, looked at %(time)s") % {"time": timezone.localtime(until).strftime("%H:%M")}


def _told(fault: Fault) -> FaultTold:
    name, advice = _FAULTS[Fault.Kind(fault.kind)]
    cost = ""
    if fault.cost_a_month is not None:
        cost = _("About %(money)s more a month.") % {"money": f"{fault.currency} {fault.cost_a_month:,.2f}"}
    return FaultTold(fault, str(name), str(advice), fault.cause, cost)
