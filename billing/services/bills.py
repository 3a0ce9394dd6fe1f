"""Draft and issue bills."""

from datetime import datetime
from uuid import UUID

from accounts.actors import Actor
from billing.models import Bill
from energy_portal.shared.clock import YearMonth


def draft_bill(*, account_id: UUID, month: YearMonth, actor: Actor, now: datetime) -> Bill:
    """Draft one account's bill of a month, or rate its draft anew.

    :raises AlreadyIssued: the month's bill stands and is never touched.
    """
    raise NotImplementedError


def issue_bill(*, bill_id: UUID, actor: Actor, now: datetime) -> Bill:
    """Issue a draft that is whole: it gets its number and never changes again.

    :raises CannotIssue: it is not a draft, or it is held.
    """
    raise NotImplementedError
