"""Requests for approval: the queue, who may decide what, how many wait, and what was decided before."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import User
from accounts.roles import STAFF_ROLES, Role
from energy_portal.shared.errors import NotFound
from field_ops.models import ApprovalRequest, Decision, Risk


class NoSuchRequest(NotFound):
    """There is no such request, or not for the one who asks."""

    code = "no_such_request"


@dataclass(frozen=True, slots=True)
class Hindrance:
    """Why somebody may not decide the next level of a request that waits."""

    code: str
    detail: str
    is_second_level: bool = False


def queue_for(user: User) -> QuerySet[ApprovalRequest]:
    """Return the requests that somebody may see, longest waiting first.

    Each says as ``decided_by_asker`` whether they decided on it before.
    """
    requests: QuerySet[ApprovalRequest] = (
        ApprovalRequest.objects.visible_to(user)
        .select_related("meter__region", "agent__user", "submission__register", "submission__photo", "reviewer")
        .annotate(decided_by_asker=_decided_by(user))
        .order_by("submitted_at", "id")
    )
    return requests


def request_for(*, request_id: UUID, user: User) -> ApprovalRequest:
    """Return a request that somebody may see.

    :raises NoSuchRequest: none, or not theirs.
    """
    found = queue_for(user).filter(pk=request_id).first()
    if found is None:
        raise NoSuchRequest("There is no such request.")
    return found


def hindrance(request: ApprovalRequest, user: User) -> Hindrance | None:
    """Return why somebody who sees a request may not decide its next level, None where they may."""
    if not user.is_active or user.role not in STAFF_ROLES:
        return Hindrance("missing_role", "Managers and admins decide.")
    if request.agent.user_id == user.pk:
        return Hindrance("own_submission", "Nobody decides on what they brought themselves.")
    decided = getattr(request, "decided_by_asker", None)
    if request.decisions.filter(by=user).exists() if decided is None else decided:
        return Hindrance("decided_before", "Somebody else decides the second level.")
    if request.levels_done and user.role != Role.ADMIN:
        return Hindrance("admins_only", "An admin decides the second level.", is_second_level=True)
    return None


def may_decide(request: ApprovalRequest, user: User) -> bool:
    """Tell whether somebody who sees a request may decide its next level."""
    waits = request.status in (ApprovalRequest.Status.PENDING, ApprovalRequest.Status.UNDER_REVIEW)
    return waits and hindrance(request, user) is None


def decidable_by(requests: QuerySet[ApprovalRequest], user: User) -> QuerySet[ApprovalRequest]:
    """Keep those, of requests that somebody sees, whose next level they may decide."""
    return requests.filter(_decidable(user))


def counters_for(user: User) -> dict[str, int]:
    """Count what waits in somebody's regions: in all, of high risk, for them, and for an admin. One query."""
    waiting = ApprovalRequest.objects.visible_to(user).waiting()
    return waiting.aggregate(
        waiting=Count("pk"),
        high=Count("pk", filter=Q(risk=Risk.HIGH)),
        mine=Count("pk", filter=_decidable(user)),
        second_level=Count("pk", filter=Q(levels_done=1)),
    )


def decisions_on(meter_id: UUID, *, user: User) -> QuerySet[Decision]:
    """Return what was decided on a meter's submissions, as far as somebody may see them, newest first."""
    seen = ApprovalRequest.objects.visible_to(user).filter(meter=meter_id)
    return (
        Decision.objects.filter(request__in=seen)
        .select_related("by", "request__submission", "request__agent__user")
        .order_by("-at", "-id")
    )


def _decided_by(user: User) -> Exists:
    return Exists(Decision.objects.filter(request=OuterRef("pk"), by=user))


def _decidable(user: User) -> Q:
    if not user.is_active or user.role not in STAFF_ROLES:
        return Q(pk__in=())
    level = Q() if user.role == Role.ADMIN else Q(levels_done=0)
    return Q(status__in=("pending", "under_review")) & level & ~Q(agent__user=user) & ~Q(_decided_by(user))
