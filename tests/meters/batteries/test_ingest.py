import asyncio
import json
import threading

import pytest

from energy_portal.shared.rates import Rate
from meters.batteries import ingest
from meters.batteries.services.live import Outcome
from meters.batteries.services.terms import Book
from meters.devices.services.keys import Grant
from meters.devices.services.limits import MessageLimits
from meters.series.commit import GroupCommitter

MAY = frozenset({"batteries"})
KEYS = {
    b"ep_a_1": Grant(1, "first", scopes=MAY, creator=None, rate=Rate(1_000, 1)),
    b"ep_b_2": Grant(2, "second", scopes=MAY, creator=None, rate=Rate(1_000, 1)),
    b"ep_slow_3": Grant(3, "slow", scopes=MAY, creator=None, rate=Rate(2, 3_600)),
    b"ep_other_4": Grant(4, "other", scopes=frozenset({"devices"}), creator=None, rate=Rate(1_000, 1)),
}
ONE = {"timestamp": 1735732800000, "soc": 50}


class Ring:
    def held(self, text):
        return (KEYS.get(text),)


class Store:
    """Stands where the database does: keeps what is written, and can be held up."""

    def __init__(self):
        self.commits = []
        self.free = threading.Event()
        self.free.set()

    @property
    def rows(self):
        return [row for commit in self.commits for row in commit]

    def write(self, readings):
        assert self.free.wait(30)
        self.commits.append(readings)
        return [Outcome.STORED] * len(readings)


@pytest.fixture
def store(monkeypatch, settings):
    settings.DEVICE_QUEUE_ROWS = 20
    store = Store()
    committer = GroupCommitter(store.write, queue_rows=20, max_batch=10, name="store of a test")
    monkeypatch.setattr(ingest, "writer", lambda: committer)
    monkeypatch.setattr(ingest, "key_ring", Ring())
    monkeypatch.setattr(ingest, "limits", MessageLimits())
    monkeypatch.setattr(ingest, "held_terms", lambda seconds: Book({}, {}))
    yield store
    store.free.set()
    assert committer.drain(10)


async def django(scope, receive, send):
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def call(door, *documents, key=b"ep_a_1", path="/api/v1/batteries/B1/bms", method="POST"):
    """Return the status, headers and document that answer a request."""
    body = json.dumps(documents[0] if len(documents) == 1 else documents).encode()
    answer = []

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        answer.append(message)

    headers = [(b"authorization", b"Bearer " + key)] if key else []
    await door({"type": "http", "method": method, "path": path, "headers": headers}, receive, send)
    return answer[0]["status"], dict(answer[0]["headers"]), json.loads(answer[1]["body"])


class TestTheDoor:
    async def test_answers_once_the_readings_are_written(self, store):
        status, headers, document = await call(ingest.BatteryDoor(django), ONE)
        pcs = await call(ingest.BatteryDoor(django), {**ONE, "dc_voltage": 830}, path="/api/v1/batteries/B2/pcs")

        assert (status, document) == (200, {"status": "ok", "stored": 1, "duplicates": 0})
        assert (headers[b"content-type"], pcs[0]) == (b"application/json", 200)
        assert [(row.system, row.battery) for row in store.rows] == [("bms", "B1"), ("pcs", "B2")]

    @pytest.mark.parametrize(
        "request_",
        [
            {"key": b""},
            {"key": b"eyJ.a.b"},
            {"method": "GET"},
            {"path": "/api/v1/batteries/B1"},
            {"path": "/api/v1/batteries//bms"},
            {"path": "/api/v1/batteries/B1/x/bms"},
            {"path": "/api/v1/batteries/bms"},
            {"path": "/message"},
        ],
    )
    async def test_hands_on_what_is_not_for_it(self, store, request_):
        status, *_ = await call(ingest.BatteryDoor(django), ONE, **request_)

        assert (status, store.rows) == (299, [])

    async def test_refuses_a_wrong_key_and_one_for_something_else(self, store):
        status, headers, document = await call(ingest.BatteryDoor(django), ONE, key=b"ep_x_9")
        other = await call(ingest.BatteryDoor(django), ONE, key=b"ep_other_4")

        assert (status, document["code"]) == (401, "invalid_key")
        assert b"www-authenticate" in headers
        assert (other[0], other[2]["code"]) == (403, "missing_scope")

    async def test_limits_each_source_by_its_messages(self, store):
        door = ingest.BatteryDoor(django)

        first = await call(door, ONE, ONE, key=b"ep_slow_3")
        second = await call(door, ONE, key=b"ep_slow_3")
        other = await call(door, ONE)

        assert (first[0], second[0], second[2]["code"], other[0]) == (200, 429, "throttled", 200)
        assert int(second[1][b"retry-after"]) >= 1

    async def test_refuses_what_finds_no_room_and_never_parts_a_request(self, store):
        door = ingest.BatteryDoor(django)
        store.free.clear()
        requests = [
            asyncio.create_task(call(door, *[ONE] * 3, key=(b"ep_a_1", b"ep_b_2")[number % 2])) for number in range(20)
        ]
        while sum(request.done() for request in requests) < 8:
            await asyncio.sleep(0)
        store.free.set()

        answers = await asyncio.gather(*requests)

        refused = [(headers, document) for status, headers, document in answers if status != 200]
        assert {document["status"] for _, document in refused} == {503}
        assert all(int(headers[b"retry-after"]) >= 1 for headers, _ in refused)
        assert len(store.rows) == 3 * (20 - len(refused))
        assert all(len(commit) % 3 == 0 for commit in store.commits)
