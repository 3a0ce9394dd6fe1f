"""Gateways as processes, at a real broker and a real database: what they do, and what is left when they are killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection, transaction
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from accounts.actors import PORTAL
from meters.devices.gateway.link import Link
from meters.devices.gateway.service import topics
from meters.devices.models import Command, Device, DeviceSample, DeviceState
from meters.devices.services.commands import send_command
from meters.devices.store import DEVICE_SAMPLES
from meters.models import AlarmNotice
from meters.series.partitions import ensure_partitions
from tests.factories import AlarmFactory, DeviceFactory
from tests.meters.devices.brokers import MOSQUITTO, embedded_broker, mosquitto_broker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh")]

DEVICES = [f"plug-{number:02}" for number in range(10)]
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'devices_devicesample'::regclass"


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("mosquitto", marks=pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")),
    ]
)
def url(request, tmp_path):
    start = embedded_broker if request.param == "embedded" else mosquitto_broker
    with start(tmp_path / "broker") as found:
        yield found


@pytest.fixture(autouse=True)
def devices():
    for name in DEVICES:
        DeviceFactory(device_id=name)
    now = datetime.now(UTC)
    ensure_partitions(DEVICE_SAMPLES, [now], floor=now - timedelta(days=1), ceiling=now)


def start_gateway(url):
    command = [sys.executable, "-m", "tests.meters.devices.gateway_process", connection.settings_dict["NAME"], "1"]
    group = "" if "@" in url else "portal"
    process = subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env={**os.environ, "MQTT_URL": url, "MQTT_SHARED_GROUP": group},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "up\n"
    return process


@contextmanager
def gateway(url):
    process = start_gateway(url)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def client(url):
    parts = urlsplit(url)
    made = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
    made.username_pw_set(parts.username, parts.password)
    made.max_inflight_messages_set(0)
    made.connect(parts.hostname, parts.port)
    made.loop_start()
    try:
        yield made
    finally:
        made.disconnect()
        made.loop_stop()


def eventually(question, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
    return answer


def messages(count, *, start=0):
    """Return topics, payloads and what is to be stored of them, no two of one instant."""
    first = round(time.time()) * 1000 - 3_600_000
    for number in range(start, start + count):
        device = DEVICES[number % len(DEVICES)]
        moment = first + number
        yield f"voltguard/devices/{device}/energy", {"time": moment, "instant_power": number}, (device, moment, number)


def publish(made, sent, *, pause=0.0):
    receipts = []
    for topic, payload, _ in sent:
        receipts.append(made.publish(topic, json.dumps(payload), 1))
        time.sleep(pause)
    for receipt in receipts:
        receipt.wait_for_publish(30)


def stored():
    rows = DeviceSample.objects.values_list("device__device_id", "time", "power_w")
    return {(device, round(moment.timestamp() * 1000), power) for device, moment, power in rows}


def left_at_the_broker(url):
    """Return what the broker would send the gateway again."""
    group = "" if "@" in url else "portal"
    link = Link(url=url, client_id="voltguard-gateway-1", topics=topics(prefix="voltguard", group=group))
    thread = threading.Thread(target=link.run)
    thread.start()
    assert link.wait_until_up(20)
    left = link.take(most=10_000, timeout=0.5)
    link.end()
    thread.join()
    return left


class TestAKilledGateway:
    def test_loses_nothing_that_the_broker_took_and_stores_nothing_twice(self, url):
        before, after = list(messages(200)), list(messages(600, start=200))
        with client(url) as made:
            process = start_gateway(url)
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("LOCK TABLE devices_devicesample IN SHARE MODE")
                publish(made, before)
                eventually(lambda: cursor.execute(WAITING) or cursor.fetchone()[0])
                process.kill()
                process.wait()

            with gateway(url) as process:
                sender = threading.Thread(target=publish, args=(made, after), kwargs={"pause": 0.001})
                sender.start()
                eventually(lambda: DeviceSample.objects.count() > len(before))
                process.kill()
                process.wait()
                sender.join()

            with gateway(url) as process:
                eventually(lambda: DeviceSample.objects.count() >= len(before) + len(after))
            assert process.returncode == 0

        assert stored() == {row for _, _, row in before + after}
        assert DeviceSample.objects.count() == len(before) + len(after)
        assert left_at_the_broker(url) == []


class TestAGateway:
    def test_hears_devices_and_has_them_obey_and_tells_of_alarms(self, url):
        notice = AlarmNotice.objects.create(
            alarm=AlarmFactory(subject="plug-00"), channel="mqtt", news="raised", created_at=datetime.now(UTC)
        )
        alerts = []

        def obey(made, _data, message):
            if message.topic.startswith("voltguard/alerts/"):
                alerts.append((message.topic, json.loads(message.payload)))
                return
            asked = json.loads(message.payload)
            assert asked["expires"] > time.time() * 1000
            made.publish("voltguard/devices/plug-00/command/ack", json.dumps({"id": asked["id"], "ok": True}), 1)
            told = {"time": round(time.time() * 1000), "switch": asked["switch"]}
            made.publish("voltguard/devices/plug-00/energy", json.dumps(told), 1)

        with client(url) as made:
            made.on_message = obey
            made.subscribe([("voltguard/devices/plug-00/command", 1), ("voltguard/alerts/+", 1)])
            with gateway(url) as process:
                made.publish("voltguard/devices/plug-00/status", "online", 1)
                made.publish("voltguard/devices/plug-00/energy", "{", 1)
                command = send_command(device_id="plug-00", switch=True, actor=PORTAL, now=datetime.now(UTC))
                eventually(lambda: Command.objects.get().status in {"effective", "not_effective", "failed"})
                eventually(lambda: DeviceState.objects.filter(device__device_id="plug-00", is_online=True).exists())
                eventually(lambda: AlarmNotice.objects.get().sent_at and alerts)
            assert process.returncode == 0

        assert [step.status for step in command.steps.all()] == ["queued", "sent", "delivered", "effective"]
        [(topic, alert)] = alerts
        assert topic == "voltguard/alerts/plug-00"
        assert alert.keys() == {"id", "kind", "state", "severity", "text", "at"}
        assert alert["id"] == str(notice.alarm_id)
        assert Device.objects.count() == len(DEVICES)
