"""Where a bill may go from where it stands; the database's trigger keeps the same table."""

from types import MappingProxyType

from billing.models import Bill
from energy_portal.shared.errors import Conflict

_Status = Bill.Status

TRANSITIONS = MappingProxyType(
    {
        _Status.DRAFT: frozenset({_Status.ISSUED}),
        _Status.ISSUED: frozenset({_Status.VOID, _Status.ARCHIVED}),
        _Status.VOID: frozenset[Bill.Status](),
        _Status.ARCHIVED: frozenset[Bill.Status](),
    }
)


class CannotMove(Conflict):
    """A bill's status does not lead where it was asked to go."""

    code = "bill_cannot_move"


def require_transition(bill: Bill, target: Bill.Status) -> None:
    """Refuse a step that the table does not hold; the caller has locked the bill's row before reading it.

    :raises CannotMove: the bill's status does not lead to ``target``.
    """
    if target not in TRANSITIONS[_Status(bill.status)]:
        raise CannotMove(f"A bill that is {bill.status} cannot become {target}.")
