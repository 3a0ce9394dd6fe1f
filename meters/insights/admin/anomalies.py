"""Anomalies, what staff may do about them and say of them, and the detectors behind them."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.acts import OptionalNoteForm
from meters.admin.alarms import AcknowledgeForm, SnoozeForm
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
from meters.insights.models import Anomaly, DetectorModel
from meters.insights.services import verdicts
from meters.insights.services.detectors import put_in_force

_STATE_COLOURS = {
    Anomaly.State.OPEN: "danger",
    Anomaly.State.SNOOZED: "info",
    Anomaly.State.ACKNOWLEDGED: "warning",
    Anomaly.State.CLOSED: "success",
}


class VerdictForm(OptionalNoteForm):
    """What it turned out to be."""

    verdict = forms.ChoiceField(
        label="It was",
        choices=[(each.value, each.label) for each in Anomaly.Verdict if each.value],
        widget=UnfoldAdminSelectWidget(),
    )
    field_order = ("verdict", "note")

    def decision(self, now: datetime) -> dict[str, Any]:
        """Return what the service is told."""
        return {"note": self.cleaned_data["note"], "verdict": self.cleaned_data["verdict"]}


class AnomalyStandingFilter(admin.SimpleListFilter):
    """Whether an anomaly lasts, and whether somebody has said anything of it."""

    title = "standing"
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waits for somebody"), ("open", "Open"), ("over", "Over"), ("unjudged", "Not judged")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Anomaly]) -> QuerySet[Anomaly]:
        over = Q(state=Anomaly.State.CLOSED)
        kept = {"waiting": Q(state=Anomaly.State.OPEN), "open": ~over, "over": over, "unjudged": Q(verdict="")}
        return queryset.filter(kept.get(self.value() or "", Q()))


@admin.register(Anomaly)
class AnomalyAdmin(KeepsCustomers, DecidedOnly, VisibleRows, AppendOnlyAdmin):
    """What does not fit anywhere, newest first."""

    list_display = ("began", "what", "label", "shown_reason", "energy", "cost", "shown_state", "shown_verdict")
    list_display_links = ("began", "what")
    list_filter = (AnomalyStandingFilter, "kind", "verdict", "subject_kind", "region")
    search_fields = ("subject", "label", "account__number")
    search_help_text = "Service point, device, name or account number"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "reason",
                    ("what", "how_unusual"),
                    ("label", "subject"),
                    "region",
                    ("began", "ended"),
                    ("energy", "usual", "cost"),
                    "said",
                )
            },
        ),
        ("Customer", {"fields": ("account",)}),
        (
            "What is done",
            {
                "fields": (
                    ("shown_state", "acknowledged_by"),
                    ("put_off", "over"),
                    ("shown_verdict", "verdict_by"),
                    "note",
                    "alarm",
                )
            },
        ),
    )
    readonly_fields = (
        *("what", "how_unusual", "began", "ended", "energy", "usual", "cost", "said"),
        *("shown_state", "put_off", "over", "shown_verdict"),
    )
    began = instant_column("start", "From")
    ended = instant_column("end", "To")
    over = instant_column("closed_at", "Over")
    put_off = instant_column("snoozed_until", "Put off until")
    actions = ("acknowledge_all", "snooze_all", "judge_all")
    actions_detail = ("acknowledge", "snooze", "judge")

    @display(description="Kind", ordering="kind")
    def what(self, anomaly: Anomaly) -> str:
        return anomaly.get_kind_display()

    @display(description="Why")
    def shown_reason(self, anomaly: Anomaly) -> str:
        return anomaly.reason

    @display(description="Over usual, kWh", ordering="energy_kwh")
    def energy(self, anomaly: Anomaly) -> str:
        return f"{anomaly.energy_kwh:+,.2f}"

    @display(description="Usual, kWh")
    def usual(self, anomaly: Anomaly) -> str:
        return f"{anomaly.usual_kwh:,.2f}"

    @display(description="How unusual, 0 to 1", ordering="score")
    def how_unusual(self, anomaly: Anomaly) -> str:
        return f"{anomaly.score:.2f}"

    @display(description="At stake", ordering="money")
    def cost(self, anomaly: Anomaly) -> str:
        return "-" if anomaly.money is None else f"{anomaly.currency} {anomaly.money:,.2f}"

    @display(description="State", ordering="state", label=_STATE_COLOURS)
    def shown_state(self, anomaly: Anomaly) -> tuple[str, str]:
        return anomaly.state, anomaly.get_state_display()

    @display(description="It was", ordering="verdict")
    def shown_verdict(self, anomaly: Anomaly) -> str:
        return anomaly.get_verdict_display()

    @display(description="What each detector said, 0 to 1")
    def said(self, anomaly: Anomaly) -> str:
        return ", ".join(f"{name} {score:.2f}" for name, score in sorted(anomaly.detectors.items()))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what may be done about this one: of what is over, to say what it was."""
        offered: list[Any] = super().get_actions_detail(request, object_id)
        lasts = self.get_queryset(request).filter(pk=object_id).exclude(state=Anomaly.State.CLOSED).exists()
        return offered if lasts else [each for each in offered if "judge" in each.path]

    @admin.action(description="Acknowledge: somebody takes care of it", permissions=["decide"])
    def acknowledge_all(self, request: HttpRequest, chosen: QuerySet[Anomaly]) -> HttpResponse:
        """Acknowledge the selected anomalies, each by itself."""
        return self._acknowledge(request, chosen, "acknowledge_all")

    @admin.action(description="Snooze", permissions=["decide"])
    def snooze_all(self, request: HttpRequest, chosen: QuerySet[Anomaly]) -> HttpResponse:
        """Put the selected anomalies off, each by itself."""
        return self._snooze(request, chosen, "snooze_all")

    @admin.action(description="Say what it was", permissions=["decide"])
    def judge_all(self, request: HttpRequest, chosen: QuerySet[Anomaly]) -> HttpResponse:
        """Say of the selected anomalies whether they were normal."""
        return self._judge(request, chosen, "judge_all")

    @action(description="Acknowledge", url_path="acknowledge", permissions=["decide"], icon="check")
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say that somebody takes care of it."""
        return self._acknowledge(request, self.get_queryset(request).filter(pk=object_id))

    @action(description="Snooze", url_path="snooze", permissions=["decide"], icon="snooze")
    def snooze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Put it off."""
        return self._snooze(request, self.get_queryset(request).filter(pk=object_id))

    @action(description="Say what it was", url_path="judge", permissions=["decide"], icon="gavel")
    def judge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say whether it was normal."""
        return self._judge(request, self.get_queryset(request).filter(pk=object_id))

    def _acknowledge(self, request: HttpRequest, chosen: QuerySet[Anomaly], bulk: str = "") -> HttpResponse:
        words = ("Somebody takes care of it", "Its alarm is acknowledged with it.", "Acknowledge")
        return self._ask(request, chosen, words, AcknowledgeForm, verdicts.acknowledge, bulk)

    def _snooze(self, request: HttpRequest, chosen: QuerySet[Anomaly], bulk: str = "") -> HttpResponse:
        words = ("Put it off", "Its alarm is put off with it.", "Snooze")
        return self._ask(request, chosen, words, SnoozeForm, verdicts.snooze, bulk)

    def _judge(self, request: HttpRequest, chosen: QuerySet[Anomaly], bulk: str = "") -> HttpResponse:
        told = "What was normal is over, and the same at the same hours of the week alerts nobody for six weeks."
        return self._ask(request, chosen, ("What it was", told, "Say so"), VerdictForm, verdicts.judge, bulk)

    def _ask(
        self,
        request: HttpRequest,
        chosen: QuerySet[Anomaly],
        words: tuple[str, str, str],
        form: type[AcknowledgeForm | SnoozeForm | VerdictForm],
        act: Callable[..., Anomaly],
        bulk: str,
    ) -> HttpResponse:
        keys = list(chosen.values_list("pk", flat=True))
        returned = (("action", bulk), *((ACTION_CHECKBOX_NAME, str(key)) for key in keys))
        filled = request.method == "POST" and (not bulk or "note" in request.POST)
        title, intro, submit = words
        several = "1 anomaly" if len(keys) == 1 else f"{len(keys)} anomalies"
        return ask_then(
            self,
            request,
            Question(title, f"{several}. {intro}", submit, list_url(Anomaly), returned if bulk else ()),
            form=form(request.POST if filled else None),
            act=partial(act_on_each, self, request, keys, act, "anomaly_id"),
        )


@admin.register(DetectorModel)
class DetectorModelAdmin(DecidedOnly, AppendOnlyAdmin):
    """What the learnt detectors were taught, newest first."""

    list_display = ("version", "state", "taught", "until", "series", "seed", "made_with")
    fields = ("version", "state", "taught", "until", "series", "seed", "made_with", "digest")
    readonly_fields = ("taught", "until")
    taught = instant_column("taught_at", "Taught")
    until = instant_column("taught_until", "By what was before")
    actions_detail = ("put_in_force",)

    @action(description="Put in force", url_path="put-in-force", permissions=["decide"], icon="history")
    def put_in_force(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have half-hours scored by these detectors."""
        chosen = get_object_or_404(self.get_queryset(request), pk=object_id)

        def put(_: forms.Form) -> str:
            put_in_force(model_id=chosen.pk, actor=actor_of(request), now=timezone.now())
            return f"Half-hours are scored by version {chosen.version} from now on."

        told = "Half-hours that arrive from now on are scored by it, until the next are taught."
        question = Question(f"Version {chosen.version}", told, "Put in force", list_url(DetectorModel))
        return ask_then(self, request, question, form=forms.Form(request.POST or None), act=put)
