from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from meters.services.readings import OfferedReading, receive_readings
from meters.services.rollups import roll_up_pending
from tests.factories import (
    AccountAccessFactory,
    CustomerAccountFactory,
    RegisterFactory,
    UserFactory,
    since,
    supplied_register,
)
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
MARCH = datetime(2025, 2, 28, 16, tzinfo=UTC)
PATH = "/api/v1/consumption"
DAYS = {"from": "2025-03-01", "to": "2025-03-04"}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def supplied(account=None, *, a_day=24, days=3):
    """Return a register that was read at each midnight of the first days of March."""
    register = supplied_register(account=account)
    rows = [
        OfferedReading(register.meter.serial, MARCH + n * timedelta(days=1), 1000 + n * a_day) for n in range(days + 1)
    ]
    receive_readings(readings=rows, actor=PORTAL, now=NOW)
    return register


def roll_up():
    while roll_up_pending(now=NOW):
        pass


@pytest.fixture
def machine():
    return client_of(scopes=[Scope.QUERIES])


class TestOfMeters:
    def test_is_told_together_and_one_by_one(self, machine):
        serials = [supplied(a_day=each).meter.serial for each in (10, 20)]
        roll_up()

        answer = machine.get(PATH, {"meter_id": serials, **DAYS}).json()

        assert (answer["consumption_kwh"], answer["unit"], answer["complete"]) == (90, "kWh", True)
        assert [each["kwh"] for each in answer["series"]] == [30, 30, 30]
        assert [(each["meter_id"], each["consumption_kwh"]) for each in answer["members"]] == [
            (serials[0], 30),
            (serials[1], 60),
        ]
        assert answer["period"] == {"from": "2025-03-01T00:00:00+08:00", "to": "2025-03-04T00:00:00+08:00"}

    def test_is_told_before_anything_is_summed(self, machine):
        serials = [supplied().meter.serial for _ in range(2)]

        answer = machine.get(PATH, {"meter_id": serials, "granularity": "month", **DAYS}).json()

        assert [each["kwh"] for each in answer["series"]] == [144]

    def test_is_not_complete_where_a_member_hung_nowhere(self, machine):
        serials = [supplied().meter.serial, RegisterFactory().meter.serial]

        answer = machine.get(PATH, {"meter_id": serials, **DAYS}).json()

        assert (answer["consumption_kwh"], answer["complete"]) == (72, False)
        assert [(each["consumption_kwh"], each["complete"]) for each in answer["members"]] == [
            (72, True),
            (None, False),
        ]

    def test_is_not_told_of_a_meter_of_somebody_else(self, machine):
        mine, theirs = CustomerAccountFactory(), supplied()
        serial = supplied(mine).meter.serial
        customer = AccountAccessFactory(account=mine).user

        alone = client_of(customer).get(PATH, {"meter_id": [serial], **DAYS})
        both = client_of(customer).get(PATH, {"meter_id": [serial, theirs.meter.serial], **DAYS})

        assert (alone.status_code, alone.json()["consumption_kwh"]) == (200, 72)
        assert (both.status_code, both.json()["code"]) == (404, "no_such_meter")

    def test_is_told_to_customers_of_their_own_time_of_supply(self):
        mine = CustomerAccountFactory()
        register = supplied(mine)
        mine.bindings.update(valid=since(MARCH + timedelta(days=1)))
        roll_up()
        customer = AccountAccessFactory(account=mine).user

        answer = client_of(customer).get(PATH, {"meter_id": [register.meter.serial], **DAYS}).json()

        assert answer["consumption_kwh"] == 48

    def test_is_not_told_of_more_meters_than_an_answer_holds(self, machine):
        assert machine.get(PATH, {"meter_id": [f"SG-{n}" for n in range(101)]}).status_code == 400

    def test_costs_as_many_queries_for_many_as_for_few(self, machine):
        counts = []
        for count in (2, 7):
            serials = [supplied().meter.serial for _ in range(count)]
            roll_up()
            with CaptureQueriesContext(connection) as queries:
                machine.get(PATH, {"meter_id": serials, **DAYS})
            counts.append(len(queries))

        assert counts[0] == counts[1]


class TestOfAccounts:
    def test_is_told_together_and_one_by_one(self, machine):
        accounts = [CustomerAccountFactory() for _ in range(2)]
        for account in accounts:
            supplied(account)

        answer = machine.get(PATH, {"account_id": [each.number for each in accounts], **DAYS}).json()

        assert answer["consumption_kwh"] == 144
        assert [each["account_id"] for each in answer["members"]] == [each.number for each in accounts]

    def test_is_not_complete_where_one_was_supplied_nowhere(self, machine):
        accounts = [CustomerAccountFactory() for _ in range(2)]
        supplied(accounts[0])

        answer = machine.get(PATH, {"account_id": [each.number for each in accounts], **DAYS}).json()

        assert (answer["consumption_kwh"], answer["complete"]) == (72, False)

    def test_is_not_told_of_somebody_elses(self):
        answer = client_of(UserFactory()).get(PATH, {"account_id": [CustomerAccountFactory().number]})

        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_account")


class TestOfAllPlaces:
    def test_is_told_to_managers_up_to_last_midnight(self):
        for _ in range(2):
            supplied(days=14)
        roll_up()

        answer = client_of(UserFactory(role=Role.MANAGER)).get(PATH, {"service_class": "residential"}).json()

        assert (answer["consumption_kwh"], answer["complete"]) == (2 * 14 * 24, True)
        assert answer["period"]["to"] == "2025-03-15T00:00:00+08:00"
        assert "members" not in answer

    def test_is_not_told_to_customers(self):
        answer = client_of(UserFactory()).get(PATH)

        assert (answer.status_code, answer.json()["code"]) == (403, "missing_role")

    def test_is_told_of_the_commodity_that_is_asked_for(self, machine):
        supplied()

        assert machine.get(PATH, {"commodity": "water", **DAYS}).json()["consumption"] is None


class TestBadQuestions:
    @pytest.mark.parametrize(
        "query",
        [
            {"meter_id": "SG-1", "account_id": "A-1"},
            {"meter_id": "SG-1", "service_class": "residential"},
            {"granularity": "half_hour"},
            {"commodity": "steam"},
        ],
    )
    def test_are_refused(self, machine, query):
        assert machine.get(PATH, query).status_code == 400

    def test_of_the_future_are_refused(self, machine):
        assert machine.get(PATH, {"as_of": "2025-04-01"}).json()["code"] == "as_of_in_future"
