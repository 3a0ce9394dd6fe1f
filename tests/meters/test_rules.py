"""Which rule holds where."""

import pytest

from meters.models import RuleCode, Severity, ValidationRule
from meters.rules import DEFAULTS, full_thresholds, wrong_thresholds
from meters.selectors.rules import rule_book
from tests.factories import ValidationRuleFactory

pytestmark = pytest.mark.django_db


class TestDefaults:
    def test_every_code_has_one_and_no_other(self):
        assert set(DEFAULTS) == set(RuleCode.values)

    @pytest.mark.parametrize("code", DEFAULTS)
    def test_its_severity_is_one_that_it_may_have(self, code):
        default = DEFAULTS[code]

        assert default.severity in default.severities
        assert set(default.severities) <= set(Severity.values)

    @pytest.mark.parametrize("code", DEFAULTS)
    def test_its_own_thresholds_are_right(self, code):
        assert wrong_thresholds(code, full_thresholds(code, {})) == {}

    def test_a_migrated_database_holds_each_as_a_row_that_says_the_same(self):
        rows = ValidationRule.objects.filter(commodity="", service_class="")

        if rows.exists():  # a test that flushed the database took them along
            assert {(row.code, row.severity, tuple(sorted(row.thresholds.items()))) for row in rows} == {
                (code, default.severity, tuple(sorted(full_thresholds(code, {}).items())))
                for code, default in DEFAULTS.items()
            }


class TestWrongThresholds:
    @pytest.mark.parametrize("value", [True, "180", None, -1, float("nan"), float("inf"), 1e9])
    def test_are_named(self, value):
        assert set(wrong_thresholds("spike", {"percent": value})) == {"percent"}

    def test_are_those_that_the_rule_does_not_have(self):
        assert set(wrong_thresholds("spike", {"volts": 3})) == {"volts"}

    def test_are_parts_where_whole_numbers_are_needed(self):
        assert set(wrong_thresholds("stuck", {"half_hours": 3.5})) == {"half_hours"}

    def test_are_more_weeks_than_are_looked_at(self):
        assert set(wrong_thresholds("high", {"weeks": 4, "least_weeks": 5})) == {"least_weeks"}


class TestRuleBook:
    def test_falls_back_on_the_default_where_no_row_is(self):
        ValidationRule.objects.all().delete()

        rule = rule_book().rule("spike", commodity="electric", service_class="residential")

        assert (rule.severity, rule.thresholds["percent"], rule.enabled) == ("flag", 180, True)

    def test_takes_one_query(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            rule_book().rule("spike", commodity="electric", service_class="residential")

    @pytest.mark.parametrize(
        ("scopes", "expected"),
        [
            ([("", "", 1)], 1),
            ([("", "", 1), ("electric", "", 2)], 2),
            ([("", "", 1), ("electric", "", 2), ("", "residential", 3)], 3),
            ([("", "", 1), ("electric", "", 2), ("", "residential", 3), ("electric", "residential", 4)], 4),
            ([("", "", 1), ("water", "", 2), ("", "industrial", 3), ("electric", "industrial", 4)], 1),
        ],
    )
    def test_prefers_the_narrowest_scope(self, scopes, expected):
        for commodity, service_class, percent in scopes:
            ValidationRuleFactory(
                code="spike", commodity=commodity, service_class=service_class, thresholds={"percent": percent}
            )

        rule = rule_book().rule("spike", commodity="electric", service_class="residential")

        assert rule.thresholds["percent"] == expected

    def test_fills_in_what_a_row_does_not_say(self):
        ValidationRuleFactory(code="spike", thresholds={"percent": 100})

        rule = rule_book().rule("spike", commodity="", service_class="")

        assert (rule.thresholds["percent"], rule.thresholds["hours"]) == (100, 24)

    def test_can_switch_a_rule_off_in_a_narrow_scope(self):
        ValidationRuleFactory(code="high", service_class="industrial", enabled=False)

        book = rule_book()

        assert not book.rule("high", commodity="electric", service_class="industrial").enabled
        assert book.rule("high", commodity="electric", service_class="residential").enabled

    def test_knows_whether_any_of_some_rules_holds_values_back(self):
        assert not rule_book().blocks({"high", "spike"})

        ValidationRuleFactory(code="spike", service_class="industrial", severity=Severity.QUARANTINE)

        assert rule_book().blocks({"high", "spike"})
        assert not rule_book().blocks({"high"})
