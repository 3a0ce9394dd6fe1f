"""Alarms over the API: who sees which, and who may do what about them."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import AuditEntry
from accounts.roles import Role, Scope
from meters.models import Alarm
from tests.factories import AccountAccessFactory, AlarmFactory, ManagerFactory, UserFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def manager():
    return client_of(ManagerFactory(email="mina@example.org"))


def subjects(client, query="") -> set[str]:
    return {row["subject"] for row in client.get(f"/api/v1/alarms{query}").json()["results"]}


class TestList:
    @pytest.fixture(autouse=True)
    def alarms(self):
        access = AccountAccessFactory()
        AlarmFactory(subject="mine", account=access.account, note="Rang twice.")
        AlarmFactory(subject="meter", subject_kind="meter", severity="critical")
        AlarmFactory(subject="old", state="cleared", cleared_at=NOW)
        self.customer = access.user

    def test_shows_each_role_what_is_theirs(self, manager):
        assert subjects(manager) == {"mine", "meter", "old"}
        assert subjects(client_of(UserFactory(role=Role.OPERATOR))) == {"mine", "old"}
        assert subjects(client_of(self.customer)) == {"mine"}
        assert subjects(client_of(UserFactory())) == set()
        assert subjects(client_of(scopes=[Scope.QUERIES])) == {"mine", "meter", "old"}

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("?open=true", {"mine", "meter"}),
            ("?open=false", {"old"}),
            ("?severity=critical", {"meter"}),
            ("?subject=mine", {"mine"}),
            ("?raised_from=2026-01-01T00:00:00Z", set()),
        ],
    )
    def test_filters(self, manager, query, expected):
        assert subjects(manager, query) == expected

    def test_keeps_what_staff_said_and_whose_it_is_to_whom_it_concerns(self, manager):
        def row(client):
            (found,) = client.get("/api/v1/alarms?subject=mine").json()["results"]
            return bool(found["note"]), bool(found["account"])

        assert row(manager) == (True, True)
        assert row(client_of(UserFactory(role=Role.OPERATOR))) == (True, False)
        assert row(client_of(self.customer)) == (False, True)

    def test_asks_the_same_number_of_questions_for_any_length(self, manager, django_assert_num_queries):
        AlarmFactory.create_batch(20, acknowledged_by=ManagerFactory(), state="acknowledged")

        with django_assert_num_queries(1):
            manager.get("/api/v1/alarms")


class TestAcknowledge:
    def test_answers_with_who_takes_care_of_it(self, manager):
        answer = manager.post(f"/api/v1/alarms/{AlarmFactory().pk}/acknowledge", {"note": "On it."}, format="json")

        assert answer.status_code == 200
        assert (answer.json()["state"], answer.json()["acknowledged_by"]) == ("acknowledged", "mina@example.org")

    def test_is_done_once_a_key(self, manager):
        path = f"/api/v1/alarms/{AlarmFactory().pk}/acknowledge"

        answers = [manager.post(path, {}, format="json", headers={"Idempotency-Key": "k"}) for _ in range(2)]

        assert answers[0].json() == answers[1].json()
        assert AuditEntry.objects.filter(action="alarm.acknowledged").count() == 1

    def test_is_not_for_customers_and_not_on_what_one_does_not_see(self):
        access = AccountAccessFactory()
        alarm = AlarmFactory(account=access.account, subject_kind="meter")

        def status(user):
            return client_of(user).post(f"/api/v1/alarms/{alarm.pk}/acknowledge", {}, format="json").status_code

        assert status(access.user) == 403
        assert status(UserFactory(role=Role.OPERATOR)) == 404

    def test_refuses_what_is_over(self, manager):
        alarm = AlarmFactory(state="cleared", cleared_at=NOW)

        answer = manager.post(f"/api/v1/alarms/{alarm.pk}/acknowledge", {}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "alarm_over")


class TestSnooze:
    def test_puts_it_off(self, manager):
        alarm = AlarmFactory()
        until = NOW + timedelta(hours=2)

        answer = manager.post(
            f"/api/v1/alarms/{alarm.pk}/snooze", {"until": until.isoformat(), "note": "Repair."}, format="json"
        )

        assert answer.status_code == 200
        assert Alarm.objects.get().snoozed_until == until

    @pytest.mark.parametrize(
        ("until", "note", "code"),
        [("2025-01-01T00:00:00Z", "Repair.", "wrong_snooze"), ("2025-03-02T00:00:00Z", "", "invalid")],
    )
    def test_refuses_the_past_and_no_reason(self, manager, until, note, code):
        answer = manager.post(
            f"/api/v1/alarms/{AlarmFactory().pk}/snooze", {"until": until, "note": note}, format="json"
        )

        assert (answer.status_code // 100, answer.json()["code"]) == (4, code)
