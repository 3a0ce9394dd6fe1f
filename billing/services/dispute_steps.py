"""The steps of disputes: each moves one along its table, and is kept with who took it, when and why."""

from datetime import datetime

from accounts.actors import Actor
from accounts.services import audit
from billing import workflow
from billing.models import Correction, Dispute, DisputeStep

_Status = Dispute.Status
_CORRECTED = "A credit note takes the bill back."
_BILLED_ANEW = "A credit note takes the bill back, and a corrected bill stands in for it."
_NOT_CORRECTED = "The correction was not made; we look at it again."


def take(dispute: Dispute, status: str, *, text: str, actor: Actor, now: datetime, answer: bool = False) -> Dispute:
    """Move a dispute whose row is locked; with ``answer`` the text is what the customer reads.

    :raises CannotMove: its status does not lead there.
    """
    workflow.require_dispute(dispute, _Status(status))
    dispute.status = status
    if answer:
        dispute.answer = text
    if not dispute.is_open:
        dispute.closed_at = now
    dispute.save(update_fields=("status", "answer", "closed_at", "correction"))
    DisputeStep.objects.create(dispute=dispute, status=status, at=now, by=actor.user, text=text)
    audit.record(action=f"dispute.{status}", obj=dispute, actor=actor, now=now, text=text)
    return dispute


def settle_by(correction: Correction, *, actor: Actor, now: datetime) -> None:
    """Uphold what is still open against a bill that an approved correction takes back; its row is locked."""
    text = _BILLED_ANEW if correction.replacement_id else _CORRECTED
    for dispute in _lock_open(bill=correction.original_id):
        dispute.correction = correction
        take(dispute, _Status.UPHELD, text=text, actor=actor, now=now, answer=True)


def reopen_of(correction: Correction, *, actor: Actor, now: datetime) -> None:
    """Put back into the queue the disputes that waited for a correction which is not made."""
    for dispute in _lock_open(correction=correction, status=_Status.CORRECTING):
        take(dispute, _Status.OPEN, text=_NOT_CORRECTED, actor=actor, now=now)


def _lock_open(**which: object) -> list[Dispute]:
    found = Dispute.objects.filter(status__in=Dispute.OPEN).filter(**which).order_by("pk")
    return list(found.select_for_update(of=("self",)))
