"""Rules as managers tune them, and rehearsals of what they would catch."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.actors import Actor
from accounts.models import AuditEntry
from meters.models import Job, ReadingException, Rehearsal, ValidationRule
from meters.services.jobs import run_job
from meters.services.rehearsals import BadDays, NotRehearsable, rehearse, run_rehearsal
from meters.services.rules import NeedsARow, ScopeTaken, WrongRule, add_rule, change_rule, remove_rule
from tests.factories import InstallationFactory, ManagerFactory, ValidationRuleFactory, supplied_register
from tests.meters.test_flagging import HALF_HOUR, write

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 10, tzinfo=UTC)
START = NOW - timedelta(days=1)


@pytest.fixture
def manager():
    return Actor(user=ManagerFactory())


class TestChangeRule:
    def test_keeps_what_is_not_named(self, manager):
        rule = ValidationRuleFactory(code="spike", thresholds={"percent": 150, "hours": 12})

        changed = change_rule(rule_id=rule.pk, thresholds={"percent": 200}, actor=manager, now=NOW)

        assert (changed.thresholds["percent"], changed.thresholds["hours"], changed.severity) == (200, 12, "flag")

    def test_keeps_who_changed_what(self, manager):
        rule = ValidationRuleFactory(code="spike")

        change_rule(rule_id=rule.pk, enabled=False, actor=manager, now=NOW)

        assert rule.history.first().history_user == manager.user
        entry = AuditEntry.objects.get(action="validation_rule.changed")
        assert (entry.detail["before"]["enabled"], entry.detail["after"]["enabled"]) == (True, False)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"severity": "shout"}, "severity"),
            ({"thresholds": {"percent": -1}}, "thresholds.percent"),
            ({"thresholds": {"volts": 1}}, "thresholds.volts"),
        ],
    )
    def test_names_what_cannot_be(self, manager, change, field):
        rule = ValidationRuleFactory(code="spike")

        with pytest.raises(WrongRule) as caught:
            change_rule(rule_id=rule.pk, actor=manager, now=NOW, **change)

        assert [error.field for error in caught.value.errors] == [field]

    def test_cannot_hold_back_what_lies_in_the_past(self, manager):
        rule = ValidationRuleFactory(code="stuck")

        with pytest.raises(WrongRule):
            change_rule(rule_id=rule.pk, severity="quarantine", actor=manager, now=NOW)


class TestScopes:
    def add(self, manager, **changes):
        wanted = {"code": "spike", "commodity": "water", "service_class": "", "severity": "flag", "thresholds": {}}
        return add_rule(enabled=True, actor=manager, now=NOW, **(wanted | changes))

    def test_are_added_once(self, manager):
        self.add(manager)

        with pytest.raises(ScopeTaken):
            self.add(manager)

    def test_are_of_commodities_that_exist(self, manager):
        with pytest.raises(WrongRule):
            self.add(manager, commodity="steam")

    def test_go_again_but_for_the_widest(self, manager):
        widest, narrow = ValidationRuleFactory(code="spike"), self.add(manager)

        remove_rule(rule_id=narrow.pk, actor=manager, now=NOW)

        with pytest.raises(NeedsARow):
            remove_rule(rule_id=widest.pk, actor=manager, now=NOW)
        assert list(ValidationRule.objects.filter(code="spike")) == [widest]


class TestRehearse:
    def ask(self, manager, **changes):
        wanted = {
            "code": "spike",
            "severity": "flag",
            "thresholds": {"percent": 150, "percent_of_capacity": 25},
            "scope": ("", ""),
            "days": 1,
        }
        return rehearse(actor=manager, now=NOW, **(wanted | changes))

    def run(self, rehearsal):
        run_job(job_id=rehearsal.job_id, runners={Job.Kind.REHEARSAL: run_rehearsal}, now=NOW)
        rehearsal.refresh_from_db()
        return rehearsal.found

    def test_shows_what_a_changed_rule_would_add(self, manager):
        register = supplied_register()
        write(register, [1.0, 1.1, 2.7], start=START)

        found = self.run(self.ask(manager))

        assert (found["checked"], found["caught"], found["caught_now"]) == (3, 1, 0)
        assert (found["added"], found["dropped"]) == (1, 0)
        assert found["examples"] == [
            {
                "change": "added",
                "meter": register.meter.serial,
                "register": "1.8.0",
                "time": (START + timedelta(minutes=90)).isoformat(),
                "until": None,
                "detail": "2.7 kWh is 170 % above the third highest half-hour within 24 h.",
            }
        ]

    def test_shows_what_it_would_drop_and_keep(self, manager):
        write(supplied_register(), [1.0, 1.1, 3.6], start=START)
        write(supplied_register(), [1.0, 1.1, 6.0], start=START)

        found = self.run(self.ask(manager, thresholds={"percent": 400}))

        assert [example["change"] for example in found["examples"]] == ["dropped", "kept"]

    def test_catches_nothing_today_with_a_rule_that_is_off(self, manager):
        ValidationRuleFactory(code="spike", enabled=False)
        write(supplied_register(), [1.0, 1.1, 3.6], start=START)

        found = self.run(self.ask(manager, thresholds={}))

        assert (found["caught"], found["caught_now"]) == (1, 0)

    def test_looks_at_its_scope_and_days_only(self, manager):
        write(supplied_register(), [1.0, 1.1, 3.6], start=START - timedelta(days=1))
        write(supplied_register(), [1.0, 1.1, 3.6], start=START)

        assert self.run(self.ask(manager))["caught"] == 1
        assert self.run(self.ask(manager, days=2))["caught"] == 2
        assert self.run(self.ask(manager, days=2, scope=("water", "")))["checked"] == 0

    def test_holds_dials_to_what_the_connection_carries_since_the_value_before(self, manager):
        register = supplied_register()
        write(register, [1, None, None, "20.8", None, "13.8"], start=START - 2 * HALF_HOUR)

        found = self.run(self.over_capacity(manager))

        assert (found["checked"], found["caught"]) == (2, 1)
        assert found["examples"][0]["time"] == (START + 2 * HALF_HOUR).isoformat()
        assert found["examples"][0]["detail"] == "20.8 kWh within 1.5 h; the connection carries 20.7 kWh."

    def test_compares_no_dial_with_what_it_showed_at_another_place(self, manager):
        register = supplied_register()
        register.meter.installations.update(valid=(START - timedelta(days=1), START))
        InstallationFactory(meter=register.meter, valid=(START + 2 * HALF_HOUR, None))
        write(register, [1, None, None, 50, "6.9"], start=START - 2 * HALF_HOUR)

        found = self.run(self.over_capacity(manager))

        assert (found["checked"], found["caught"]) == (1, 0)

    def over_capacity(self, manager):
        return self.ask(manager, code="over_capacity", severity="quarantine", thresholds={})

    def test_leaves_rules_readings_and_exceptions_as_they_are(self, manager):
        rule = ValidationRuleFactory(code="spike", thresholds={"percent": 180})
        write(supplied_register(), [1.0, 1.1, 3.6], start=START)

        self.run(self.ask(manager))

        rule.refresh_from_db()
        assert rule.thresholds == {"percent": 180}
        assert not ReadingException.objects.exists()

    def test_reports_its_counts_in_the_job(self, manager):
        rehearsal = self.ask(manager)
        self.run(rehearsal)

        job = Job.objects.get(rehearsal=rehearsal)
        assert (job.status, job.report["caught"], job.asked_by) == ("done", 0, manager.user)

    @pytest.mark.parametrize(
        ("changes", "error"),
        [({"code": "off_mark", "severity": "reject", "thresholds": {}}, NotRehearsable), ({"days": 0}, BadDays)],
    )
    def test_is_refused_where_it_would_say_nothing(self, manager, changes, error):
        with pytest.raises(error):
            self.ask(manager, **changes)

        assert not Rehearsal.objects.exists()
