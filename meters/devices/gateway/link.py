"""A lasting connection to an MQTT broker: a message is acknowledged to it only once somebody says so.

One thread runs the connection, by a loop of our own around paho. What is frequent goes past paho, on its socket:
messages that have come are cut out of the stream many at a time (paho takes 15 µs each, this 2), and acknowledgements
leave by the batch in one write. Everything else is paho's, and over TLS, where nothing can be looked at before it is
taken, messages are too. What nobody has taken up yet is bounded, because the loop stops reading.
"""

import logging
import random
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from meters.devices.gateway.packets import Received, acknowledgements, cut_messages

logger = logging.getLogger(__name__)

_KEEPALIVE_SECONDS = 30
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_ROUND_SECONDS = 1.0
_LINGER_SECONDS = 2.0
# Read at one go, before acknowledgements get their turn; and waiting to be taken up, before the loop stops reading.
_MOST_AT_ONCE, _MOST_WAITING = 500, 20_000
# Taken up at one go (one message more is never too many), and waiting; of payload.
_TAKEN_BYTES, _WAITING_BYTES = 1 << 20, 1 << 26
_MOST_UNDER_WAY = 1_000
_SEEN_BYTES = 65_536
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_QOS = 1


class Link:
    """A connection that is made again when it breaks; the broker keeps what comes meanwhile for its client id."""

    def __init__(self, *, url: str, client_id: str, topics: Sequence[str]) -> None:
        """Describe a connection; :meth:`run` makes it.

        :param url: ``mqtt://user:password@host:1883`` or ``mqtts://…``.
        :param client_id: the broker keeps a session by this name; two connections of one name throw each other out.
        :param topics: filters that are subscribed to with QoS 1 at every connection.
        """
        parts = urlsplit(url)
        self._address = (parts.hostname or "localhost", parts.port or _PORTS.get(parts.scheme, 1883))
        self._topics = list(topics)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id, False, protocol=MQTTv311, manual_ack=True)
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set_context(ssl.create_default_context())
        self._client.max_inflight_messages_set(_MOST_UNDER_WAY)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        # With a callback here paho leaves all writing to the loop.
        self._client.on_socket_register_write = self._on_write_wanted
        self.published: SimpleQueue[int] = SimpleQueue()
        self._waiting: deque[Received] = deque()
        self._arrived = threading.Event()
        self._messages = 0
        # Each written by one thread alone: that which reads, and that which takes.
        self._bytes_read = self._bytes_taken = 0
        self._acks: deque[tuple[int, bytes]] = deque()
        self._unsent = b""
        self._connection = 0
        self._subscribed = threading.Event()
        self._pause = _FIRST_PAUSE_SECONDS
        self._ending = threading.Event()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)

    @property
    def is_up(self) -> bool:
        """Tell whether messages come and go."""
        return self._subscribed.is_set()

    @property
    def _is_amid(self) -> bool:
        """Tell whether paho has taken the beginning of a packet, whose rest is then its own too."""
        return bool(self._client._in_packet["command"])

    def wait_until_up(self, timeout: float) -> bool:
        """Wait until messages come and go, and tell whether they do."""
        return self._subscribed.wait(timeout)

    def take(self, *, most: int, timeout: float) -> list[Received]:
        """Return the messages that came, in their order, waiting for the first one; to be acknowledged in that order.

        :param timeout: seconds after which there are none.
        """
        if not self._waiting:
            self._arrived.wait(timeout)
        self._arrived.clear()
        full = self._is_full
        taken: list[Received] = []
        size = 0
        while self._waiting and len(taken) < most and size < _TAKEN_BYTES:
            taken.append(self._waiting.popleft())
            size += len(taken[-1].payload)
        self._bytes_taken += size
        if full:
            self._ring()
        return taken

    def acknowledge(self, done: Sequence[Received]) -> None:
        """Tell the broker that messages need never come again; any thread, in the order of their coming.

        Of a connection that is gone nothing is told: the broker sends those messages again.
        """
        current = self._connection
        packets = acknowledgements(received.number for received in done if received.connection == current)
        if packets:
            self._acks.append((current, packets))
            self._ring()

    def publish(self, topic: str, payload: bytes) -> int:
        """Send a message with QoS 1; its number comes out of ``published`` once the broker has it.

        :raises ConnectionError: there is no connection.
        """
        if not self.is_up:
            raise ConnectionError("There is no connection to the MQTT broker.")
        sent: MQTTMessageInfo = self._client.publish(topic, payload, qos=_QOS)
        return sent.mid

    def end(self) -> None:
        """Have :meth:`run` write the acknowledgements that wait, say goodbye and return."""
        self._ending.set()
        self._ring()

    def run(self) -> None:
        """Hold the connection until :meth:`end`."""
        looked_after = 0.0
        while not self._ending.is_set():
            if self._client.socket() is None:
                self._connect()
                continue
            self._round(_ROUND_SECONDS)
            now = time.monotonic()
            if now - looked_after >= _ROUND_SECONDS:
                looked_after = now
                self._client.loop_misc()
        self._say_goodbye()

    @property
    def _is_full(self) -> bool:
        """Tell whether so much waits to be taken up that nothing more is read."""
        return len(self._waiting) >= _MOST_WAITING or self._bytes_read - self._bytes_taken >= _WAITING_BYTES

    def _connect(self) -> None:
        try:
            self._client.connect(*self._address, keepalive=_KEEPALIVE_SECONDS)
        except (OSError, ValueError) as error:
            logger.warning("No MQTT broker at %s:%d: %s", *self._address, error)
            self._rest()

    def _rest(self) -> None:
        """Wait before the next attempt, longer each time, and not in step with other gateways."""
        self._ending.wait(self._pause * random.uniform(0.5, 1.0))  # noqa: S311 nothing secret
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _round(self, timeout: float) -> None:
        """Wait for something to do, and do it."""
        connected: Any = self._client.socket()
        wanted = not self._is_full
        pending = wanted and isinstance(connected, ssl.SSLSocket) and connected.pending() > 0
        readers = [self._ear, connected] if wanted else [self._ear]
        writers = [connected] if self._unsent or self._acks or self._client.want_write() else []
        readable, writable, _ = select.select(readers, writers, [], 0 if pending else timeout)
        if self._ear in readable:
            with suppress(BlockingIOError):
                self._ear.recv(4096)
        if connected in readable or pending:
            self._read()
        if connected in writable or self._acks:
            self._write()

    def _read(self) -> None:
        """Read what has come, up to a limit."""
        first = self._messages
        if isinstance(self._client.socket(), socket.socket) and not isinstance(self._client.socket(), ssl.SSLSocket):
            self._read_plain()
        else:
            self._read_by_paho(_MOST_AT_ONCE)
        if self._messages != first:
            self._arrived.set()

    def _read_by_paho(self, most: int) -> None:
        """Let paho read: a packet at a time, without telling whether there are more."""
        for _ in range(most):
            before = self._messages
            result = self._client.loop_read()
            if result != MQTTErrorCode.MQTT_ERR_SUCCESS or self._messages == before:
                break

    def _read_plain(self) -> None:
        """Take whole messages from the head of the stream; another packet there, or the beginning of one, is paho's."""
        connected: Any = self._client.socket()
        seen = b""
        if not self._is_amid:
            try:
                seen = connected.recv(_SEEN_BYTES, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except OSError:
                seen = b""
        messages, size = cut_messages(seen, self._connection)
        if messages:
            connected.recv(size)
            self._waiting.extend(messages)
            self._messages += len(messages)
            self._bytes_read += sum([len(message.payload) for message in messages])
            return
        # Not waited for: the kernel may send no more room to the broker before what has come is taken.
        self._client.loop_read()

    def _write(self) -> None:
        """Write acknowledgements past paho, never into the middle of a packet: each goes out whole or goes on first."""
        if not self._unsent and self._client.want_write():
            self._client.loop_write()
        connected = self._client.socket()
        if connected is None or (self._client.want_write() and not self._unsent):
            return
        acks = []
        while self._acks:
            connection, packets = self._acks.popleft()
            if connection == self._connection:
                acks.append(packets)
        data = b"".join((self._unsent, *acks))
        if not data:
            return
        try:
            self._unsent = data[connected.send(data) :]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            self._unsent = data
        except OSError:
            # The next reading finds the connection broken.
            self._unsent = b""

    def _say_goodbye(self) -> None:
        deadline = time.monotonic() + _LINGER_SECONDS
        while self._client.socket() is not None and (self._acks or self._unsent) and time.monotonic() < deadline:
            self._write()
        if self._client.socket() is not None:
            self._client.disconnect()
            while self._client.socket() is not None and self._client.want_write() and time.monotonic() < deadline:
                self._client.loop_write()
        self._subscribed.clear()

    def _ring(self) -> None:
        """Wake the loop; when its ear is full it is awake anyway."""
        with suppress(BlockingIOError):
            self._bell.send(b"!")

    def _on_connect(
        self, client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        if reason.is_failure:
            logger.error("The MQTT broker refuses the gateway: %s", reason)
            return
        logger.info("Connected to the MQTT broker, %s", "session kept" if flags.session_present else "a new session")
        client.subscribe([(topic, _QOS) for topic in self._topics])

    def _on_subscribe(
        self, client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _more: Properties | None
    ) -> None:
        refused = [topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.is_failure]
        if refused:
            logger.error("The MQTT broker lets the gateway not subscribe to %s", ", ".join(refused))
            client.disconnect()
            return
        self._pause = _FIRST_PAUSE_SECONDS
        self._subscribed.set()

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._messages += 1
        try:
            topic = message.topic.encode()
        except UnicodeDecodeError:
            topic = b""
        self._bytes_read += len(message.payload)
        number = message.mid if message.qos else 0
        self._waiting.append(Received(self._connection, number, topic, bytes(message.payload)))

    def _on_publish(self, _client: Client, _data: Any, mid: int, _reason: ReasonCode, _more: Properties | None) -> None:
        self.published.put(mid)

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _more: Properties | None
    ) -> None:
        self._subscribed.clear()
        self._connection += 1
        self._unsent = b""
        if not self._ending.is_set():
            logger.warning("The connection to the MQTT broker is gone: %s", reason)
            self._rest()

    def _on_write_wanted(self, *_of: object) -> None:
        self._ring()
