import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Role
from meters.devices.models import Command, DeviceHour
from meters.devices.services.commands import send_command
from meters.devices.services.state import note_status, refresh_states
from meters.devices.store.hours import DEVICE_HOURS
from meters.series.partitions import ensure_partitions
from tests.factories import AccountAccessFactory, CustomerAccountFactory, DeviceFactory, UserFactory
from tests.meters.devices.helpers import store_sample

pytestmark = pytest.mark.django_db

# 12:10 in Singapore; the day began at 16:00 the day before.
NOW = datetime(2026, 3, 15, 4, 10, tzinfo=UTC)
DAY = datetime(2026, 3, 14, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def access():
    return AccountAccessFactory(right="administer")


@pytest.fixture
def client(access):
    return client_of(access.user)


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response) -> str:
    assert response.status_code == 200
    content = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content))


def chart_of(response) -> dict:
    data = re.search(r'<script id="devices-data" type="application/json">(.*?)</script>', response.content.decode())
    return json.loads(data[1])


def use(device, hour, energy_wh, covered_seconds=3600.0):
    time = DAY + timedelta(hours=hour)
    ensure_partitions(DEVICE_HOURS, [time], floor=time, ceiling=time)
    DeviceHour.objects.create(device=device, time=time, energy_wh=energy_wh, covered_seconds=covered_seconds)


def live_url(response) -> str:
    return re.search(r'id="devices-poll" hx-get="([^"]+)"', response.content.decode())[1].replace("&amp;", "&")


def queries(client, path):
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


class TestDevices:
    def test_shows_what_each_does_now(self, client, access):
        device = DeviceFactory(account=access.account, name="Fridge")
        store_sample(device, NOW - timedelta(seconds=20), power_w=1234.0, switch=True, temperature_c=4.5)
        refresh_states(now=NOW)
        DeviceFactory(account=access.account, name="Heater")
        use(device, 0, 80.4)
        use(device, 1, 70.0)

        page = text_of(client.get("/devices"))

        assert "Fridge Online since 15 Mar, 12:09 1,234 W" in page
        assert "Switch on" in page
        assert "Today 150 Wh" in page
        assert "Inside 4.5 °C" in page
        assert "Heater Not heard yet \u2013 W" in page

    def test_shows_the_devices_of_the_account_in_service_alone(self, client, access):
        DeviceFactory(account=access.account, name="Mine")
        DeviceFactory(account=access.account, name="Gone", status="retired", retired_at=NOW)
        DeviceFactory(account=CustomerAccountFactory(), name="Theirs")

        page = text_of(client.get("/devices"))

        assert "Mine" in page
        assert "Gone" not in page
        assert "Theirs" not in page

    def test_says_so_where_there_are_none(self, client):
        assert "No devices here yet" in text_of(client.get("/devices"))

    def test_stands_in_the_navigation_where_there_are_devices(self, client, access):
        assert "Devices" not in text_of(client.get("/home"))

        DeviceFactory(account=access.account)

        assert "Devices" in text_of(client.get("/home"))

    def test_costs_the_same_however_many_there_are(self, client, access):
        def add(number):
            for device in DeviceFactory.create_batch(number, account=access.account):
                note_status(device_id=device.device_id, online=True, now=NOW)
                send_command(device_id=device.device_id, switch=True, actor=PORTAL, now=NOW)
                use(device, 0, 1.0)

        add(2)
        few = queries(client, "/devices"), queries(client, "/devices/live")
        add(8)

        assert (queries(client, "/devices"), queries(client, "/devices/live")) == few


class TestToday:
    def test_draws_the_hours_and_leaves_blank_what_is_not_known(self, client, access):
        device = DeviceFactory(account=access.account)
        use(device, 0, 80.4)
        use(device, 2, 10.0, covered_seconds=900)

        response = client.get("/devices")
        chart = chart_of(response)

        assert chart["energy"][:4] == [80.4, None, 10.0, None]
        assert (len(chart["energy"]), chart["unit"], chart["present"]) == (24, "Wh", 12)
        assert chart["estimated"][:4] == [False, False, True, False]
        assert chart["words"][:3] == ["80 Wh", "Nothing was heard", "10 Wh, known for 25 % of the hour"]
        assert chart["words"][12] == "Not yet"
        assert "90 Wh so far" in text_of(response)

    def test_adds_devices_up_and_shows_one_alone(self, client, access):
        one, other = DeviceFactory.create_batch(2, account=access.account)
        use(one, 0, 10.0)
        use(other, 0, 5.0)

        assert chart_of(client.get("/devices"))["energy"][0] == 15.0
        assert chart_of(client.get("/devices", {"device": other.device_id}))["energy"][0] == 5.0

    def test_has_as_many_hours_as_the_day(self, time_machine):
        account = CustomerAccountFactory(zone="Europe/Berlin")
        access = AccountAccessFactory(account=account)
        DeviceFactory(account=account)
        time_machine.move_to(datetime(2026, 3, 29, 12, tzinfo=UTC), tick=False)

        assert len(chart_of(client_of(access.user).get("/devices"))["energy"]) == 23


class TestLive:
    def test_says_nothing_until_something_changes(self, client, access):
        device = DeviceFactory(account=access.account, name="Fridge")
        path = live_url(client.get("/devices"))

        assert client.get(path).status_code == 204

        note_status(device_id=device.device_id, online=True, now=NOW)
        told = client.get(path)

        assert "Online" in text_of(told)
        assert f'id="live-{device.pk}" hx-swap-oob="true"' in told.content.decode()
        assert client.get(live_url(told)).status_code == 204

    def test_is_somebodys_own(self, client):
        DeviceFactory(account=CustomerAccountFactory(), name="Theirs")

        assert "Theirs" not in client.get("/devices/live").content.decode()


class TestSwitch:
    def test_orders_and_tells_how_it_goes(self, client, access):
        device = DeviceFactory(account=access.account, name="Fridge")

        answer = client.post(f"/devices/{device.device_id}/switch", {"switch": "off"}, headers={"HX-Request": "true"})

        command = Command.objects.get()
        assert (command.switch, command.user) == (False, access.user)
        assert "Switching off: waiting to be sent." in text_of(answer)
        assert 'hx-trigger="every 1s"' in answer.content.decode()

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            ("sent", "sent, waiting for the device"),
            ("delivered", "the device has it, its effect is not seen yet"),
            ("effective", "Switched on: what the device tells shows it."),
            ("not_effective", "but what the device tells does not show it"),
            ("expired", "Not switched on: the device did not answer in time"),
            ("failed", "Not switched on: it failed. No answer."),
        ],
    )
    def test_tells_the_true_outcome(self, client, access, status, words):
        device = DeviceFactory(account=access.account)
        command = send_command(device_id=device.device_id, switch=True, actor=PORTAL, now=NOW)
        settled = None if status in {"sent", "delivered"} else NOW
        reason = "No answer." if status == "failed" else ""
        Command.objects.filter(pk=command.pk).update(status=status, settled_at=settled, reason=reason)

        page = text_of(client.get("/devices")).replace("&#x27;", "'")

        assert words in page

    def test_is_old_news_after_a_while(self, client, access, time_machine):
        device = DeviceFactory(account=access.account)
        command = send_command(device_id=device.device_id, switch=True, actor=PORTAL, now=NOW)
        Command.objects.filter(pk=command.pk).update(status="effective", settled_at=NOW)
        time_machine.move_to(NOW + timedelta(minutes=11), tick=False)

        assert "Switched on" not in text_of(client.get("/devices"))

    def test_works_without_scripts(self, client, access):
        device = DeviceFactory(account=access.account)

        answer = client.post(f"/devices/{device.device_id}/switch", {"switch": "on"}, follow=True)

        assert "Switching on: waiting to be sent." in text_of(answer)

    def test_takes_the_right_to_administer(self):
        access = AccountAccessFactory(right="view")
        device = DeviceFactory(account=access.account)
        viewer = client_of(access.user)

        page = text_of(viewer.get("/devices"))
        answer = viewer.post(f"/devices/{device.device_id}/switch", {"switch": "on"})

        assert "Switch off" not in page
        assert "takes the right to administer" in page
        assert answer.status_code == 403
        assert not Command.objects.exists()

    def test_finds_no_device_of_others(self, client):
        device = DeviceFactory(account=CustomerAccountFactory())

        assert client.post(f"/devices/{device.device_id}/switch", {"switch": "on"}).status_code == 404

    def test_leaves_critical_loads_alone(self, client, access):
        device = DeviceFactory(account=access.account, is_critical=True)

        page = text_of(client.get("/devices"))
        answer = client.post(f"/devices/{device.device_id}/switch", {"switch": "off"}, follow=True)

        assert "A critical load" in page
        assert "nobody may switch it" in text_of(answer)
        assert not Command.objects.exists()

    @pytest.mark.parametrize("role", [Role.AGENT, Role.MANAGER, Role.OPERATOR])
    def test_is_a_page_of_customers(self, role):
        assert client_of(UserFactory(role=role)).get("/devices").url == "/landing"
