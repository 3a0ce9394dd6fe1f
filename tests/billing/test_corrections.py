from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from billing.models import Bill, Correction
from billing.services.bills import AlreadyIssued, HeldBack, draft_bill, issue_bill
from billing.services.corrections import (
    CannotCorrect,
    DraftedAnew,
    NoDifference,
    NoReason,
    NotSmall,
    approve_correction,
    approve_small,
    propose_correction,
    reject_correction,
)
from billing.services.runs import process_run, start_month
from billing.services.tariffs import load_singapore_tariff
from billing.workflow import CannotMove
from energy_portal.shared.clock import YearMonth
from meters.models import DomainEvent
from meters.services.deliveries import deliver_events
from meters.services.outbox import NewEvent, publish
from tests.factories import BindingFactory, ManagerFactory

FEBRUARY = YearMonth(2023, 2)
NOW = datetime(2023, 4, 2, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tariff():
    load_singapore_tariff()


@pytest.fixture
def binding():
    return BindingFactory()


@pytest.fixture
def bill(binding, meters):
    """280 kWh: 81.06 and 6.48 of tax."""
    made = draft_bill(account_id=binding.account_id, month=FEBRUARY, actor=PORTAL, now=NOW)
    return issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)


@pytest.fixture
def manager():
    return Actor(user=ManagerFactory())


def happen(binding, kind=DomainEvent.Kind.GAP_CLOSED, now=LATER):
    start = datetime(2023, 2, 10, tzinfo=UTC)
    publish([NewEvent(kind, binding.service_point_id, start=start, end=start + timedelta(days=1))], now=now)
    deliver_events(now=now)


def moved(binding, meters, daily, now=LATER):
    meters.daily_kwh[binding.account_id] = Decimal(daily)
    happen(binding, now=now)
    return Correction.objects.filter(original__account=binding.account_id).order_by("-proposed_at").first()


def approve(correction, manager, now=LATER):
    return approve_correction(correction_id=correction.pk, actor=manager, now=now)


def outcomes(bill):
    trail = AuditEntry.objects.filter(action="bill.touched", object_id=str(bill.pk)).order_by("pk")
    return [entry.detail["outcome"] for entry in trail]


class TestProposal:
    def test_drafts_a_credit_note_and_a_new_bill_with_the_difference(self, binding, bill, meters):
        correction = moved(binding, meters, 11)

        assert (correction.status, correction.revision, correction.cause) == ("open", 1, "gap")
        assert (correction.old_total, correction.new_total) == (Decimal("87.54"), Decimal("96.30"))
        assert (correction.difference, correction.new_kwh) == (Decimal("8.76"), 308)
        note, new = correction.credit_note, correction.replacement
        assert (note.kind, note.status, note.corrects, note.total) == ("credit_note", "draft", bill, -bill.total)
        assert (new.kind, new.status, new.corrects, new.total) == ("bill", "draft", bill, Decimal("96.30"))
        negated = [(line.description, -line.quantity, line.rate, -line.amount) for line in note.lines.all()]
        assert negated == [(line.description, line.quantity, line.rate, line.amount) for line in bill.lines.all()]
        bill.refresh_from_db()
        assert bill.status == "issued"

    def test_says_why_and_shows_both_bills_line_by_line(self, binding, bill, meters):
        correction = moved(binding, meters, 11)

        assert "have come in" in correction.reason
        (evidence,) = correction.evidence
        assert (evidence["cause"], evidence["because"]) == ("gap", "gap_closed")
        energy, tax = correction.comparison
        assert (energy["old"]["quantity"], energy["new"]["quantity"], energy["difference"]) == ("280", "308", "8.11")
        assert (tax["old"]["amount"], tax["new"]["amount"], tax["difference"]) == ("6.48", "7.13", "0.65")
        assert sum(Decimal(row["difference"]) for row in correction.comparison) == correction.difference

    def test_is_not_made_where_nothing_differs(self, binding, bill, meters):
        happen(binding)

        assert not Correction.objects.exists()
        assert Bill.objects.count() == 1
        assert outcomes(bill) == ["same"]

    def test_is_drafted_anew_by_what_happens_later(self, binding, bill, meters):
        first = moved(binding, meters, 11)

        second = moved(binding, meters, 12, now=LATER + timedelta(hours=1))

        assert (second.pk, second.revision, len(second.evidence)) == (first.pk, 2, 2)
        assert (second.replacement_id, second.new_kwh) == (first.replacement_id, 336)
        assert Bill.objects.filter(status="draft").count() == 2
        assert outcomes(bill) == ["proposed", "drafted_anew"]

    def test_keeps_its_revision_where_more_evidence_says_the_same(self, binding, bill, meters):
        moved(binding, meters, 11)

        correction = moved(binding, meters, 11, now=LATER + timedelta(hours=1))

        assert (correction.revision, len(correction.evidence)) == (1, 2)

    def test_lapses_when_the_bill_was_right_after_all(self, binding, bill, meters):
        moved(binding, meters, 11)

        correction = moved(binding, meters, 10, now=LATER + timedelta(hours=1))

        assert (correction.status, correction.credit_note, correction.replacement) == ("lapsed", None, None)
        assert list(Bill.objects.all()) == [bill]

    def test_is_kept_while_energy_is_missing_and_cannot_be_approved(self, binding, bill, meters, manager):
        meters.daily_kwh[binding.account_id] = None
        happen(binding)
        correction = Correction.objects.get()

        with pytest.raises(HeldBack):
            approve(correction, manager)

        assert (correction.new_total, correction.difference) == (None, None)
        bill.refresh_from_db()
        assert bill.status == "issued"

    def test_owes_nothing_where_the_account_was_not_supplied_at_all(self, binding, bill, meters, manager):
        binding.valid = type(binding.valid)(binding.valid.lower, datetime(2023, 1, 10, tzinfo=UTC))
        binding.save()
        data = {"account_id": str(binding.account_id)}
        start = datetime(2023, 1, 10, tzinfo=UTC)
        publish([NewEvent(DomainEvent.Kind.CHAIN_CHANGED, binding.service_point_id, start=start, data=data)], now=LATER)
        deliver_events(now=LATER)

        correction = approve(Correction.objects.get(), manager)

        assert (correction.replacement, correction.difference) == (None, -bill.total)
        statuses = Bill.objects.order_by("kind").values_list("kind", "status")
        assert list(statuses) == [("bill", "void"), ("credit_note", "issued")]


class TestApprove:
    def test_issues_both_and_voids_the_original(self, binding, bill, meters, manager):
        correction = approve(moved(binding, meters, 11), manager)

        bill.refresh_from_db()
        note, new = Bill.objects.get(kind="credit_note"), Bill.objects.get(kind="bill", status="issued")
        assert bill.status == "void"
        assert (note.number, note.status, new.number) == ("CN-202302-000001", "issued", "202302-000002")
        assert bill.total + note.total + new.total == new.total == Decimal("96.30")
        assert (correction.status, correction.decided_by, correction.decided_at) == ("approved", manager.user, LATER)
        entry = AuditEntry.objects.get(action="correction.approved")
        assert (entry.user, entry.detail["credit_note"]) == (manager.user, "CN-202302-000001")

    def test_is_done_once(self, binding, bill, meters, manager):
        correction = approve(moved(binding, meters, 11), manager)

        with pytest.raises(CannotMove):
            approve(correction, manager)

        assert Bill.objects.count() == 3

    def test_numbers_notes_without_a_gap(self, meters, manager):
        for _ in range(3):
            binding = BindingFactory()
            made = draft_bill(account_id=binding.account_id, month=FEBRUARY, actor=PORTAL, now=NOW)
            issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)
            approve(moved(binding, meters, 11), manager)

        numbers = Bill.objects.filter(kind="credit_note").order_by("number").values_list("number", flat=True)
        assert list(numbers) == [f"CN-202302-00000{count}" for count in (1, 2, 3)]

    def test_refuses_what_changed_since_it_was_looked_at(self, binding, bill, meters, manager):
        seen = moved(binding, meters, 11)
        moved(binding, meters, 12, now=LATER + timedelta(hours=1))

        with pytest.raises(DraftedAnew):
            approve_correction(correction_id=seen.pk, revision=seen.revision, actor=manager, now=LATER)

        assert not Bill.objects.filter(kind="credit_note", status="issued").exists()

    def test_can_be_followed_by_a_correction_of_the_new_bill(self, binding, bill, meters, manager):
        approve(moved(binding, meters, 11), manager)

        second = approve(moved(binding, meters, 12, now=LATER + timedelta(hours=1)), manager)

        assert second.original.number == "202302-000002"
        owed = sum(document.total for document in Bill.objects.exclude(status="draft"))
        assert owed == second.new_total == Bill.objects.get(kind="bill", status="issued").total

    def test_of_small_differences_refuses_large_ones(self, binding, bill, meters, manager):
        correction = moved(binding, meters, 20)

        with pytest.raises(NotSmall):
            approve_small(correction_id=correction.pk, actor=manager, now=LATER)

        small = moved(binding, meters, 11, now=LATER + timedelta(hours=1))
        assert approve_small(correction_id=small.pk, actor=manager, now=LATER).status == "approved"


class TestReject:
    def test_drops_the_drafts_and_keeps_the_record(self, binding, bill, meters, manager):
        correction = moved(binding, meters, 11)

        reject_correction(correction_id=correction.pk, reason="The dial was misread.", actor=manager, now=LATER)

        correction.refresh_from_db()
        assert (correction.status, correction.note, correction.decided_by) == (
            "rejected",
            "The dial was misread.",
            manager.user,
        )
        assert (correction.difference, len(correction.comparison)) == (Decimal("8.76"), 2)
        assert list(Bill.objects.all()) == [bill]

    def test_wants_a_reason(self, binding, bill, meters, manager):
        correction = moved(binding, meters, 11)

        with pytest.raises(NoReason):
            reject_correction(correction_id=correction.pk, reason=" ", actor=manager, now=LATER)

    def test_lets_the_same_outcome_rest(self, binding, bill, meters, manager):
        reject_correction(correction_id=moved(binding, meters, 11).pk, reason="No.", actor=manager, now=LATER)

        happen(binding, now=LATER + timedelta(hours=1))

        assert Correction.objects.count() == 1
        assert outcomes(bill) == ["proposed", "rejected_before"]

    def test_does_not_keep_another_outcome_from_being_proposed(self, binding, bill, meters, manager):
        reject_correction(correction_id=moved(binding, meters, 11).pk, reason="No.", actor=manager, now=LATER)

        correction = moved(binding, meters, 12, now=LATER + timedelta(hours=1))

        assert (correction.status, correction.new_kwh) == ("open", 336)


class TestProposeCorrection:
    def test_asks_again_for_what_was_rejected(self, binding, bill, meters, manager):
        reject_correction(correction_id=moved(binding, meters, 11).pk, reason="No.", actor=manager, now=LATER)

        correction = propose_correction(bill_id=bill.pk, reason="We read the dial.", actor=manager, now=LATER)

        assert (correction.status, correction.cause, correction.reason) == ("open", "manager", "We read the dial.")

    def test_refuses_what_comes_to_the_same(self, bill, manager):
        with pytest.raises(NoDifference):
            propose_correction(bill_id=bill.pk, reason="Look.", actor=manager, now=LATER)

        assert not Correction.objects.exists()

    @pytest.mark.parametrize("status", ["void", "archived"])
    def test_refuses_what_is_not_issued(self, bill, manager, status):
        Bill.objects.filter(pk=bill.pk).update(status=status)

        with pytest.raises(CannotCorrect):
            propose_correction(bill_id=bill.pk, reason="Look.", actor=manager, now=LATER)


class TestArchivedBill:
    def test_is_only_noted(self, binding, bill, meters):
        Bill.objects.filter(pk=bill.pk).update(status="archived")

        assert moved(binding, meters, 11) is None
        assert outcomes(bill) == ["archived"]


class TestOpenProposal:
    def test_is_left_alone_by_a_bill_run(self, binding, bill, meters, manager):
        correction = moved(binding, meters, 11)
        before = list(Bill.objects.order_by("pk").values())

        run = start_month(month=FEBRUARY, actor=PORTAL, now=LATER)
        process_run(run_id=run.pk, now=LATER)

        assert list(Bill.objects.order_by("pk").values()) == before
        assert approve(correction, manager).status == "approved"

    def test_is_left_alone_by_who_drafts_the_account_s_bill(self, binding, bill, meters):
        moved(binding, meters, 11)

        with pytest.raises(AlreadyIssued):
            draft_bill(account_id=binding.account_id, month=FEBRUARY, actor=PORTAL, now=LATER)

        assert Bill.objects.count() == 3

    @pytest.mark.parametrize("which", ["credit_note", "replacement"])
    def test_is_issued_by_its_approval_alone(self, binding, bill, meters, manager, which):
        draft = getattr(moved(binding, meters, 11), which)

        with pytest.raises(CannotMove):
            issue_bill(bill_id=draft.pk, actor=manager, now=LATER)
