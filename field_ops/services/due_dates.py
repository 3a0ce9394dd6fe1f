"""Give open work another due date."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from energy_portal.shared.errors import DomainError
from field_ops.models import Assignment
from field_ops.selectors.assignments import require_manager
from field_ops.services.assignments import Changed, Refused
from field_ops.services.handing import DueInThePast
from field_ops.services.ledger import Act, count_loads, lock_assignments, note
from field_ops.workflow import require_free, require_transition
from meters.services.exceptions import reason_of

_Status = Assignment.Status


@transaction.atomic
def postpone(
    *, assignment_ids: Collection[UUID], due_at: datetime, reason: str, actor: Actor, now: datetime
) -> Changed:
    """Let open work be due at another time; what is overdue becomes again what it was before.

    What is closed or in review is refused, each with its reason.

    :raises DueInThePast: it would be overdue at once.
    :raises NoReason: the reason says nothing.
    :raises NotAManager: the actor may change nothing.
    """
    require_manager(actor.user)
    act = Act("postponed", actor, now, reason_of(reason))
    if due_at <= now:
        raise DueInThePast("Work cannot be due in the past.")
    rows = Assignment.objects.visible_to(actor.user) if actor.user else Assignment.objects.all()
    seen = set(rows.filter(pk__in=assignment_ids).values_list("pk", flat=True))
    locked, agents = lock_assignments(seen)
    changed: list[Assignment] = []
    refused: list[Refused] = []
    for assignment in locked:
        try:
            require_free(assignment)
        except DomainError as error:
            refused.append(Refused(assignment.pk, error.code, error.detail))
            continue
        if assignment.status == _Status.OVERDUE:
            _bring_back(assignment)
        assignment.due_at, assignment.updated_at = due_at, now
        changed.append(assignment)
    Assignment.objects.bulk_update(changed, ("due_at", "status", "updated_at"), batch_size=1_000)
    note(changed, act)
    count_loads(agents.values())
    return Changed(tuple(changed), tuple(refused))


def _bring_back(assignment: Assignment) -> None:
    for status in (_Status.PENDING, _Status.IN_PROGRESS) if assignment.started_at else (_Status.PENDING,):
        require_transition(assignment, status)
        assignment.status = status
