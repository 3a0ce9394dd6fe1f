"""The registry of batteries, each with what its systems told last; what they told is nowhere changed."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import ServiceAdmin, actor_of, adopt, changed, each
from meters.admin.common import Question, VisibleRows, ask_then, change_url
from meters.batteries.admin.imports import ImportPage
from meters.batteries.models import Battery
from meters.batteries.quantities import SIGNALS, System
from meters.batteries.services import registry
from meters.devices.admin.common import OwnersHistory, clock, sees_customers

_STATES = {"live": "success", "silent": "warning", "retired": "info", "not heard yet": "info"}
_LIVE_SECONDS = 60


class BatteryForm(forms.ModelForm[Battery]):
    """What the registry keeps of a battery, with its units."""

    class Meta:
        model = Battery
        fields = ("battery_id", *sorted(registry.CHANGEABLE))
        labels = {  # noqa: RUF012
            "battery_id": "Battery id",
            "is_simulated": "Simulated",
            "cells_in_series": "Cells in series",
            "capacity_ah": "Capacity (Ah)",
            "rated_energy_kwh": "Rated energy (kWh)",
            "rated_power_kw": "Rated power (kW)",
            "current_limit_a": "Current limit (A)",
            "soc_low_percent": "Charge from (%)",
            "soc_high_percent": "to (%)",
            "cell_voltage_low_v": "Cell voltage from (V)",
            "cell_voltage_high_v": "to (V)",
            "cell_temp_low_c": "Cell temperature from (°C)",
            "cell_temp_high_c": "to (°C)",
            "igbt_temp_high_c": "IGBT temperature up to (°C)",
        }


@admin.register(Battery)
class BatteryAdmin(ImportPage, VisibleRows, ServiceAdmin, OwnersHistory):
    """Batteries."""

    form = BatteryForm
    list_display = ("battery_id", "name", "standing", "charge", "power", "heard", "region", "is_simulated")
    list_display_links = ("battery_id", "name")
    list_filter = ("status", "is_simulated", "region", "convention")
    list_select_related = ("state", "region", "convention")
    ordering = ("battery_id",)
    search_fields = ("battery_id", "name")
    autocomplete_fields = ("account", "convention")
    readonly_fields = ("status", "retired_at", "created_at", "updated_at", "bms_told", "pcs_told")
    actions = ("retire_all",)
    actions_detail = ("open_page", "import_files", "retire")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for what the registry keeps; operators are not told whose a battery is."""
        place = ("region", "account") if sees_customers(request) else ("region",)
        fields = (("battery_id", "name"), place, ("convention", "zone"), ("is_simulated",))
        nameplate = (("cells_in_series", "capacity_ah"), ("rated_energy_kwh", "rated_power_kw"), ("current_limit_a",))
        windows = (*registry.WINDOWS, ("igbt_temp_high_c",))
        asked = ((None, {"fields": fields}), ("Nameplate", {"fields": nameplate}), ("Windows", {"fields": windows}))
        if obj is None:
            return asked
        more = (("status", "retired_at"), ("created_at", "updated_at"))
        return (
            ("Told last", {"fields": (("bms_told", "pcs_told"),)}),
            *asked,
            ("More", {"fields": more, "classes": ("collapse",)}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.readonly_fields if obj is None else ("battery_id", *self.readonly_fields)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_retired = isinstance(obj, Battery) and obj.status == Battery.Status.RETIRED
        return not is_retired and super().has_change_permission(request, obj)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Offer the history to those who may know whose the battery was."""
        more = {"show_history": sees_customers(request), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, more)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search names, and for those who see customers the whole number of an account."""
        found = Q(battery_id__icontains=search_term) | Q(name__icontains=search_term)
        if sees_customers(request):
            found |= Q(account__number=search_term)
        return (queryset.filter(found) if search_term else queryset), False

    def save_model(self, request: HttpRequest, obj: Battery, form: Any, change: bool) -> None:
        """Enter or change a battery by the service."""
        actor, now = actor_of(request), timezone.now()
        if change:
            adopt(obj, registry.change_battery(pk=obj.pk, changes=changed(form), actor=actor, now=now))
            return
        details = {name: value for name, value in form.cleaned_data.items() if name in registry.CHANGEABLE}
        made = registry.create_battery(battery_id=obj.battery_id, details=details, actor=actor, now=now)
        adopt(obj, made)

    @display(description="State", label=_STATES)
    def standing(self, battery: Battery) -> str:
        if battery.status == Battery.Status.RETIRED:
            return "retired"
        heard_at = battery.state.heard_at if hasattr(battery, "state") else None
        if heard_at is None:
            return "not heard yet"
        return "live" if (timezone.now() - heard_at).total_seconds() < _LIVE_SECONDS else "silent"

    @display(description="Charge")
    def charge(self, battery: Battery) -> str:
        return _told(battery, System.BMS, "soc")

    @display(description="Power")
    def power(self, battery: Battery) -> str:
        return _told(battery, System.PCS, "apparent_power")

    @display(description="Heard")
    def heard(self, battery: Battery) -> str:
        return clock(battery.state.heard_at if hasattr(battery, "state") else None)

    @display(description="BMS")
    def bms_told(self, battery: Battery) -> str:
        return _all_told(battery, System.BMS)

    @display(description="PCS")
    def pcs_told(self, battery: Battery) -> str:
        return _all_told(battery, System.PCS)

    @admin.action(description="Retire", permissions=["change"])
    def retire_all(self, request: HttpRequest, batteries: QuerySet[Battery]) -> None:
        """Take the selected batteries out of service for good."""
        now = timezone.now()

        def deed(battery: Battery) -> None:
            registry.retire_battery(pk=battery.pk, actor=actor_of(request), now=now)

        each(self, request, batteries, deed, "{} batteries are retired; what they told stays.")

    @action(description="Live page", url_path="live", permissions=["view"], icon="monitor_heart")
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the battery's own page."""
        battery = get_object_or_404(self.get_queryset(request), pk=object_id)
        return redirect("batteries:battery", battery.battery_id)

    @action(description="Retire", url_path="retire", permissions=["change"], icon="block")
    def retire(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take the battery out of service for good."""
        battery = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: forms.Form) -> str:
            registry.retire_battery(pk=battery.pk, actor=actor_of(request), now=timezone.now())
            return f"{battery} is retired."

        return ask_then(
            self,
            request,
            Question(
                title=f"Retire the battery {battery}",
                intro="Nothing of it is taken live any more, for good; what it told stays.",
                submit="Retire",
                back=change_url(Battery, battery.pk),
            ),
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
        )


def _told(battery: Battery, system: System, name: str) -> str:
    values = getattr(battery.state, system) if hasattr(battery, "state") else None
    signal = next(each for each in SIGNALS[system] if each.name == name)
    value = (values or {}).get(name)
    return "-" if value is None else f"{value:,.1f} {signal.unit}"


def _all_told(battery: Battery, system: System) -> str:
    """Write what a system told last, a signal after the other, with the instant."""
    state = getattr(battery, "state", None)
    values = getattr(state, system, None)
    if not values:
        return "nothing yet"
    written = [
        f"{signal.title} {values[signal.name]:g} {signal.unit}" for signal in SIGNALS[system] if signal.name in values
    ]
    return f"{clock(getattr(state, f'{system}_at'))}: {', '.join(written)}"
