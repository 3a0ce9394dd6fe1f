"""What devices publish, stored and acknowledged: a batch is what came while the batch before was committed."""

import logging
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TypeVar

import msgspec
from django.db import InterfaceError, OperationalError, connections
from prometheus_client import Counter

from energy_portal.shared.errors import Invalid
from meters.devices.decoding import Mappings, Sample, decode_energy
from meters.devices.gateway.packets import Received
from meters.devices.services.commands import CommandAck
from meters.series.errors import MissingPartition, QueueFull, RowsVanished, WriterUnavailable

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 5_000
_TAKE_SECONDS = 0.5
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0
# The database is in the way, not the message: it is offered again, and the broker keeps it meanwhile.
_IN_THE_WAY = (WriterUnavailable, QueueFull, MissingPartition, RowsVanished, OperationalError, InterfaceError)
_KINDS = {b"energy": "energy", b"status": "status", b"command/ack": "command/ack"}
_STATUSES = {b"online": True, b"offline": False}

_messages = Counter("portal_mqtt_messages", "Messages taken from the MQTT broker.", ("kind", "outcome"))


class _Ack(msgspec.Struct, gc=False):
    id: uuid.UUID
    ok: bool


Done = TypeVar("Done")

_ack = msgspec.json.Decoder(_Ack)


class Source(Protocol):
    """Where messages come from and are acknowledged to."""

    def take(self, *, most: int, timeout: float) -> list[Received]:
        """Return the messages that came, in their order."""

    def acknowledge(self, done: Sequence[Received]) -> None:
        """Tell that messages need never come again."""


class Terms(NamedTuple):
    """What samples are decoded by: what codes mean, how many a message may hold, and who creates unknown devices."""

    mappings: Mappings
    limit: int
    creator: int | None


@dataclass(frozen=True)
class Doors:
    """What is done with each kind of message; whatever these return has been committed."""

    terms: Callable[[], Terms]
    store: Callable[[Sequence[Sample]], Sequence[str]]
    note_unknown: Callable[[Sequence[tuple[str, str]]], None]
    note_statuses: Callable[[Sequence[tuple[str, bool]], datetime], int]
    note_acks: Callable[[Sequence[CommandAck], datetime], int]


@dataclass
class _Batch:
    """Messages by their kind, each kind in the order of its coming."""

    terms: Terms
    samples: list[list[Sample]] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    statuses: list[tuple[str, bool]] = field(default_factory=list)
    acks: list[CommandAck] = field(default_factory=list)


class Intake:
    """Takes messages up, batch by batch, until ``ending`` is set; what is not done by then the broker sends again."""

    def __init__(self, *, source: Source, prefix: str, doors: Doors, ending: threading.Event) -> None:
        self._source = source
        self._prefix = f"{prefix}/devices/".encode()
        self._doors = doors
        self._ending = ending

    def run(self) -> None:
        """Take messages up until the end."""
        try:
            while not self._ending.is_set():
                if taken := self._source.take(most=_MOST_AT_ONCE, timeout=_TAKE_SECONDS):
                    self.handle(taken)
        finally:
            connections.close_all()

    def handle(self, taken: Sequence[Received]) -> None:
        """Deal with messages and acknowledge them, all in their order; none before all are dealt with.

        A message that cannot be understood, or that the database refuses, is counted and acknowledged: it would come
        again for ever.
        """
        terms = self._insist(self._doors.terms)
        if terms is None:
            return
        batch = _Batch(terms)
        for received in taken:
            self._sort(received, batch)
        if self._insist(lambda: self._store(batch.samples)) and self._insist(lambda: self._note(batch)):
            self._source.acknowledge(taken)
            self._doors.note_unknown(batch.unknown)

    def _sort(self, received: Received, batch: _Batch) -> None:
        device, _, kind = received.topic.removeprefix(self._prefix).partition(b"/")
        try:
            self._understand(kind, device.decode(), received.payload, batch)
        except (Invalid, msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            _messages.labels(_KINDS.get(kind, "unknown"), "malformed").inc()
            logger.debug("Malformed %r of %r: %s", kind, device, error)

    def _understand(self, kind: bytes, device: str, payload: bytes, batch: _Batch) -> None:
        if kind == b"energy":
            mappings, limit, creator = batch.terms
            decoded = decode_energy(payload, mappings, limit=limit, device=device, creator=creator)
            if decoded.samples:
                batch.samples.append(decoded.samples)
            if decoded.unknown:
                batch.unknown += decoded.unknown
            if decoded.rejected:
                _messages.labels("energy", "malformed").inc(len(decoded.rejected))
        elif kind == b"status":
            batch.statuses.append((device, _STATUSES[payload.strip().lower()]))
        elif kind == b"command/ack":
            answer = _ack.decode(payload)
            batch.acks.append(CommandAck(answer.id, device, answer.ok))
        else:
            raise KeyError(kind)

    def _store(self, offered: list[list[Sample]]) -> bool:
        """Store samples in one commit; a message that the database refuses is found by halving, and left out."""
        if not offered:
            return True
        try:
            outcomes = self._doors.store([sample for samples in offered for sample in samples])
        except _IN_THE_WAY:
            raise
        except Exception:
            if len(offered) == 1:
                logger.exception("A message of %s cannot be stored", offered[0][0].device)
                _messages.labels("energy", "refused").inc()
                return True
            middle = len(offered) // 2
            return self._store(offered[:middle]) and self._store(offered[middle:])
        for outcome in set(outcomes):
            _messages.labels("energy", str(outcome)).inc(outcomes.count(outcome))
        return True

    def _note(self, batch: _Batch) -> bool:
        now = datetime.now(UTC)
        if batch.statuses:
            known = self._doors.note_statuses(batch.statuses, now)
            _messages.labels("status", "stored").inc(len(batch.statuses))
            logger.debug("%d devices told of %d statuses", known, len(batch.statuses))
        if batch.acks:
            strangers = self._doors.note_acks(batch.acks, now)
            _messages.labels("command/ack", "stored").inc(len(batch.acks) - strangers)
            _messages.labels("command/ack", "unknown_command").inc(strangers)
        return True

    def _insist(self, act: Callable[[], Done]) -> Done | None:
        """Do something that may be done again until it succeeds; None when the end comes first."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return act()
            except _IN_THE_WAY as error:
                connections.close_all()
                logger.warning("Messages wait for the database: %s", error)
                if self._ending.wait(pause):
                    return None
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
