"""How rules are tuned: which severity and thresholds hold where. Every change is kept in the rule's history."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid, ItemError
from meters.models import ValidationRule
from meters.models.places import Commodity
from meters.rules import DEFAULTS, full_thresholds, wrong_thresholds
from meters.services.history import save_as


class WrongRule(Invalid):
    """A rule cannot be set so."""

    code = "wrong_rule"


class ScopeTaken(Conflict):
    """The rule has a row for that scope already."""

    code = "scope_taken"


class NeedsARow(Conflict):
    """The row that holds everywhere else cannot go; a rule is switched off instead."""

    code = "rule_needs_a_row"


def require_settings(code: str, severity: str, thresholds: Mapping[str, object]) -> dict[str, float]:
    """Return a rule's thresholds in full, once they and its severity are such as it may have.

    :raises WrongRule: there is no such rule, or it may not be set so; each error names its field.
    """
    if code not in DEFAULTS:
        raise WrongRule(f"There is no rule {code!r}.")
    errors = [
        ItemError("invalid", detail, field=f"thresholds.{name}")
        for name, detail in wrong_thresholds(code, thresholds).items()
    ]
    allowed = DEFAULTS[code].severities
    if severity not in allowed:
        detail = f"This rule can be {' or '.join(allowed)}, not {severity}."
        errors.append(ItemError("invalid", detail, field="severity"))
    if errors:
        raise WrongRule(errors[0].detail, errors=errors)
    return full_thresholds(code, thresholds)


@transaction.atomic
def add_rule(
    *,
    code: str,
    commodity: str,
    service_class: str,
    severity: str,
    thresholds: Mapping[str, object],
    enabled: bool,
    actor: Actor,
    now: datetime,
) -> ValidationRule:
    """Let a rule hold otherwise in a narrower scope; empty stands for all.

    :raises WrongRule: it may not be set so.
    :raises ScopeTaken: it has a row for that scope already.
    """
    full = require_settings(code, severity, thresholds)
    if commodity and commodity not in Commodity.values:
        raise WrongRule(f"There is no commodity {commodity!r}.")
    rule = ValidationRule(
        code=code,
        commodity=commodity,
        service_class=service_class.strip(),
        severity=severity,
        thresholds=full,
        enabled=enabled,
    )
    try:
        with transaction.atomic():
            save_as(actor, rule)
    except IntegrityError as error:
        raise ScopeTaken(f"There is a rule {rule} already.") from error
    audit.record(action="validation_rule.added", obj=rule, actor=actor, now=now, rule=str(rule), **_settings(rule))
    return rule


@transaction.atomic
def change_rule(
    *,
    rule_id: UUID,
    actor: Actor,
    now: datetime,
    severity: str | None = None,
    thresholds: Mapping[str, object] | None = None,
    enabled: bool | None = None,
) -> ValidationRule:
    """Tune a rule; what is None, and a threshold that is not named, stays. What entered before is not judged anew.

    :raises ValidationRule.DoesNotExist: there is no such rule.
    :raises WrongRule: it may not be set so.
    """
    rule: ValidationRule = ValidationRule.objects.select_for_update().get(pk=rule_id)
    before = _settings(rule)
    wanted = severity if severity is not None else rule.severity
    rule.thresholds = require_settings(rule.code, wanted, {**rule.thresholds, **(thresholds or {})})
    rule.severity = wanted
    rule.enabled = rule.enabled if enabled is None else enabled
    if _settings(rule) != before:
        save_as(actor, rule)
        audit.record(
            action="validation_rule.changed",
            obj=rule,
            actor=actor,
            now=now,
            rule=str(rule),
            before=before,
            after=_settings(rule),
        )
    return rule


@transaction.atomic
def remove_rule(*, rule_id: UUID, actor: Actor, now: datetime) -> None:
    """Let the next wider scope hold again.

    :raises ValidationRule.DoesNotExist: there is no such rule.
    :raises NeedsARow: it is the one that holds everywhere else.
    """
    rule: ValidationRule = ValidationRule.objects.select_for_update().get(pk=rule_id)
    if not rule.commodity and not rule.service_class:
        raise NeedsARow("This holds wherever no narrower rule does: switch it off instead.")
    audit.record(action="validation_rule.removed", obj=rule, actor=actor, now=now, rule=str(rule), **_settings(rule))
    audit.sign_history(rule, actor)
    rule.delete()


def _settings(rule: ValidationRule) -> dict[str, object]:
    return {"severity": rule.severity, "thresholds": dict(rule.thresholds), "enabled": rule.enabled}
