from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import (
    AccountAccessFactory,
    BindingFactory,
    CustomerAccountFactory,
    UserFactory,
    since,
    supplied_register,
)
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
PATH = "/get_consumption"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def fill(register, start, values):
    rows = [
        OfferedReading(register.meter.serial, start + n * timedelta(minutes=30), value)
        for n, value in enumerate(values)
        if value is not None
    ]
    report = receive_readings(readings=rows, actor=PORTAL, now=NOW)
    assert report.stored == len(rows)


@pytest.fixture
def account():
    return CustomerAccountFactory()


@pytest.fixture
def register(account):
    """A register with 0.5 kWh a half-hour since the first of February, up to 11:30 today, Singapore."""
    register = supplied_register(account=account)
    start = datetime(2025, 1, 31, 16, tzinfo=UTC)
    end = datetime(2025, 3, 15, 3, 30, tzinfo=UTC)
    fill(register, start, [Decimal(1000) + Decimal(n) / 2 for n in range((end - start) // timedelta(minutes=30) + 1)])
    return register


@pytest.fixture
def machine():
    return client_of(scopes=[Scope.QUERIES])


class TestGetConsumption:
    def test_answers_for_last_month_with_days(self, register, machine):
        answer = machine.get(PATH, {"meter_id": register.meter.serial, "period": "last_month"})

        assert answer.status_code == 200
        body = answer.json()
        series = body.pop("series")
        assert body == {
            "meter_id": register.meter.serial,
            "period": {"from": "2025-02-01T00:00:00+08:00", "to": "2025-03-01T00:00:00+08:00"},
            "consumption_kwh": 672,
            "consumption": 672,
            "unit": "kWh",
            "direction": "import",
            "complete": True,
            "estimated_share": 0,
            "as_of": "2025-03-15T12:10:00+08:00",
        }
        assert len(series) == 28
        assert series[0] == {"from": "2025-02-01T00:00:00+08:00", "kwh": 24, "quality": 17}

    @pytest.mark.parametrize(
        ("period", "kwh", "complete", "start", "end", "intervals"),
        [
            ("last_30_minutes", 0.5, True, "2025-03-15T11:00:00+08:00", "2025-03-15T11:30:00+08:00", 1),
            ("today", 11.5, False, "2025-03-15T00:00:00+08:00", "2025-03-15T12:00:00+08:00", 24),
            ("week", 131.5, False, "2025-03-10T00:00:00+08:00", "2025-03-15T12:00:00+08:00", 6),
            ("month", 347.5, False, "2025-03-01T00:00:00+08:00", "2025-03-15T12:00:00+08:00", 15),
        ],
    )
    @pytest.mark.parametrize("by", ["meter_id", "account_id"])
    def test_answers_for_what_is_known_of_a_running_period(
        self, register, account, machine, by, period, kwh, complete, start, end, intervals
    ):
        asked = {"meter_id": register.meter.serial, "account_id": account.number}[by]

        body = machine.get(PATH, {by: asked, "period": period}).json()

        assert body[by] == asked
        assert (body["consumption_kwh"], body["complete"]) == (kwh, complete)
        assert body["period"] == {"from": start, "to": end}
        assert len(body["series"]) == intervals

    def test_leaves_half_hours_without_readings_null(self, register, machine):
        body = machine.get(PATH, {"meter_id": register.meter.serial, "period": "today"}).json()

        assert [each["kwh"] for each in body["series"]][-2:] == [0.5, None]

    def test_answers_for_a_custom_period(self, register, machine):
        asked = {"from": "2025-02-01T10:00:00", "to": "2025-02-01T12:00:00+08:00", "granularity": "half_hour"}

        body = machine.get(PATH, {"meter_id": register.meter.serial, "period": "custom", **asked}).json()

        assert (body["consumption_kwh"], len(body["series"])) == (2, 4)

    @pytest.mark.parametrize(
        ("asked", "status", "code"),
        [
            ({}, 400, "invalid"),
            ({"meter_id": "a", "account_id": "b"}, 400, "invalid"),
            ({"meter_id": "nobody's"}, 404, "no_such_meter"),
            ({"account_id": "nobody's"}, 404, "no_such_account"),
            ({"period": "yesterday"}, 400, "invalid"),
            ({"period": "custom"}, 422, "invalid_period"),
            ({"from": "2025-02-02", "to": "2025-02-01"}, 422, "invalid_period"),
            ({"from": "0001-01-01T00:00:00+14:00", "to": "2025-02-01"}, 422, "invalid_period"),
            ({"from": "x", "to": "2025-02-01"}, 400, "invalid"),
            ({"from": "2000-01-01", "to": "2025-01-01", "granularity": "half_hour"}, 422, "too_many_intervals"),
            ({"granularity": "second"}, 400, "invalid"),
        ],
    )
    def test_answers_a_question_that_cannot_be_with_a_problem(self, register, machine, asked, status, code):
        whom = {} if {"meter_id", "account_id"} & asked.keys() or not asked else {"meter_id": register.meter.serial}

        answer = machine.get(PATH, {**whom, **asked})

        assert (answer.status_code, answer.json()["code"]) == (status, code)

    def test_knows_nothing_of_a_period_to_come(self, register, machine):
        body = machine.get(PATH, {"meter_id": register.meter.serial, "from": "2025-05-01", "to": "2025-05-02"}).json()

        assert (body["consumption_kwh"], body["complete"], body["series"]) == (None, False, [])

    def test_is_closed_to_keys_without_the_scope(self, register):
        machine = client_of(scopes=[Scope.READINGS])

        assert machine.get(PATH, {"meter_id": register.meter.serial}).status_code == 403

    def test_shows_customers_their_own(self, register, account):
        client = client_of(AccountAccessFactory(account=account).user)

        for asked in ({"meter_id": register.meter.serial}, {"account_id": account.number}):
            assert client.get(PATH, {**asked, "period": "last_month"}).json()["consumption_kwh"] == 672

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AGENT, Role.OPERATOR])
    def test_hides_what_is_somebody_elses(self, register, account, role):
        client = client_of(UserFactory(role=role))

        for asked in ({"meter_id": register.meter.serial}, {"account_id": account.number}):
            assert client.get(PATH, asked).status_code == 404

    def test_hides_it_from_family_whose_access_has_ended(self, register, account):
        ended = since(datetime(2024, 1, 1, tzinfo=UTC), NOW - timedelta(days=1))
        client = client_of(AccountAccessFactory(account=account, valid=ended).user)

        for asked in ({"meter_id": register.meter.serial}, {"account_id": account.number}):
            assert client.get(PATH, asked).status_code == 404

    def test_cuts_the_meter_to_the_time_of_supply(self, register, account):
        binding = account.bindings.get()
        moved = datetime(2025, 2, 9, 16, tzinfo=UTC)
        binding.valid = since(binding.valid.lower, moved)
        binding.save()
        BindingFactory(service_point=binding.service_point, valid=since(moved))
        client = client_of(AccountAccessFactory(account=account).user)

        body = client.get(PATH, {"meter_id": register.meter.serial, "period": "last_month"}).json()

        assert body["consumption_kwh"] == 9 * 24
        assert [each["kwh"] for each in body["series"]].count(None) == 19

    @pytest.mark.parametrize("by", ["meter_id", "account_id"])
    @pytest.mark.parametrize(("period", "most"), [("last_month", 9), ("last_30_minutes", 14)])
    def test_costs_the_same_queries_for_days_and_half_hours(self, register, account, by, period, most):
        client = client_of(AccountAccessFactory(account=account).user)
        asked = {"meter_id": register.meter.serial, "account_id": account.number}[by]
        counts = set()

        for granularity in ("month", "day", "half_hour"):
            with CaptureQueriesContext(connection) as queries:
                client.get(PATH, {by: asked, "period": period, "granularity": granularity})
            counts.add(len(queries))

        assert len(counts) == 1
        assert counts.pop() <= most


class TestMeters:
    def test_are_listed_for_those_who_may_see_them(self, register, account):
        supplied_register()
        client = client_of(AccountAccessFactory(account=account).user)

        body = client.get("/api/v1/meters").json()

        assert [each["meter_id"] for each in body["results"]] == [register.meter.serial]
        assert body["results"][0]["registers"][0]["code"] == "1.8.0"

    def test_cost_the_same_queries_however_many(self):
        client = client_of(UserFactory(role=Role.MANAGER))
        counts = []

        for _ in range(2):
            for _ in range(4):
                supplied_register()
            with CaptureQueriesContext(connection) as queries:
                client.get("/api/v1/meters")
            counts.append(len(queries))

        assert counts[0] == counts[1] == 2

    def test_are_shown_one_by_one(self, register, machine):
        assert machine.get(f"/api/v1/meters/{register.meter.serial}").json()["meter_id"] == register.meter.serial

    @pytest.mark.parametrize("path", ["", "/readings", "/consumption", "/profile", "/events", "/exceptions"])
    def test_of_somebody_else_do_not_exist(self, register, path):
        answer = client_of(UserFactory()).get(f"/api/v1/meters/{register.meter.serial}{path}")

        assert answer.status_code == 404

    @pytest.mark.parametrize("path", ["", "/readings", "/consumption", "/profile", "/events", "/exceptions"])
    def test_need_the_scope_for_queries(self, register, path):
        answer = client_of(scopes=[Scope.READINGS]).get(f"/api/v1/meters/{register.meter.serial}{path}")

        assert answer.status_code == 403

    def test_profile_shows_todays_half_hours(self, register, machine):
        body = machine.get(f"/api/v1/meters/{register.meter.serial}/profile").json()

        assert [each["kwh"] for each in body["series"]] == [0.5] * 23 + [None]

    def test_consumption_shows_the_month(self, register, machine):
        body = machine.get(f"/api/v1/meters/{register.meter.serial}/consumption").json()

        assert body["consumption_kwh"] == 347.5

    def test_exceptions_tell_of_conflicts(self, register, machine, account):
        fill(register, datetime(2025, 3, 15, 4, tzinfo=UTC), [2020])
        receive_readings(
            readings=[OfferedReading(register.meter.serial, "2025-03-15T12:00:00", 2019)], actor=PORTAL, now=NOW
        )

        for client in (machine, client_of(AccountAccessFactory(account=account).user)):
            results = client.get(f"/api/v1/meters/{register.meter.serial}/exceptions").json()["results"]
            assert [(each["code"], each["offered_value"], each["standing_value"]) for each in results] == [
                ("conflict", 2019, 2020)
            ]
