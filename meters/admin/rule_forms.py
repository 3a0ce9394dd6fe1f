"""The forms that tune a rule: each knows the rule's own thresholds, their units and bounds."""

from collections.abc import Mapping
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from meters.models import Severity, ValidationRule
from meters.models.places import Commodity
from meters.rules import DEFAULTS, Threshold, full_thresholds, wrong_thresholds
from meters.services.rehearsals import MOST_DAYS

_PREFIX = "threshold_"


class RuleForm(forms.Form):
    """A rule's severity and thresholds, and whether it holds at all."""

    def __init__(self, data: Any = None, *, rule: ValidationRule, settings: Mapping[str, Any] | None = None) -> None:
        """Show the rule as it is, or with other settings."""
        super().__init__(data)
        self.rule = rule
        shown = {"severity": rule.severity, "thresholds": rule.thresholds, **(settings or {})}
        default = DEFAULTS[rule.code]
        self.fields["severity"] = forms.ChoiceField(
            choices=[(name, Severity(name).label) for name in default.severities],
            initial=shown["severity"],
            widget=UnfoldAdminSelectWidget(),
        )
        values = full_thresholds(rule.code, shown["thresholds"])
        for name, threshold in default.thresholds.items():
            self.fields[f"{_PREFIX}{name}"] = _field(name, threshold, values[name])
        self.add_more()

    def add_more(self) -> None:
        """Add the fields that follow the thresholds."""
        self.fields["enabled"] = forms.BooleanField(
            label="Switched on", required=False, initial=self.rule.enabled, widget=UnfoldBooleanWidget()
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name, detail in wrong_thresholds(self.rule.code, self.thresholds()).items():
            self.add_error(f"{_PREFIX}{name}", detail)
        return cleaned

    def thresholds(self) -> dict[str, float]:
        """Return the thresholds that were entered."""
        entered = {name: self.cleaned_data.get(f"{_PREFIX}{name}") for name in DEFAULTS[self.rule.code].thresholds}
        return {name: float(value) for name, value in entered.items() if value is not None}


class ScopeForm(RuleForm):
    """A rule for a narrower scope."""

    def add_more(self) -> None:
        super().add_more()
        self.fields["commodity"] = forms.ChoiceField(
            choices=[("", "All"), *Commodity.choices],
            required=False,
            initial=self.rule.commodity,
            widget=UnfoldAdminSelectWidget(),
        )
        self.fields["service_class"] = forms.CharField(
            max_length=40,
            required=False,
            initial=self.rule.service_class,
            widget=UnfoldAdminTextInputWidget(),
            help_text="As the service points have it, such as residential; empty for all.",
        )


class RehearsalForm(RuleForm):
    """A rule as it might be, and the past days to run it over."""

    def add_more(self) -> None:
        self.fields["days"] = forms.IntegerField(
            label="Past days",
            initial=7,
            min_value=1,
            max_value=MOST_DAYS,
            widget=UnfoldAdminIntegerFieldWidget(),
            help_text=f"At most {MOST_DAYS}.",
        )


def _field(name: str, threshold: Threshold, value: float) -> forms.Field:
    """Return a threshold's field: its name in words, which hold its unit, its bounds checked."""
    bounds = f"{threshold.least:g} to {threshold.most:g} {threshold.unit}"
    words: dict[str, Any] = {
        "label": name.replace("_", " ").capitalize(),
        "help_text": f"{threshold.help} {bounds}.",
        "min_value": threshold.least,
        "max_value": threshold.most,
        "initial": f"{value:g}",
    }
    if threshold.whole:
        return forms.IntegerField(widget=UnfoldAdminIntegerFieldWidget(), **words)
    return forms.FloatField(widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}), **words)
