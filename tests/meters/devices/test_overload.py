"""Three times as much as the queue holds, while the database stands still: refused is not stored, stored is told."""

import asyncio
import json
import time
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import connections

from accounts.actors import PORTAL
from accounts.roles import Scope
from accounts.services.sources import create_source
from meters.devices import ingest
from meters.devices.models import Device, DeviceSample
from meters.devices.services.messages import writer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fresh")]

QUEUE_ROWS, COMMIT_ROWS, ROWS = 60, 20, 5
MOST_TAKEN = (QUEUE_ROWS + COMMIT_ROWS) // ROWS
REQUESTS = 3 * QUEUE_ROWS // ROWS
DEVICE = "plug"
MARK_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('rollup mark of devices', 0))"


@pytest.fixture
def keys(settings):
    """Three sources, none of which could fill the queue alone."""
    settings.DEVICE_QUEUE_ROWS, settings.DEVICE_COMMIT_ROWS = QUEUE_ROWS, COMMIT_ROWS
    Device.objects.create(device_id=DEVICE)
    now = datetime.now(UTC)
    return [
        create_source(name=f"gateway {number}", scopes=[Scope.DEVICES], actor=PORTAL, now=now)[1] for number in range(3)
    ]


@pytest.fixture
def standstill():
    """What has every commit wait until it is closed."""
    parameters = connections["default"].get_connection_params()
    parameters = {
        name: parameters[name] for name in ("dbname", "host", "port", "user", "password") if name in parameters
    }
    with psycopg.connect(**parameters) as holder:
        holder.execute(MARK_LOCK)
        yield holder


async def post(door, key, document):
    """Return the status, the seconds to wait if any are named, and the document of an answer."""
    answer = []

    async def receive():
        return {"type": "http.request", "body": json.dumps(document).encode(), "more_body": False}

    async def send(message):
        answer.append(message)

    headers = [(b"authorization", f"Bearer {key}".encode())]
    await door({"type": "http", "method": "POST", "path": "/api/v1/energy", "headers": headers}, receive, send)
    wait = dict(answer[0]["headers"]).get(b"retry-after")
    return answer[0]["status"], wait and int(wait), json.loads(answer[1]["body"])


def requests():
    """Return what is sent: every sample different from every other."""
    now = int(1000 * time.time())
    return [
        [
            {"device_id": DEVICE, "time": now - request * ROWS - row, "instant_power": request * ROWS + row}
            for row in range(ROWS)
        ]
        for request in range(REQUESTS)
    ]


def powers(sent):
    return sorted(float(sample["instant_power"]) for request in sent for sample in request)


def stored():
    return sorted(DeviceSample.objects.values_list("power_w", flat=True))


class TestOverload:
    def test_stores_what_it_acknowledges_refuses_the_rest_and_takes_it_as_soon_as_there_is_room(self, keys, standstill):
        door = ingest.DeviceDoor(None)
        sent = requests()
        writer().start()

        async def overload():
            tasks = [
                asyncio.create_task(post(door, keys[number % len(keys)], request))
                for number, request in enumerate(sent)
            ]
            while sum(task.done() for task in tasks) < REQUESTS - MOST_TAKEN:
                await asyncio.sleep(0.01)
            early = [task.result()[0] for task in tasks if task.done()]
            await asyncio.to_thread(standstill.close)
            return early, await asyncio.gather(*tasks)

        early, answers = asyncio.run(overload())

        assert set(early) == {503}
        assert {status for status, _, _ in answers} == {200, 503}
        assert all(wait >= 1 for status, wait, _ in answers if status == 503)
        taken = [request for request, answer in zip(sent, answers, strict=True) if answer[0] == 200]
        assert QUEUE_ROWS // ROWS <= len(taken) <= MOST_TAKEN
        assert stored() == powers(taken)
        assert sum(document.get("inserted", 0) for _, _, document in answers) == len(stored())

        refused = [request for request, answer in zip(sent, answers, strict=True) if answer[0] == 503]
        again = [asyncio.run(post(door, keys[0], request))[0] for request in refused]

        assert set(again) == {200}
        assert stored() == powers(sent)
