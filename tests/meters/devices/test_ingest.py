import asyncio
import json
import threading

import pytest

from energy_portal.shared.rates import Rate
from meters.devices import ingest
from meters.devices.decoding import Mappings, Target
from meters.devices.services import intake
from meters.devices.services.keys import Grant
from meters.devices.services.limits import MessageLimits
from meters.devices.services.messages import Outcome
from meters.series.commit import GroupCommitter

MAPPINGS = Mappings({"instant_power": Target.of("power_w", 1.0)}, {})
KEYS = {
    b"ep_a_1": Grant(1, "first", scopes=frozenset({"devices"}), creator=None, rate=Rate(1_000, 1)),
    b"ep_b_2": Grant(2, "second", scopes=frozenset({"devices"}), creator=None, rate=Rate(1_000, 1)),
    b"ep_slow_3": Grant(3, "slow", scopes=frozenset({"devices"}), creator=None, rate=Rate(2, 3_600)),
    b"ep_other_4": Grant(4, "other", scopes=frozenset({"batteries"}), creator=None, rate=Rate(1_000, 1)),
}
ONE = {"device_id": "plug", "time": 1735732800000, "instant_power": 5}


class Ring:
    def held(self, text):
        return (KEYS.get(text),)


class Store:
    """Stands where the database does: keeps what is written, and can be held up."""

    def __init__(self):
        self.rows = []
        self.free = threading.Event()
        self.free.set()

    def write(self, samples):
        assert self.free.wait(30)
        self.rows += samples
        return [Outcome.STORED] * len(samples)


@pytest.fixture
def store(monkeypatch, settings):
    settings.DEVICE_QUEUE_ROWS = 20
    store = Store()
    committer = GroupCommitter(store.write, queue_rows=20, max_batch=10, name="store of a test")
    monkeypatch.setattr(ingest, "writer", lambda: committer)
    monkeypatch.setattr(ingest, "key_ring", Ring())
    monkeypatch.setattr(ingest, "limits", MessageLimits())
    monkeypatch.setattr(ingest, "held_mappings", lambda seconds: MAPPINGS)
    monkeypatch.setattr(intake, "note_unknown", lambda pairs: None)
    yield store
    store.free.set()
    assert committer.drain(10)


async def django(scope, receive, send):
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


async def call(door, *parts, key=b"ep_a_1", path="/api/v1/energy", method="POST", login=b"Bearer ", hang=False):
    """Return the status, headers and document that answer a request, None where nobody waits for any."""
    pending = [
        {"type": "http.request", "body": part, "more_body": place < len(parts) - 1} for place, part in enumerate(parts)
    ]
    answer = []

    async def receive():
        if pending:
            return pending.pop(0)
        if hang:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message):
        answer.append(message)

    headers = [(b"host", b"x"), (b"authorization", login + key)] if key else []
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    await door(scope, receive, send)
    if not answer:
        return None
    return answer[0]["status"], dict(answer[0]["headers"]), json.loads(answer[1]["body"])


def body(*documents):
    return json.dumps(documents[0] if len(documents) == 1 else documents).encode()


class TestTheDoor:
    async def test_answers_once_the_samples_are_written(self, store):
        status, headers, document = await call(ingest.DeviceDoor(django), body(ONE))

        assert (status, document) == (200, {"status": "ok", "inserted": 1})
        assert headers[b"content-type"] == b"application/json"
        assert [row.device for row in store.rows] == ["plug"]

    async def test_reads_a_body_in_pieces_and_a_large_one_off_the_loop(self, store, settings):
        whole = body(*[{**ONE, "note": "x" * 5_000, "time": ONE["time"] + number} for number in range(9)])

        status, _, document = await call(ingest.DeviceDoor(django), whole[:100], whole[100:])

        assert (status, document["inserted"], len(store.rows)) == (200, 9, 9)

    @pytest.mark.parametrize(
        "request_",
        [
            {"key": b""},
            {"login": b"Basic "},
            {"key": b"eyJ.a.b"},
            {"method": "GET"},
            {"path": "/api/v1/devices"},
        ],
    )
    async def test_hands_on_what_is_not_for_it(self, store, request_):
        status, *_ = await call(ingest.DeviceDoor(django), body(ONE), **request_)

        assert (status, store.rows) == (299, [])

    async def test_refuses_a_wrong_key_and_one_for_something_else(self, store):
        door = ingest.DeviceDoor(django)

        status, headers, document = await call(door, body(ONE), key=b"ep_x_9")
        other = await call(door, body(ONE), key=b"ep_other_4")

        assert (status, document["code"], document["instance"]) == (401, "invalid_key", "/api/v1/energy")
        assert b"www-authenticate" in headers
        assert (other[0], other[2]["code"]) == (403, "missing_scope")

    async def test_names_what_is_bad(self, store):
        status, headers, document = await call(ingest.DeviceDoor(django), body({"device_id": ""}))

        assert (status, headers[b"content-type"]) == (422, b"application/problem+json")
        assert (document["code"], document["errors"][0]["index"], document["errors"][0]["code"]) == (
            "all_rejected",
            0,
            "malformed",
        )

    async def test_hides_what_went_wrong_inside(self, store, monkeypatch):
        monkeypatch.setattr(ingest, "conclude", lambda *_: 1 / 0)

        status, _, document = await call(ingest.DeviceDoor(django), body(ONE))

        assert (status, document["code"], "division" in json.dumps(document)) == (500, "internal_error", False)


class TestBodies:
    async def test_are_refused_when_they_are_too_long(self, store, settings):
        settings.MAX_BODY_BYTES = 100

        one = await call(ingest.DeviceDoor(django), b" " * 101)
        pieces = await call(ingest.DeviceDoor(django), b" " * 60, b" " * 60)

        assert (one[0], one[2]["code"], pieces[0]) == (413, "body_too_large", 413)

    async def test_are_refused_when_they_take_too_long(self, store, settings):
        settings.BODY_TIMEOUT_SECONDS = -1
        door = ingest.DeviceDoor(django)
        request = asyncio.create_task(call(door, hang=True))
        await asyncio.sleep(0)

        door._bodies.end_overdue()
        status, headers, document = await request

        assert (status, document["code"], headers[b"connection"]) == (408, "body_too_slow", b"close")

    async def test_need_no_answer_when_their_sender_left(self, store):
        assert await call(ingest.DeviceDoor(django)) is None


class TestOverload:
    async def test_refuses_what_finds_no_room_and_stores_all_that_it_acknowledged_once_it_recovers(self, store):
        door = ingest.DeviceDoor(django)
        store.free.clear()
        keys = [b"ep_a_1", b"ep_b_2"]
        requests = [
            asyncio.create_task(call(door, body({**ONE, "time": ONE["time"] + number}), key=keys[number % 2]))
            for number in range(90)
        ]
        while sum(request.done() for request in requests) < 90 - 20 - 10:
            await asyncio.sleep(0)
        store.free.set()

        answers = await asyncio.gather(*requests)

        taken = {ONE["time"] + number for number, (status, *_) in enumerate(answers) if status == 200}
        assert {row.time_us // 1000 for row in store.rows} == taken
        refused = [(headers, document) for status, headers, document in answers if status != 200]
        assert {document["status"] for _, document in refused} == {503}
        assert all(int(headers[b"retry-after"]) >= 1 for headers, _ in refused)
        assert len(taken) + len(refused) == 90
        assert (await call(door, body(ONE)))[0] == 200

    async def test_leaves_room_for_others_when_one_source_floods(self, store):
        door = ingest.DeviceDoor(django)
        store.free.clear()
        flood = [
            asyncio.create_task(call(door, body({**ONE, "time": ONE["time"] + number}), key=b"ep_a_1"))
            for number in range(60)
        ]
        while sum(request.done() for request in flood) < 50:
            await asyncio.sleep(0)

        other = asyncio.create_task(call(door, body(ONE), key=b"ep_b_2"))
        await asyncio.sleep(0)
        store.free.set()

        assert (await other)[0] == 200
        answers = await asyncio.gather(*flood)
        assert [status for status, *_ in answers].count(200) == 10
        assert {document.get("code") for _, _, document in answers} == {None, "source_queue_full"}

    async def test_limits_each_source_by_its_messages(self, store):
        door = ingest.DeviceDoor(django)

        first = await call(door, body(ONE, {**ONE, "time": 5}), key=b"ep_slow_3")
        second = await call(door, body(ONE), key=b"ep_slow_3")
        other = await call(door, body(ONE))

        assert (first[0], second[0], second[2]["code"], other[0]) == (200, 429, "throttled", 200)
        assert int(second[1][b"retry-after"]) >= 1
