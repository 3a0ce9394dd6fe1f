import json
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.cache import cache

from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from accounts.services.sources import create_source
from meters.batteries.models import Battery, BmsReading, Convention, PcsReading
from meters.devices.services.limits import limits
from tests.factories import BatteryFactory, UserFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)
NOON = {"timestamp": "2025-03-01T12:00:00Z"}
BMS, PCS = "/api/v1/batteries/B1/bms", "/api/v1/batteries/B1/pcs"


@pytest.fixture(autouse=True)
def _noon():
    cache.clear()
    limits.forget()
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def battery() -> Battery:
    return BatteryFactory(battery_id="B1")


def source(*, scopes=(Scope.BATTERIES,), **more):
    created, key = create_source(name="gateway", scopes=list(scopes), actor=PORTAL, now=NOW, **more)
    return created, {"authorization": f"Bearer {key}"}


def post(client, document, headers, path=BMS):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(path, body, content_type="application/json", headers=headers)


class TestPost:
    def test_stores_one_or_many_and_a_repeat_adds_nothing(self, client, battery):
        _, headers = source()
        other = {"timestamp": 1740830401000, "soc": 50.2, "soh": None}

        first = post(client, NOON | {"soc": 50.1}, headers)
        many = post(client, [NOON | {"soc": 50.1}, other], headers)
        pcs = post(client, NOON | {"dc_voltage": 830}, headers, PCS)

        assert (first.status_code, first.json()) == (200, {"status": "ok", "stored": 1, "duplicates": 0})
        assert many.json() == {"status": "ok", "stored": 1, "duplicates": 1}
        assert pcs.json()["stored"] == PcsReading.objects.count() == 1
        assert list(BmsReading.objects.order_by("time").values_list("soc_percent", flat=True)) == [50.1, 50.2]

    def test_names_what_it_left_out_and_keeps_the_rest(self, client, battery):
        _, headers = source()
        post(client, NOON | {"soc": 50}, headers)
        told = [NOON | {"soc": "60"}, NOON | {"voltage": 800}, NOON | {"soc": 60}, NOON, {"timestamp": 0, "soc": 1}]

        answer = post(client, told, headers)

        document = answer.json()
        assert (answer.status_code, document["stored"], document["duplicates"]) == (200, 1, 0)
        assert [(item["index"], item["code"]) for item in document["rejected"]] == [
            (0, "malformed"),
            (3, "empty"),
            (4, "too_old"),
        ]
        assert [(item["index"], item["code"]) for item in document["conflicts"]] == [(2, "conflict")]

    def test_refuses_what_is_bad_altogether(self, client, battery):
        _, headers = source()

        rejected = post(client, NOON, headers)
        malformed = post(client, b"{", headers)
        unknown = post(client, NOON | {"soc": 1}, headers, "/api/v1/batteries/B2/bms")

        assert (rejected.status_code, rejected.json()["code"]) == (422, "all_rejected")
        assert rejected.json()["errors"][0] | {"detail": ""} == {"index": 0, "code": "empty", "detail": ""}
        assert (malformed.status_code, malformed.json()["code"]) == (400, "malformed")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")

    def test_takes_nothing_of_a_retired_battery(self, client):
        BatteryFactory(battery_id="B1", status="retired", retired_at=NOW)

        answer = post(client, NOON | {"soc": 1}, source()[1])

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "retired_battery")
        assert not BmsReading.objects.exists()

    def test_enters_a_battery_for_a_source_that_may(self, client):
        answer = post(client, NOON | {"soc": 1}, source(may_create_devices=True)[1])

        assert (answer.status_code, Battery.objects.get().battery_id) == (200, "B1")

    def test_limits_a_source_by_its_messages(self, client, battery):
        _, headers = source(messages_per_minute=2)

        answers = [post(client, [NOON | {"soc": 1}] * count, headers) for count in (1, 2)]

        assert [answer.status_code for answer in answers] == [200, 429]
        assert int(answers[1]["Retry-After"]) >= 1

    def test_is_for_those_at_the_desk_and_keys_with_the_scope(self, battery):
        roles = {role: client_of(UserFactory(role=role)) for role in Role}
        keys = {scope: client_of(scopes=[scope]) for scope in (Scope.BATTERIES, Scope.QUERIES, Scope.DEVICES)}

        def statuses(clients):
            return {name: post(each, NOON | {"soc": 1}, {}).status_code for name, each in clients.items()}

        assert post(client_of(), NOON | {"soc": 1}, {}).status_code == 401
        assert statuses(roles) == {"customer": 403, "agent": 403, "manager": 200, "operator": 200, "admin": 200}
        assert statuses(keys) == {"batteries": 200, "queries": 403, "devices": 403}


class TestConventions:
    def test_are_the_sources_own_else_the_batterys(self, client):
        millivolts = Convention.objects.create(name="mV", units={"cell_max_voltage": "mV"})
        BatteryFactory(battery_id="B1", convention=millivolts)
        sender, headers = source()
        charge_first = Convention.objects.create(name="charge", source=sender, charge_is_positive=True)

        post(client, NOON | {"cell_max_voltage": 3.25, "current": 15}, headers)
        charge_first.delete()
        post(client, {"timestamp": 1740830401000, "cell_max_voltage": 3250, "current": 15}, headers)

        told = BmsReading.objects.order_by("time").values_list("cell_max_voltage_v", "current_a")
        assert list(told) == [(3.25, -15), (3.25, 15)]

    def test_that_cannot_be_read_let_nothing_in(self, client, battery):
        sender, headers = source()
        Convention.objects.create(name="broken", source=sender, units={"soc": "furlong"})

        answer = post(client, NOON | {"soc": 1}, headers)

        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_unit")
        assert not BmsReading.objects.exists()
