"""Samples are sent over HTTP and MQTT while every part of the portal dies suddenly and comes back, again and again.

``CHAOS_SECONDS`` sets how long parts die, ``CHAOS_SEED`` what is sent and when they do, ``CHAOS_BROKER=embedded`` has
the portal's own MQTT broker where Mosquitto is installed too. The broker lives: what it acknowledged is its promise.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from contextlib import ExitStack

import psycopg
import pytest

from meters.devices.management.simulator.http import Connection
from meters.devices.management.simulator.publishing import Publisher
from meters.devices.simulation import Family, Parcel, Reading, http_request, mqtt_message
from tests.embedded.running import PARTS, Portal, free_port, new_home
from tests.flows.device_ledger import Letter, letters, stored_values
from tests.flows.killing import Killer
from tests.meters.devices.brokers import MOSQUITTO, mosquitto_broker

pytestmark = pytest.mark.long

SECONDS = float(os.environ.get("CHAOS_SECONDS", "15"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))
LETTERS_A_SECOND = 150
CONNECTIONS = 8
LONGEST_RECOVERY_SECONDS = 120.0
_PREFIX = "voltguard"
_SOURCE = "chaos"
_PROBE = "chaos-probe"
_PROBED = """
SELECT count(*) FROM devices_devicesample AS sample JOIN devices_device AS device ON device.id = sample.device_id
WHERE device.device_id = %s
"""


@pytest.fixture
def portal(monkeypatch):
    """A portal that runs, all its parts, with a key and with a broker whose sessions outlive connections."""
    for variable in ("DATABASE_URL", "REDIS_URL", "MQTT_URL"):
        monkeypatch.delenv(variable, raising=False)
    with ExitStack() as stack:
        home = stack.enter_context(new_home(prepared=True))
        environment = {"PORTAL_WORKERS": "2", "MQTT_SOURCE": _SOURCE}
        if MOSQUITTO and os.environ.get("CHAOS_BROKER") != "embedded":
            environment["MQTT_URL"] = stack.enter_context(mosquitto_broker(home.path.with_name("mosquitto")))
        made = Portal(home, free_port())
        stack.callback(_stop, made)
        made.run(**environment)
        made.mqtt_url = environment.get("MQTT_URL") or home.endpoints.mqtt_url
        made.key = made.make_key(_SOURCE)
        yield made
    print(made.log)


def _stop(portal):
    portal.log = portal.output.read_text()
    portal.process.terminate()
    try:
        portal.process.wait(60)
    finally:
        portal.process.kill()


class Post:
    """Carries letters, and knows what became of each: they are sent until they are acknowledged."""

    def __init__(self, portal):
        self.portal = portal
        self.publisher = Publisher(url=portal.mqtt_url, client_id="chaos")
        self.sent = set()
        self.answers = Counter()
        self.retries = Counter()

    def publish(self, parcel):
        topic, payload = mqtt_message(parcel)
        self.publisher.publish(f"{_PREFIX}/devices/{topic}", payload, 1)

    async def carry(self, ledger: list[Letter], seconds: float):
        """Send letters evenly over some seconds; return once every one is acknowledged."""
        queue = asyncio.Queue()
        deadline = asyncio.get_running_loop().time() + seconds + LONGEST_RECOVERY_SECONDS
        postmen = [asyncio.create_task(self._carry(queue, deadline, number)) for number in range(CONNECTIONS)]
        for letter in ledger:
            self.sent |= letter.values
            if letter.by_mqtt:
                self.publish(letter.parcel)
                self.publisher.acknowledged()
            else:
                queue.put_nowait(letter)
            await asyncio.sleep(seconds / len(ledger))
        await queue.join()
        while self.publisher.waiting and asyncio.get_running_loop().time() < deadline:
            self.publisher.acknowledged()
            await asyncio.sleep(0.05)
        for postman in postmen:
            postman.cancel()

    async def _carry(self, queue, deadline, number):
        connection = Connection(url=f"http://127.0.0.1:{self.portal.port}", key=self.portal.key)
        while True:
            letter = await queue.get()
            answer = await connection.deliver(
                *http_request(letter.parcel),
                deadline=deadline,
                random=random.Random(number),
                on_retry=lambda reason: self.retries.update([reason]),
            )
            if answer is None:
                self.answers["none"] += 1
            else:
                self.answers[answer.status, tuple(sorted(json.loads(answer.body)))] += 1
            queue.task_done()


async def kill_by_turns(killer, seconds):
    """Kill parts for some seconds, and until each has died once."""
    loop = asyncio.get_running_loop()
    end, last = loop.time() + seconds, loop.time() + seconds + LONGEST_RECOVERY_SECONDS
    while loop.time() < end or (killer.killed.keys() != set(PARTS) and loop.time() < last):
        await asyncio.sleep(killer.pause(0.2, 2.0))
        await asyncio.to_thread(killer.strike)


def wait_for_gateway(post):
    """Wait until the gateway has subscribed: before that nobody keeps anything for it."""
    reading = Reading(int(1000 * time.time()), {"power_w": 1.0})
    with psycopg.connect(post.portal.home.endpoints.database_url, autocommit=True) as connection:
        deadline = time.monotonic() + LONGEST_RECOVERY_SECONDS
        while time.monotonic() < deadline:
            post.publish(Parcel(_PROBE, Family.PLAIN, reading.millis, (reading,)))
            time.sleep(0.2)
            if connection.execute(_PROBED, [_PROBE]).fetchone() != (0,):
                return
    raise TimeoutError("The gateway takes nothing.")


def settled(portal, expected):
    """Return what is stored once it is all that was sent, or when there was time enough."""
    deadline = time.monotonic() + LONGEST_RECOVERY_SECONDS
    while True:
        try:
            stored = stored_values(portal.home.endpoints.database_url)
        except psycopg.OperationalError:
            stored = []
        if len(stored) >= len(expected) or time.monotonic() > deadline:
            return stored
        time.sleep(0.3)


class TestSuddenDeaths:
    def test_lose_nothing_that_was_acknowledged_and_store_nothing_twice(self, portal):
        ledger = list(letters(count=int(SECONDS * LETTERS_A_SECOND), seed=SEED, now_millis=int(1000 * time.time())))
        killer = Killer(portal, SEED)
        post = Post(portal)
        wait_for_gateway(post)

        async def go():
            await asyncio.gather(post.carry(ledger, SECONDS), kill_by_turns(killer, SECONDS))

        asyncio.run(go())
        stored = settled(portal, post.sent)
        post.publisher.close()
        print(f"killed {dict(killer.killed)}, answers {dict(post.answers)}, retries {dict(post.retries)}")

        assert killer.killed.keys() == set(PARTS)
        assert {status for status, _ in post.answers} == {200}
        assert not post.publisher.waiting
        assert len(stored) == len(set(stored))
        assert set(stored) - post.sent == set()
        assert post.sent - set(stored) == set()
        assert portal.process.poll() is None
        assert portal.ask("GET", "/livez")[0] == 200
