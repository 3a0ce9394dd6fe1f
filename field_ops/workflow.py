"""Where an assignment may go from where it stands; the caller has locked its row before reading it.

The clock makes it overdue, which it stays until it is closed, or given to somebody with another due date. One in review
moves by the decision on its submission.
"""

from types import MappingProxyType

from energy_portal.shared.errors import Conflict
from field_ops.models import Assignment

_Status = Assignment.Status

TRANSITIONS = MappingProxyType(
    {
        _Status.PENDING: frozenset({_Status.IN_PROGRESS, _Status.OVERDUE, _Status.CANCELLED}),
        _Status.IN_PROGRESS: frozenset({_Status.PENDING, _Status.OVERDUE, _Status.COMPLETED, _Status.CANCELLED}),
        _Status.OVERDUE: frozenset({_Status.PENDING, _Status.COMPLETED, _Status.CANCELLED}),
        _Status.COMPLETED: frozenset[Assignment.Status](),
        _Status.CANCELLED: frozenset[Assignment.Status](),
    }
)


class CannotMove(Conflict):
    """An assignment's status does not lead where it was asked to go."""

    code = "assignment_cannot_move"


class InReview(Conflict):
    """What an agent brought for an assignment is being decided on."""

    code = "assignment_in_review"


class NotInReview(Conflict):
    """Nothing waits for a decision on an assignment."""

    code = "assignment_not_in_review"


def require_transition(assignment: Assignment, target: Assignment.Status) -> None:
    """Refuse a step that the table does not hold.

    :raises CannotMove: the assignment's status does not lead to ``target``.
    """
    if target not in TRANSITIONS[_Status(assignment.status)]:
        raise CannotMove(f"An assignment that is {_Status(assignment.status).label} cannot become {target.label}.")


def require_open(assignment: Assignment) -> None:
    """Refuse what is completed or cancelled.

    :raises CannotMove: it is closed.
    """
    if not TRANSITIONS[_Status(assignment.status)]:
        raise CannotMove(f"The assignment is {_Status(assignment.status).label} already.")


def require_free(assignment: Assignment) -> None:
    """Refuse what is closed, or waits for a decision.

    :raises CannotMove: it is closed.
    :raises InReview: its submission has to be decided on first.
    """
    require_open(assignment)
    if assignment.is_in_review:
        raise InReview("Decide first on what was sent for it.")


def require_in_review(assignment: Assignment) -> None:
    """Refuse what is closed, or waits for no decision.

    :raises CannotMove: it is closed.
    :raises NotInReview: nothing was sent for it, or it was sent back.
    """
    require_open(assignment)
    if not assignment.is_in_review:
        raise NotInReview("Nothing waits for a decision on it.")
