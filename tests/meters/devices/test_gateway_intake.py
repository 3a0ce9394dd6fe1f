"""What the intake does with messages, against doors and a broker that remember."""

import threading
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
from django.db import DataError, OperationalError
from prometheus_client import REGISTRY

from meters.devices.decoding import MalformedBody, Mappings, Target
from meters.devices.gateway.intake import Doors, Intake, Terms
from meters.devices.gateway.packets import Received
from meters.devices.gateway.routes import Route
from meters.devices.services.commands import CommandAck
from meters.series.errors import QueueFull

TERMS = Terms(Mappings({"instant_power": Target.of("power_w", 1.0)}, {}), 10, None)


def understand(name, kind, payload):
    """Two good pieces and a bad one a message."""
    if payload == b"{":
        raise MalformedBody("no JSON")
    return [f"{name} {kind} {payload.decode()}", name], 1


@dataclass
class World:
    """The broker and the database: what they were told, and what is to go wrong first."""

    stored: list = field(default_factory=list)
    commits: int = 0
    statuses: list = field(default_factory=list)
    acks: list = field(default_factory=list)
    unknown: list = field(default_factory=list)
    routed: list = field(default_factory=list)
    acknowledged: list = field(default_factory=list)
    troubles: list = field(default_factory=list)
    poison: str = ""
    ending: threading.Event = field(default_factory=threading.Event)

    def store(self, samples):
        if self.troubles:
            raise self.troubles.pop(0)
        if any(sample.device == self.poison for sample in samples):
            raise DataError("out of range")
        self.commits += 1
        self.stored += [(sample.device, sample.power_w) for sample in samples]
        return ["stored"] * len(samples)

    def store_routed(self, items):
        if self.troubles:
            raise self.troubles.pop(0)
        if self.poison in items:
            raise DataError("out of range")
        self.routed.append(list(items))
        return ["stored"] * len(items)

    def acknowledge(self, done):
        self.acknowledged += [received.number for received in done]

    def intake(self):
        doors = Doors(
            terms=lambda: TERMS,
            store=self.store,
            note_unknown=self.unknown.extend,
            note_statuses=lambda statuses, _now: self.statuses.extend(statuses) or len(statuses),
            note_acks=lambda acks, _now: self.acks.extend(acks) or 0,
        )
        routes = {"batteries": Route(("bms", "pcs"), understand, self.store_routed)}
        return Intake(source=self, prefix="voltguard", doors=doors, ending=self.ending, routes=routes)


@pytest.fixture
def world(monkeypatch):
    monkeypatch.setattr("meters.devices.gateway.intake._FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    return World()


def received(*messages):
    return [
        Received(1, number, f"voltguard/devices/{topic}".encode(), payload)
        for number, (topic, payload) in enumerate(messages, 1)
    ]


def energy(device, power=1):
    return (f"{device}/energy", b'{"time": 1741665600000, "instant_power": %d}' % power)


def counted(kind, outcome):
    return REGISTRY.get_sample_value("portal_mqtt_messages_total", {"kind": kind, "outcome": outcome}) or 0


class TestHandle:
    def test_stores_what_came_in_one_commit_and_acknowledges_it_in_order(self, world):
        world.intake().handle(received(energy("a", 1), energy("b", 2), energy("a", 3)))

        assert world.stored == [("a", 1), ("b", 2), ("a", 3)]
        assert world.commits == 1
        assert world.acknowledged == [1, 2, 3]

    def test_hears_statuses_and_answers_to_commands(self, world):
        command = uuid4()

        world.intake().handle(
            received(
                ("a/status", b"offline"),
                ("b/status", b" Online"),
                ("a/command/ack", b'{"id": "%s", "ok": true, "more": 1}' % str(command).encode()),
            )
        )

        assert world.statuses == [("a", False), ("b", True)]
        assert world.acks == [CommandAck(command, "a", True)]
        assert world.acknowledged == [1, 2, 3]

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("energy", ("a/energy", b"{")),
            ("energy", ("a/energy", b'{"instant_power": 1}')),
            ("energy", ("a/energy", b'{"device_id": "b", "time": 1741665600000, "instant_power": 1}')),
            ("energy", ("a/energy", b"[" + b"{}," * 10 + b"{}]")),
            ("energy", ("a/energy", b"\xff\xfe")),
            ("status", ("a/status", b"perhaps")),
            ("command/ack", ("a/command/ack", b'{"id": 7, "ok": true}')),
            ("unknown", ("a/else", b"x")),
            ("unknown", ("", b"x")),
        ],
    )
    def test_counts_and_acknowledges_what_it_cannot_understand(self, world, kind, message):
        before = counted(kind, "malformed")

        world.intake().handle(received(message, energy("b")))

        assert counted(kind, "malformed") == before + 1
        assert world.stored == [("b", 1)]
        assert world.acknowledged == [1, 2]

    def test_survives_a_topic_that_is_no_text(self, world):
        world.intake().handle([Received(1, 1, b"voltguard/devices/\xff\xfe/energy", b"{}")])

        assert world.acknowledged == [1]

    def test_leaves_out_a_message_that_the_database_refuses(self, world):
        world.poison = "c"
        before = counted("energy", "refused")

        world.intake().handle(received(*map(energy, "abcde")))

        assert [device for device, _ in world.stored] == list("abde")
        assert counted("energy", "refused") == before + 1
        assert world.acknowledged == [1, 2, 3, 4, 5]

    def test_waits_for_the_database(self, world):
        world.troubles = [OperationalError("gone"), QueueFull("full", 1), OperationalError("gone")]

        world.intake().handle(received(energy("a")))

        assert world.stored == [("a", 1)]
        assert world.acknowledged == [1]

    def test_acknowledges_nothing_that_the_end_came_before(self, world):
        world.troubles = [OperationalError("gone")]
        world.ending.set()

        world.intake().handle(received(energy("a")))

        assert world.stored == []
        assert world.acknowledged == []

    def test_counts_codes_that_nobody_knows(self, world):
        world.intake().handle(received(("a/energy", b'{"time": 1741665600000, "foo": 1, "product_id": "p"}')))

        assert world.unknown == [("p", "foo")]


class TestOtherSubjects:
    def send(self, world, *messages):
        topics = ((f"voltguard/{topic}", payload) for topic, payload in messages)
        world.intake().handle([Received(1, n, topic.encode(), payload) for n, (topic, payload) in enumerate(topics, 1)])

    def test_are_stored_by_their_route_in_one_commit_and_acknowledged_with_the_rest(self, world):
        before = counted("batteries/bms", "malformed")

        self.send(world, ("batteries/B1/bms", b"1"), ("devices/a/energy", energy("a")[1]), ("batteries/B2/bms", b"2"))

        assert world.routed == [["B1 bms 1", "B1", "B2 bms 2", "B2"]]
        assert world.stored == [("a", 1)]
        assert world.acknowledged == [1, 2, 3]
        assert counted("batteries/bms", "malformed") == before + 2

    @pytest.mark.parametrize(
        ("label", "topic"),
        [
            ("batteries/pcs", "batteries/B1/pcs"),
            ("unknown", "batteries/B1/else"),
            ("unknown", "batteries"),
            ("unknown", "ships/s/bms"),
        ],
    )
    def test_are_counted_and_acknowledged_where_they_cannot_be_understood(self, world, label, topic):
        before = counted(label, "malformed")

        self.send(world, (topic, b"{"))

        assert counted(label, "malformed") == before + 1
        assert (world.routed, world.acknowledged) == ([], [1])

    def test_wait_for_the_database_and_leave_out_what_it_refuses(self, world):
        world.troubles, world.poison = [OperationalError("gone")], "B2"

        self.send(world, ("batteries/B1/bms", b"1"), ("batteries/B2/bms", b"2"))

        assert (world.routed, world.acknowledged) == ([["B1 bms 1", "B1"]], [1, 2])

    def test_are_not_acknowledged_when_the_end_comes_first(self, world):
        world.troubles = [OperationalError("gone")]
        world.ending.set()

        self.send(world, ("batteries/B1/bms", b"1"))

        assert world.acknowledged == []
