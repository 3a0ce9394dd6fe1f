"""Faults of appliances with their evidence, and the appliances that are watched."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.alarms import AcknowledgeForm
from meters.admin.common import (
    DecidedOnly,
    KeepsCustomers,
    Question,
    VisibleRows,
    act_on_each,
    ask_then,
    instant_column,
    list_url,
)
from meters.insights.admin.evidence import evidence_of
from meters.insights.models import Appliance, Fault
from meters.insights.services.appliances import learn_anew, remove_appliance
from meters.insights.services.faults import acknowledge_fault

_STATE_COLOURS = {Fault.State.OPEN: "danger", Fault.State.ACKNOWLEDGED: "warning", Fault.State.CLOSED: "success"}
_SEVERITY_COLOURS = {Fault.Severity.CRITICAL: "danger", Fault.Severity.WARNING: "warning", Fault.Severity.INFO: "info"}


class FaultStandingFilter(admin.SimpleListFilter):
    """Whether a fault lasts, and whether somebody takes care of it."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waits for somebody"), ("open", "Open"), ("over", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Fault]) -> QuerySet[Fault]:
        over = Q(state=Fault.State.CLOSED)
        kept = {"waiting": Q(state=Fault.State.OPEN), "open": ~over, "over": over}
        return queryset.filter(kept.get(self.value() or "", Q()))


@admin.register(Fault)
class FaultAdmin(KeepsCustomers, DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """What is wrong with appliances, newest first."""

    list_display = ("found", "what", "label", "cause", "shown_severity", "cost", "shown_state")
    list_display_links = ("found", "what")
    list_filter = (FaultStandingFilter, "kind", "severity", "appliance__kind", "region")
    list_select_related = ("appliance",)
    search_fields = ("subject", "label", "account__number")
    search_help_text = "Device, its name or account number"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "cause",
                    "advice",
                    ("what", "shown_severity"),
                    ("label", "subject"),
                    "region",
                    ("began", "found"),
                    ("cost_kwh_a_day", "cost"),
                    "evidence_chart",
                )
            },
        ),
        ("Customer", {"fields": ("account",)}),
        ("What is done", {"fields": (("shown_state", "acknowledged_by"), "over", "note", "alarm")}),
    )
    readonly_fields = ("what", "shown_severity", "began", "found", "over", "shown_state", "cost", "evidence_chart")
    began = instant_column("began_at", "Since")
    found = instant_column("detected_at", "Found")
    over = instant_column("closed_at", "Over")
    actions = ("acknowledge_all",)
    actions_detail = ("acknowledge",)

    @display(description="Fault", ordering="kind")
    def what(self, fault: Fault) -> str:
        return f"{fault.appliance.get_kind_display()}: {fault.get_kind_display()}"

    @display(description="Severity", ordering="severity", label=_SEVERITY_COLOURS)
    def shown_severity(self, fault: Fault) -> tuple[str, str]:
        return fault.severity, fault.get_severity_display()

    @display(description="A month", ordering="cost_a_month")
    def cost(self, fault: Fault) -> str:
        return "-" if fault.cost_a_month is None else f"{fault.currency} {fault.cost_a_month:,.2f}"

    @display(description="State", ordering="state", label=_STATE_COLOURS)
    def shown_state(self, fault: Fault) -> tuple[str, str]:
        return fault.state, fault.get_state_display()

    @display(description="Evidence")
    def evidence_chart(self, fault: Fault) -> str:
        return render_to_string("admin/insights/evidence.html", {"evidence": evidence_of(fault)})

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer nothing of what is over."""
        lasts = self.get_queryset(request).filter(pk=object_id).exclude(state=Fault.State.CLOSED).exists()
        return super().get_actions_detail(request, object_id) if lasts else []

    @admin.action(description="Acknowledge: somebody takes care of it", permissions=["decide"])
    def acknowledge_all(self, request: HttpRequest, chosen: QuerySet[Fault]) -> HttpResponse:
        """Acknowledge the selected faults, each by itself."""
        return self._acknowledge(request, chosen, "acknowledge_all")

    @action(description="Acknowledge", url_path="acknowledge", permissions=["decide"], icon="check")
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that somebody takes care of it."""
        return self._acknowledge(request, self.get_queryset(request).filter(pk=object_id))

    def _acknowledge(self, request: HttpRequest, chosen: QuerySet[Fault], bulk: str = "") -> HttpResponse:
        keys = list(chosen.values_list("pk", flat=True))
        returned = (("action", bulk), *((ACTION_CHECKBOX_NAME, str(key)) for key in keys)) if bulk else ()
        filled = request.method == "POST" and (not bulk or "note" in request.POST)
        several = "1 fault" if len(keys) == 1 else f"{len(keys)} faults"
        intro = f"{several}. Its alarm is acknowledged with it."
        return ask_then(
            self,
            request,
            Question("Somebody takes care of it", intro, "Acknowledge", list_url(Fault), returned),
            form=AcknowledgeForm(request.POST if filled else None),
            act=partial(act_on_each, self, request, keys, acknowledge_fault, "fault_id"),
        )


@admin.register(Appliance)
class ApplianceAdmin(AppendOnlyAdmin):
    """What hangs behind devices, and what is usual of it."""

    list_display = ("device", "kind", "standing", "standing_text", "learnt", "looked_at")
    list_filter = ("kind", "standing")
    list_select_related = ("device",)
    search_fields = ("device__device_id", "device__name")
    fields = (
        ("device", "kind"),
        ("standing", "standing_text"),
        ("learnt", "looked_at"),
        "judged",
        "not_judged",
        "baseline",
    )
    readonly_fields = ("learnt", "looked_at")
    learnt = instant_column("learnt_until", "Learnt until")
    looked_at = instant_column("diagnosed_until", "Looked at")
    actions = ("learn_again", "watch_no_more")

    def has_decide_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the person may decide what is watched."""
        return bool(request.user.has_perm("insights.change_appliance"))

    @admin.action(description="Learn anew, as after a repair", permissions=["decide"])
    def learn_again(self, request: HttpRequest, chosen: QuerySet[Appliance]) -> None:
        """Forget what was usual of the selected appliances."""
        for device_id in chosen.values_list("device__device_id", flat=True):
            learn_anew(device_id=device_id, actor=actor_of(request), now=timezone.now())
        self.message_user(request, "They are learnt from now on.", messages.SUCCESS)

    @admin.action(description="Watch no more", permissions=["decide"])
    def watch_no_more(self, request: HttpRequest, chosen: QuerySet[Appliance]) -> None:
        """Look at the selected appliances no more; what was found stays."""
        for device_id in chosen.values_list("device__device_id", flat=True):
            remove_appliance(device_id=device_id, actor=actor_of(request), now=timezone.now())
        self.message_user(request, "Nobody looks at them any more.", messages.SUCCESS)
