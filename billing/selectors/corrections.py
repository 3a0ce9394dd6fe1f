"""Corrections and disputes as people ask for them, and the story of one bill."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import CustomerAccount, User
from billing.models import Bill, Correction, Dispute, DisputeStep
from meters.models import Binding


@dataclass(frozen=True)
class Happening:
    """Something that happened to a bill: when, what, in whose words, and the document that it led to."""

    at: datetime
    what: str | Promise
    text: str = ""
    document: Bill | None = None


@dataclass(frozen=True)
class BillStory:
    """What became of a bill. ``open_dispute`` waits for an answer; ``may_dispute``: the reader may open one."""

    bill: Bill
    happenings: tuple[Happening, ...]
    open_dispute: Dispute | None
    may_dispute: bool
    may_withdraw: bool


def corrections_visible_to(user: User | None) -> QuerySet[Correction]:
    """List the corrections that somebody may see, newest first, with their documents.

    :param user: None for a data source, which sees what was approved.
    """
    rows = Correction.objects.all()
    seen = rows.filter(status=Correction.Status.APPROVED) if user is None else rows.visible_to(user)
    related = ("original__account", "credit_note", "replacement", "decided_by")
    return seen.select_related(*related).order_by("-proposed_at", "pk")


def correction_for(*, user: User | None, correction_id: UUID) -> Correction:
    """Fetch one correction.

    :raises Correction.DoesNotExist: there is none, or it is not theirs to see.
    """
    return corrections_visible_to(user).get(pk=correction_id)


def disputes_visible_to(user: User | None) -> QuerySet[Dispute]:
    """List the disputes that somebody may see, newest first, with their bills and steps.

    :param user: None for a data source, which sees all.
    """
    rows = Dispute.objects.all()
    seen = rows if user is None else rows.visible_to(user)
    related = seen.select_related("bill__account", "line", "opened_by", "correction")
    return related.prefetch_related("steps__by").order_by("-opened_at", "pk")


def dispute_for(*, user: User | None, dispute_id: UUID) -> Dispute:
    """Fetch one dispute.

    :raises Dispute.DoesNotExist: there is none, or it is not theirs to see.
    """
    return disputes_visible_to(user).get(pk=dispute_id)


def bill_story(*, bill: Bill, user: User, now: datetime) -> BillStory:
    """Tell what became of a bill, in the order of time, and what its reader may do about it."""
    disputes = list(bill.disputes.prefetch_related("steps").order_by("opened_at", "pk"))
    current = next((dispute for dispute in disputes if dispute.is_open), None)
    acts = CustomerAccount.objects.administered_by(user, now=now).filter(pk=bill.account_id).exists()
    owed = bill.kind == Bill.Kind.BILL and bill.status == Bill.Status.ISSUED
    told = [*_documents(bill), *(_step(step) for dispute in disputes for step in dispute.steps.all())]
    return BillStory(
        bill=bill,
        happenings=tuple(sorted(told, key=lambda happening: happening.at)),
        open_dispute=current,
        may_dispute=acts and owed and current is None,
        may_withdraw=acts and current is not None,
    )


def waiting_corrections() -> int:
    """Count the corrections that wait for a manager."""
    return Correction.objects.filter(status=Correction.Status.OPEN).count()


def waiting_disputes() -> int:
    """Count the disputes that wait for a manager: those whose readings are on their way do not."""
    return Dispute.objects.filter(status=Dispute.Status.OPEN).count()


def supplied_by(serial: str) -> QuerySet[Binding]:
    """Filter the bindings of places where a meter of that serial hung at any time."""
    return Binding.objects.filter(service_point__installations__meter__serial__iexact=serial.strip())


def _documents(bill: Bill) -> list[Happening]:
    """Tell of the documents that a bill and its neighbours in a chain of corrections are."""
    told = []
    if bill.issued_at is not None:
        told.append(Happening(bill.issued_at, _("Issued")))
    if bill.corrects is not None and bill.issued_at is not None:
        what = _("Takes back") if bill.kind == Bill.Kind.CREDIT_NOTE else _("Stands in for")
        told.append(Happening(bill.issued_at, what, document=bill.corrects))
    approved = Correction.objects.filter(
        Q(original=bill) | Q(replacement=bill) | Q(credit_note=bill), status=Correction.Status.APPROVED
    )
    for each in approved.select_related("credit_note", "replacement"):
        if each.decided_at is None:
            continue
        if each.original_id == bill.pk:
            told.append(Happening(each.decided_at, _("Taken back by"), each.reason, each.credit_note))
            if each.replacement is not None:
                told.append(Happening(each.decided_at, _("Billed anew by"), document=each.replacement))
        else:
            told.append(Happening(each.decided_at, _("Because"), each.reason))
    return told


def _step(step: DisputeStep) -> Happening:
    return Happening(step.at, _STEPS[Dispute.Status(step.status)], step.text)


_STEPS = {
    Dispute.Status.OPEN: _("Disputed"),
    Dispute.Status.READINGS_ASKED: _("We are getting readings"),
    Dispute.Status.CORRECTING: _("A correction is being checked"),
    Dispute.Status.UPHELD: _("The dispute was upheld"),
    Dispute.Status.REJECTED: _("The dispute was answered: the bill stands"),
    Dispute.Status.WITHDRAWN: _("The dispute was withdrawn"),
}
