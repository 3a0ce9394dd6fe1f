"""Anomalies over the API: who sees which, and who may do what about them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role, Scope
from tests.factories import AccountAccessFactory, AlarmFactory, AnomalyFactory, ManagerFactory, UserFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def manager():
    return client_of(ManagerFactory(email="mina@example.org"))


@pytest.fixture
def access():
    return AccountAccessFactory()


@pytest.fixture
def mine(access):
    return AnomalyFactory(subject="mine", account=access.account, note="Rang twice.")


def subjects(client, query="") -> set[str]:
    return {row["subject"] for row in client.get(f"/api/v1/anomalies{query}").json()["results"]}


def post(client, anomaly, act, **body):
    return client.post(f"/api/v1/anomalies/{anomaly.pk}/{act}", body, format="json")


class TestList:
    @pytest.fixture(autouse=True)
    def anomalies(self, mine):
        AnomalyFactory(subject="plug", subject_kind="device", kind="stuck")
        AnomalyFactory(subject="old", state="closed", closed_at=NOW, verdict="normal", start=NOW - 24 * HOUR)

    def test_shows_each_role_what_is_theirs(self, manager, access):
        assert subjects(manager) == {"mine", "plug", "old"}
        assert subjects(client_of(UserFactory(role=Role.OPERATOR))) == {"plug"}
        assert subjects(client_of(access.user)) == {"mine"}
        assert subjects(client_of(UserFactory())) == set()
        assert subjects(client_of(scopes=[Scope.QUERIES])) == {"mine", "plug", "old"}

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("?open=true", {"mine", "plug"}),
            ("?open=false", {"old"}),
            ("?kind=stuck", {"plug"}),
            ("?verdict=normal", {"old"}),
            ("?subject=mine", {"mine"}),
            ("?started_until=2025-03-01T00:00:00Z", {"old"}),
        ],
    )
    def test_filters(self, manager, query, expected):
        assert subjects(manager, query) == expected

    def test_asks_no_more_for_more_rows(self, manager):
        with CaptureQueriesContext(connection) as few:
            subjects(manager)
        for _ in range(4):
            AnomalyFactory(account=AccountAccessFactory().account, verdict_by=UserFactory())

        with CaptureQueriesContext(connection) as many:
            subjects(manager)

        assert len(many) == len(few)


class TestOne:
    def test_tells_people_of_the_account_what_is_not_for_staff_alone(self, access, mine, manager):
        url = f"/api/v1/anomalies/{mine.pk}"

        told, to_staff = client_of(access.user).get(url).json(), manager.get(url).json()

        assert (told["reason"], told["energy_kwh"], told["account"]) == (
            mine.reason,
            2.8,
            access.account.number,
        )
        assert (told["note"], to_staff["note"]) == ("", "Rang twice.")

    def test_is_not_there_for_others(self, mine):
        answer = client_of(UserFactory()).get(f"/api/v1/anomalies/{mine.pk}")

        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_anomaly")


class TestActs:
    def test_let_a_customer_take_care_of_it(self, access, mine, manager):
        answer = post(client_of(access.user), mine, "acknowledge")

        assert (answer.status_code, answer.json()["state"]) == (200, "acknowledged")
        again = post(manager, mine, "acknowledge")
        assert (again.status_code, again.json()["code"]) == (409, "anomaly_already_acknowledged")

    def test_put_it_off(self, access, mine):
        answer = post(client_of(access.user), mine, "snooze", until=NOW + HOUR)

        assert (answer.status_code, answer.json()["state"]) == (200, "snoozed")
        wrong = post(client_of(access.user), mine, "snooze", until=NOW - HOUR)
        assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_snooze")

    def test_say_what_it_was(self, access, mine):
        mine.alarm = AlarmFactory(kind="anomaly", subject_kind="service_point", subject="mine")
        mine.save()

        answer = post(client_of(access.user), mine, "verdict", verdict="normal", note="Guests.")

        assert (answer.json()["state"], answer.json()["verdict"]) == ("closed", "normal")
        mine.alarm.refresh_from_db()
        assert mine.alarm.state == "cleared"

    def test_know_two_verdicts(self, access, mine):
        assert post(client_of(access.user), mine, "verdict", verdict="perhaps").status_code == 400

    @pytest.mark.parametrize("act", ["acknowledge", "snooze", "verdict"])
    def test_are_not_for_strangers_nor_machines(self, mine, act):
        body = {"until": NOW + HOUR, "verdict": "real"}

        assert post(client_of(UserFactory()), mine, act, **body).status_code == 404
        assert post(client_of(scopes=[Scope.QUERIES]), mine, act, **body).status_code == 403
        assert post(client_of(), mine, act, **body).status_code == 401


class TestScores:
    @pytest.fixture(autouse=True)
    def judged(self):
        for verdict in ("real", "real", "normal", ""):
            AnomalyFactory(verdict=verdict, start=NOW - 24 * HOUR, end=NOW - 23 * HOUR)

    def test_tell_staff_and_machines_how_often_they_were_real(self, manager):
        for client in (manager, client_of(scopes=[Scope.QUERIES])):
            told = client.get("/api/v1/scoreboard/anomalies").json()

            assert told["overall"]["precision"] == pytest.approx(2 / 3)
            assert [row["group"] for row in told["by_detector"]] == ["residual"]

    def test_count_what_began_when_it_is_asked(self, manager):
        told = manager.get("/api/v1/scoreboard/anomalies?started_until=2025-02-01T00:00:00Z").json()

        assert told["overall"]["found"] == 0

    def test_are_not_for_customers(self, access):
        assert client_of(access.user).get("/api/v1/scoreboard/anomalies").status_code == 403
