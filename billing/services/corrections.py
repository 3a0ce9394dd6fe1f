"""Correct issued bills: propose a credit note with a new bill, and approve or reject the proposal.

Whoever writes here has locked the account first, then its bills by their keys, then the correction: the account's lock
orders proposals, approvals and bill runs, so that of many who decide at once one does.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from accounts.models import CustomerAccount
from accounts.services import audit
from billing import workflow
from billing.models import Bill, Correction
from billing.selectors.evidence import Evidence, of_request
from billing.services import dispute_steps, drafting, proposing
from billing.services.bills import HeldBack
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.errors import Conflict, Invalid

_Status = Correction.Status


class NoDifference(Conflict):
    """The bill would be the same again."""

    code = "no_difference"


class DraftedAnew(Conflict):
    """The proposal changed since it was looked at."""

    code = "correction_drafted_anew"


class NoReason(Invalid):
    """It is not said why."""

    code = "reason_missing"


class NotSmall(Conflict):
    """The difference is too large to be approved without a look at it."""

    code = "difference_not_small"


class CannotCorrect(Conflict):
    """The bill is not one that can be corrected."""

    code = "bill_cannot_be_corrected"


@transaction.atomic
def propose_correction(
    *, bill_id: UUID, reason: str, actor: Actor, now: datetime, cause: str = Correction.Cause.MANAGER
) -> Correction:
    """Rate an issued bill anew because somebody asked for it, and draft what corrects it.

    :param reason: what the customer reads.
    :raises Bill.DoesNotExist: there is no such bill.
    :raises NoReason: it is not said why.
    :raises CannotCorrect: it is a draft, a credit note, void or archived.
    :raises NoDifference: the bill would be the same again.
    """
    why = _reason_of(reason)
    account_id = Bill.objects.values_list("account_id", flat=True).get(pk=bill_id)
    CustomerAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    bill = Bill.objects.select_for_update(of=("self",)).select_related("account").get(pk=bill_id)
    if bill.kind != Bill.Kind.BILL or bill.status != Bill.Status.ISSUED:
        raise CannotCorrect(f"Only an issued bill can be corrected; this {bill.get_kind_display()} is {bill.status}.")
    evidence = of_request(cause=cause, key=f"{bill_id}:{now.isoformat()}", reason=why, now=now)
    (found,) = proposing.propose(bills=[bill], evidence={bill.pk: evidence}, actor=actor, now=now, insist=True)
    if found.correction is None or found.verdict in {proposing.Verdict.SAME, proposing.Verdict.LAPSED}:
        raise NoDifference(f"Rated anew, {bill} comes to the same.")
    return found.correction


def propose_all(
    *, bills: list[Bill], evidence: Mapping[UUID, Evidence], actor: Actor, now: datetime
) -> list[proposing.Finding]:
    """Rate issued bills anew and draft what corrects them; the caller holds the locks and the transaction.

    Bills that are archived, void, or credit notes are passed over.
    """
    wanted = [bill for bill in bills if bill.kind == Bill.Kind.BILL and bill.status == Bill.Status.ISSUED]
    return proposing.propose(bills=wanted, evidence=evidence, actor=actor, now=now)


@transaction.atomic
def approve_correction(
    *, correction_id: UUID, actor: Actor, now: datetime, revision: int | None = None, note: str = ""
) -> Correction:
    """Issue the credit note, make the original void, and issue the new bill: all of it or nothing.

    :param revision: the one that was looked at; None: whichever stands.
    :raises Correction.DoesNotExist: there is none.
    :raises CannotMove: it is decided already.
    :raises DraftedAnew: it changed since it was looked at.
    :raises HeldBack: the new bill is held; its reason says what to do.
    """
    correction = _locked(correction_id)
    workflow.require_correction(correction, _Status.APPROVED)
    if revision is not None and revision != correction.revision:
        raise DraftedAnew("The proposal was drafted anew since: look at it again.")
    original, credit_note, replacement = correction.original, correction.credit_note, correction.replacement
    workflow.require_transition(original, Bill.Status.VOID)
    if replacement is not None and replacement.held_because:
        raise HeldBack(replacement.get_held_because_display(), extra={"held_because": replacement.held_because})
    month = YearMonth.of(original.month)
    if credit_note is not None:
        drafting.issue_drafts(bills=[credit_note], month=month, now=now)
    original.status = Bill.Status.VOID
    original.save(update_fields=("status",))
    if replacement is not None:
        drafting.issue_drafts(bills=[replacement], month=month, now=now)
    _decide(correction, _Status.APPROVED, note, actor, now)
    dispute_steps.settle_by(correction, actor=actor, now=now)
    new_number = replacement.number if replacement else None
    _record_issue(correction, new_number, actor, now)
    return correction


@transaction.atomic
def approve_small(*, correction_id: UUID, actor: Actor, now: datetime) -> Correction:
    """Approve a correction whose difference is small enough not to be looked at one by one.

    :raises NotSmall: it is more than ``CORRECTION_SMALL``, or not known.
    :raises CannotMove: as :func:`approve_correction` does, and so on.
    """
    correction = _locked(correction_id)
    if correction.difference is None or abs(correction.difference) > settings.CORRECTION_SMALL:
        raise NotSmall(f"The difference is more than {settings.CORRECTION_SMALL}: look at it by itself.")
    return approve_correction(correction_id=correction_id, revision=correction.revision, actor=actor, now=now)


@transaction.atomic
def reject_correction(*, correction_id: UUID, reason: str, actor: Actor, now: datetime) -> Correction:
    """Drop the drafts of a correction and keep its record; the issued bill stands.

    The same outcome is not proposed again unless somebody asks for it.

    :raises Correction.DoesNotExist: there is none.
    :raises NoReason: it is not said why.
    :raises CannotMove: it is decided already.
    """
    why = _reason_of(reason)
    correction = _locked(correction_id)
    workflow.require_correction(correction, _Status.REJECTED)
    drafts = proposing.let_go(correction)
    _decide(correction, _Status.REJECTED, why, actor, now)
    proposing.drop(drafts)
    dispute_steps.reopen_of(correction, actor=actor, now=now)
    audit.record(action="correction.rejected", obj=correction, actor=actor, now=now, reason=why)
    return correction


def _locked(correction_id: UUID) -> Correction:
    """Lock the account, its documents and the correction, in the order of all who write bills."""
    found = Correction.objects.select_related("original").get(pk=correction_id)
    CustomerAccount.objects.select_for_update(no_key=True).get(pk=found.original.account_id)
    # Drafted anew while this waited, it may name other drafts.
    found.refresh_from_db()
    keys = [key for key in (found.original_id, found.credit_note_id, found.replacement_id) if key]
    documents = Bill.objects.filter(pk__in=keys).order_by("pk").select_for_update(of=("self",))
    bills = {bill.pk: bill for bill in documents.select_related("account")}
    correction: Correction = Correction.objects.select_for_update(of=("self",)).get(pk=correction_id)
    correction.original = bills[correction.original_id]
    if correction.credit_note_id:
        correction.credit_note = bills[correction.credit_note_id]
    if correction.replacement_id:
        correction.replacement = bills[correction.replacement_id]
    return correction


def _decide(correction: Correction, status: str, note: str, actor: Actor, now: datetime) -> None:
    correction.status, correction.note = status, note
    correction.decided_by, correction.decided_at = actor.user, now
    correction.save(
        update_fields=("status", "note", "decided_by", "decided_at", "credit_note", "replacement"),
    )


def _record_issue(correction: Correction, new_number: str | None, actor: Actor, now: datetime) -> None:
    numbers = {
        "original": correction.original.number,
        "credit_note": correction.credit_note.number if correction.credit_note else None,
        "replacement": new_number,
        "difference": correction.difference,
    }
    audit.record(action="correction.approved", obj=correction, actor=actor, now=now, **numbers)
    audit.record(action="bill.void", obj=correction.original, actor=actor, now=now, **numbers)
    for issued in (correction.credit_note, correction.replacement):
        if issued is not None:
            audit.record(
                action="bill.issued", obj=issued, actor=actor, now=now, number=issued.number, total=str(issued.total)
            )


def _reason_of(text: str) -> str:
    why = text.strip()
    if not why:
        raise NoReason("Say why.")
    return why
