"""The queue of what rules do not simply let pass: locked, decided on once, and audited with who, when and why."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Conflict, Invalid
from meters.models import ReadingException, Severity

_NOTE_LENGTH = 1_000


class AlreadyClosed(Conflict):
    """Somebody has decided already."""

    code = "exception_already_closed"


class NoReason(Invalid):
    """A decision needs a reason."""

    code = "reason_missing"


def is_waiting(exception: ReadingException) -> bool:
    """Tell whether its value has not entered and waits for a decision."""
    return exception.offered_value is not None and exception.severity in {Severity.QUARANTINE, Severity.REJECT}


def reason_of(note: str) -> str:
    """Return a reason as it is kept.

    :raises NoReason: there is none, or it is a treatise.
    """
    reason = note.strip()
    if not reason:
        raise NoReason("Say why, so that the next person need not ask.")
    if len(reason) > _NOTE_LENGTH:
        raise NoReason(f"A reason has at most {_NOTE_LENGTH} characters.")
    return reason


def lock_open(exception_id: UUID) -> tuple[ReadingException, Sequence[ReadingException]]:
    """Lock an open exception and those that hold the same value back; returns it, and these.

    All are locked in one order, so that two people who decide on neighbours do not wait for each other for ever.

    :raises ReadingException.DoesNotExist: there is no such exception.
    :raises AlreadyClosed: somebody was faster.
    """
    seen: ReadingException = ReadingException.objects.get(pk=exception_id)
    same = ReadingException.objects.filter(
        register_id=seen.register_id, time=seen.time, offered_value=seen.offered_value
    )
    if seen.offered_value is None:
        same = ReadingException.objects.filter(pk=exception_id)
    locked = list(same.select_for_update(of=("self",)).select_related("register__meter", "source").order_by("pk"))
    exception = next(each for each in locked if each.pk == exception_id)
    if exception.status != ReadingException.Status.OPEN:
        raise AlreadyClosed(f"It was {exception.get_status_display().lower()} before.")
    others = [
        each
        for each in locked
        if each.pk != exception_id
        and each.status == ReadingException.Status.OPEN
        and is_waiting(each)
        and is_waiting(exception)
    ]
    return exception, others


def close_all(
    exceptions: Iterable[ReadingException],
    *,
    status: ReadingException.Status,
    reason: str,
    actor: Actor,
    now: datetime,
    **detail: object,
) -> None:
    """Close exceptions that the caller has locked, each with the same reason."""
    for exception in exceptions:
        exception.status, exception.note = status, reason
        exception.closed_at, exception.closed_by = now, actor.user
        exception.save(update_fields=("status", "note", "closed_at", "closed_by"))
        audit.record(
            action=f"reading_exception.{status.value}",
            obj=exception,
            actor=actor,
            now=now,
            code=exception.code,
            reason=reason,
            **detail,
        )
