"""Alarms, and what staff may do about them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from energy_portal.shared.admin import AppendOnlyAdmin, moment
from meters.admin.acts import NoteForm, OptionalNoteForm
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
from meters.models import Alarm, AlarmSeverity
from meters.services import alarms as services

_SEVERITY_COLOURS = {AlarmSeverity.CRITICAL: "danger", AlarmSeverity.WARNING: "warning", AlarmSeverity.INFO: "info"}
_STATE_COLOURS = {
    Alarm.State.RAISED: "danger",
    Alarm.State.ACKNOWLEDGED: "warning",
    Alarm.State.CLEARED: "success",
}
_SPANS = {
    "1": "an hour",
    "4": "4 hours",
    "24": "a day",
    "72": "3 days",
    "168": "a week",
    "720": "30 days",
}


class AcknowledgeForm(OptionalNoteForm):
    """What is done about it."""

    def decision(self, now: datetime) -> dict[str, Any]:
        """Return what the service is told."""
        return {"note": self.cleaned_data["note"]}


class SnoozeForm(NoteForm):
    """For how long it is put off, and why."""

    span = forms.ChoiceField(label="For", choices=list(_SPANS.items()), initial="4", widget=UnfoldAdminSelectWidget())
    field_order = ("span", "note")

    def decision(self, now: datetime) -> dict[str, Any]:
        """Return what the service is told."""
        until = now + timedelta(hours=int(self.cleaned_data["span"]))
        return {"note": self.cleaned_data["note"], "until": until}


class StandingFilter(admin.SimpleListFilter):
    """Whether an alarm is open, and whether somebody has seen to it."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waits for somebody"), ("open", "Open"), ("over", "Over")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alarm]) -> QuerySet[Alarm]:
        over = Q(state=Alarm.State.CLEARED)
        put_off = Q(snoozed_until__gt=timezone.now())
        kept = {"waiting": Q(state=Alarm.State.RAISED) & ~put_off, "open": ~over, "over": over}
        return queryset.filter(kept.get(self.value() or "", Q()))


@admin.register(Alarm)
class AlarmAdmin(KeepsCustomers, DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """What is wrong anywhere, newest first."""

    list_display = ("raised", "shown_severity", "what", "label", "region", "shown_state", "put_off", "over")
    list_display_links = ("raised", "what")
    list_filter = (StandingFilter, "severity", "kind", "subject_kind", "region")
    list_select_related = ("region",)
    search_fields = ("subject", "label", "account__number")
    search_help_text = "Device, name or account number"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "text",
                    ("kind", "shown_severity"),
                    ("label", "subject"),
                    "region",
                    ("raised", "over"),
                    ("value", "rule"),
                )
            },
        ),
        ("Customer", {"fields": ("account",)}),
        ("What is done", {"fields": (("shown_state", "acknowledged_by"), ("seen", "escalated"), "put_off", "note")}),
    )
    readonly_fields = ("raised", "over", "seen", "escalated", "put_off", "shown_severity", "shown_state")
    raised = instant_column("raised_at", "Raised")
    over = instant_column("cleared_at", "Over")
    seen = instant_column("acknowledged_at", "Acknowledged")
    escalated = instant_column("escalated_at", "Escalated")
    actions = ("acknowledge_all", "snooze_all")
    actions_row = ("acknowledge", "snooze")
    actions_detail = ("acknowledge", "snooze")

    @display(description="Severity", ordering="severity", label=_SEVERITY_COLOURS)
    def shown_severity(self, alarm: Alarm) -> tuple[str, str]:
        return alarm.severity, alarm.get_severity_display()

    @display(description="What is wrong")
    def what(self, alarm: Alarm) -> str:
        return alarm.text

    @display(description="State", ordering="state", label=_STATE_COLOURS)
    def shown_state(self, alarm: Alarm) -> tuple[str, str]:
        return alarm.state, alarm.get_state_display()

    @display(description="Put off until", ordering="snoozed_until")
    def put_off(self, alarm: Alarm) -> str:
        is_put_off = alarm.snoozed_until is not None and alarm.snoozed_until > timezone.now()
        return moment(alarm.snoozed_until) if is_put_off else "-"

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what may be done about this one: nothing once it is over."""
        is_open = self.get_queryset(request).filter(pk=object_id).exclude(state=Alarm.State.CLEARED).exists()
        return super().get_actions_detail(request, object_id) if is_open else []

    @admin.action(description="Acknowledge: somebody takes care of it", permissions=["decide"])
    def acknowledge_all(self, request: HttpRequest, chosen: QuerySet[Alarm]) -> HttpResponse:
        """Acknowledge the selected alarms, each by itself."""
        return self._acknowledge(request, chosen, "acknowledge_all")

    @admin.action(description="Snooze", permissions=["decide"])
    def snooze_all(self, request: HttpRequest, chosen: QuerySet[Alarm]) -> HttpResponse:
        """Put the selected alarms off, each by itself."""
        return self._snooze(request, chosen, "snooze_all")

    @action(description="Acknowledge", url_path="acknowledge", permissions=["decide"], icon="check")
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that somebody takes care of it."""
        return self._acknowledge(request, self.get_queryset(request).filter(pk=object_id))

    @action(description="Snooze", url_path="snooze", permissions=["decide"], icon="snooze")
    def snooze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put it off."""
        return self._snooze(request, self.get_queryset(request).filter(pk=object_id))

    def _acknowledge(self, request: HttpRequest, chosen: QuerySet[Alarm], bulk_action: str = "") -> HttpResponse:
        question = Question(
            title="Somebody takes care of it",
            intro="It is not escalated any more, and stays open until what is wrong is over.",
            submit="Acknowledge",
            back=list_url(Alarm),
        )
        return self._ask(request, chosen, question, AcknowledgeForm, services.acknowledge, bulk_action)

    def _snooze(self, request: HttpRequest, chosen: QuerySet[Alarm], bulk_action: str = "") -> HttpResponse:
        question = Question(
            title="Put it off",
            intro="Until then it is told nowhere but on pages, however often it comes and goes; then it is told again.",
            submit="Snooze",
            back=list_url(Alarm),
        )
        return self._ask(request, chosen, question, SnoozeForm, services.snooze, bulk_action)

    def _ask(
        self,
        request: HttpRequest,
        chosen: QuerySet[Alarm],
        question: Question,
        form: type[AcknowledgeForm | SnoozeForm],
        act: Callable[..., Alarm],
        bulk_action: str,
    ) -> HttpResponse:
        keys = list(chosen.values_list("pk", flat=True))
        returned = (("action", bulk_action), *((ACTION_CHECKBOX_NAME, str(key)) for key in keys))
        filled = request.method == "POST" and (not bulk_action or "note" in request.POST)
        several = f"{len(keys)} alarm{'' if len(keys) == 1 else 's'}"
        return ask_then(
            self,
            request,
            Question(
                title=question.title,
                intro=f"{several}. {question.intro}",
                submit=question.submit,
                back=question.back,
                hidden=returned if bulk_action else (),
            ),
            form=form(request.POST if filled else None),
            act=partial(act_on_each, self, request, keys, act, "alarm_id"),
        )
