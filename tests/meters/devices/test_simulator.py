import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from random import Random
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command
from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from accounts.models import DataSource
from meters.devices.management.simulator.http import BrokenAnswer, Connection
from meters.devices.management.simulator.posting import Posting
from meters.devices.management.simulator.publishing import Publishing
from meters.devices.management.simulator.tally import Tally
from meters.devices.simulation import Fleet
from tests.meters.devices.brokers import embedded_broker

OK = (200, {}, b'{"status":"ok","inserted":1}')
BUSY = (503, {"Retry-After": "0"}, b"{}")
TOO_MANY = (429, {"Retry-After": "0"}, b"{}")
HANGS_UP = None


class Portal:
    """Answers POSTs as it was told to, the last answer from then on; None hangs up."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader, writer):
        self.connections += 1
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
            self.requests.append((head.split(" ")[1], head, await reader.readexactly(length)))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is HANGS_UP:
                break
            status, headers, body = answer
            told = {"Content-Length": len(body), **headers}
            lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + body)
        writer.close()


@asynccontextmanager
async def portal(*answers):
    made = Portal(*answers)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def connection(to):
    return Connection(url=f"http://127.0.0.1:{to.port}", key="ep_1")


async def deliver(to, *, seconds=30.0, path="/message"):
    client, retries = connection(to), []
    deadline = asyncio.get_running_loop().time() + seconds
    answer = await client.deliver(path, b"{}", deadline=deadline, random=Random(1), on_retry=retries.append)
    await client.close()
    return answer, retries


class TestAConnection:
    async def test_shows_its_key_and_is_kept(self):
        async with portal(OK) as there:
            client = connection(there)
            first = await client.post("/message", b"{}")
            await client.post("/api/v1/energy", b"[]")
            await client.close()

        assert (first.status, first.body) == (200, OK[2])
        assert [(path, body) for path, _, body in there.requests] == [("/message", b"{}"), ("/api/v1/energy", b"[]")]
        assert "Authorization: Bearer ep_1\r\n" in there.requests[0][1]
        assert there.connections == 1

    async def test_asks_again_until_it_is_answered_for_good(self):
        async with portal(BUSY, TOO_MANY, HANGS_UP, OK) as there:
            answer, retries = await deliver(there)

        assert answer.status == 200
        assert retries == ["503", "429", "no answer"]
        assert len(there.requests) == 4
        assert there.connections == 2

    async def test_does_not_ask_again_what_was_refused(self):
        async with portal((422, {}, b"{}")) as there:
            answer, retries = await deliver(there)

        assert (answer.status, retries) == (422, [])

    async def test_waits_no_longer_than_it_may(self):
        async with portal((503, {"Retry-After": "60"}, b"{}")) as there:
            assert await deliver(there, seconds=5.0) == (None, [])

    async def test_gives_up_where_nobody_listens(self):
        async with portal(OK) as there:
            pass

        answer, retries = await deliver(there, seconds=0.3)

        assert answer is None
        assert set(retries) == {"no answer"}

    async def test_calls_what_it_cannot_read_broken_and_begins_anew(self):
        async with portal((200, {"Content-Length": "x"}, b""), OK) as there:
            client = connection(there)
            with pytest.raises(BrokenAnswer):
                await client.post("/message", b"{}")
            answer = await client.post("/message", b"{}")
            await client.close()

        assert answer.status == 200
        assert there.connections == 2


async def spoken(*answers, **changes):
    tally = Tally()
    fleet = Fleet(count=100, rate=400, start_millis=int(1_000 * time.time()))
    async with portal(*answers) as there:
        url = f"http://127.0.0.1:{there.port}"
        await Posting(url=url, key="k", fleet=fleet, connections=3, tally=tally, seconds=0.5, **changes).run()
    return tally, there


class TestPosting:
    async def test_sends_all_and_counts_what_was_taken(self):
        tally, there = await spoken(OK)

        assert tally.sent == tally.acknowledged == len(there.requests) > 50
        assert tally.stored_properties == len(there.requests)
        assert (tally.refused.total(), tally.unanswered) == (0, 0)
        assert there.connections == 3

    async def test_sends_again_what_nobody_answered(self):
        tally, there = await spoken(HANGS_UP, BUSY, OK)

        assert tally.acknowledged == tally.sent
        assert len(there.requests) == tally.sent + 2
        assert tally.retried == {"no answer": 1, "503": 1}

    async def test_names_what_was_refused(self):
        refused = json.dumps({"code": "all_rejected", "errors": [{"index": 0, "code": "unknown_device"}]}).encode()

        tally, _ = await spoken((422, {}, refused))

        assert tally.acknowledged == 0
        assert tally.refused == {"unknown_device": tally.sent}
        assert "refused (unknown_device: " in tally.summary()

    async def test_names_answers_that_are_none_of_the_portal_s(self):
        tally, _ = await spoken((404, {}, b"<html>"))

        assert tally.refused == {"http_404": tally.sent}

    async def test_says_what_stayed_without_an_answer(self):
        tally, _ = await spoken(BUSY, grace_seconds=0.0)

        assert tally.acknowledged == 0
        assert tally.unanswered == tally.sent > 0


@pytest.mark.django_db
class TestTheCommand:
    def test_wants_a_key(self):
        with pytest.raises(CommandError, match="--make-key"):
            call_command("simulate_devices", "--seconds=1", "--url=http://127.0.0.1:9", "--key=")

    def test_revokes_the_key_that_it_made_also_when_nobody_listens(self, capsys):
        with pytest.raises(CommandError, match="Nothing was taken"):
            call_command(
                "simulate_devices", "--make-key", "--seconds=0.1", "--rate=50", "--grace=0", "--url=http://127.0.0.1:9"
            )

        source = DataSource.objects.get(name__startswith="Simulated devices")
        assert source.may_create_devices
        assert source.revoked_at is not None
        assert "unanswered" in capsys.readouterr().out

    def test_says_that_there_is_no_broker(self):
        with pytest.raises(CommandError, match="refused"):
            call_command("simulate_devices", "--mqtt", "--seconds=0.1", "--url=mqtt://127.0.0.1:9")


class TestPublishing:
    def test_publishes_all_and_counts_what_the_broker_acknowledged(self, tmp_path):
        tally, heard = Tally(), []
        with embedded_broker(tmp_path / "home") as url, listening(url, heard) as wait_for:
            fleet = Fleet(count=100, rate=400, start_millis=int(1_000 * time.time()))
            Publishing(
                url=url, prefix="voltguard", client_id="sim", fleet=fleet, connections=2, tally=tally, seconds=0.5
            ).run()
            wait_for(tally.sent)

        assert tally.sent == tally.acknowledged > 50
        assert (tally.unanswered, tally.stored_properties) == (0, None)
        assert len([topic for topic in heard if topic.endswith("/energy")]) == tally.sent


@contextmanager
def listening(url, heard):
    """Hear all that devices publish; yields what waits until so many messages came."""
    parts, subscribed = urlsplit(url), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv311)
    client.username_pw_set(parts.username, parts.password)
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _client, _data, message: heard.append(message.topic)
    client.connect(parts.hostname, parts.port)
    client.loop_start()
    client.subscribe("voltguard/devices/#", 1)
    assert subscribed.wait(20)

    def wait_for(count):
        deadline = time.monotonic() + 20
        while len(heard) < count and time.monotonic() < deadline:
            time.sleep(0.02)

    try:
        yield wait_for
    finally:
        client.disconnect()
        client.loop_stop()
