"""Batteries at a gateway, which is a process at a real broker."""

import json
from datetime import UTC, datetime

import pytest

from meters.batteries.models import BmsReading, Convention, PcsReading
from tests.factories import BatteryFactory
from tests.meters.devices.brokers import embedded_broker
from tests.meters.devices.test_gateway_process import client, eventually, gateway

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh")]


class TestAGateway:
    def test_takes_what_batteries_publish_as_their_convention_says(self, tmp_path):
        BatteryFactory(battery_id="B1", convention=Convention.objects.create(name="turned", charge_is_positive=True))
        now = round(datetime.now(UTC).timestamp() * 1000)
        told = [{"timestamp": now - number, "current": 15, "soc": 50} for number in range(3)]

        with embedded_broker(tmp_path / "broker") as url, gateway(url) as process, client(url) as made:
            made.publish("voltguard/batteries/B1/bms", json.dumps(told[:2]), 1)
            made.publish("voltguard/batteries/nobody/bms", json.dumps(told), 1)
            made.publish("voltguard/batteries/B1/bms", "{", 1)
            made.publish("voltguard/batteries/B1/pcs", json.dumps({"timestamp": now, "dc_voltage": 830}), 1)
            made.publish("voltguard/batteries/B1/bms", json.dumps(told), 1)
            eventually(lambda: BmsReading.objects.count() == 3 and PcsReading.objects.exists())

        assert process.returncode == 0
        assert set(BmsReading.objects.values_list("current_a", "soc_percent")) == {(-15, 50)}
