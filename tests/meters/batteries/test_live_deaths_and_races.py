import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection

from accounts.actors import PORTAL
from accounts.roles import Scope
from accounts.services.sources import create_source, revoke_source
from meters.batteries.ingest import BatteryDoor
from meters.batteries.models import Battery, BmsReading, Convention
from meters.batteries.services.registry import retire_battery
from meters.batteries.services.terms import read_terms
from meters.devices.services.keys import key_ring
from meters.series.columns import EPOCH
from tests.factories import BatteryFactory
from tests.meters.batteries import sender

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh")]

ALL = len(sender.BATTERIES) * sender.STEPS


@pytest.fixture
def batteries():
    Battery.objects.bulk_create(Battery(battery_id=name) for name in sender.BATTERIES)


def start_sender(seed, rounds):
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "tests.meters.batteries.sender",
            connection.settings_dict["NAME"],
            str(seed),
            str(rounds),
        ],
        cwd=settings.BASE_DIR,
        env=os.environ,
        stdout=subprocess.PIPE,
        text=True,
    )


def stored_values():
    rows = BmsReading.objects.values_list("battery__battery_id", "time", "soc_percent", "voltage_v")
    return {
        (battery, round((moment - EPOCH).total_seconds() * 1e6), name, value)
        for battery, moment, soc, voltage in rows
        for name, value in (("soc", soc), ("voltage", voltage))
        if value is not None
    }


class TestTwoProcesses:
    def test_store_each_value_once_and_join_the_halves_however_they_shuffle_and_repeat(self, batteries):
        processes = [start_sender(seed, 2) for seed in (1, 2)]

        outcomes = Counter()
        for process in processes:
            output, _ = process.communicate(timeout=200)
            assert process.returncode == 0
            for line in output.splitlines():
                outcomes.update(json.loads(line)["outcomes"])

        assert BmsReading.objects.count() == ALL
        assert stored_values() == set(sender.halves())
        assert outcomes.keys() == {"stored", "duplicate"}
        assert sum(outcomes.values()) == 4 * 2 * ALL


class TestASuddenDeath:
    def test_loses_nothing_that_was_acknowledged_and_a_replay_completes_the_rest(self, batteries):
        process = start_sender(1, 2)
        acknowledged = [json.loads(process.stdout.readline()) for _ in range(20)]

        process.send_signal(signal.SIGKILL)
        acknowledged += [json.loads(line) for line in process.stdout if line.endswith("}\n")]
        process.wait(30)

        sent = {tuple(row) for each in acknowledged for row in each["rows"]}
        assert sent
        assert sent <= stored_values()
        assert start_sender(1, 1).communicate(timeout=200)
        assert stored_values() == set(sender.halves())
        assert BmsReading.objects.count() == ALL


class TestTheWholeDoor:
    def test_stores_what_it_acknowledges_and_learns_of_changes_in_seconds(self):
        now = datetime.now(UTC)
        source, key = create_source(name="plant", scopes=[Scope.BATTERIES], actor=PORTAL, now=now)
        battery = BatteryFactory(battery_id="B1")
        door = BatteryDoor(None)

        def send(number, expected, name="B1"):
            told = {"timestamp": int(1000 * now.timestamp()) - number, "current": 5}
            status, document = asyncio.run(post(door, key, told, f"/api/v1/batteries/{name}/bms"))
            assert status == expected, document
            return document

        assert send(1, 200) == {"status": "ok", "stored": 1, "duplicates": 0}
        assert send(1, 200) == {"status": "ok", "stored": 0, "duplicates": 1}
        assert send(1, 404, "B2")["code"] == "not_found"

        Convention.objects.create(name="charge first", source=source, charge_is_positive=True)
        read_terms()
        send(2, 200)
        assert list(BmsReading.objects.order_by("time").values_list("current_a", flat=True)) == [-5, 5]

        retire_battery(pk=battery.pk, actor=PORTAL, now=now)
        assert send(3, 422)["errors"][0]["code"] == "retired_battery"

        revoke_source(source_id=source.public_id, actor=PORTAL, now=datetime.now(UTC))
        key_ring.look_again(now=datetime.now(UTC))
        assert send(4, 401)["code"] == "invalid_key"
        assert BmsReading.objects.count() == 2


async def post(door, key, document, path):
    answer = []

    async def receive():
        return {"type": "http.request", "body": json.dumps(document).encode(), "more_body": False}

    async def send(message):
        answer.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode())]
    await door({"type": "http", "method": "POST", "path": path, "headers": headers}, receive, send)
    return answer[0]["status"], json.loads(answer[1]["body"])
