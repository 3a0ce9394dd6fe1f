"""The closed loop: where readings stay away an agent is sent, and what came by itself nobody needs to fetch."""

from datetime import datetime

from accounts.actors import PORTAL
from field_ops.models import Assignment
from field_ops.services.assignments import cancel
from field_ops.services.dispatching import dispatch
from meters.models import DomainEvent, Meter, ReadingException, RegisterState, RuleCode

CONSUMER = "field_ops"
KINDS = frozenset(
    {DomainEvent.Kind.GAP_OPENED, DomainEvent.Kind.GAP_CLOSED, DomainEvent.Kind.ESTIMATION_PROLONGED},
)
READINGS_CAME = "Readings came."
_ORIGINS = {
    DomainEvent.Kind.GAP_OPENED: Assignment.Origin.GAP,
    DomainEvent.Kind.ESTIMATION_PROLONGED: Assignment.Origin.ESTIMATION,
}


def hear(event: DomainEvent, now: datetime) -> None:
    """Open work where readings stay away, and cancel it when they came before anybody began."""
    meter = Meter.objects.filter(registers=event.register_id).first()
    if meter is None:
        return
    if event.kind == DomainEvent.Kind.GAP_CLOSED:
        _call_off(meter, now)
    else:
        _send(meter, event, now)


def _send(meter: Meter, event: DomainEvent, now: datetime) -> None:
    """Have the meter read, once an event, unless it hangs there no more or somebody is to read it anyway.

    Where it reports again, what it showed meanwhile is past, and no agent can see it.
    """
    if RegisterState.objects.filter(register=event.register_id, last_time__gt=event.start).exists():
        return
    hangs = meter.installations.filter(service_point=event.service_point_id, valid__contains=now)
    if Assignment.objects.filter(event=event).exists() or not hangs.exists():
        return
    if Assignment.objects.open().filter(meter=meter).exists():
        return
    dispatch(meter=meter, origin=_ORIGINS[DomainEvent.Kind(event.kind)], now=now, event=event)


def _call_off(meter: Meter, now: datetime) -> None:
    """Cancel what nobody has begun, unless readings of the meter are still missing."""
    missing = ReadingException.objects.filter(
        register__meter=meter,
        code__in=(RuleCode.GAP, RuleCode.PROLONGED_ESTIMATION),
        status=ReadingException.Status.OPEN,
    )
    if missing.exists():
        return
    rows = Assignment.objects.open().filter(meter=meter, origin__in=_ORIGINS.values(), started_at=None)
    keys = list(rows.filter(submissions=None).values_list("pk", flat=True))
    if keys:
        cancel(assignment_ids=keys, reason=READINGS_CAME, actor=PORTAL, now=now)
