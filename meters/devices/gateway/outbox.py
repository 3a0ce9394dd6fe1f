"""What the portal tells by MQTT: commands to devices, and alarms to whoever listens."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any, Protocol
from uuid import UUID

import msgspec
from django.db import InterfaceError, OperationalError, connections
from prometheus_client import Counter

from meters.devices.services.commands import Outgoing

logger = logging.getLogger(__name__)

_TURN_SECONDS = 0.25
_RECEIPT_SECONDS = 3.0
_MOST_COMMANDS, _MOST_ALERTS = 500, 200
_MOST_UNDER_WAY = 10_000
_PAUSE_SECONDS = 2.0

_published = Counter("portal_mqtt_published", "Messages that the MQTT broker took from the portal.", ("kind",))


class Alert(Protocol):
    """News of an alarm, as the topic of its subject tells it."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def subject(self) -> str:
        """What it is about."""

    @property
    def payload(self) -> dict[str, Any]:
        """What it says."""


class Broker(Protocol):
    """Where messages are published."""

    published: "SimpleQueue[int]"

    @property
    def is_up(self) -> bool:
        """Tell whether it can be reached."""

    def publish(self, topic: str, payload: bytes) -> int:
        """Send a message; its number comes out of ``published`` once the broker has it."""


@dataclass(frozen=True)
class Outgoings:
    """Where what is to be told comes from, and where it is ticked off.

    ``tell_alerts`` hands news to a function that publishes it and returns the ids that the broker took; it lets one
    gateway at a time do so.
    """

    take_commands: Callable[[int, bool, datetime], Sequence[Outgoing]]
    note_sent: Callable[[Mapping[UUID, datetime]], None]
    tell_alerts: Callable[[int, Callable[[Sequence[Alert]], Collection[int]], datetime], None]


@dataclass
class Outbox:
    """Publishes what waits, turn by turn, until ``ending`` is set."""

    broker: Broker
    prefix: str
    outgoings: Outgoings
    ending: threading.Event
    _under_way: dict[int, tuple[UUID, datetime]] = field(default_factory=dict)
    _received: set[int] = field(default_factory=set)

    def run(self) -> None:
        """Publish until the end."""
        pause = _TURN_SECONDS
        try:
            while not self.ending.wait(pause):
                pause = _TURN_SECONDS
                try:
                    self.turn(now=datetime.now(UTC))
                except (OperationalError, InterfaceError, ConnectionError) as error:
                    connections.close_all()
                    logger.warning("Commands and alerts wait: %s", error)
                    pause = _PAUSE_SECONDS
        finally:
            connections.close_all()

    def turn(self, *, now: datetime) -> None:
        """Publish what is due once, and note what the broker took."""
        is_up = self.broker.is_up
        fresh = set()
        for command in self.outgoings.take_commands(_MOST_COMMANDS, is_up, now):
            number = self._publish(f"devices/{command.device_id}/command", _document(command))
            if number is not None:
                self._under_way[number] = (command.id, now)
                fresh.add(number)
        self._await(fresh)
        self._note_sent()
        if is_up:
            self.outgoings.tell_alerts(_MOST_ALERTS, self._tell, now)

    def _tell(self, alerts: Sequence[Alert]) -> list[int]:
        """Publish alerts, and return those that need not come again."""
        numbers, told = {}, []
        for alert in alerts:
            number = self._publish(f"alerts/{alert.subject}", msgspec.json.encode(alert.payload))
            if number is None:
                told.append(alert.id)
            else:
                numbers[number] = alert.id
        self._await(numbers.keys())
        told += [alert_id for number, alert_id in numbers.items() if number in self._received]
        self._received -= numbers.keys()
        _published.labels("alert").inc(len(told))
        return told

    def _publish(self, topic: str, payload: bytes) -> int | None:
        """Publish, and return the message's number; None where the name of its subject makes no topic."""
        try:
            return self.broker.publish(f"{self.prefix}/{topic}", payload)
        except ValueError as error:
            logger.warning("%r cannot be published: %s", topic, error)
            return None

    def _note_sent(self) -> None:
        sent = dict(self._under_way.pop(number) for number in self._received & self._under_way.keys())
        self._received.clear()
        if len(self._under_way) > _MOST_UNDER_WAY:
            self._under_way.clear()
        if sent:
            self.outgoings.note_sent(sent)
            _published.labels("command").inc(len(sent))

    def _await(self, numbers: Collection[int]) -> None:
        """Wait a little for the broker's receipts; a command that gets none in time is noted later, or sent again."""
        deadline = time.monotonic() + _RECEIPT_SECONDS
        while not self._received.issuperset(numbers) or not self.broker.published.empty():
            try:
                self._received.add(self.broker.published.get(timeout=max(0.0, deadline - time.monotonic())))
            except Empty:
                return


def _document(command: Outgoing) -> bytes:
    """Say what a device is to do; ``expires`` is in milliseconds since 1970."""
    expires = round(command.expires_at.timestamp() * 1000)
    return msgspec.json.encode({"id": str(command.id), "switch": command.switch, "expires": expires})
