"""Logins at the broker: what is written, and what Mosquitto makes of it."""

import threading
from datetime import UTC, datetime
from io import StringIO
from queue import SimpleQueue

import pytest
from django.core.management import CommandError, call_command
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from meters.devices.models import Device, MqttCredential
from meters.devices.services.credentials import hash_of, make_credential, write_access_files
from tests.factories import DeviceFactory
from tests.meters.devices.brokers import MOSQUITTO, mosquitto_broker

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 11, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def gateways_login(settings):
    settings.MQTT_URL = "mqtt://portal:secret@localhost"


def names_in(folder):
    return [line.partition(":")[0] for line in (folder / "passwd").read_text().splitlines()]


class TestHashOf:
    def test_is_as_mosquitto_writes_it(self):
        salt = bytes(range(12))

        assert hash_of("secret", random=lambda size: salt[:size]).startswith("$7$101$AAECAwQFBgcICQoL$")
        assert hash_of("secret") != hash_of("secret")


class TestMakeCredential:
    def test_keeps_the_hash_alone_and_replaces_the_one_before(self):
        DeviceFactory(device_id="plug-1")

        first = make_credential(device_id="plug-1", actor=PORTAL, now=NOW)
        second = make_credential(device_id="plug-1", actor=PORTAL, now=NOW)

        credential = MqttCredential.objects.get()
        assert first != second
        assert second not in credential.password_hash
        assert AuditEntry.objects.filter(action="device.credential_made").count() == 2


class TestTheCommand:
    def test_writes_the_logins_of_devices_in_service_and_of_the_gateway(self, tmp_path):
        for name in ("plug-1", "plug-2", "a/b", "gone"):
            DeviceFactory(device_id=name)
        call_command("mqtt_credentials", tmp_path, "--missing", stderr=StringIO())
        Device.objects.filter(device_id="gone").update(status="retired", retired_at=NOW)
        told = StringIO()

        call_command("mqtt_credentials", tmp_path, stderr=told)

        assert names_in(tmp_path) == ["portal", "plug-1", "plug-2"]
        assert "'a/b'" in told.getvalue()
        assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("passwd", "acl", "new-passwords.csv")] == [
            0o600
        ] * 3

    def test_prints_a_new_password_once_and_makes_missing_ones_only(self, tmp_path):
        for name in ("plug-1", "plug-2"):
            DeviceFactory(device_id=name)
        printed = StringIO()

        call_command("mqtt_credentials", tmp_path, "--new", "plug-1", "--missing", stdout=printed, stderr=StringIO())

        [(name, password)] = [line.split() for line in printed.getvalue().splitlines()]
        assert name == "plug-1"
        assert len(password) == 32
        assert [line.split(",")[0] for line in (tmp_path / "new-passwords.csv").read_text().splitlines()] == ["plug-2"]

    def test_says_when_there_is_no_such_device(self, tmp_path):
        with pytest.raises(CommandError, match="no such device"):
            call_command("mqtt_credentials", tmp_path, "--new", "nobody")


@pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")
class TestMosquitto:
    def test_lets_a_device_in_by_its_password_and_to_its_own_topics_alone(self, tmp_path):
        passwords = {}
        for name in ("plug-1", "plug-2"):
            DeviceFactory(device_id=name)
            passwords[name] = make_credential(device_id=name, actor=PORTAL, now=NOW)
        write_access_files(folder=tmp_path, mqtt_url="mqtt://portal:secret@x", prefix="voltguard")
        access = f"allow_anonymous false\npassword_file {tmp_path}/passwd\nacl_file {tmp_path}/acl\n"

        with mosquitto_broker(tmp_path / "broker", access=access) as url:
            port = int(url.rpartition(":")[2])
            heard, done = [], threading.Event()
            gateway, welcome = login(port, "portal", "secret")
            gateway.on_message = lambda _client, _data, message: (heard.append(message.topic), done.set())
            gateway.subscribe("voltguard/devices/+/energy", 1)
            # Mosquitto 2.0.11 hangs up on who writes where they may not: a connection for each topic.
            for topic in ("plug-2/energy", "plug-1/energy"):
                device, _ = login(port, "plug-1", passwords["plug-1"])
                device.publish(f"voltguard/devices/{topic}", "{}", 1).wait_for_publish(10)
                leave(device)
            done.wait(10)
            _, refusal = login(port, "plug-2", passwords["plug-1"])
            leave(gateway)

        assert (welcome, refusal) == ("Success", "Not authorized")
        assert heard == ["voltguard/devices/plug-1/energy"]


def login(port, name, password):
    """Connect, and return the client with the broker's answer."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
    client.username_pw_set(name, password)
    answers = SimpleQueue()
    client.on_connect = lambda _client, _data, _flags, reason, _more: answers.put(str(reason))
    client.connect("127.0.0.1", port)
    client.loop_start()
    answer = answers.get(timeout=10)
    if answer != "Success":
        leave(client)
    return client, answer


def leave(client):
    client.disconnect()
    client.loop_stop()
