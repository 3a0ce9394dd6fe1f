import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Scope
from accounts.services.sources import create_source
from meters.devices.models import Device, DeviceSample, Product, PropertyMapping, UnknownCode
from meters.devices.services.limits import limits
from tests.factories import DeviceFactory, ManagerFactory, UserFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 1, 1, 12, tzinfo=UTC)
NOW_MS = 1735732800000
SINGAPORE = ZoneInfo("Asia/Singapore")


@pytest.fixture(autouse=True)
def _noon():
    cache.clear()
    limits.forget()
    with time_machine.travel(NOW, tick=False):
        yield


def source(**more):
    created, key = create_source(name="gateway", scopes=[Scope.DEVICES], actor=PORTAL, now=NOW, **more)
    return created, {"authorization": f"Bearer {key}"}


@pytest.fixture
def headers():
    return source()[1]


def message(*properties, device="plug-1", product="p1"):
    told = [{"code": code, "dpId": 1, "time": time, "value": value} for code, value, time in properties]
    data = {"devId": device, "productId": product, "properties": told}
    return {"bizCode": "devicePropertyMessage", "bizData": data, "ts": NOW_MS}


def post(client, document, headers, path="/message"):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return client.post(path, body, content_type="application/json", headers=headers)


class TestGoldenCase12:
    def test_keeps_properties_by_their_own_time_counts_what_it_does_not_know_and_takes_a_replay_as_nothing(
        self, client, headers
    ):
        DeviceFactory(device_id="plug-1")
        told = message(
            ("cur_power", 12345, 1735660799999),
            ("cur_voltage", 2301, 1735660799999),
            ("cur_current", 5370, 1735660800000),
            ("foo", "x", 1735660800000),
        )

        first = post(client, told, headers)
        again = post(client, told, headers)

        assert (first.status_code, first.json()) == (200, {"status": "ok", "inserted": 3})
        assert (again.status_code, again.json()) == (200, {"status": "ok", "inserted": 0})
        rows = DeviceSample.objects.order_by("time").values_list("time", "power_w", "voltage_v", "current_a")
        (before, power, voltage, none), (after, *nothing, current) = rows
        assert before.astimezone(SINGAPORE).isoformat() == "2024-12-31T23:59:59.999000+08:00"
        assert after.astimezone(SINGAPORE).isoformat() == "2025-01-01T00:00:00+08:00"
        assert (power, round(voltage, 4), none) == (1234.5, 230.1, None)
        assert (nothing, round(current, 4)) == ([None, None], 5.37)
        assert list(UnknownCode.objects.values_list("product_id", "code", "count")) == [("p1", "foo", 2)]


class TestReceiveMessage:
    def test_takes_the_example_of_the_published_path(self, client, headers):
        DeviceFactory(device_id="bfadafebb608a154206aqu")
        document = message(("instant_power", 2500, NOW_MS), device="bfadafebb608a154206aqu", product="ixhko1cls7lzpwsf")

        assert post(client, document, headers).json() == {"status": "ok", "inserted": 1}
        assert DeviceSample.objects.get().power_w == 2500.0

    def test_takes_the_older_family_beside_protocol_1000(self, client, headers):
        DeviceFactory(device_id="plug-1")
        status = [
            {"code": "cur_power", "value": "1234", "t": NOW_MS},
            {"code": "add_ele", "value": "12", "t": NOW_MS},
            {"code": "switch_1", "value": "true", "t": NOW_MS, "1": "true"},
        ]

        answer = post(
            client,
            [{"devId": "plug-1", "productKey": "p1", "status": status}, message(("temp_interior", 21.5, NOW_MS))],
            headers,
        )

        row = DeviceSample.objects.get()
        assert answer.json() == {"status": "ok", "inserted": 4}
        assert (round(row.power_w, 3), row.energy_wh, row.switch, row.temperature_c) == (123.4, 12.0, True, 21.5)

    def test_lets_a_product_say_what_its_codes_mean(self, client, headers):
        DeviceFactory(device_id="plug-1")
        product = Product.objects.create(product_id="p1")
        PropertyMapping.objects.create(product=product, code="va_temperature", quantity="temperature_c", factor=0.1)
        PropertyMapping.objects.create(product=product, code="cur_power", quantity="power_w", factor=1.0)

        post(client, message(("va_temperature", 215, NOW_MS), ("cur_power", 5, NOW_MS)), headers)

        row = DeviceSample.objects.get()
        assert (row.temperature_c, row.power_w) == (21.5, 5.0)

    def test_names_what_is_bad_and_keeps_the_rest(self, client, headers):
        DeviceFactory(device_id="plug-1")
        DeviceFactory(device_id="gone", status="retired", retired_at=NOW)

        answer = post(
            client,
            [
                message(("instant_power", 1, NOW_MS)),
                message(("instant_power", 1, NOW_MS), device="nobody"),
                7,
                message(("instant_power", "much", NOW_MS), ("temp_interior", 20, NOW_MS)),
                message(("instant_power", 1, NOW_MS), device="gone"),
                message(("instant_power", 1, NOW_MS + 600_000)),
                message(("instant_power", 1, 5)),
            ],
            headers,
        )

        assert answer.status_code == 200
        assert answer.json()["inserted"] == 2
        assert [(item["index"], item["code"]) for item in answer.json()["rejected"]] == [
            (1, "unknown_device"),
            (2, "malformed"),
            (3, "malformed"),
            (4, "retired_device"),
            (5, "in_future"),
            (6, "too_old"),
        ]

    def test_refuses_what_holds_nothing_good_with_the_same_list(self, client, headers):
        answer = post(client, message(("instant_power", 1, NOW_MS)), headers)

        assert (answer.status_code, answer["content-type"]) == (422, "application/problem+json")
        assert answer.json()["code"] == "all_rejected"
        assert [(item["index"], item["code"]) for item in answer.json()["errors"]] == [(0, "unknown_device")]

    def test_tells_of_another_value_at_the_same_time_without_refusing(self, client, headers):
        DeviceFactory(device_id="plug-1")
        post(client, message(("instant_power", 1, NOW_MS)), headers)

        answer = post(client, message(("instant_power", 2, NOW_MS)), headers)

        assert (answer.status_code, answer.json()["inserted"]) == (200, 0)
        assert [(item["index"], item["code"]) for item in answer.json()["conflicts"]] == [(0, "conflict")]

    def test_acknowledges_other_messages_with_nothing_and_counts_them(self, client, headers):
        answer = post(client, {"bizCode": "deviceOnline", "bizData": {"devId": "x", "time": 1}}, headers)

        assert answer.json() == {"status": "ok", "inserted": 0}
        assert UnknownCode.objects.get().code == "deviceOnline"

    def test_creates_devices_only_for_a_source_that_may(self, client):
        created, headers = source(may_create_devices=True)

        assert post(client, message(("instant_power", 1, NOW_MS)), headers).json()["inserted"] == 1
        device = Device.objects.get()
        assert (device.device_id, device.product.product_id, device.created_by_source) == ("plug-1", "p1", created)

    @pytest.mark.parametrize("body", [b"", b"{", b"[1,", b'"x"', b"\xff", b'{"bizCode": NaN}'])
    def test_refuses_what_is_no_message(self, client, headers, body):
        answer = post(client, body, headers)

        assert answer.status_code in {400, 422}
        assert answer["content-type"] == "application/problem+json"
        assert "malformed" in {answer.json()["code"], *(item["code"] for item in answer.json().get("errors", ()))}

    def test_refuses_more_messages_than_a_request_may_hold(self, client, headers, settings):
        settings.DEVICE_BATCH_LIMIT = 2

        answer = post(client, [message(("instant_power", 1, NOW_MS))] * 3, headers)

        assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")

    def test_counts_messages_not_requests_against_the_rate_of_a_source(self, client):
        _, headers = source(messages_per_minute=3)
        DeviceFactory(device_id="plug-1")

        first = post(client, [message(("instant_power", 1, NOW_MS - step)) for step in range(3)], headers)
        second = post(client, message(("instant_power", 1, NOW_MS - 9)), headers)

        assert first.json()["inserted"] == 3
        assert (second.status_code, second.json()["code"], int(second["Retry-After"]) > 0) == (429, "throttled", True)
        assert DeviceSample.objects.count() == 3

    def test_is_for_data_sources_with_the_scope_and_for_those_who_run_the_devices(self, client):
        DeviceFactory(device_id="plug-1")
        document = message(("instant_power", 1, NOW_MS))
        _, other = create_source(name="meters", scopes=[Scope.READINGS], actor=PORTAL, now=NOW)

        assert post(client, document, {}).status_code == 401
        assert post(client, document, {"authorization": "Bearer ep_0_0"}).json()["code"] == "invalid_key"
        assert post(client, document, {"authorization": f"Bearer {other}"}).json()["code"] == "missing_scope"
        client.force_login(UserFactory())
        assert post(client, document, {}).status_code == 403
        client.force_login(ManagerFactory())
        assert post(client, document, {}).json() == {"status": "ok", "inserted": 1}


class TestReceiveEnergy:
    def test_takes_the_plain_form_one_or_many(self, client, headers):
        DeviceFactory(device_id="plug-1")
        DeviceFactory(device_id="plug-2")

        one = post(
            client,
            {"device_id": "plug-1", "time": NOW_MS, "instant_power": 5.5, "temp_interior": 20},
            headers,
            "/api/v1/energy",
        )
        many = post(
            client,
            [
                {"device_id": "plug-2", "time": "2025-01-01T19:59:00+08:00", "instant_power": 7},
                {"device_id": "plug-2", "time": "2025-01-01T19:59:00", "instant_power": 8},
            ],
            headers,
            "/api/v1/energy",
        )

        assert one.json() == {"status": "ok", "inserted": 2}
        assert (many.json()["inserted"], many.json()["rejected"][0]["code"]) == (1, "malformed")
        rows = DeviceSample.objects.order_by("time").values_list("device__device_id", "time", "power_w")
        assert list(rows) == [("plug-2", NOW - timedelta(minutes=1), 7.0), ("plug-1", NOW, 5.5)]

    def test_needs_as_many_queries_for_many_as_for_one(self, client, headers):
        for number in range(50):
            DeviceFactory(device_id=f"plug-{number}")
        samples = [{"device_id": f"plug-{number}", "time": NOW_MS, "instant_power": 5.5} for number in range(50)]
        post(client, samples[0], headers, "/api/v1/energy")

        counts = []
        for part in (samples[1], samples[2:]):
            with CaptureQueriesContext(connection) as queries:
                assert post(client, part, headers, "/api/v1/energy").json()["status"] == "ok"
            counts.append(len(queries))

        assert counts[0] == counts[1] <= 10
        assert DeviceSample.objects.count() == 50
