"""A fleet that publishes to an MQTT broker with QoS 1, by connections that devices share."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit
from zlib import crc32

from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from meters.devices.management.simulator.tally import Tally
from meters.devices.simulation import Fleet, Parcel, mqtt_message

_TICK_SECONDS = 0.05
_KEEPALIVE_SECONDS = 30
_LONGEST_PAUSE_SECONDS = 5
_MOST_UNDER_WAY = 100
_MOST_WAITING = 10_000
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Publisher:
    """One connection; what the broker has not acknowledged when it breaks is sent again over the next one."""

    def __init__(self, *, url: str, client_id: str) -> None:
        """Connect, and again whenever the connection breaks, until :meth:`close`.

        :raises OSError: there is no broker.
        """
        parts = urlsplit(url)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False, protocol=MQTTv311)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set_context(ssl.create_default_context())
        self._client.max_inflight_messages_set(_MOST_UNDER_WAY)
        self._client.reconnect_delay_set(1, _LONGEST_PAUSE_SECONDS)
        self._client.on_publish = self._on_publish
        self._client.on_connect = self._on_connect
        self._acknowledged: SimpleQueue[int] = SimpleQueue()
        self._sizes: dict[int, int] = {}
        self.connects = 0
        self._client.connect(
            parts.hostname or "localhost", parts.port or _PORTS.get(parts.scheme, 1883), _KEEPALIVE_SECONDS
        )
        self._client.loop_start()

    @property
    def waiting(self) -> int:
        """Count the messages that the broker has not acknowledged."""
        return len(self._sizes)

    def publish(self, topic: str, payload: bytes, size: int) -> None:
        """Send a message as soon as there is a connection.

        :param size: what it counts when it is acknowledged.
        """
        self._sizes[self._client.publish(topic, payload, qos=1).mid] = size

    def acknowledged(self) -> int:
        """Return the sizes, together, of what was acknowledged since the last call."""
        total = 0
        with suppress(Empty):
            while True:
                total += self._sizes.pop(self._acknowledged.get_nowait(), 0)
        return total

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_publish(self, _client: Client, _data: Any, mid: int, _reason: ReasonCode, _more: Properties | None) -> None:
        self._acknowledged.put(mid)

    def _on_connect(self, *_of: object) -> None:
        self.connects += 1


@dataclass
class Publishing:
    """Publishes what a fleet says when it says it; when the broker falls behind, so do the devices.

    :ivar url: ``mqtt://user:password@host:1883`` or ``mqtts://…``.
    :ivar seconds: how long the fleet speaks; None: until an exception such as that of Ctrl-C.
    :ivar grace_seconds: how long acknowledgements are waited for at the end.
    :ivar on_tick: called some twenty times a second with the seconds that the devices are behind.
    """

    url: str
    prefix: str
    client_id: str
    fleet: Fleet
    connections: int
    tally: Tally
    seconds: float | None = None
    grace_seconds: float = 30.0
    on_tick: Callable[[float], None] = lambda _: None

    def run(self) -> None:
        """Speak, then wait for the acknowledgements.

        :raises OSError: there is no broker.
        """
        with self._publishers() as publishers:
            try:
                self._speak(publishers)
                end = time.monotonic() + self.grace_seconds
                while any(publisher.waiting for publisher in publishers) and time.monotonic() < end:
                    self._count(publishers)
                    time.sleep(_TICK_SECONDS)
            finally:
                self._count(publishers)
                self.tally.unanswered = self.tally.sent - self.tally.acknowledged
                again = sum(max(0, publisher.connects - 1) for publisher in publishers)
                if again:
                    self.tally.retried["connections"] = again

    @contextmanager
    def _publishers(self) -> Iterator[list[Publisher]]:
        publishers: list[Publisher] = []
        try:
            publishers.extend(
                Publisher(url=self.url, client_id=f"{self.client_id}-{number}") for number in range(self.connections)
            )
            yield publishers
        finally:
            for publisher in publishers:
                publisher.close()

    def _speak(self, publishers: list[Publisher]) -> None:
        began = time.time()
        end = float("inf") if self.seconds is None else began + self.seconds
        while True:
            now = time.time()
            for parcel in self.fleet.until(int(1_000 * min(now, end))):
                # A device's messages keep their order: they go by the same connection.
                publisher = publishers[crc32(parcel.device.encode()) % len(publishers)]
                while publisher.waiting >= _MOST_WAITING:
                    self._count(publishers)
                    self.on_tick(time.time() - parcel.millis / 1_000)
                    time.sleep(_TICK_SECONDS)
                self._publish(publisher, parcel)
            self._count(publishers)
            self.on_tick(time.time() - now)
            if now >= end:
                return
            time.sleep(_TICK_SECONDS)

    def _publish(self, publisher: Publisher, parcel: Parcel) -> None:
        topic, payload = mqtt_message(parcel)
        size = len(parcel.readings)
        self.tally.sent += size
        self.tally.repeated += size if parcel.is_repeat else 0
        publisher.publish(f"{self.prefix}/devices/{topic}", payload, size)

    def _count(self, publishers: list[Publisher]) -> None:
        self.tally.acknowledged += sum(publisher.acknowledged() for publisher in publishers)
