"""The rules in force: which severity and thresholds hold where."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from meters.models import ValidationRule
from meters.rules import BLOCKING, DEFAULTS, full_thresholds

Scope = tuple[str, str]


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
