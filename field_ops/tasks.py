"""Background work of field operations."""

from uuid import UUID

from asgiref.sync import async_to_sync
from celery import shared_task
from channels.layers import get_channel_layer
from django.utils import timezone

from field_ops.services import assignments, notices, photos, recognising, rounds, shifts, stranded, uploads

# A run ends before the next ones pile up behind it, however much there is to do.
_TURNS = 100


@shared_task(ignore_result=True)
def tell(*, groups: list[str]) -> None:
    """Let pages that stay open look again; what is not told now is seen at their next look."""
    layer = get_channel_layer()
    for group in groups:
        async_to_sync(layer.group_send)(group, {"type": "changed"})


@shared_task(ignore_result=True)
def forget_positions() -> None:
    """Forget where agents were longer ago than is stated."""
    shifts.forget_positions(now=timezone.now())


@shared_task
def mark_overdue() -> int:
    """Mark the work that is past its due date; every few minutes."""
    marked = 0
    for _ in range(_TURNS):
        turn = assignments.mark_overdue(now=timezone.now())
        marked += turn
        if not turn:
            break
    return marked


@shared_task
def make_rounds() -> int:
    """Make the assignments of rounds that are due; returns how many. Several runs a day make nothing twice."""
    return rounds.make_rounds(now=timezone.now()).made


@shared_task
def mail_notices() -> int:
    """Mail agents what they have not seen on their pages; every minute."""
    return notices.mail_notices(now=timezone.now())


@shared_task
def forget_uploads() -> int:
    """Forget photos that were begun and never finished; daily."""
    return uploads.forget_uploads(now=timezone.now())


@shared_task
def settle_stranded() -> int:
    """Bring submissions whose photo never came to review without it; daily."""
    return stranded.settle_stranded(now=timezone.now())


@shared_task
def sweep_photos() -> int:
    """Remove files that a crash left without a row; daily."""
    return photos.sweep(now=timezone.now())


@shared_task
def compare_photo(*, submission_id: str) -> str:
    """Read a submission's photo, once it is committed; returns what became of it."""
    return recognising.compare_photo(submission_id=UUID(submission_id), now=timezone.now())
