"""What every change of the chain leaves behind: an event for the apps above, and energy to be summed anew."""

from datetime import datetime
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from meters.models import DomainEvent, ReadingWork, Register, ServicePoint
from meters.services.outbox import NewEvent, publish
from meters.services.worklog import log_work

_PURPOSES = (ReadingWork.Purpose.ROLLUP, ReadingWork.Purpose.ESTIMATION)


def tell_of_change(*, service_point: ServicePoint, act: str, at: datetime, now: datetime, **data: Any) -> None:
    """Say that what hangs or who is supplied at a place changed from an instant on; the caller's last act.

    :param data: what else the event says, JSON-safe.
    """
    hanging = Register.objects.filter(
        meter__installations__service_point=service_point,
        meter__installations__valid__overlap=DateTimeTZRange(at, None, "[]"),
    )
    closed = Register.objects.filter(
        meter__installations__service_point=service_point, meter__installations__valid__endswith=at
    )
    register_ids = {*hanging.values_list("pk", flat=True), *closed.values_list("pk", flat=True)}
    log_work(register_ids=register_ids, low=at, high=max(at, now), now=now, purposes=_PURPOSES)
    publish([NewEvent(DomainEvent.Kind.CHAIN_CHANGED, service_point.pk, start=at, data={"act": act, **data})], now=now)
