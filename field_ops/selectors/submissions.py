"""Submissions as somebody may see them."""

from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from energy_portal.shared.errors import NotFound
from field_ops.models import Submission


class NoSuchSubmission(NotFound):
    """There is no such submission, or not for the one who asks."""

    code = "no_such_submission"


def submissions_for(user: User) -> QuerySet[Submission]:
    """Return the submissions that somebody may see, newest first, with what became of them."""
    return (
        Submission.objects.visible_to(user)
        .select_related("meter", "register", "agent__user", "approval", "photo")
        .order_by("-received_at", "-id")
    )


def submission_for(*, submission_id: UUID, user: User) -> Submission:
    """Return a submission that somebody may see.

    :raises NoSuchSubmission: none, or not theirs.
    """
    found = submissions_for(user).filter(pk=submission_id).first()
    if found is None:
        raise NoSuchSubmission("There is no such submission.")
    return found
