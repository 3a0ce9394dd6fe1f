"""Staff see to alarms, and managers tune when there are any."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.roles import Role
from meters.models import Alarm, AlarmRule
from tests.factories import AlarmFactory, AlarmRuleFactory, CustomerAccountFactory, ManagerFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
LIST = reverse("admin:meters_alarm_changelist")
SETTINGS = {
    "quantity": "power_w",
    "comparison": "above",
    "set_at": "3000",
    "clear_at": "2500",
    "hold_seconds": "60",
    "clear_hold_seconds": "60",
    "severity": "critical",
    "is_enabled": "on",
}


@pytest.fixture(autouse=True)
def now(time_machine):
    cache.clear()
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def client():
    browser = Client()
    browser.force_login(ManagerFactory())
    return browser


def act_on(row, act):
    return reverse(f"admin:meters_{row._meta.model_name}_change", args=[row.pk]).replace("/change/", f"/{act}/")


class TestAlarms:
    @pytest.mark.parametrize(
        ("standing", "shown"),
        [("", {"new", "seen", "put off", "over"}), ("waiting", {"new"}), ("open", {"new", "seen", "put off"})],
    )
    def test_are_listed_by_where_they_stand(self, client, standing, shown):
        AlarmFactory(subject="new")
        AlarmFactory(subject="seen", state="acknowledged")
        AlarmFactory(subject="put off", snoozed_until=NOW + timedelta(hours=1))
        AlarmFactory(subject="over", state="cleared", cleared_at=NOW)

        page = client.get(LIST, {"standing": standing} if standing else {})

        assert {alarm.subject for alarm in page.context["cl"].queryset} == shown

    def test_are_acknowledged_several_at_once(self, client):
        alarms = [AlarmFactory(), AlarmFactory(), AlarmFactory(state="cleared", cleared_at=NOW)]
        chosen = {"action": "acknowledge_all", "_selected_action": [str(alarm.pk) for alarm in alarms]}

        asked = client.post(LIST, chosen)
        assert "3 alarms." in asked.text
        told = client.post(LIST, {**chosen, "note": "On it."}, follow=True)

        assert Alarm.objects.filter(state="acknowledged", note="On it.").count() == 2
        assert "2 done." in told.text
        assert "It is over" in told.text

    def test_are_put_off_with_a_reason(self, client):
        alarm = AlarmFactory()

        refused = client.post(act_on(alarm, "snooze"), {"span": "4", "note": ""})
        client.post(act_on(alarm, "snooze"), {"span": "4", "note": "Repair at six."})

        assert "This field is required." in refused.text
        alarm.refresh_from_db()
        assert (alarm.snoozed_until, alarm.note) == (NOW + timedelta(hours=4), "Repair at six.")

    def test_offer_nothing_once_they_are_over(self, client):
        alarm = AlarmFactory(state="cleared", cleared_at=NOW)

        assert act_on(alarm, "snooze") not in client.get(act_on(alarm, "change")).text

    def test_keep_whose_they_are_from_operators(self, client):
        alarm = AlarmFactory(account=CustomerAccountFactory(number="A-77", owner_name="Mei Ling Tan"))
        operator = Client()
        operator.force_login(UserFactory(role=Role.OPERATOR))

        assert "Mei Ling Tan" in client.get(act_on(alarm, "change")).text
        assert "Mei Ling Tan" not in operator.get(act_on(alarm, "change")).text
        assert alarm in client.get(LIST, {"q": "A-77"}).context["cl"].queryset
        assert alarm not in operator.get(LIST, {"q": "A-77"}).context["cl"].queryset

    def test_stand_in_the_navigation_and_on_the_front_page(self, client):
        AlarmFactory(severity="critical")
        AlarmFactory(state="acknowledged")

        page = client.get(reverse("admin:index"))

        assert "1 is critical" in page.text
        assert (page.context["dashboard"].alarms.waiting, page.context["dashboard"].alarms.open) == (1, 2)

    def test_ask_the_same_number_of_questions_however_many(self, client, django_assert_max_num_queries):
        AlarmFactory.create_batch(30)
        client.get(LIST)

        with django_assert_max_num_queries(12):
            client.get(LIST)


class TestAlarmRules:
    def test_are_listed_in_words(self, client):
        listed = client.get(reverse("admin:meters_alarmrule_changelist")).text

        assert "power w above 3,680, cleared at 3,500" in listed
        assert "silent for an hour" in listed

    def test_are_changed(self, client):
        rule = AlarmRuleFactory()

        client.post(act_on(rule, "tune"), {**SETTINGS, "set_at": "2600"})

        rule.refresh_from_db()
        assert (rule.set_at, rule.clear_at, rule.hold_seconds, rule.severity) == (2600.0, 2500.0, 60, "critical")

    def test_are_refused_at_the_field_that_is_wrong(self, client):
        rule = AlarmRuleFactory()

        page = client.post(act_on(rule, "tune"), {**SETTINGS, "clear_at": "3500"})

        assert page.context["form"].errors["clear_at"] == ["It clears before it is raised: it may not lie above that."]
        rule.refresh_from_db()
        assert rule.set_at == 3000.0

    def test_are_set_for_one_alone_and_added_and_removed(self, client):
        rule = AlarmRuleFactory(kind="hot")

        client.post(act_on(rule, "narrow"), {**SETTINGS, "subject": "plug-1"})
        client.post(reverse("admin:meters_alarmrule_add_new"), {**SETTINGS, "kind": "cold", "subject_kind": "battery"})
        client.post(act_on(rule, "drop"))

        assert set(AlarmRule.objects.exclude(kind__contains="_").values_list("kind", "subject_kind", "subject")) == {
            ("hot", "device", "plug-1"),
            ("cold", "battery", ""),
            ("offline", "device", ""),
            ("offline", "battery", ""),
        }
