"""Submissions whose photo never came: nothing that an agent brought is left lying."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.actors import PORTAL
from accounts.services import audit
from field_ops.models import Submission
from field_ops.services.reviewing import WorkTaken, open_request

WAITED = timedelta(days=7)
_AT_ONCE = 500


def settle_stranded(*, now: datetime) -> int:
    """Bring what has waited for its photo for a week before those who decide, without it; returns how many.

    Of what is no longer its agent's work nothing is to be decided: it is rejected.
    """
    since = now - WAITED
    quiet = Q(upload=None) | Q(upload__touched_at__lt=since)
    stranded = Submission.objects.filter(quiet, status=Submission.Status.RECEIVING, received_at__lt=since)
    found = list(stranded.order_by("received_at")[:_AT_ONCE])
    for submission in found:
        try:
            open_request(submission=submission, now=now)
        except WorkTaken:
            _reject(submission, now)
    return len(found)


@transaction.atomic
def _reject(submission: Submission, now: datetime) -> None:
    locked = Submission.objects.select_for_update().get(pk=submission.pk)
    if locked.status != Submission.Status.RECEIVING:
        return
    locked.status = Submission.Status.REJECTED
    locked.save(update_fields=("status", "updated_at"))
    audit.record(
        action="submission.stranded",
        obj=locked,
        actor=PORTAL,
        now=now,
        reason="Its assignment is no longer open to them.",
    )
