"""Decide on values that did not simply enter."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid
from meters.models import ReadingException


class AlreadyClosed(Conflict):
    """Somebody has decided already."""

    code = "exception_already_closed"


class NotADecision(Invalid):
    """An exception is closed as accepted or as rejected, with a reason."""

    code = "not_a_decision"


@transaction.atomic
def close_exception(
    *, exception_id: UUID, status: ReadingException.Status | str, note: str, actor: Actor, now: datetime
) -> ReadingException:
    """Close an exception with a reason; no reading moves by it.

    ``rejected`` says that the offered value is wrong and what stands is right, ``accepted`` that what the exception
    tells of is so and needs nothing more.

    :raises ReadingException.DoesNotExist: there is no such exception.
    :raises NotADecision: it would stay open, or the reason is missing.
    :raises AlreadyClosed: somebody was faster.
    """
    decision = ReadingException.Status(status)
    if decision is ReadingException.Status.OPEN:
        raise NotADecision("An exception is closed as accepted or as rejected.")
    if not note.strip():
        raise NotADecision("Say why, so that the next person need not ask.")
    exception: ReadingException = ReadingException.objects.select_for_update(of=("self",)).get(pk=exception_id)
    if exception.status != ReadingException.Status.OPEN:
        raise AlreadyClosed(f"It was {exception.get_status_display().lower()} before.")
    exception.status, exception.note = decision, note.strip()
    exception.closed_at, exception.closed_by = now, actor.user
    exception.save(update_fields=("status", "note", "closed_at", "closed_by"))
    audit.record(action="reading_exception.closed", obj=exception, actor=actor, now=now, status=decision.value)
    return exception
