from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role, Scope
from meters.devices.models import Device, Product
from meters.devices.services.state import note_status
from tests.factories import (
    AccountAccessFactory,
    CustomerAccountFactory,
    DeviceFactory,
    DeviceGroupFactory,
    ManagerFactory,
    ProductFactory,
    RegionFactory,
    UserFactory,
)
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 15, 4, 10, tzinfo=UTC)
PATH = "/api/v1/devices"


@pytest.fixture
def manager():
    return client_of(ManagerFactory())


@pytest.fixture
def machine():
    return client_of(scopes=[Scope.DEVICES], may_create_devices=True)


def names(response) -> list[str]:
    assert response.status_code == 200, response.content
    return [device["device_id"] for device in response.json()["results"]]


class TestList:
    def test_shows_customers_the_devices_of_their_accounts(self):
        access = AccountAccessFactory()
        mine = DeviceFactory(account=access.account)
        DeviceFactory(account=CustomerAccountFactory())
        DeviceFactory()

        assert names(client_of(access.user).get(PATH)) == [mine.device_id]

    def test_is_for_those_who_log_in_or_hold_the_scope(self):
        assert client_of().get(PATH).status_code == 401
        assert client_of(scopes=[Scope.READINGS]).get(PATH).status_code == 403
        assert names(client_of(UserFactory(role=Role.AGENT)).get(PATH)) == []

    def test_tells_what_each_told_last(self, manager):
        device = DeviceFactory(group=DeviceGroupFactory(name="Fridges"))
        note_status(device_id=device.device_id, online=True, now=NOW)

        (shown,) = manager.get(PATH).json()["results"]

        assert (shown["group"], shown["state"]["is_online"], shown["state"]["power_w"]) == ("Fridges", True, None)

    def test_narrows_down(self, manager):
        product, group, region = ProductFactory(), DeviceGroupFactory(), RegionFactory()
        sorted_in = DeviceFactory(product=product, group=group, region=region, account=CustomerAccountFactory())
        note_status(device_id=sorted_in.device_id, online=True, now=NOW)
        retired = DeviceFactory(status="retired", retired_at=NOW)
        note = DeviceFactory()
        note_status(device_id=note.device_id, online=False, now=NOW)
        wanted = {
            "product_id": product.product_id,
            "group": group.name,
            "region": region.name,
            "region_id": region.pk,
            "account": sorted_in.account.number,
            "online": "true",
        }

        for name, value in wanted.items():
            assert names(manager.get(PATH, {name: value})) == [sorted_in.device_id], name
        assert names(manager.get(PATH, {"status": "retired"})) == [retired.device_id]
        assert names(manager.get(PATH, {"online": "false"})) == [note.device_id]

    def test_pages_without_counting_at_the_same_cost(self, manager):
        def cost():
            with CaptureQueriesContext(connection) as captured:
                first = manager.get(PATH, {"page_size": 2})
            assert not any("COUNT(" in query["sql"] for query in captured)
            return len(captured), first

        DeviceFactory.create_batch(3, group=DeviceGroupFactory(), product=ProductFactory())
        few, first = cost()
        DeviceFactory.create_batch(9, group=DeviceGroupFactory(), product=ProductFactory(), region=RegionFactory())
        many, _ = cost()

        assert few == many
        rest = manager.get(first.json()["next"])
        assert not set(names(first)) & set(names(rest))

    def test_names_no_accounts_to_operators(self):
        device = DeviceFactory(account=CustomerAccountFactory())
        operator = client_of(UserFactory(role=Role.OPERATOR))

        assert operator.get(f"{PATH}/{device.device_id}").json()["account"] is None
        assert names(operator.get(PATH, {"account": device.account.number})) == []
        refused = operator.put(f"{PATH}/{device.device_id}", {"account": None}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_role")


class TestCreate:
    def test_enters_a_device_with_its_product(self, machine):
        DeviceGroupFactory(name="Fridges")
        body = {"device_id": "plug-1", "name": "Fridge", "product_id": "new-product", "group": "Fridges"}

        response = machine.post(PATH, body, format="json")

        assert response.status_code == 201, response.content
        assert response["Location"] == f"{PATH}/plug-1"
        assert (response.json()["product_id"], response.json()["group"]) == ("new-product", "Fridges")
        assert Device.objects.get().created_by_source is not None

    def test_answers_a_repeat_under_its_key_with_the_first_answer(self, manager):
        headers = {"Idempotency-Key": "k-1"}

        first = manager.post(PATH, {"device_id": "plug-1"}, format="json", headers=headers)
        again = manager.post(PATH, {"device_id": "plug-1"}, format="json", headers=headers)
        other = manager.post(PATH, {"device_id": "plug-1"}, format="json")

        assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
        assert first.json() == again.json()
        assert other.json()["code"] == "device_exists"

    def test_leaves_nothing_of_what_it_refuses(self, manager):
        refused = manager.post(PATH, {"device_id": "a/b", "product_id": "p"}, format="json")

        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_device_id")
        assert not Product.objects.exists()

    def test_needs_the_right_to_create(self):
        machine = client_of(scopes=[Scope.DEVICES])
        customer = client_of(AccountAccessFactory(right="administer").user)

        assert machine.post(PATH, {"device_id": "plug-1"}, format="json").json()["code"] == "may_not_create"
        assert customer.post(PATH, {"device_id": "plug-1"}, format="json").status_code == 403


class TestDetail:
    def test_hides_what_is_somebody_elses(self):
        device = DeviceFactory(account=CustomerAccountFactory())

        response = client_of(AccountAccessFactory().user).get(f"{PATH}/{device.device_id}")

        assert (response.status_code, response.json()["code"]) == (404, "unknown_device")

    def test_changes_what_is_named(self, manager):
        device = DeviceFactory(name="Fridge", rated_power_w=90.0)

        response = manager.put(f"{PATH}/{device.device_id}", {"name": "Freezer", "zone": "Asia/Tokyo"}, format="json")

        assert response.status_code == 200
        assert (response.json()["name"], response.json()["rated_power_w"]) == ("Freezer", 90.0)

    @pytest.mark.parametrize("body", [{"zone": "Mars/Base"}, {"group": "none such"}, {"rated_power_w": -1}])
    def test_refuses_what_cannot_be(self, manager, body):
        assert manager.put(f"{PATH}/{DeviceFactory().device_id}", body, format="json").status_code == 400

    def test_retires_and_keeps_it_to_be_seen(self, manager):
        device = DeviceFactory()

        assert manager.delete(f"{PATH}/{device.device_id}").status_code == 204
        assert manager.delete(f"{PATH}/{device.device_id}").status_code == 204
        assert manager.get(f"{PATH}/{device.device_id}").json()["status"] == "retired"
        refused = manager.put(f"{PATH}/{device.device_id}", {"name": "x"}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (409, "retired_device")


class TestReplacement:
    def test_hands_the_place_over(self, manager):
        old = DeviceFactory(name="Fridge")

        response = manager.post(f"{PATH}/{old.device_id}/replacement", {"device_id": "plug-2"}, format="json")

        assert response.status_code == 201
        assert (response.json()["name"], response.json()["replaces"]) == ("Fridge", old.device_id)
        assert manager.get(f"{PATH}/{old.device_id}").json()["replaced_by"] == "plug-2"
