from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry
from accounts.roles import Role, Scope
from meters.batteries.models import Battery, Convention
from tests.factories import (
    AccountAccessFactory,
    BatteryFactory,
    CustomerAccountFactory,
    ManagerFactory,
    RegionFactory,
    UserFactory,
)
from tests.meters.batteries.test_live import reading, take
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 15, 4, 10, tzinfo=UTC)
PATH = "/api/v1/batteries"


@pytest.fixture
def manager():
    return client_of(ManagerFactory())


def names(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [battery["battery_id"] for battery in response.json()["results"]]


class TestList:
    def test_shows_customers_the_batteries_of_their_accounts(self):
        access = AccountAccessFactory()
        mine = BatteryFactory(account=access.account)
        BatteryFactory(account=CustomerAccountFactory())
        BatteryFactory()

        assert names(client_of(access.user).get(PATH)) == [mine.battery_id]
        assert names(client_of(UserFactory(role=Role.AGENT)).get(PATH)) == []

    def test_is_for_those_who_log_in_or_hold_a_scope(self):
        battery = BatteryFactory()

        assert client_of().get(PATH).status_code == 401
        assert client_of(scopes=[Scope.DEVICES]).get(PATH).status_code == 403
        for scope in (Scope.QUERIES, Scope.BATTERIES):
            assert names(client_of(scopes=[scope]).get(PATH)) == [battery.battery_id]

    def test_narrows_down(self, manager):
        convention = Convention.objects.create(name="mV")
        wanted = BatteryFactory(
            region=RegionFactory(), account=CustomerAccountFactory(), convention=convention, is_simulated=True
        )
        retired = BatteryFactory(status="retired", retired_at=NOW)
        asked = {
            "region": wanted.region.name,
            "region_id": wanted.region.pk,
            "account": wanted.account.number,
            "convention": "mV",
            "is_simulated": "true",
            "status": "active",
        }

        for name, value in asked.items():
            assert names(manager.get(PATH, {name: value})) == [wanted.battery_id], name
        assert names(manager.get(PATH, {"status": "retired"})) == [retired.battery_id]

    def test_pages_at_the_same_cost_and_leaves_as_a_file(self, manager):
        def cost():
            with CaptureQueriesContext(connection) as captured:
                first = manager.get(PATH, {"page_size": 2})
            assert not any("COUNT(" in query["sql"] for query in captured)
            return len(captured), first

        BatteryFactory.create_batch(3)
        few, first = cost()
        BatteryFactory.create_batch(9, region=RegionFactory(), account=CustomerAccountFactory())
        many, _ = cost()

        assert few == many
        rest = manager.get(first.json()["next"])
        assert not set(names(first)) & set(names(rest))
        file = manager.get(PATH, {"format": "csv"})
        assert (file.status_code, file["Content-Type"].partition(";")[0]) == (200, "text/csv")
        lines = file.content.decode("utf-8-sig").splitlines()
        assert lines[0].startswith("battery_id,name,region,")
        assert len(lines) == 1 + 12

    def test_names_no_accounts_to_operators(self):
        battery = BatteryFactory(account=CustomerAccountFactory())
        operator = client_of(UserFactory(role=Role.OPERATOR))

        assert operator.get(f"{PATH}/{battery.battery_id}").json()["account"] is None
        assert names(operator.get(PATH, {"account": battery.account.number})) == []
        refused = operator.put(f"{PATH}/{battery.battery_id}", {"account": None}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_role")


class TestCreate:
    def test_enters_a_battery_with_its_nameplate(self):
        machine = client_of(scopes=[Scope.BATTERIES], may_create_devices=True)

        response = machine.post(PATH, {"battery_id": "B1", "cells_in_series": 260, "capacity_ah": 280}, format="json")

        assert response.status_code == 201, response.content
        assert response["Location"] == f"{PATH}/B1"
        assert (response.json()["cells_in_series"], response.json()["capacity_ah"]) == (260, 280.0)
        assert (response.json()["state"]["bms"], Battery.history.count()) == (None, 1)
        assert AuditEntry.objects.filter(action="battery.created").count() == 1

    def test_answers_a_repeat_under_its_key_with_the_first_answer(self, manager):
        headers = {"Idempotency-Key": "k-1"}

        first = manager.post(PATH, {"battery_id": "B1"}, format="json", headers=headers)
        again = manager.post(PATH, {"battery_id": "B1"}, format="json", headers=headers)
        other = manager.post(PATH, {"battery_id": "B1"}, format="json")

        assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
        assert first.json() == again.json()
        assert other.json()["code"] == "battery_exists"

    @pytest.mark.parametrize("name", ["a/b", "a b", "%20", "devices"])
    def test_refuses_what_no_path_could_name(self, manager, name):
        refused = manager.post(PATH, {"battery_id": name}, format="json")

        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_battery_id")

    def test_needs_the_right_to_create(self):
        machine = client_of(scopes=[Scope.BATTERIES])
        customer = client_of(AccountAccessFactory(right="administer").user)

        assert machine.post(PATH, {"battery_id": "B1"}, format="json").json()["code"] == "may_not_create"
        assert customer.post(PATH, {"battery_id": "B1"}, format="json").status_code == 403


class TestDetail:
    def test_hides_what_is_somebody_elses(self):
        battery = BatteryFactory(account=CustomerAccountFactory())

        response = client_of(AccountAccessFactory().user).get(f"{PATH}/{battery.battery_id}")

        assert (response.status_code, response.json()["code"]) == (404, "not_found")

    def test_tells_what_it_told_last(self, manager):
        battery = BatteryFactory()
        take(reading(battery.battery_id, soc=50.1))

        shown = manager.get(f"{PATH}/{battery.battery_id}").json()

        assert (shown["state"]["bms"], shown["state"]["pcs"]) == ({"soc": 50.1}, None)

    def test_changes_what_is_named_and_leaves_a_trace(self, manager):
        battery = BatteryFactory(name="Hall")

        response = manager.put(
            f"{PATH}/{battery.battery_id}",
            {"name": "Yard", "soc_high_percent": 90, "zone": "Asia/Tokyo"},
            format="json",
        )

        assert response.status_code == 200, response.content
        assert (response.json()["name"], response.json()["capacity_ah"]) == ("Yard", 280.0)
        entry = AuditEntry.objects.get(action="battery.changed")
        assert entry.detail["fields"] == ["name", "soc_high_percent", "zone"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"zone": "Mars/Base"}, 400),
            ({"convention": "none such"}, 400),
            ({"capacity_ah": -1}, 400),
            ({"soc_low_percent": None}, 400),
            ({"soc_low_percent": 95}, 422),
        ],
    )
    def test_refuses_what_cannot_be(self, manager, body, status):
        assert manager.put(f"{PATH}/{BatteryFactory().battery_id}", body, format="json").status_code == status

    def test_retires_and_keeps_it_to_be_seen(self, manager):
        battery = BatteryFactory()

        assert manager.delete(f"{PATH}/{battery.battery_id}").status_code == 204
        assert manager.delete(f"{PATH}/{battery.battery_id}").status_code == 204
        assert manager.get(f"{PATH}/{battery.battery_id}").json()["status"] == "retired"
        refused = manager.put(f"{PATH}/{battery.battery_id}", {"name": "x"}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (409, "retired_battery")
        assert AuditEntry.objects.filter(action="battery.retired").count() == 1
