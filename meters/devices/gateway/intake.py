"""What devices publish, stored and acknowledged: a batch is what came while the batch before was committed."""

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
from django.db import InterfaceError, OperationalError, connections
from prometheus_client import Counter

from energy_portal.shared.errors import Invalid
from meters.devices.decoding import Mappings, Sample, decode_energy
from meters.devices.gateway.packets import Received
from meters.devices.gateway.routes import Route
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
    routed: dict[str, list[list[Any]]] = field(default_factory=dict)


class Intake:
    """Takes messages up, batch by batch, until ``ending`` is set; what is not done by then the broker sends again."""

    def __init__(
        self,
        *,
        source: Source,
        prefix: str,
        doors: Doors,
        ending: threading.Event,
        routes: Mapping[str, Route] = MappingProxyType({}),
    ) -> None:
        self._source = source
        self._root = f"{prefix}/".encode()
        self._routes = routes
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
        if not all(self._sort(received, batch) for received in taken):
            return
        is_done = self._insist(lambda: self._store(batch.samples)) and self._insist(lambda: self._note(batch))
        if is_done and all(self._insist(partial(self._store_routed, *routed)) for routed in batch.routed.items()):
            self._source.acknowledge(taken)
            self._doors.note_unknown(batch.unknown)

    def _sort(self, received: Received, batch: _Batch) -> bool:
        """Have a message understood; False where the end came before that could be done."""
        if not received.topic.startswith(self._prefix):
            return bool(self._insist(partial(self._sort_routed, received, batch)))
        device, _, kind = received.topic.removeprefix(self._prefix).partition(b"/")
        try:
            self._understand(kind, device.decode(), received.payload, batch)
        except (Invalid, msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
            _messages.labels(_KINDS.get(kind, "unknown"), "malformed").inc()
            logger.debug("Malformed %r of %r: %s", kind, device, error)
        return True

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

    def _sort_routed(self, received: Received, batch: _Batch) -> bool:
        """Have a message of another subject understood by its route."""
        label = "unknown"
        try:
            subject, name, kind = received.topic.removeprefix(self._root).decode().split("/", 2)
            route = self._routes[subject]
            label = f"{subject}/{route.kinds[route.kinds.index(kind)]}"  # No label is made of what anybody may write.
            items, malformed = route.understand(name, kind, received.payload)
        except (Invalid, msgspec.MsgspecError, ValueError, KeyError) as error:
            _messages.labels(label, "malformed").inc()
            logger.debug("Malformed %r: %s", received.topic, error)
            return True
        if items:
            batch.routed.setdefault(subject, []).append(items)
        if malformed:
            _messages.labels(label, "malformed").inc(malformed)
        return True

    def _store_routed(self, subject: str, offered: list[list[Any]]) -> bool:
        return _store_halving(offered, self._routes[subject].store, subject)

    def _store(self, offered: list[list[Sample]]) -> bool:
        """Store samples in one commit."""
        return _store_halving(offered, self._doors.store, "energy")

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


def _store_halving(offered: list[list[Any]], store: Callable[[Sequence[Any]], Sequence[str]], kind: str) -> bool:
    """Store messages in one commit; one that the database refuses is found by halving, and left out."""
    if not offered:
        return True
    try:
        outcomes = store([item for items in offered for item in items])
    except _IN_THE_WAY:
        raise
    except Exception:
        if len(offered) == 1:
            logger.exception("A message cannot be stored: %.200r", offered[0][0])
            _messages.labels(kind, "refused").inc()
            return True
        middle = len(offered) // 2
        return _store_halving(offered[:middle], store, kind) and _store_halving(offered[middle:], store, kind)
    for outcome in set(outcomes):
        _messages.labels(kind, str(outcome)).inc(outcomes.count(outcome))
    return True
