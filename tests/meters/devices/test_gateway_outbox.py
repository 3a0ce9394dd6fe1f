"""What the outbox publishes, with a broker that remembers."""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import SimpleQueue
from types import SimpleNamespace
from uuid import UUID

import pytest

from meters.devices.gateway.outbox import Outbox, Outgoings
from meters.devices.services.commands import Outgoing

NOW = datetime(2025, 3, 11, 4, tzinfo=UTC)
COMMAND = Outgoing(UUID(int=7), "plug-1", True, datetime(2025, 3, 11, 4, 1, tzinfo=UTC))


@dataclass
class World:
    """The broker and the database."""

    due: list = field(default_factory=list)
    alerts: list = field(default_factory=list)
    sent: list = field(default_factory=list)
    told: list = field(default_factory=list)
    topics: list = field(default_factory=list)
    is_up: bool = True
    gives_receipts: bool = True
    published: SimpleQueue = field(default_factory=SimpleQueue)

    def publish(self, topic, payload):
        if "+" in topic:
            raise ValueError("wildcard")
        self.topics.append((topic, json.loads(payload)))
        if self.gives_receipts:
            self.published.put(len(self.topics))
        return len(self.topics)

    def outbox(self):
        outgoings = Outgoings(
            take_commands=lambda _limit, may_publish, _now: self.due if may_publish else [],
            note_sent=self.sent.append,
            tell_alerts=lambda _most, tell, _now: self.told.extend(tell(self.alerts)),
        )
        return Outbox(broker=self, prefix="voltguard", outgoings=outgoings, ending=threading.Event())


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr("meters.devices.gateway.outbox._RECEIPT_SECONDS", 0.0)
    return World()


def alert(number, subject):
    return SimpleNamespace(id=number, subject=subject, payload={"kind": "over_power"})


class TestTurn:
    def test_publishes_a_command_and_notes_it_once_the_broker_has_it(self, world):
        world.due = [COMMAND]

        world.outbox().turn(now=NOW)

        assert world.topics == [
            (
                "voltguard/devices/plug-1/command",
                {"id": str(COMMAND.id), "switch": True, "expires": 1741665660000},
            )
        ]
        assert world.sent == [{COMMAND.id: NOW}]

    def test_notes_a_late_receipt_in_a_later_turn(self, world):
        world.due, world.gives_receipts = [COMMAND], False
        outbox = world.outbox()
        outbox.turn(now=NOW)
        assert world.sent == []

        world.due = []
        world.published.put(1)
        outbox.turn(now=NOW)

        assert world.sent == [{COMMAND.id: NOW}]

    def test_publishes_alerts_and_ticks_off_those_that_the_broker_has(self, world):
        world.alerts = [alert(11, "plug-1"), alert(12, "plug-2")]

        world.outbox().turn(now=NOW)

        assert [topic for topic, _ in world.topics] == ["voltguard/alerts/plug-1", "voltguard/alerts/plug-2"]
        assert world.told == [11, 12]

    def test_keeps_alerts_that_the_broker_did_not_confirm(self, world):
        world.alerts, world.gives_receipts = [alert(11, "plug-1")], False

        world.outbox().turn(now=NOW)

        assert world.told == []

    def test_passes_over_names_that_make_no_topic(self, world):
        world.due = [Outgoing(UUID(int=8), "a+b", True, NOW), COMMAND]
        world.alerts = [alert(11, "a+b"), alert(12, "plug-1")]

        world.outbox().turn(now=NOW)

        assert world.sent == [{COMMAND.id: NOW}]
        assert world.told == [11, 12]

    def test_tells_nobody_anything_without_a_connection(self, world):
        world.is_up, world.due, world.alerts = False, [COMMAND], [alert(11, "plug-1")]

        world.outbox().turn(now=NOW)

        assert world.topics == []
        assert world.told == []
