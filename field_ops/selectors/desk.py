"""How field work stands, for whoever opens the administration."""

from dataclasses import dataclass

from django.db.models import Count, Q

from accounts.models import User
from field_ops.models import ApprovalRequest, Assignment, Risk


@dataclass(frozen=True)
class FieldNow:
    """Submissions that wait for a decision, and work that is late or that nobody has."""

    waiting: int
    waiting_high: int
    overdue: int
    unassigned: int
    open: int


def field_now(user: User) -> FieldNow:
    """Count what somebody may see of field work, in two queries."""
    waiting = (
        ApprovalRequest.objects.visible_to(user)
        .waiting()
        .aggregate(waiting=Count("pk"), waiting_high=Count("pk", filter=Q(risk=Risk.HIGH)))
    )
    work = (
        Assignment.objects.visible_to(user)
        .open()
        .aggregate(
            overdue=Count("pk", filter=Q(status=Assignment.Status.OVERDUE, is_in_review=False)),
            unassigned=Count("pk", filter=Q(agent=None)),
            open=Count("pk"),
        )
    )
    return FieldNow(**waiting, **work)
