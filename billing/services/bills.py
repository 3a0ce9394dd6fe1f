"""Draft and issue one bill."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.services import audit
from billing import workflow
from billing.models import Bill
from billing.services import drafting
from energy_portal.shared.clock import YearMonth, local_month, zone
from energy_portal.shared.errors import Conflict, Invalid


class AlreadyIssued(Conflict):
    """The month's bill stands: it is never touched again."""

    code = "bill_already_issued"


class MonthNotOver(Invalid):
    """A month is billed once it is over."""

    code = "month_not_over"


class HeldBack(Conflict):
    """A draft that is held cannot be issued."""

    code = "bill_held"


def require_month_over(*, month: YearMonth, zone_name: str, now: datetime) -> None:
    """Refuse a month that is not over on a zone's clock.

    :raises MonthNotOver: it is not.
    """
    if now < local_month(month, zone(zone_name)).end:
        raise MonthNotOver(f"{month} is not over yet in {zone_name}.")


@transaction.atomic
def draft_bill(
    *, account_id: UUID, month: YearMonth, actor: Actor, now: datetime, allow_estimates: bool = False
) -> Bill:
    """Draft one account's bill of a month, or rate its draft anew.

    :param allow_estimates: leave to bill however much of the energy is estimated; until it is rated anew without.
    :raises CustomerAccount.DoesNotExist: there is no such account.
    :raises MonthNotOver: the month is not over in the account's zone.
    :raises AlreadyIssued: the month's bill stands.
    """
    account = CustomerAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    require_month_over(month=month, zone_name=account.zone, now=now)
    drafts = drafting.draft_bills(accounts=[account], month=month, run=None, now=now, allow_estimates=allow_estimates)
    if not drafts:
        raise AlreadyIssued(f"{account.number} has its bill of {month}.")
    leave = {"allow_estimates": True} if allow_estimates else {}
    audit.record(action="bill.drafted", obj=drafts[0], actor=actor, now=now, month=str(month), **leave)
    return drafts[0]


@transaction.atomic
def issue_bill(*, bill_id: UUID, actor: Actor, now: datetime) -> Bill:
    """Issue a draft that is whole: it gets its number and never changes again.

    :raises Bill.DoesNotExist: there is no such bill.
    :raises CannotMove: it is not a draft, or one that a correction issues.
    :raises HeldBack: it is held; its reason says what to do.
    """
    bill: Bill = Bill.objects.select_for_update().get(pk=bill_id)
    workflow.require_transition(bill, Bill.Status.ISSUED)
    if bill.corrects_id is not None:
        raise workflow.CannotMove(f"{bill} belongs to a correction: it is issued when that is approved.")
    if bill.held_because:
        raise HeldBack(bill.get_held_because_display(), extra={"held_because": bill.held_because})
    drafting.issue_drafts(bills=[bill], month=YearMonth.of(bill.month), now=now)
    audit.record(action="bill.issued", obj=bill, actor=actor, now=now, number=bill.number, total=str(bill.total))
    return bill
