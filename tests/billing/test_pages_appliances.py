"""What customers say of the appliances behind their devices, and what they are told of these."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from meters.insights.models import Appliance, Fault
from tests.factories import AccountAccessFactory, DeviceFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 15, 4, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def access():
    return AccountAccessFactory(right="administer")


@pytest.fixture
def client(access):
    client = Client()
    client.force_login(access.user)
    return client


@pytest.fixture
def device(access):
    return DeviceFactory(device_id="fridge", name="Fridge", account=access.account)


def fault_of(device, **more):
    appliance, _ = Appliance.objects.get_or_create(
        device=device, defaults={"kind": "refrigerator", "standing": "watched", "diagnosed_until": NOW}
    )
    told = {"kind": "stuck_on", "severity": "critical", "cause": "It runs.", "began_at": NOW - timedelta(hours=3)}
    whose = {"subject_kind": "device", "subject": device.device_id, "label": "Fridge", "account": device.account}
    return Fault.objects.create(appliance=appliance, detected_at=NOW, **whose, **told | more)


def page(client):
    return client.get("/devices").content.decode()


class TestSection:
    def test_asks_what_hangs_behind_each_device(self, client, device):
        text = page(client)

        assert 'action="/devices/fridge/appliance"' in text
        assert "not watched" in text

    def test_tells_what_is_wrong_and_what_to_do(self, client, device):
        fault_of(device, cost_a_month=Decimal("12.30"), currency="SGD")

        text = page(client)

        assert "Fridge: It does not switch off" in text
        assert "unplug it" in text
        assert "About SGD 12.30 more a month." in text

    def test_asks_no_more_for_more_devices(self, client, access, device):
        counts = []
        for number in range(2):
            fault_of(DeviceFactory(device_id=f"more-{number}", account=access.account))
            with CaptureQueriesContext(connection) as queries:
                page(client)
            counts.append(len(queries))

        assert counts[0] == counts[1]

    def test_offers_nothing_to_somebody_who_only_looks(self, access, device):
        onlooker = Client()
        onlooker.force_login(AccountAccessFactory(account=access.account).user)

        assert "/devices/fridge/appliance" not in page(onlooker)


class TestSetKind:
    def test_is_taken_and_taken_back(self, client, device):
        client.post("/devices/fridge/appliance", {"kind": "refrigerator"})
        taken = Appliance.objects.get().kind
        client.post("/devices/fridge/appliance", {"kind": ""})

        assert taken == "refrigerator"
        assert Appliance.objects.get().standing == Appliance.Standing.REMOVED

    @pytest.mark.parametrize(("path", "kind"), [("fridge", "piano"), ("none", "kettle")])
    def test_is_of_ones_own_devices_and_known_kinds(self, client, device, path, kind):
        assert client.post(f"/devices/{path}/appliance", {"kind": kind}).status_code == 404

    def test_is_refused_to_somebody_who_only_looks(self, access, device):
        onlooker = Client()
        onlooker.force_login(AccountAccessFactory(account=access.account).user)

        onlooker.post("/devices/fridge/appliance", {"kind": "kettle"})

        assert not Appliance.objects.exists()


class TestTakeCare:
    def test_acknowledges_the_fault(self, client, access, device):
        fault = fault_of(device)

        client.post(f"/faults/{fault.pk}/seen")

        fault.refresh_from_db()
        assert (fault.state, fault.acknowledged_by) == ("acknowledged", access.user)
        assert "Somebody takes care of it." in page(client)

    def test_finds_no_fault_of_others(self, client, device):
        fault = fault_of(DeviceFactory(account=AccountAccessFactory().account))

        assert client.post(f"/faults/{fault.pk}/seen").status_code == 404
