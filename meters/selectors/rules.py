"""The rules in force: which severity and thresholds hold where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from energy_portal.shared.errors import NotFound
from meters.models import Rehearsal, ValidationRule
from meters.rules import BLOCKING, DEFAULTS, full_thresholds

Scope = tuple[str, str]


class NoSuchRule(NotFound):
    """There is no such rule."""

    code = "no_such_rule"


class NoSuchRehearsal(NotFound):
    """There is no such rehearsal."""

    code = "no_such_rehearsal"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it holds in a scope, all of its thresholds filled in."""

    code: str
    severity: str
    thresholds: dict[str, float]
    enabled: bool = True

    @property
    def blocks(self) -> bool:
        """Whether what it catches does not simply enter."""
        return self.enabled and self.severity in BLOCKING


class RuleBook:
    """Every rule in force, by code and by scope (commodity, service class); empty stands for all.

    A rule that has no row at all holds as the portal brings it.
    """

    def __init__(self, rules: Mapping[str, Mapping[Scope, Rule]]) -> None:
        self._rules = {code: dict(scopes) for code, scopes in rules.items()}
        for code, default in DEFAULTS.items():
            fallback = Rule(code, default.severity, full_thresholds(code, {}))
            self._rules.setdefault(code, {}).setdefault(("", ""), fallback)

    def rule(self, code: str, *, commodity: str, service_class: str) -> Rule:
        """Return the rule that holds for a kind of place: of those that fit, the narrowest.

        A service class is narrower than a commodity, both together are narrowest.

        :raises KeyError: there is no rule of that code.
        """
        scopes = self._rules[code]
        for scope in ((commodity, service_class), ("", service_class), (commodity, "")):
            if scope in scopes:
                return scopes[scope]
        return scopes["", ""]

    def scopes(self, code: str) -> list[Rule]:
        """Return a rule as it holds in each of its scopes."""
        return list(self._rules[code].values())

    def blocks(self, codes: Iterable[str]) -> bool:
        """Tell whether any of these rules holds values back, in whichever scope."""
        return any(rule.blocks for code in codes for rule in self.scopes(code))

    def replacing(self, rule: Rule, *, commodity: str, service_class: str) -> "RuleBook":
        """Return a book in which one rule of one scope reads otherwise."""
        scopes = self._rules[rule.code] | {(commodity, service_class): rule}
        return RuleBook(self._rules | {rule.code: scopes})


def rule_book() -> RuleBook:
    """Return the rules in force. One query."""
    rules: dict[str, dict[Scope, Rule]] = {}
    rows = ValidationRule.objects.order_by().values_list(
        "code", "commodity", "service_class", "severity", "thresholds", "enabled"
    )
    for code, commodity, service_class, severity, thresholds, enabled in rows:
        if code in DEFAULTS:
            rule = Rule(code, severity, full_thresholds(code, thresholds), enabled)
            rules.setdefault(code, {})[commodity, service_class] = rule
    return RuleBook(rules)


def rule_of(rule_id: UUID) -> ValidationRule:
    """Return a rule's row.

    :raises NoSuchRule: there is none.
    """
    found: ValidationRule | None = ValidationRule.objects.filter(pk=rule_id).first()
    if found is None:
        raise NoSuchRule("There is no such rule.")
    return found


def changes_of(rule: ValidationRule) -> QuerySet[Any]:
    """Return how a rule read before, newest first, each with who made it so."""
    changes: QuerySet[Any] = rule.history.select_related("history_user").order_by("-history_date", "-history_id")
    return changes


def rehearsal_of(rehearsal_id: UUID) -> Rehearsal:
    """Return a rehearsal.

    :raises NoSuchRehearsal: there is none.
    """
    found: Rehearsal | None = Rehearsal.objects.select_related("job").filter(pk=rehearsal_id).first()
    if found is None:
        raise NoSuchRehearsal("There is no such rehearsal.")
    return found
