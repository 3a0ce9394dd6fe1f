"""Draft what corrects issued bills: rate them anew, and where the outcome differs, a credit note and a new bill."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import cast
from uuid import UUID

from django.db.models import prefetch_related_objects

from accounts.actors import Actor
from accounts.services import audit
from billing.models import Bill, BillLine, Correction
from billing.selectors.comparison import outcome_of, side_by_side
from billing.selectors.evidence import Evidence
from billing.services import dispute_steps, drafting
from billing.services.drafting import Draft
from energy_portal.shared.clock import YearMonth
from meters.models import Binding
from meters.selectors.flows import as_period

_Status = Correction.Status
_ZERO = Decimal("0.00")
_LINES = ("lines__component", "lines__tax_version")


class Verdict(StrEnum):
    """What came of rating an issued bill anew."""

    PROPOSED = "proposed"
    DRAFTED_ANEW = "drafted_anew"
    UNCHANGED = "unchanged"
    LAPSED = "lapsed"
    SAME = "same"
    REJECTED_BEFORE = "rejected_before"


@dataclass(frozen=True)
class Finding:
    """A bill, what came of it, and the correction that says so, if any."""

    bill: Bill
    verdict: Verdict
    correction: Correction | None = None


def propose(
    *, bills: Sequence[Bill], evidence: Mapping[UUID, Evidence], actor: Actor, now: datetime, insist: bool = False
) -> list[Finding]:
    """Rate issued bills anew, and propose to correct those whose outcome differs; one open proposal a bill.

    The caller has locked the accounts in the order of their numbers, then the bills, and holds a transaction open.

    :param bills: with their accounts; one an account and month.
    :param evidence: by the bill's id.
    :param insist: propose also what a manager rejected before.
    """
    prefetch_related_objects(list(bills), *_LINES)
    open_now = _lock_open(bills)
    months: dict[YearMonth, list[Bill]] = defaultdict(list)
    for bill in bills:
        months[YearMonth.of(bill.month)].append(bill)
    findings = []
    for month, group in months.items():
        blanks = [_blank(bill, open_now.get(bill.pk)) for bill in group]
        drafts = drafting.rate_bills(bills=blanks, month=month, now=now, allow_estimates=True)
        owing = _supplied(group)
        for bill, draft in zip(group, drafts, strict=True):
            wanted = draft if bill.pk in owing else None
            judged = _Judged(bill, wanted, open_now.get(bill.pk), evidence[bill.pk], actor, now)
            findings.append(judged.act(insist=insist))
    return findings


def let_go(correction: Correction) -> list[Bill]:
    """Have a correction name its drafts no more, so that they can be dropped once it is saved."""
    drafts = [bill for bill in (correction.credit_note, correction.replacement) if bill is not None]
    correction.credit_note = correction.replacement = None
    return drafts


def drop(drafts: Sequence[Bill]) -> None:
    """Delete drafts that nothing names any more."""
    Bill.objects.filter(pk__in=[bill.pk for bill in drafts]).delete()


@dataclass(frozen=True)
class _Judged:
    """An issued bill beside what its month comes to now; ``draft`` None: nothing is owed any more."""

    bill: Bill
    draft: Draft | None
    standing: Correction | None
    evidence: Evidence
    actor: Actor
    now: datetime

    def act(self, *, insist: bool) -> Finding:
        """Propose, draft anew, let a proposal lapse, or leave all as it is."""
        outcome = outcome_of(self.draft.bill, self.draft.lines) if self.draft else outcome_of(None, ())
        if outcome == outcome_of(self.bill, self.bill.lines.all()):
            return self._lapse(self.standing) if self.standing else Finding(self.bill, Verdict.SAME)
        if self.standing and self.standing.outcome == outcome:
            return self._note_again(self.standing)
        if self.standing:
            return self._draft_anew(self.standing, outcome)
        rejected = Correction.objects.filter(original=self.bill, status=_Status.REJECTED, outcome=outcome)
        if not insist and rejected.exists():
            return Finding(self.bill, Verdict.REJECTED_BEFORE)
        return self._propose(outcome)

    def _propose(self, outcome: str) -> Finding:
        correction = Correction(original=self.bill, proposed_at=self.now, evidence=[])
        correction.credit_note = _credit_note(self.bill)
        self._write(correction, outcome)
        self._record("correction.proposed", correction)
        return Finding(self.bill, Verdict.PROPOSED, correction)

    def _draft_anew(self, correction: Correction, outcome: str) -> Finding:
        correction.revision += 1
        self._write(correction, outcome)
        self._record("correction.drafted_anew", correction)
        return Finding(self.bill, Verdict.DRAFTED_ANEW, correction)

    def _note_again(self, correction: Correction) -> Finding:
        """Add evidence to a proposal that stands as it is; a repeat of the same adds nothing."""
        if self._add_evidence(correction):
            correction.save(update_fields=("evidence", "cause", "reason"))
        return Finding(self.bill, Verdict.UNCHANGED, correction)

    def _lapse(self, correction: Correction) -> Finding:
        self._add_evidence(correction)
        drafts = let_go(correction)
        correction.status, correction.decided_at = _Status.LAPSED, self.now
        correction.note = "Rated anew, the bill comes to the same."
        correction.save()
        drop(drafts)
        dispute_steps.reopen_of(correction, actor=self.actor, now=self.now)
        self._record("correction.lapsed", correction)
        return Finding(self.bill, Verdict.LAPSED, correction)

    def _write(self, correction: Correction, outcome: str) -> None:
        dropped = correction.replacement if self.draft is None else None
        if self.draft is not None:
            drafting.store_drafts([self.draft])
        new = self.draft.bill if self.draft else None
        total = new.total if new else _ZERO
        correction.replacement = new
        correction.outcome, correction.drafted_at = outcome, self.now
        correction.comparison = side_by_side(list(self.bill.lines.all()), self.draft.lines if self.draft else ())
        correction.old_total, correction.old_kwh = _whole(self.bill.total), _whole(self.bill.consumption_kwh)
        correction.new_total = total
        correction.difference = None if total is None else total - correction.old_total
        correction.new_kwh = new.consumption_kwh if new else None
        self._add_evidence(correction)
        correction.save()
        if dropped is not None:
            drop([dropped])

    def _add_evidence(self, correction: Correction) -> bool:
        if any(item["key"] == self.evidence.key for item in correction.evidence):
            return False
        correction.evidence = [*correction.evidence, self.evidence.as_json()]
        correction.cause, correction.reason = self.evidence.cause, self.evidence.text
        return True

    def _record(self, action: str, correction: Correction) -> None:
        audit.record(
            action=action,
            obj=correction,
            actor=self.actor,
            now=self.now,
            bill=self.bill.number,
            because=self.evidence.key,
            difference=correction.difference,
            revision=correction.revision,
        )


def _lock_open(bills: Sequence[Bill]) -> dict[UUID, Correction]:
    found = Correction.objects.filter(original__in=bills, status=_Status.OPEN).order_by("pk")
    rows = found.select_related("credit_note", "replacement").select_for_update(of=("self",))
    return {row.original_id: row for row in rows}


def _blank(bill: Bill, standing: Correction | None) -> Bill:
    """Return the draft to rate into: the proposal's own, or a new one."""
    if standing is not None and standing.replacement is not None:
        standing.replacement.account = bill.account
        return standing.replacement
    return Bill(account=bill.account, month=bill.month, corrects=bill)


def _supplied(bills: Sequence[Bill]) -> set[UUID]:
    """Return the bills in whose period the account is supplied anywhere."""
    bound = defaultdict(list)
    for account_id, valid in Binding.objects.filter(account__in=[bill.account_id for bill in bills]).values_list(
        "account_id", "valid"
    ):
        bound[account_id].append(valid)
    return {
        bill.pk
        for bill in bills
        if any(as_period(bill.period).intersect(as_period(valid)) for valid in bound[bill.account_id])
    }


def _whole(value: Decimal | None) -> Decimal:
    """Return a sum of an issued bill: the database lets none be issued without."""
    return cast("Decimal", value)


def _credit_note(bill: Bill) -> Bill:
    """Draft what takes a bill back: its lines with negated quantities and amounts."""
    note = Bill.objects.create(
        kind=Bill.Kind.CREDIT_NOTE,
        corrects=bill,
        account=bill.account,
        period=bill.period,
        month=bill.month,
        currency=bill.currency,
        consumption_kwh=-_whole(bill.consumption_kwh),
        subtotal=-_whole(bill.subtotal),
        tax=-_whole(bill.tax),
        total=-_whole(bill.total),
        complete=bill.complete,
        estimated_share=bill.estimated_share,
        as_of=bill.as_of,
    )
    copied: tuple[str, ...] = (
        "position",
        "kind",
        "description",
        "service_point_id",
        "tariff_version_id",
        "component_id",
    )
    copied += ("tax_version_id", "period", "unit", "rate", "detail", "reads")
    BillLine.objects.bulk_create(
        BillLine(
            bill=note,
            quantity=-line.quantity,
            amount=-line.amount,
            **{name: getattr(line, name) for name in copied},
        )
        for line in bill.lines.all()
    )
    return note
