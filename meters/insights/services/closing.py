"""Faults that are over, with their alarms."""

from collections.abc import Collection
from datetime import datetime

from meters.insights.models import Appliance, Fault
from meters.services import alarms

SUBJECT = "device"


def alarm_kind(kind: str) -> str:
    """Return what the alarms of a kind of fault are called."""
    return f"appliance_{kind}"


def close_faults(appliance: Appliance, *, now: datetime, kinds: Collection[str] | None = None) -> int:
    """End an appliance's open faults, all or those of some kinds, with their alarms; returns how many.

    In the caller's transaction, which has the appliance's row locked.
    """
    rows = Fault.objects.filter(appliance=appliance).open()
    if kinds is not None:
        rows = rows.filter(kind__in=kinds)
    over = list(rows.values_list("pk", "kind", "subject"))
    if not over:
        return 0
    # The alarm's row before the fault's, as whoever acknowledges takes them.
    alarms.clear_alarms(subject_kind=SUBJECT, over=[(alarm_kind(kind), subject) for _, kind, subject in over], now=now)
    return Fault.objects.filter(pk__in=[key for key, *_ in over]).update(state=Fault.State.CLOSED, closed_at=now)
