"""Rules, tuned and rehearsed, and what rehearsals found."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from unfold.decorators import action, display

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin, HistoryAdmin, moment
from energy_portal.shared.errors import DomainError
from meters.admin.common import DecidedOnly, Question, ask_then, change_url, instant_column, list_url
from meters.admin.rule_forms import RehearsalForm, RuleForm, ScopeForm
from meters.detectors import DETECTORS
from meters.models import Job, Rehearsal, Severity, ValidationRule
from meters.rules import DEFAULTS, full_thresholds
from meters.services.rehearsals import rehearse
from meters.services.rules import add_rule, change_rule, remove_rule

_SEVERITY_COLOURS = {
    Severity.REJECT: "danger",
    Severity.QUARANTINE: "warning",
    Severity.FLAG: "info",
}
_JOB_COLOURS = {
    Job.Status.QUEUED: "info",
    Job.Status.RUNNING: "info",
    Job.Status.DONE: "success",
    Job.Status.FAILED: "danger",
}
_ENDED = frozenset({Job.Status.DONE, Job.Status.FAILED})


def settings_text(code: str, thresholds: dict[str, Any]) -> str:
    """Write thresholds with their units."""
    known = DEFAULTS[code].thresholds
    return ", ".join(known[name].text(value) for name, value in full_thresholds(code, thresholds).items()) or "-"


class _OfScope:
    """Columns of what holds in a scope."""

    @display(description="Rule", ordering="code")
    def rule(self, row: Any) -> str:
        return str(row.code).replace("_", " ")

    @display(description="Holds for")
    def scope(self, row: Any) -> str:
        return ", ".join(part for part in (row.commodity, row.service_class) if part) or "all"

    @display(description="Severity", ordering="severity", label=_SEVERITY_COLOURS)
    def shown_severity(self, row: Any) -> tuple[str, str]:
        return row.severity, row.severity

    @display(description="Thresholds")
    def shown_thresholds(self, row: Any) -> str:
        return settings_text(row.code, row.thresholds)


@admin.register(ValidationRule)
class ValidationRuleAdmin(_OfScope, DecidedOnly, HistoryAdmin, AppendOnlyAdmin):
    """How each rule is applied, and where."""

    list_display = ("rule", "scope", "about", "shown_severity", "shown_thresholds", "enabled", "updated")
    list_display_links = ("rule",)
    list_filter = ("severity", "enabled", "commodity", "code")
    search_fields = ("code", "commodity", "service_class")
    fieldsets = (
        (None, {"fields": (("rule", "scope"), "about", ("severity", "enabled"), "shown_thresholds", "updated")}),
    )
    readonly_fields = ("rule", "scope", "about", "shown_thresholds", "updated")
    history_list_display = ("severity", "thresholds", "enabled")
    updated = instant_column("updated_at", "Changed")
    actions = None
    actions_row = ("tune", "try_out")
    actions_detail = ("tune", "try_out", "narrow", "drop")

    @display(description="Catches")
    def about(self, rule: ValidationRule) -> str:
        return DEFAULTS[rule.code].about

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what makes sense of this rule: the widest cannot go, and not every rule can be rehearsed."""
        rule = self._rule(request, object_id)
        hidden = set() if rule.code in DETECTORS else {"try_out"}
        if not rule.commodity and not rule.service_class:
            hidden.add("drop")
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(tuple(hidden) or ("-",))]

    @action(description="Change", url_path="tune", permissions=["decide"], icon="tune")
    def tune(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Set severity and thresholds."""
        rule = self._rule(request, object_id)

        def act(form: RuleForm) -> str:
            change_rule(
                rule_id=rule.pk,
                severity=form.cleaned_data["severity"],
                thresholds=form.thresholds(),
                enabled=form.cleaned_data["enabled"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"The rule {rule} is set. What entered before is not judged anew."

        return ask_then(
            self,
            request,
            Question(
                title=f"Change the rule {rule}",
                intro=f"{DEFAULTS[rule.code].about} It holds for what comes in from now on.",
                submit="Set it",
                back=change_url(ValidationRule, rule.pk),
            ),
            form=RuleForm(request.POST if request.method == "POST" else None, rule=rule),
            act=act,
        )

    @action(description="Rehearse", url_path="rehearse", permissions=["decide"], icon="science")
    def try_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Run a changed rule over past days."""
        rule = self._rule(request, object_id)
        form = RehearsalForm(request.POST if request.method == "POST" else None, rule=rule)
        if form.is_bound and form.is_valid():
            try:
                rehearsal = rehearse(
                    code=rule.code,
                    severity=form.cleaned_data["severity"],
                    thresholds=form.thresholds(),
                    scope=(rule.commodity, rule.service_class),
                    days=form.cleaned_data["days"],
                    actor=actor_of(request),
                    now=timezone.now(),
                )
            except DomainError as error:
                form.add_error(None, ValidationError(error.detail, code=error.code))
            else:
                return redirect(change_url(Rehearsal, rehearsal.pk))
        return ask_then(
            self,
            request,
            Question(
                title=f"Rehearse the rule {rule}",
                intro="It is run over the past days as it stands here. No reading and no rule changes by it.",
                submit="Rehearse",
                back=change_url(ValidationRule, rule.pk),
            ),
            form=form,
            act=lambda _: "",
        )

    @action(description="For a narrower scope", url_path="narrow", permissions=["decide"], icon="filter_alt")
    def narrow(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the rule hold otherwise for some places."""
        rule = self._rule(request, object_id)

        def act(form: ScopeForm) -> str:
            added = add_rule(
                code=rule.code,
                commodity=form.cleaned_data["commodity"],
                service_class=form.cleaned_data["service_class"],
                severity=form.cleaned_data["severity"],
                thresholds=form.thresholds(),
                enabled=form.cleaned_data["enabled"],
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"The rule {added} is set."

        return ask_then(
            self,
            request,
            Question(
                title=f"The rule {rule} for a narrower scope",
                intro="Of several rules that fit a place, the narrowest holds.",
                submit="Add it",
                back=list_url(ValidationRule),
            ),
            form=ScopeForm(request.POST if request.method == "POST" else None, rule=rule),
            act=act,
        )

    @action(description="Remove", url_path="drop", permissions=["decide"], icon="delete")
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the next wider scope hold again."""
        rule = self._rule(request, object_id)

        def act(form: forms.Form) -> str:
            remove_rule(rule_id=rule.pk, actor=actor_of(request), now=timezone.now())
            return f"The rule {rule} is removed."

        return ask_then(
            self,
            request,
            Question(
                title=f"Remove the rule {rule}",
                intro="The next wider scope holds again.",
                submit="Remove",
                back=list_url(ValidationRule),
            ),
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
        )

    def _rule(self, request: HttpRequest, object_id: object) -> ValidationRule:
        rule: ValidationRule = get_object_or_404(self.get_queryset(request), pk=object_id)
        return rule


@admin.register(Rehearsal)
class RehearsalAdmin(_OfScope, DecidedOnly, AppendOnlyAdmin):
    """What changed rules would have caught."""

    list_display = ("asked", "rule", "scope", "shown_thresholds", "days", "caught", "added", "dropped", "shown_status")
    list_display_links = ("asked", "rule")
    list_filter = ("code",)
    list_select_related = ("job", "asked_by")
    fieldsets = (
        (
            None,
            {"fields": (("rule", "scope"), ("severity", "shown_thresholds"), ("days", "asked"), "asked_by")},
        ),
    )
    readonly_fields = ("rule", "scope", "shown_thresholds", "asked")
    change_form_outer_before_template = "admin/meters/rehearsal_panel.html"
    asked = instant_column("asked_at", "Asked")
    actions_detail = ("switch_on",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.found_view)
        return [path("<uuid:rehearsal_id>/found/", view, name="meters_rehearsal_found"), *super().get_urls()]

    @display(description="Would catch")
    def caught(self, rehearsal: Rehearsal) -> object:
        return rehearsal.found.get("caught", "-")

    @display(description="New")
    def added(self, rehearsal: Rehearsal) -> object:
        return rehearsal.found.get("added", "-")

    @display(description="Gone")
    def dropped(self, rehearsal: Rehearsal) -> object:
        return rehearsal.found.get("dropped", "-")

    @display(description="Status", label=_JOB_COLOURS)
    def shown_status(self, rehearsal: Rehearsal) -> tuple[str, str]:
        if rehearsal.job is None:
            return Job.Status.DONE, Job.Status.DONE.label
        return rehearsal.job.status, rehearsal.job.get_status_display()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the panel with what it found."""
        rehearsal = self.get_object(request, object_id)
        panel = _panel(rehearsal) if rehearsal is not None else {}
        answer: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **panel})
        return answer

    def found_view(self, request: HttpRequest, rehearsal_id: UUID) -> HttpResponse:
        """Answer what a rehearsal found so far, as the part of its page that is exchanged."""
        if not self.has_view_permission(request):
            raise Http404
        rehearsal = get_object_or_404(self.get_queryset(request).select_related("job"), pk=rehearsal_id)
        return TemplateResponse(request, "admin/meters/rehearsal_found.html", _panel(rehearsal))

    @action(description="Set the rule so", url_path="switch-on", permissions=["decide"], icon="check")
    def switch_on(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the rehearsed rule hold from now on."""
        rehearsal = get_object_or_404(self.get_queryset(request), pk=object_id)

        def act(form: forms.Form) -> str:
            rule = ValidationRule.objects.get(
                code=rehearsal.code, commodity=rehearsal.commodity, service_class=rehearsal.service_class
            )
            change_rule(
                rule_id=rule.pk,
                severity=rehearsal.severity,
                thresholds=rehearsal.thresholds,
                enabled=True,
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"The rule {rule} is set so."

        return ask_then(
            self,
            request,
            Question(
                title="Set the rule as it was rehearsed",
                intro=f"{rehearsal.code.replace('_', ' ')}: {settings_text(rehearsal.code, rehearsal.thresholds)}.",
                submit="Set it",
                back=change_url(Rehearsal, rehearsal.pk),
            ),
            form=forms.Form(request.POST if request.method == "POST" else None),
            act=act,
        )


def _panel(rehearsal: Rehearsal) -> dict[str, Any]:
    job = rehearsal.job
    return {
        "rehearsal": rehearsal,
        "job": job,
        "ended": job is None or job.status in _ENDED,
        "found": rehearsal.found,
        "examples": [
            each | {"time": moment(parse_datetime(each["time"])), "until": _until(each["until"])}
            for each in rehearsal.found.get("examples", ())
        ],
        "found_url": reverse("admin:meters_rehearsal_found", args=[rehearsal.pk]),
    }


def _until(text: str | None) -> str:
    return moment(parse_datetime(text)) if text else "-"
