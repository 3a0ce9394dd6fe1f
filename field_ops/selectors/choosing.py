"""Meters that a manager chooses from to send agents to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet, Subquery

from accounts.models import User
from field_ops.models import Assignment
from field_ops.selectors.assignments import meters_to_read
from meters.models import Meter, RegisterState

NO_WORK, UNASSIGNED, OVERDUE, ANY_WORK = "none", "unassigned", "overdue", "any"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which meters; what is empty or None narrows nothing.

    ``work`` is one of ``none`` (no open assignment), ``unassigned`` (an open one that nobody has), ``overdue`` and
    ``any``. ``read_before``: not read since.
    """

    region_id: UUID | None = None
    status: str = ""
    priority: str = ""
    read_before: datetime | None = None
    work: str = NO_WORK
    serial: str = ""


def meters_to_choose(*, wanted: Wanted, user: User) -> QuerySet[Meter]:
    """Return meters that somebody may send agents to, those not read for longest, or never, first.

    Each has ``last_read`` (an instant, None where it was never read), ``open_status`` and ``open_agent`` of its open
    assignment, None without one.

    :raises NotAManager: they may send nobody.
    """
    newest = RegisterState.objects.filter(register__meter=OuterRef("pk")).order_by().values("register__meter")
    open_work = Assignment.objects.open().filter(meter=OuterRef("pk"))
    rows = meters_to_read(user).annotate(
        last_read=Subquery(newest.annotate(newest=Max("last_time")).values("newest")),
        open_status=Subquery(open_work.values("status")[:1]),
        open_agent=Subquery(open_work.values("agent__user__name")[:1]),
    )
    return (
        rows.filter(_narrowed(wanted)).select_related("region").order_by(F("last_read").asc(nulls_first=True), "serial")
    )


def _narrowed(wanted: Wanted) -> Q:
    open_work = Assignment.objects.open().filter(meter=OuterRef("pk"))
    condition = Q()
    plain: dict[str, Any] = {
        "region": wanted.region_id,
        "status": wanted.status,
        "priority": wanted.priority,
        "serial__istartswith": wanted.serial,
    }
    for name, value in plain.items():
        if value:
            condition &= Q(**{name: value})
    if wanted.read_before is not None:
        condition &= Q(last_read=None) | Q(last_read__lt=wanted.read_before)
    by_work = {
        NO_WORK: ~Exists(open_work),
        UNASSIGNED: Exists(open_work.filter(agent=None)),
        OVERDUE: Exists(open_work.filter(status=Assignment.Status.OVERDUE)),
    }
    return condition & Q(by_work[wanted.work]) if wanted.work in by_work else condition
