"""When alarms are raised: for all subjects of a kind, and for single ones."""

from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from accounts.admin.common import actor_of
from energy_portal.shared.admin import AppendOnlyAdmin
from meters.admin.common import DecidedOnly, Question, ask_then, change_url, instant_column, list_url
from meters.alarms import Comparison, span_in_words
from meters.models import AlarmRule, AlarmSeverity, SubjectKind
from meters.services.alarms import (
    AlarmSettings,
    WrongAlarmRule,
    add_alarm_rule,
    change_alarm_rule,
    limits_of,
    remove_alarm_rule,
    settings_of,
)

_SEVERITY_COLOURS = {AlarmSeverity.CRITICAL: "danger", AlarmSeverity.WARNING: "warning", AlarmSeverity.INFO: "info"}


def _number(label: str, help_text: str) -> forms.FloatField:
    widget = UnfoldAdminDecimalFieldWidget(attrs={"step": "any"})
    return forms.FloatField(label=label, help_text=help_text, required=False, widget=widget)


def _whole(label: str, help_text: str, *, required: bool = False) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=required,
        min_value=0 if required else 1,
        max_value=31 * 86_400,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


class SettingsForm(forms.Form):
    """How a rule is set; what cannot be so is told at its field by the service."""

    quantity = forms.CharField(
        max_length=40, widget=UnfoldAdminTextInputWidget(), help_text="As power_w or temperature_c; of silence, seen."
    )
    comparison = forms.ChoiceField(
        choices=AlarmRule.Comparison.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text="Wrong above or below a threshold, or when nothing is heard.",
    )
    set_at = _number("Raised at", "In the quantity's unit. Not for silence.")
    clear_at = _number("Cleared at", "No higher than that for above, no lower for below. Not for silence.")
    no_data_seconds = _whole("Seconds of silence", "For silence alone.")
    hold_seconds = _whole("Seconds it must hold", "Before it is raised.", required=True)
    clear_hold_seconds = _whole("Seconds it must be over", "Before it is cleared.", required=True)
    severity = forms.ChoiceField(choices=AlarmSeverity.choices, widget=UnfoldAdminSelectWidget())
    escalate_after_minutes = _whole("Escalated after minutes", "Not acknowledged for so long, it becomes critical.")
    is_enabled = forms.BooleanField(label="Switched on", required=False, widget=UnfoldBooleanWidget())

    def settings(self) -> AlarmSettings:
        """Return what was entered."""
        return AlarmSettings(**{name: self.cleaned_data[name] for name in AlarmSettings.__dataclass_fields__})

    def refuse(self, error: WrongAlarmRule) -> None:
        """Tell of each field what is wrong with it."""
        for item in error.errors:
            self.add_error(item.field if item.field in self.fields else None, item.detail)


class OneSubjectForm(SettingsForm):
    """How a rule is set for one subject."""

    subject = forms.CharField(max_length=64, widget=UnfoldAdminTextInputWidget(), help_text="Its id, as in its alarms.")
    field_order = ("subject",)


class NewRuleForm(SettingsForm):
    """A kind of alarm that was not looked for."""

    kind = forms.CharField(max_length=40, widget=UnfoldAdminTextInputWidget(), help_text="As over_power.")
    subject_kind = forms.ChoiceField(label="Of", choices=SubjectKind.choices, widget=UnfoldAdminSelectWidget())
    subject = forms.CharField(
        max_length=64, required=False, widget=UnfoldAdminTextInputWidget(), help_text="Its id; empty: all of them."
    )
    field_order = ("kind", "subject_kind", "subject")


@admin.register(AlarmRule)
class AlarmRuleAdmin(DecidedOnly, AppendOnlyAdmin):
    """When alarms are raised and cleared."""

    list_display = ("name", "of", "raised_when", "held", "shown_severity", "escalates", "is_enabled", "updated")
    list_display_links = ("name",)
    list_filter = ("subject_kind", "severity", "is_enabled", "kind")
    search_fields = ("kind", "subject")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "of"),
                    ("raised_when", "held"),
                    ("shown_severity", "escalates"),
                    ("is_enabled", "updated"),
                )
            },
        ),
    )
    readonly_fields = ("name", "of", "raised_when", "held", "shown_severity", "escalates", "updated")
    updated = instant_column("updated_at", "Changed")
    actions = None
    actions_list = ("add_new",)
    actions_row = ("tune",)
    actions_detail = ("tune", "narrow", "drop")

    @display(description="Alarm", ordering="kind")
    def name(self, rule: AlarmRule) -> str:
        return rule.kind.replace("_", " ")

    @display(description="Of", ordering="subject")
    def of(self, rule: AlarmRule) -> str:
        return rule.subject or f"every {rule.get_subject_kind_display().lower()}"

    @display(description="Raised when")
    def raised_when(self, rule: AlarmRule) -> str:
        limits = limits_of(rule)
        if limits.comparison is Comparison.SILENT:
            return f"silent for {span_in_words(limits.no_data)}"
        quantity = rule.quantity.replace("_", " ")
        return f"{quantity} {rule.comparison} {limits.set_at:,.10g}, cleared at {limits.clear_at:,.10g}"

    @display(description="Must hold, be over")
    def held(self, rule: AlarmRule) -> str:
        return f"{rule.hold_seconds} s, {rule.clear_hold_seconds} s"

    @display(description="Severity", ordering="severity", label=_SEVERITY_COLOURS)
    def shown_severity(self, rule: AlarmRule) -> tuple[str, str]:
        return rule.severity, rule.get_severity_display()

    @display(description="Escalated after")
    def escalates(self, rule: AlarmRule) -> str:
        return f"{rule.escalate_after_minutes} min" if rule.escalate_after_minutes else "-"

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer a rule of its own for one subject where the rule is of all."""
        rule = self._rule(request, object_id)
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not (rule.subject and each.action_name.endswith("narrow"))]

    @action(description="Add a rule", url_path="add-new", permissions=["decide"], icon="add")
    def add_new(self, request: HttpRequest) -> HttpResponse:
        """Look for another kind of alarm."""

        def act(form: NewRuleForm) -> str:
            scope = {name: form.cleaned_data[name] for name in ("kind", "subject_kind", "subject")}
            rule = add_alarm_rule(settings=form.settings(), actor=actor_of(request), now=timezone.now(), **scope)
            return f"The rule {rule} is set."

        initial = {"hold_seconds": 60, "clear_hold_seconds": 60, "severity": AlarmSeverity.WARNING, "is_enabled": True}
        return self._ask(
            request,
            "Add a rule",
            "Values that come from now on are judged by it.",
            "Add it",
            form=NewRuleForm(_posted(request), initial=initial),
            act=act,
        )

    @action(description="Change", url_path="tune", permissions=["decide"], icon="tune")
    def tune(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Set a rule otherwise."""
        rule = self._rule(request, object_id)

        def act(form: SettingsForm) -> str:
            change_alarm_rule(rule_id=rule.pk, settings=form.settings(), actor=actor_of(request), now=timezone.now())
            return f"The rule {rule} is set."

        return self._ask(
            request,
            f"Change the rule {rule}",
            "Values that come from now on are judged by it. Switched off, its open alarms are cleared.",
            "Set it",
            back=change_url(AlarmRule, rule.pk),
            form=SettingsForm(_posted(request), initial=asdict(settings_of(rule))),
            act=act,
        )

    @action(description="For one alone", url_path="narrow", permissions=["decide"], icon="filter_alt")
    def narrow(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the rule hold otherwise for one subject."""
        rule = self._rule(request, object_id)

        def act(form: OneSubjectForm) -> str:
            added = add_alarm_rule(
                subject_kind=rule.subject_kind,
                kind=rule.kind,
                subject=form.cleaned_data["subject"],
                settings=form.settings(),
                actor=actor_of(request),
                now=timezone.now(),
            )
            return f"The rule {added} is set."

        return self._ask(
            request,
            f"The rule {rule} for one alone",
            "It stands in for the rule of all; switched off, there is none for that one.",
            "Add it",
            form=OneSubjectForm(_posted(request), initial=asdict(settings_of(rule))),
            act=act,
        )

    @action(description="Remove", url_path="drop", permissions=["decide"], icon="delete")
    def drop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a rule away."""
        rule = self._rule(request, object_id)

        def act(form: forms.Form) -> str:
            remove_alarm_rule(rule_id=rule.pk, actor=actor_of(request), now=timezone.now())
            return f"The rule {rule} is removed."

        return self._ask(
            request,
            f"Remove the rule {rule}",
            "Its open alarms are cleared. For one alone, the rule of all holds again.",
            "Remove",
            form=forms.Form(_posted(request)),
            act=act,
        )

    def _ask(
        self, request: HttpRequest, title: str, intro: str, submit: str, *, form: Any, act: Any, back: str = ""
    ) -> HttpResponse:
        def careful(filled: Any) -> str | HttpResponse:
            try:
                return str(act(filled))
            except WrongAlarmRule as error:
                filled.refuse(error)
                return ask_then(self, request, question, form=filled, act=act)

        question = Question(title=title, intro=intro, submit=submit, back=back or list_url(AlarmRule))
        return ask_then(self, request, question, form=form, act=careful)

    def _rule(self, request: HttpRequest, object_id: object) -> AlarmRule:
        rule: AlarmRule = get_object_or_404(self.get_queryset(request), pk=object_id)
        return rule


def _posted(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None
