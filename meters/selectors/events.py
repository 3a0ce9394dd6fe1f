"""How far the consumers of events are behind."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min, Q

from meters.models import EventDelivery


@dataclass(frozen=True)
class ConsumerLag:
    """Events that wait for one consumer: how many, how many of them failed before, and since when the oldest waits."""

    consumer: str
    waiting: int
    failing: int = 0
    oldest_at: datetime | None = None
    age: timedelta = timedelta(0)


def outbox_lag(*, now: datetime, consumers: Iterable[str] = ()) -> list[ConsumerLag]:
    """Return how far each consumer is behind, by name. One query, along the index of what waits.

    :param consumers: names to list even where nothing waits.
    """
    rows = (
        EventDelivery.objects.filter(handled_at=None)
        .order_by()
        .values_list("consumer")
        .annotate(waiting=Count("pk"), failing=Count("pk", filter=Q(attempts__gt=0)), oldest=Min("event__recorded_at"))
    )
    found = {name: ConsumerLag(name, 0) for name in consumers}
    for name, waiting, failing, oldest in rows:
        found[name] = ConsumerLag(name, waiting, failing, oldest, max(timedelta(0), now - oldest))
    return [found[name] for name in sorted(found)]


def waiting_events() -> dict[str, float]:
    """Return how many events wait for each consumer for which any do."""
    waiting = EventDelivery.objects.filter(handled_at=None).order_by()
    return dict(waiting.values_list("consumer").annotate(waiting=Count("pk")))


def oldest_events() -> dict[str, float]:
    """Return since when, seconds since the epoch, the oldest event waits for each consumer."""
    waiting = EventDelivery.objects.filter(handled_at=None).order_by()
    oldest = waiting.values_list("consumer").annotate(oldest=Min("event__recorded_at"))
    return {consumer: at.timestamp() for consumer, at in oldest}
