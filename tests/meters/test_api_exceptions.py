"""The desk's paths: exceptions, rules, rehearsals and corrections."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor
from accounts.roles import Scope
from meters.models import Job, ReadingException, Rehearsal, ValidationRule
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import (
    AccountAccessFactory,
    AdminFactory,
    CustomerAccountFactory,
    DataSourceFactory,
    ManagerFactory,
    UserFactory,
    ValidationRuleFactory,
    since,
    supplied_register,
)
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 11, tzinfo=UTC)
T = datetime(2025, 3, 10, 4, tzinfo=UTC)
HALF = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def manager():
    return client_of(ManagerFactory())


@pytest.fixture
def register():
    return supplied_register(meter__serial="SG-1")


def send(register, *values, start=T):
    receive_readings(
        readings=[
            OfferedReading(register.meter.serial, start + place * HALF, value) for place, value in enumerate(values)
        ],
        actor=Actor(source=DataSourceFactory()),
        now=NOW,
    )


def flag(register, time=T, code="spike", **more):
    return ReadingException.objects.create(register=register, time=time, code=code, opened_at=NOW, **more)


class TestList:
    def test_says_what_waits_and_what_does_not(self, manager, register):
        send(register, "100", "90")
        flag(register)

        rows = manager.get("/api/v1/exceptions").json()["results"]

        assert {(row["code"], row["waiting"], row["meter_id"], row["unit"]) for row in rows} == {
            ("regression", True, "SG-1", "kWh"),
            ("spike", False, "SG-1", "kWh"),
        }

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("status=open", {"spike", "stuck"}),
            ("code=stuck", {"stuck"}),
            ("severity=quarantine", {"high"}),
            ("meter=SG-1", {"spike", "high"}),
        ],
    )
    def test_is_filtered(self, manager, register, query, expected):
        flag(register)
        flag(register, code="high", severity="quarantine", status="accepted")
        flag(supplied_register(), code="stuck")

        rows = manager.get(f"/api/v1/exceptions?{query}").json()["results"]

        assert {row["code"] for row in rows} == expected

    def test_asks_as_often_for_many_as_for_one(self, manager, register):
        flag(register)
        with CaptureQueriesContext(connection) as few:
            manager.get("/api/v1/exceptions")
        for place in range(1, 6):
            flag(supplied_register(), time=T + place * HALF)
        with CaptureQueriesContext(connection) as many:
            assert len(manager.get("/api/v1/exceptions").json()["results"]) == 6

        assert len(many) == len(few)

    def test_shows_a_customer_those_of_the_own_time_of_supply(self, register):
        customer, account = UserFactory(), CustomerAccountFactory()
        AccountAccessFactory(user=customer, account=account)
        own = supplied_register(account=account)
        account.bindings.update(valid=since(T, T + 2 * HALF))
        flag(register)
        for place in (-1, 0, 2, 3):
            flag(own, time=T + place * HALF)

        rows = client_of(customer).get("/api/v1/exceptions").json()["results"]

        assert {(row["meter_id"], row["time"]) for row in rows} == {
            (own.meter.serial, "2025-03-10T12:00:00+08:00"),
            (own.meter.serial, "2025-03-10T13:00:00+08:00"),
        }

    def test_is_for_whoever_may_ask(self, register):
        assert client_of().get("/api/v1/exceptions").status_code == 401
        assert client_of(scopes=[Scope.QUERIES]).get("/api/v1/exceptions").status_code == 200


class TestDecisions:
    @pytest.mark.parametrize("decision", ["accept", "reject"])
    def test_close_once(self, manager, register, decision):
        found = flag(register)
        path = f"/api/v1/exceptions/{found.pk}/{decision}"

        first = manager.post(path, {"note": "Looked at it."}, format="json")
        second = manager.post(path, {"note": "Again."}, format="json")

        assert (first.status_code, first.json()["status"], first.json()["note"]) == (
            200,
            f"{decision}ed",
            "Looked at it.",
        )
        assert (second.status_code, second.json()["code"]) == (409, "exception_already_closed")

    def test_estimate(self, manager, register):
        send(register, "100", "103", "104")

        answer = manager.post(
            f"/api/v1/exceptions/{flag(register, time=T + HALF).pk}/estimate", {"note": "Noise."}, format="json"
        )

        assert (answer.status_code, answer.json()["status"]) == (200, "estimated")

    def test_reclassify_as_rollover(self, manager, register):
        send(register, "999000", "10")
        found = ReadingException.objects.get()

        answer = manager.post(
            f"/api/v1/exceptions/{found.pk}/reclassify", {"as": "rollover", "note": "Seen."}, format="json"
        )

        assert (answer.status_code, answer.json()["status"]) == (200, "reclassified")

    def test_reclassify_as_exchange(self, manager, register):
        send(register, "45210.0", "12.1")
        found = ReadingException.objects.get()
        body = {
            "as": "exchange",
            "note": "Work order 7.",
            "new_serial": "SG-2",
            "at": "2025-03-10T12:17:00+08:00",
            "last_read": "45210.3",
            "first_read": "12.0",
        }

        answer = manager.post(f"/api/v1/exceptions/{found.pk}/reclassify", body, format="json")

        assert (answer.status_code, answer.json()["status"]) == (200, "reclassified")
        assert manager.get("/api/v1/meters/SG-2/readings").json()["results"][0]["reading"] == 12.1

    def test_name_what_an_exchange_needs(self, manager, register):
        send(register, "45210.0", "12.1")
        found = ReadingException.objects.get()

        answer = manager.post(
            f"/api/v1/exceptions/{found.pk}/reclassify", {"as": "exchange", "note": "Yes."}, format="json"
        )

        assert answer.status_code == 400
        assert {"at", "new_serial"} <= {error["field"] for error in answer.json()["errors"]}

    @pytest.mark.parametrize("decision", ["accept", "reject", "estimate", "reclassify"])
    def test_are_for_managers(self, register, decision):
        path = f"/api/v1/exceptions/{flag(register).pk}/{decision}"

        assert client_of(UserFactory()).post(path, {"note": "Mine."}, format="json").status_code == 403
        assert client_of(scopes=[Scope.QUERIES]).post(path, {"note": "Mine."}, format="json").status_code == 403

    def test_need_an_exception(self, manager):
        path = "/api/v1/exceptions/8a5bb3a6-4f5b-4e0e-8f5e-2b8a7b0d7f10"

        assert manager.get(path).json()["code"] == "no_such_exception"
        assert manager.post(f"{path}/accept", {"note": "Yes."}, format="json").status_code == 404


class TestRules:
    def test_tell_what_they_know(self, manager):
        ValidationRuleFactory(code="spike")

        (rule,) = manager.get("/api/v1/rules?code=spike").json()["results"]

        assert rule["severities"] == ["reject", "quarantine", "flag", "info"]
        assert {each["name"]: each["unit"] for each in rule["known_thresholds"]}["hours"] == "h"

    def test_are_tuned_and_keep_their_history(self, manager):
        rule = ValidationRuleFactory(code="spike", thresholds={"percent": 180})

        answer = manager.patch(f"/api/v1/rules/{rule.pk}", {"thresholds": {"percent": 250}}, format="json")

        assert answer.status_code == 200
        assert answer.json()["thresholds"] == {"percent": 250, "hours": 24, "percent_of_capacity": 50}
        assert answer.json()["history"][0]["thresholds"]["percent"] == 250
        assert answer.json()["history"][0]["by"]

    def test_name_the_field_that_cannot_be(self, manager):
        rule = ValidationRuleFactory(code="spike")

        answer = manager.patch(f"/api/v1/rules/{rule.pk}", {"thresholds": {"percent": -3}}, format="json")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "thresholds.percent"

    def test_are_added_for_a_scope_and_removed(self, manager):
        body = {"code": "high", "service_class": "industrial", "severity": "info"}

        made = manager.post("/api/v1/rules", body, format="json")
        gone = manager.delete(f"/api/v1/rules/{made.json()['id']}")

        assert (made.status_code, gone.status_code) == (201, 204)
        assert not ValidationRule.objects.filter(service_class="industrial").exists()

    def test_are_for_managers(self):
        rule = ValidationRuleFactory(code="spike")

        assert client_of(UserFactory()).get("/api/v1/rules").status_code == 403
        assert client_of(UserFactory()).patch(f"/api/v1/rules/{rule.pk}", {}, format="json").status_code == 403
        assert client_of(AdminFactory()).get("/api/v1/rules").status_code == 200


class TestRehearsals:
    def test_are_asked_for_and_followed(self, manager):
        rule = ValidationRuleFactory(code="spike", thresholds={"percent": 180})

        asked = manager.post(
            f"/api/v1/rules/{rule.pk}/rehearsals", {"thresholds": {"percent": 120}, "days": 3}, format="json"
        )

        assert asked.status_code == 202
        body = manager.get(f"/api/v1/rehearsals/{asked.json()['id']}").json()
        assert (body["thresholds"]["percent"], body["days"], body["status"], body["found"]) == (120, 3, "queued", {})
        assert len(manager.get(f"/api/v1/rules/{rule.pk}/rehearsals").json()["results"]) == 1
        assert Job.objects.get().rehearsal == Rehearsal.objects.get()

    def test_are_not_of_what_never_entered(self, manager):
        rule = ValidationRuleFactory(code="off_mark", severity="reject")

        answer = manager.post(f"/api/v1/rules/{rule.pk}/rehearsals", {}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "not_rehearsable")


class TestCorrections:
    def test_are_made_and_listed_with_what_they_touched(self, manager, register):
        send(register, "100", "104", "106")
        body = {"timestamp": "2025-03-10T12:30:00+08:00", "reading": "105", "reason": "Misread."}

        made = manager.post("/api/v1/meters/SG-1/corrections", body, format="json")

        assert made.status_code == 201
        (row,) = manager.get("/api/v1/meters/SG-1/corrections").json()["results"]
        assert (row["old_value"], row["new_value"], row["reason"]) == (104, 105, "Misread.")
        assert row["touched"]["unit"] == "kWh"
        assert manager.get("/api/v1/meters/SG-1/readings").json()["results"][1]["reading"] == 105

    def test_withdraw_by_null(self, manager, register):
        send(register, "100", "104", "106")
        body = {"timestamp": "2025-03-10T12:30:00+08:00", "reading": None, "reason": "Another meter's."}

        made = manager.post("/api/v1/meters/SG-1/corrections", body, format="json")

        assert (made.status_code, made.json()["new_value"]) == (201, None)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"reading": "99"}, "cannot_stand"),
            ({"timestamp": "2025-03-10T12:31:00+08:00"}, "cannot_stand"),
            ({"timestamp": "0001-01-01T00:00:00Z"}, "cannot_stand"),
            ({"timestamp": "2025-03-12T12:30:00+08:00"}, "cannot_stand"),
            ({"register": "9.9.9"}, "unknown_register"),
        ],
    )
    def test_are_refused(self, manager, register, change, code):
        send(register, "100", "104", "106")
        body = {"timestamp": "2025-03-10T12:30:00+08:00", "reading": "105", "reason": "Misread."}

        answer = manager.post("/api/v1/meters/SG-1/corrections", body | change, format="json")

        assert answer.json()["code"] == code

    def test_are_for_managers_to_make(self, register):
        customer, account = UserFactory(), CustomerAccountFactory()
        AccountAccessFactory(user=customer, account=account)
        register = supplied_register(account=account)
        path = f"/api/v1/meters/{register.meter.serial}/corrections"
        body = {"timestamp": "2025-03-10T12:30:00+08:00", "reading": "1", "reason": "Cheaper."}

        assert client_of(customer).get(path).status_code == 200
        assert client_of(customer).post(path, body, format="json").status_code == 403
