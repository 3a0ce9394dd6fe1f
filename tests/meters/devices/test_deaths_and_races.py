import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from accounts.actors import PORTAL
from accounts.roles import Scope
from accounts.services.sources import create_source, revoke_source
from meters.devices import ingest
from meters.devices.decoding import Sample
from meters.devices.models import Device, DeviceSample, PropertyMapping, RollupMark, TouchedHour
from meters.devices.services.directory import directory
from meters.devices.services.messages import take_samples
from tests.factories import DataSourceFactory, DeviceFactory
from tests.meters.devices import sender

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh")]

MARK_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('rollup mark of devices', 0))"
ALL = len(sender.DEVICES) * sender.STEPS


@pytest.fixture
def devices():
    Device.objects.bulk_create(Device(device_id=name) for name in sender.DEVICES)


def start_sender(seed, rounds):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.meters.devices.sender", connection.settings_dict["NAME"], str(seed), str(rounds)],
        cwd=settings.BASE_DIR,
        env=os.environ,
        stdout=subprocess.PIPE,
        text=True,
    )


def stored_values():
    rows = DeviceSample.objects.values_list("device__device_id", "time", "power_w", "temperature_c")
    return {
        (device, round(moment.timestamp() * 1e6), name, value)
        for device, moment, power, temperature in rows
        for name, value in (("power_w", power), ("temperature_c", temperature))
        if value is not None
    }


class TestTwoProcesses:
    def test_store_each_value_once_and_join_the_halves_however_they_shuffle_and_repeat(self, devices):
        processes = [start_sender(seed, 2) for seed in (1, 2)]

        outcomes = Counter()
        for process in processes:
            output, _ = process.communicate(timeout=200)
            assert process.returncode == 0
            for line in output.splitlines():
                outcomes.update(json.loads(line)["outcomes"])

        assert DeviceSample.objects.count() == ALL
        assert stored_values() == set(sender.halves())
        assert outcomes.keys() == {"stored", "duplicate"}
        assert sum(outcomes.values()) == 4 * 2 * ALL


class TestASuddenDeath:
    def test_loses_nothing_that_was_acknowledged(self, devices):
        process = start_sender(1, 2)
        acknowledged = [json.loads(process.stdout.readline()) for _ in range(50)]

        process.send_signal(signal.SIGKILL)
        acknowledged += [json.loads(line) for line in process.stdout if line.endswith("}\n")]
        process.wait(30)

        sent = {tuple(row) for each in acknowledged for row in each["rows"]}
        assert sent
        assert sent <= stored_values()

    def test_of_the_connection_only_delays_what_is_sent(self, devices):
        process = start_sender(1, 3)
        lines = []
        for _ in range(5):
            lines += [process.stdout.readline() for _ in range(60)]
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        lines += process.stdout
        assert process.wait(30) == 0

        outcomes = Counter(outcome for line in lines for outcome in json.loads(line)["outcomes"])
        assert stored_values() == set(sender.halves())
        assert outcomes.keys() == {"stored", "duplicate"}
        assert sum(outcomes.values()) == 3 * 2 * ALL


class TestTheMark:
    def test_moves_only_between_commits_so_that_no_late_sample_goes_unnoticed(self):
        DeviceFactory(device_id="plug")
        now = datetime.now(UTC)
        sample = Sample("plug", int((now - timedelta(minutes=1)).timestamp()) * 1_000_000, power_w=5.0)
        outcomes = []

        def write():
            outcomes.extend(take_samples(samples=[sample], now=now))
            connections.close_all()

        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(MARK_LOCK)
            writer = threading.Thread(target=write)
            writer.start()
            while not waits_for_a_lock():
                time.sleep(0.01)
            RollupMark.objects.update(until=now)
        writer.join()

        assert outcomes == ["stored"]
        assert TouchedHour.objects.count() == 1


class TestCreators:
    def test_create_each_device_once_when_several_tell_of_it_first_at_the_same_time(self):
        source = DataSourceFactory()
        now = datetime.now(UTC)
        moment = int(now.timestamp()) * 1_000_000
        start = threading.Barrier(4)

        def write(number):
            names = [f"plug-{each:02}" for each in range(30)][:: 1 if number % 2 else -1]
            samples = [Sample(name, moment + number, 5.0, creator=source.pk, product="p") for name in names]
            start.wait()
            take_samples(samples=samples, now=now)
            connections.close_all()

        threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert Device.objects.count() == Device.history.count() == 30
        assert DeviceSample.objects.count() == 120


class TestTheWholeDoor:
    def test_stores_what_it_acknowledges_and_learns_of_changes_in_seconds(self):
        now = datetime.now(UTC)
        source, key = create_source(name="gateway", scopes=[Scope.DEVICES], actor=PORTAL, now=now)
        device = DeviceFactory(device_id="plug")
        door = ingest.DeviceDoor(None)

        def send(code, number, expected):
            told = {"device_id": "plug", "time": int(1000 * now.timestamp()) - number, code: 5}
            status, document = asyncio.run(post(door, key, told))
            assert status == expected, document
            return document

        assert send("instant_power", 1, 200)["inserted"] == 1
        assert send("volts", 2, 200)["inserted"] == 0
        PropertyMapping.objects.create(code="volts", quantity="voltage_v")
        ingest._look_again()
        assert send("volts", 3, 200)["inserted"] == 1
        assert DeviceSample.objects.count() == 2

        Device.objects.filter(pk=device.pk).update(status="retired", retired_at=datetime.now(UTC))
        directory._asked_at = 0.0
        assert send("instant_power", 4, 422)["errors"][0]["code"] == "retired_device"

        revoke_source(source_id=source.public_id, actor=PORTAL, now=datetime.now(UTC))
        ingest._look_again()
        assert send("instant_power", 5, 401)["code"] == "invalid_key"
        assert DeviceSample.objects.count() == 2


async def post(door, key, document):
    answer = []

    async def receive():
        return {"type": "http.request", "body": json.dumps(document).encode(), "more_body": False}

    async def send(message):
        answer.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode())]
    await door({"type": "http", "method": "POST", "path": "/api/v1/energy", "headers": headers}, receive, send)
    return answer[0]["status"], json.loads(answer[1]["body"])


def waits_for_a_lock():
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return cursor.fetchone()[0] > 0
