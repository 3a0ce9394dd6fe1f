"""Disputes of bills: opened and withdrawn by customers, decided by managers.

Writers lock the account, then the bill, then the dispute, as all who write bills do.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from accounts.actors import Actor
from accounts.models import CustomerAccount, User
from accounts.services import audit
from billing.models import Bill, BillLine, Correction, Dispute, DisputeStep
from billing.selectors.evidence import of_bill
from billing.services import corrections
from billing.services.dispute_steps import take
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.errors import Conflict, Forbidden, Invalid, Throttled

LONGEST_TEXT = 2_000
_DAY = timedelta(days=1)
_Status = Dispute.Status


class NotYours(Forbidden):
    """Somebody may see the bill, and not act for its account."""

    code = "account_not_administered"


class CannotDispute(Conflict):
    """The bill is not one that is owed as it stands."""

    code = "bill_cannot_be_disputed"


class AlreadyDisputed(Conflict):
    """A dispute of the bill is open."""

    code = "bill_already_disputed"


class BadDispute(Invalid):
    """What was said of a dispute does not do."""

    code = "invalid_dispute"


@transaction.atomic
def open_dispute(
    *, bill_id: UUID, user: User, reason: str, text: str, now: datetime, line_position: int | None = None
) -> Dispute:
    """Dispute an issued bill, or one of its lines; what it rests on now is kept as evidence.

    :param line_position: of the line that is meant, as on the bill.
    :raises Bill.DoesNotExist: there is no such bill, or it is not theirs to see.
    :raises NotYours: they may see the account, and not act for it.
    :raises BadDispute: the reason is none of those known, the text is empty or too long, or there is no such line.
    :raises CannotDispute: it is void, archived or a credit note.
    :raises AlreadyDisputed: a dispute of it is open.
    :raises Throttled: the account disputed as often as it may in a day.
    """
    said = _said(text)
    if reason not in Dispute.Reason.values:
        raise BadDispute(f"There is no reason {reason!r}.", code="unknown_reason")
    bill = _lock_bill(bill_id, user, now)
    if bill.kind != Bill.Kind.BILL or bill.status != Bill.Status.ISSUED:
        raise CannotDispute(gettext("Only a bill that is owed as it stands can be disputed."))
    _require_first(bill, now)
    lines = list(bill.lines.select_related("service_point", "tariff_version__tariff"))
    dispute = Dispute.objects.create(
        bill=bill,
        line=_line(lines, line_position),
        reason=reason,
        text=said,
        evidence=of_bill(bill, lines, year_ago=_year_ago(bill)),
        opened_at=now,
        opened_by=user,
    )
    DisputeStep.objects.create(dispute=dispute, status=_Status.OPEN, at=now, by=user, text=said)
    audit.record(action="dispute.opened", obj=dispute, actor=Actor(user=user), now=now, bill=bill.number, reason=reason)
    return dispute


@transaction.atomic
def withdraw_dispute(*, dispute_id: UUID, user: User, now: datetime) -> Dispute:
    """Withdraw a dispute that is open.

    :raises Dispute.DoesNotExist: there is none, or it is not theirs to see.
    :raises NotYours: they may not act for the account.
    :raises CannotMove: it is closed.
    """
    bill_id = Dispute.objects.all().visible_to(user).values_list("bill_id", flat=True).get(pk=dispute_id)
    _lock_bill(bill_id, user, now)
    dispute = Dispute.objects.select_for_update(of=("self",)).get(pk=dispute_id)
    return take(dispute, _Status.WITHDRAWN, text="", actor=Actor(user=user), now=now)


@transaction.atomic
def ask_for_readings(*, dispute_id: UUID, answer: str, actor: Actor, now: datetime) -> Dispute:
    """Uphold a dispute so far that its readings are to be taken or corrected; the bill is rated anew when they are.

    :raises CannotMove: it is closed, waits for them already, or a correction is proposed.
    :raises BadDispute: it is not said what the customer reads.
    """
    said = _said(answer)
    return take(_lock(dispute_id), _Status.READINGS_ASKED, text=said, actor=actor, now=now, answer=True)


@transaction.atomic
def correct_disputed(*, dispute_id: UUID, answer: str, actor: Actor, now: datetime) -> Correction:
    """Rate the disputed bill anew and propose to correct it; the dispute is upheld when that is approved.

    :raises NoDifference: the bill comes to the same: ask for readings first, or reject.
    :raises CannotMove: the dispute is closed, or a correction is proposed already.
    :raises BadDispute: it is not said what the customer reads.
    """
    said = _said(answer)
    dispute = _lock(dispute_id)
    correction = corrections.propose_correction(
        bill_id=dispute.bill_id, reason=said, actor=actor, now=now, cause=Correction.Cause.DISPUTE
    )
    dispute.correction = correction
    take(dispute, _Status.CORRECTING, text=said, actor=actor, now=now, answer=True)
    return correction


@transaction.atomic
def reject_dispute(*, dispute_id: UUID, answer: str, actor: Actor, now: datetime) -> Dispute:
    """Reject a dispute with an answer to the customer; the bill stands.

    :raises CannotMove: it is closed.
    :raises BadDispute: no answer is given.
    """
    said = _said(answer)
    return take(_lock(dispute_id), _Status.REJECTED, text=said, actor=actor, now=now, answer=True)


def _lock_bill(bill_id: UUID, user: User, now: datetime) -> Bill:
    account_id = Bill.objects.all().visible_to(user).values_list("account_id", flat=True).get(pk=bill_id)
    if not CustomerAccount.objects.administered_by(user, now=now).filter(pk=account_id).exists():
        raise NotYours(gettext("You may see this account, and not act for it."))
    CustomerAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    bill: Bill = Bill.objects.select_for_update(of=("self",)).select_related("account").get(pk=bill_id)
    return bill


def _lock(dispute_id: UUID) -> Dispute:
    bill_id, account_id = Dispute.objects.values_list("bill_id", "bill__account_id").get(pk=dispute_id)
    CustomerAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    Bill.objects.select_for_update(of=("self",)).get(pk=bill_id)
    dispute: Dispute = Dispute.objects.select_for_update(of=("self",)).get(pk=dispute_id)
    return dispute


def _require_first(bill: Bill, now: datetime) -> None:
    if Dispute.objects.filter(bill=bill, status__in=Dispute.OPEN).exists():
        raise AlreadyDisputed(gettext("This bill is disputed already; we are looking at it."))
    latest = Dispute.objects.filter(bill__account=bill.account_id, opened_at__gt=now - _DAY).order_by("-opened_at")
    opened = list(latest.values_list("opened_at", flat=True)[: settings.DISPUTES_A_DAY])
    if len(opened) >= settings.DISPUTES_A_DAY:
        wait = opened[-1] + _DAY - now
        raise Throttled(
            gettext("An account may dispute %(most)s bills a day.") % {"most": settings.DISPUTES_A_DAY},
            retry_after_seconds=max(1, int(wait.total_seconds())),
        )


def _line(lines: list[BillLine], position: int | None) -> BillLine | None:
    if position is None:
        return None
    found = next((line for line in lines if line.position == position), None)
    if found is None:
        raise BadDispute("The bill has no such line.", code="unknown_line")
    return found


def _year_ago(bill: Bill) -> Bill | None:
    month = YearMonth.of(bill.month)
    for _ in range(12):
        month = month.previous()
    billed = Bill.objects.bills().filter(account=bill.account_id, month=month.first_day)
    found: Bill | None = billed.filter(status__in=(Bill.Status.ISSUED, Bill.Status.ARCHIVED)).first()
    return found


def _said(text: str) -> str:
    said = text.strip()
    if not said:
        raise BadDispute(gettext("Say it in a sentence."), code="text_missing")
    if len(said) > LONGEST_TEXT:
        raise BadDispute(
            gettext("Say it in %(most)s characters at most.") % {"most": LONGEST_TEXT}, code="text_too_long"
        )
    return said
