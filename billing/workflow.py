"""Where bills, corrections and disputes may go from where they stand; the database's triggers keep the same tables.

The caller has locked the row before reading its status.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from billing.models import Bill, Correction, Dispute
from energy_portal.shared.errors import Conflict

_Status = Bill.Status
_Correction = Correction.Status
_Dispute = Dispute.Status

TRANSITIONS = MappingProxyType(
    {
        _Status.DRAFT: frozenset({_Status.ISSUED}),
        _Status.ISSUED: frozenset({_Status.VOID, _Status.ARCHIVED}),
        _Status.VOID: frozenset[Bill.Status](),
        _Status.ARCHIVED: frozenset[Bill.Status](),
    }
)
CORRECTIONS = MappingProxyType(
    {
        _Correction.OPEN: frozenset({_Correction.APPROVED, _Correction.REJECTED, _Correction.LAPSED}),
        _Correction.APPROVED: frozenset[Correction.Status](),
        _Correction.REJECTED: frozenset[Correction.Status](),
        _Correction.LAPSED: frozenset[Correction.Status](),
    }
)
_ENDS = frozenset({_Dispute.UPHELD, _Dispute.REJECTED, _Dispute.WITHDRAWN})
DISPUTES = MappingProxyType(
    {
        _Dispute.OPEN: frozenset({_Dispute.READINGS_ASKED, _Dispute.CORRECTING}) | _ENDS,
        _Dispute.READINGS_ASKED: frozenset({_Dispute.OPEN, _Dispute.CORRECTING}) | _ENDS,
        _Dispute.CORRECTING: frozenset({_Dispute.OPEN}) | _ENDS,
        _Dispute.UPHELD: frozenset[Dispute.Status](),
        _Dispute.REJECTED: frozenset[Dispute.Status](),
        _Dispute.WITHDRAWN: frozenset[Dispute.Status](),
    }
)


class CannotMove(Conflict):
    """A status does not lead where it was asked to go."""

    code = "bill_cannot_move"


def require_transition(bill: Bill, target: Bill.Status) -> None:
    """Refuse a step of a bill that the table does not hold.

    :raises CannotMove: the bill's status does not lead to ``target``.
    """
    _require(TRANSITIONS, "A bill", _Status(bill.status), target)


def require_correction(correction: Correction, target: Correction.Status) -> None:
    """Refuse a step of a correction that the table does not hold.

    :raises CannotMove: it is decided already.
    """
    _require(CORRECTIONS, "A correction", _Correction(correction.status), target, code="correction_cannot_move")


def require_dispute(dispute: Dispute, target: Dispute.Status) -> None:
    """Refuse a step of a dispute that the table does not hold.

    :raises CannotMove: it is closed, or where it was asked to go already.
    """
    _require(DISPUTES, "A dispute", _Dispute(dispute.status), target, code="dispute_cannot_move")


def _require(table: Mapping[Any, frozenset[Any]], what: str, status: Any, target: Any, code: str | None = None) -> None:
    if target not in table[status]:
        raise CannotMove(f"{what} that is {status} cannot become {target}.", code=code)
