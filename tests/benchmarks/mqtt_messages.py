"""How many QoS 1 messages a second the gateway takes from a broker, each acknowledged to it after its commit.

Against: a bare paho subscriber that acknowledges and does nothing else, on the same broker, fed in the same way, before
and after. With the embedded broker, and with Mosquitto where it is installed; the lower ratio is reported, standard
error tells both. Messages come from a process of their own that writes prepared packets straight to the socket. An
argument sets the number of messages.
"""

import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.benchmarks.harness import portal, report

MESSAGES = 60_000
DEVICES = 50_000
PREFIX = "voltguard"
TOPIC = f"{PREFIX}/devices/+/energy"
WINDOW = 200
_CLIENT_ID = "bench-gateway"
_MODULE = "tests.benchmarks.mqtt_messages"


def main() -> None:
    """Measure each broker, and report the lower ratio."""
    match sys.argv[1:]:
        case ["publish", url, count]:
            publish(url, int(count))
            return
        case ["bare", url, count]:
            print(bare(url, int(count)))
            return
        case [count]:
            messages = int(count)
        case _:
            messages = MESSAGES
    with portal():
        register_devices()
        measured = [measure(name, url, messages) for name, url in brokers()]
    rate, ratio = min(measured, key=lambda result: result[1])
    report("mqtt_messages", round(rate), "messages/s", ratio=round(ratio, 3), against="bare subscriber", n=messages)


def brokers() -> Iterator[tuple[str, str]]:
    """Yield each broker's name and URL while it runs."""
    from tests.meters.devices.brokers import MOSQUITTO, embedded_broker, mosquitto_broker

    folder = Path(tempfile.mkdtemp(prefix="brokers-"))
    with embedded_broker(folder / "embedded") as url:
        yield "embedded", url
    if MOSQUITTO:
        with mosquitto_broker(folder / "mosquitto") as url:
            yield "Mosquitto", url
    shutil.rmtree(folder)


def register_devices() -> None:
    """Make the devices that the messages name."""
    from meters.devices.models import Device

    known = Device.objects.filter(device_id__startswith="bench-").count()
    Device.objects.bulk_create(
        (Device(device_id=device_of(number)) for number in range(known, DEVICES)), batch_size=10_000
    )


def empty_samples() -> None:
    """Forget what an earlier run stored."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE devices_devicesample")


def measure(name: str, url: str, messages: int) -> tuple[float, float]:
    """Return the gateway's messages a second, and that over a bare subscriber's."""
    before = bare_rate(url, messages)
    rate = gateway_rate(url, messages)
    rival = (before + bare_rate(url, messages)) / 2
    print(f"{name}: {rate:.0f}/s, bare subscriber {rival:.0f}/s, ratio {rate / rival:.3f}", file=sys.stderr)
    return rate, rate / rival


def gateway_rate(url: str, messages: int) -> float:
    """Let the gateway take messages that are all new, and return how many it acknowledged a second."""
    from meters.devices.gateway.intake import Intake
    from meters.devices.gateway.link import Link
    from meters.devices.gateway.service import doors
    from meters.devices.models import DeviceSample

    empty_samples()
    ending = threading.Event()
    link = Link(url=url, client_id=_CLIENT_ID, topics=[TOPIC])
    counted = Counted(link, messages)
    intake = Intake(source=counted, prefix=PREFIX, doors=doors(), ending=ending)
    threads = [threading.Thread(target=link.run), threading.Thread(target=intake.run)]
    for thread in threads:
        thread.start()
    link.wait_until_up(10)
    with publisher(url, messages):
        counted.done.wait(300)
    ending.set()
    link.end()
    for thread in threads:
        thread.join()
    forget_session(url, _CLIENT_ID)
    if (stored := DeviceSample.objects.count()) != messages:
        raise SystemExit(f"{stored} of {messages} messages were stored.")
    return messages / (counted.finished - counted.started)


class Counted:
    """A link that tells when its first message was taken up, and when the last one was acknowledged."""

    def __init__(self, link: object, messages: int) -> None:
        self._link = link
        self._left = messages
        self.started = self.finished = 0.0
        self.done = threading.Event()

    def take(self, **limits: float) -> list[object]:
        """Take messages up."""
        taken = self._link.take(**limits)
        if taken and not self.started:
            self.started = time.perf_counter()
        return taken

    def acknowledge(self, done: list[object]) -> None:
        """Acknowledge and count them."""
        self._link.acknowledge(done)
        self._left -= len(done)
        if self._left <= 0:
            self.finished = time.perf_counter()
            self.done.set()


def bare_rate(url: str, messages: int) -> float:
    """Return how many messages a second a subscriber takes that does nothing with them."""
    command = [sys.executable, "-m", _MODULE, "bare", url, str(messages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as subscriber:
        subscriber.stdout.readline()
        with publisher(url, messages):
            return float(subscriber.stdout.readline())


def bare(url: str, messages: int) -> float:
    """Subscribe, say so, and return the messages a second from the first to the last."""
    from paho.mqtt.client import Client, MQTTv311
    from paho.mqtt.enums import CallbackAPIVersion

    parts = urlsplit(url)
    client = Client(CallbackAPIVersion.VERSION2, "bench-bare", protocol=MQTTv311)
    client.username_pw_set(parts.username, parts.password)
    times: list[float] = []
    seen = 0

    def count(*_of: object) -> None:
        nonlocal seen
        seen += 1
        if seen in {1, messages}:
            times.append(time.perf_counter())
        if seen == messages:
            client.disconnect()

    client.on_message = count
    client.on_connect = lambda *_of: client.subscribe(TOPIC, 1)
    client.on_subscribe = lambda *_of: print("subscribed", flush=True)
    client.connect(parts.hostname, parts.port)
    client.loop_forever()
    return messages / (times[1] - times[0])


@contextmanager
def publisher(url: str, messages: int) -> Iterator[None]:
    """Have a process publish messages during the block."""
    command = [sys.executable, "-m", _MODULE, "publish", url, str(messages)]
    process = subprocess.Popen(command)
    try:
        yield
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def publish(url: str, count: int) -> None:
    """Publish with QoS 1, a window of packets at a time, as fast as the broker acknowledges."""
    parts = urlsplit(url)
    base = int(time.time() * 1000) - 3_600_000
    packets = [packet(number, base) for number in range(count)]
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(hello("bench-publisher", parts.username, parts.password))
        connection.recv(4)
        sent = received = 0
        while received < 4 * count:
            room = min(count, WINDOW + received // 4) - sent
            if room > 0:
                connection.sendall(b"".join(packets[sent : sent + room]))
                sent += room
            received += len(connection.recv(65_536))


def packet(number: int, base: int) -> bytes:
    """Return a PUBLISH packet of one device's power, of a time that no other message has."""
    payload = b'{"time":%d,"instant_power":%d}' % (base + number, number % 3_000)
    topic = TOPIC.replace("+", device_of(number % DEVICES)).encode()
    body = text(topic) + struct.pack(">H", number % 65_535 + 1) + payload
    return b"\x32" + length(len(body)) + body


def forget_session(url: str, client_id: str) -> None:
    """Have the broker keep nothing more for a client, so that the next measurement does not feed it."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(hello(client_id, parts.username, parts.password))
        connection.recv(4)
        connection.sendall(b"\xe0\x00")


def hello(client_id: str, user: str | None, password: str | None) -> bytes:
    """Return a CONNECT packet of MQTT 3.1.1 for a session that ends with its connection."""
    login = b"".join(text(unquote(part).encode()) for part in (user, password) if part)
    body = text(b"MQTT") + bytes((4, 0xC2 if login else 0x02)) + b"\x00\x3c" + text(client_id.encode()) + login
    return b"\x10" + length(len(body)) + body


def text(value: bytes) -> bytes:
    """Return a string with its length before it."""
    return struct.pack(">H", len(value)) + value


def length(value: int) -> bytes:
    """Return a packet's remaining length: seven bits a byte, the lowest first."""
    found = b""
    while True:
        value, low = divmod(value, 128)
        found += bytes((low | (0x80 if value else 0),))
        if not value:
            return found


def device_of(number: int) -> str:
    """Name a device."""
    return f"bench-{number:07d}"


if __name__ == "__main__":
    main()
