"""Events for the apps above: written with the deed, handled once by each consumer, in order at each service point.

Consumers say who they are when their app is ready; nothing here knows them.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from meters import store
from meters.models import DomainEvent, EventDelivery

Handler = Callable[[DomainEvent, datetime], None]


@dataclass(frozen=True)
class Consumer:
    """Whoever hears of events of some kinds; ``handle(event, now)`` runs in the transaction that ticks it off."""

    name: str
    kinds: frozenset[str]
    handle: Handler


@dataclass(frozen=True)
class NewEvent:
    """What happened, and the stretch ``[start, end)`` whose energy it touches."""

    kind: DomainEvent.Kind
    service_point_id: UUID | None
    register_id: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)


_consumers: dict[str, Consumer] = {}


def register_consumer(name: str, *, kinds: Collection[DomainEvent.Kind], handle: Handler) -> None:
    """Let a consumer hear of events from now on; called when its app is ready."""
    _consumers[name] = Consumer(name, frozenset(kinds), handle)


def consumers() -> dict[str, Consumer]:
    """Return who hears of events, by name."""
    return dict(_consumers)


def publish(events: Iterable[NewEvent], *, now: datetime) -> None:
    """Write events, and a delivery to each consumer of their kinds, in the caller's transaction: its last act.

    Writers at one service point wait for each other here, so that the order of events is that of their commits.
    """
    found = list(events)
    if not found:
        return
    store.lock_outbox({event.service_point_id for event in found if event.service_point_id is not None})
    written = DomainEvent.objects.bulk_create(
        DomainEvent(
            kind=event.kind,
            service_point_id=event.service_point_id,
            register_id=event.register_id,
            start=event.start,
            end=event.end,
            data=event.data,
            recorded_at=now,
        )
        for event in found
    )
    EventDelivery.objects.bulk_create(
        EventDelivery(event=event, consumer=consumer.name)
        for event in written
        for consumer in _consumers.values()
        if event.kind in consumer.kinds
    )
