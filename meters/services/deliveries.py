"""Hand events to their consumers: each event once to each consumer, in order at each service point.

A delivery is ticked off in the transaction of its handler's writes, so that a crash leaves both or neither. Workers
that run at once part the service points between them by locking the oldest delivery of each.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict
from meters.models import EventDelivery
from meters.services.outbox import Consumer, consumers

logger = logging.getLogger(__name__)

EVENTS_A_CALL = 1_000
_LONGEST_ERROR = 2_000


class NobodyListens(Conflict):
    """An event's consumer is no part of the portal any more."""

    code = "nobody_listens"


class NotHandled(Conflict):
    """A consumer did not take an event."""

    code = "not_handled"


def deliver_events(*, now: datetime, limit: int = EVENTS_A_CALL) -> int:
    """Let every consumer handle what waits for it; return how many deliveries were handled.

    An event that fails is left waiting with its error, and with it whatever follows at its service point; the next
    call tries it again. Other service points go on.

    :param limit: how many deliveries to handle at most, a consumer.
    """
    return sum(_deliver(consumer, now, limit) for consumer in consumers().values())


def try_again(*, delivery_id: int, actor: Actor, now: datetime) -> int:
    """Let a consumer handle an event now, after whatever waits before it at its service point; return how many it did.

    :raises NobodyListens: no consumer goes by that name any more.
    :raises NotHandled: it failed again, or somebody is at it.
    """
    wanted = EventDelivery.objects.select_related("event").get(pk=delivery_id)
    consumer = consumers().get(wanted.consumer)
    if consumer is None:
        raise NobodyListens(f"Nobody called {wanted.consumer} listens any more.")
    audit.record(action="event.tried_again", obj=wanted, actor=actor, now=now, consumer=consumer.name)
    waiting = EventDelivery.objects.filter(
        consumer=consumer.name,
        handled_at=None,
        event__service_point=wanted.event.service_point_id,
        event__lte=wanted.event_id,
    )
    keys = list(waiting.order_by("event").values_list("pk", flat=True))
    for key in keys:
        if not _handle(consumer, key, now):
            error = EventDelivery.objects.values_list("error", flat=True).get(pk=key)
            raise NotHandled(error or "A worker is at it already.")
    return len(keys)


def _deliver(consumer: Consumer, now: datetime, limit: int) -> int:
    """Work through what waits for one consumer, the oldest first, without the service points that are held up."""
    handled = 0
    held: set[UUID | None] = set()
    while handled < limit:
        waiting = _waiting(consumer.name, held, limit - handled)
        if not waiting:
            break
        for place, rows in groupby(waiting, key=itemgetter(1)):
            for key, _ in rows:
                if not _handle(consumer, key, now):
                    held.add(place)
                    break
                handled += 1
    return handled


def _waiting(consumer: str, held: Iterable[UUID | None], limit: int) -> list[tuple[int, UUID | None]]:
    """Return (delivery, service point) of the oldest that wait, in the order of service point and event."""
    waiting = EventDelivery.objects.filter(consumer=consumer, handled_at=None)
    places = set(held)
    if None in places:
        waiting = waiting.exclude(event__service_point=None)
    if known := places - {None}:
        waiting = waiting.filter(Q(event__service_point=None) | ~Q(event__service_point__in=known))
    oldest = waiting.order_by("event").values_list("pk", "event__service_point", "event")[:limit]
    rows = sorted(oldest, key=lambda row: (str(row[1]), row[2]))
    return [(key, place) for key, place, _ in rows]


def _handle(consumer: Consumer, key: int, now: datetime) -> bool:
    """Handle one delivery; tell whether it is done, so that the next at its service point may follow."""
    try:
        with transaction.atomic():
            locked = EventDelivery.objects.select_for_update(skip_locked=True, of=("self",)).select_related("event")
            delivery = locked.filter(pk=key, handled_at=None).first()
            if delivery is None:
                # Another worker is at this service point, and goes on there.
                return False
            consumer.handle(delivery.event, now)
            delivery.handled_at, delivery.error = now, ""
            delivery.attempts += 1
            delivery.save(update_fields=("handled_at", "error", "attempts"))
    except Exception as error:
        logger.exception("%s did not handle delivery %s", consumer.name, key)
        EventDelivery.objects.filter(pk=key, handled_at=None).update(
            attempts=F("attempts") + 1, error=f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]
        )
        return False
    return True
