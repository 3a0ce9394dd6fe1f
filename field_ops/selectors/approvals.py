"""Requests for approval: the queue, who may decide what, and what a page shows beside the value."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from accounts.roles import STAFF_ROLES, Role
from energy_portal.shared.errors import NotFound
from field_ops.models import ApprovalRequest


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
    """Return the requests that somebody may see, longest waiting first."""
    return (
        ApprovalRequest.objects.visible_to(user)
        .select_related("meter__region", "agent__user", "submission__register", "submission__photo", "reviewer")
        .order_by("submitted_at", "id")
    )


def request_for(*, request_id: UUID, user: User) -> ApprovalRequest:
    """Return a request that somebody may see.

    :raises NoSuchRequest: none, or not theirs.
    """
    found = queue_for(user).filter(pk=request_id).first()
    if found is None:
        raise NoSuchRequest("There is no such request.")
    return found


def hindrance(request: ApprovalRequest, user: User) -> Hindrance | None:
    """Return why somebody may not decide the next level, None where they may."""
    if not user.is_active or user.role not in STAFF_ROLES:
        return Hindrance("missing_role", "Managers and admins decide.")
    if request.agent.user_id == user.pk:
        return Hindrance("own_submission", "Nobody decides on what they brought themselves.")
    if request.decisions.filter(by=user).exists():
        return Hindrance("decided_before", "Somebody else decides the second level.")
    if request.levels_done and user.role != Role.ADMIN:
        return Hindrance("admins_only", "An admin decides the second level.", is_second_level=True)
    return None
