"""Decisions that meet each other, a bill run, an event or a sudden end: one outcome, nothing twice, nothing half."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connections

from accounts.actors import PORTAL
from billing.models import Bill, Correction, CreditNoteNumberSeries, Dispute
from billing.services import corrections, drafting
from billing.services.bills import draft_bill, issue_bill
from billing.services.corrections import approve_correction, propose_correction, reject_correction
from billing.services.disputes import open_dispute
from billing.services.rerating import rerate_version
from billing.services.runs import process_run, start_month
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.errors import DomainError
from meters.models import DomainEvent
from meters.services.deliveries import deliver_events
from meters.services.outbox import NewEvent, publish
from tests.factories import AccountAccessFactory, BindingFactory

FEBRUARY = YearMonth(2023, 2)
NOW = datetime(2023, 4, 2, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def binding(meters):
    load_singapore_tariff()
    return BindingFactory()


@pytest.fixture
def bill(binding):
    made = draft_bill(account_id=binding.account_id, month=FEBRUARY, actor=PORTAL, now=NOW)
    return issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)


@pytest.fixture
def correction(binding, bill, meters):
    meters.daily_kwh[binding.account_id] = Decimal(11)
    return propose_correction(bill_id=bill.pk, reason="Read again.", actor=PORTAL, now=NOW)


def at_once(*deeds):
    """Run deeds at the same time; return what each came to: done, or the code of its refusal."""
    barrier = Barrier(len(deeds))

    def run(deed):
        barrier.wait()
        try:
            deed()
        except DomainError as error:
            return error.code
        finally:
            connections.close_all()
        return "done"

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def approve(correction):
    return lambda: approve_correction(correction_id=correction.pk, actor=PORTAL, now=LATER)


def statuses():
    return sorted(Bill.objects.values_list("kind", "status"))


def require_sound(account):
    """Check what must hold whatever happened: one bill stands, and the account owes just that."""
    documents = Bill.objects.filter(account=account).exclude(status="draft")
    standing = documents.get(kind="bill", status="issued")
    assert sum(document.total for document in documents) == standing.total
    assert documents.filter(kind="credit_note").count() == documents.filter(status="void").count()
    notes = documents.filter(kind="credit_note").count()
    assert list(CreditNoteNumberSeries.objects.values_list("last_number", flat=True)) == [notes] * bool(notes)


CORRECTED = [("bill", "issued"), ("bill", "void"), ("credit_note", "issued")]


class TestRaces:
    def test_of_two_approvals_one_wins(self, binding, correction):
        answers = at_once(approve(correction), approve(correction))

        assert sorted(answers) == ["correction_cannot_move", "done"]
        assert statuses() == CORRECTED
        require_sound(binding.account)

    def test_of_an_approval_and_a_rejection_one_wins(self, binding, correction):
        def reject():
            reject_correction(correction_id=correction.pk, reason="No.", actor=PORTAL, now=LATER)

        answers = at_once(approve(correction), reject)

        assert sorted(answers) == ["correction_cannot_move", "done"]
        correction.refresh_from_db()
        assert statuses() == (CORRECTED if correction.status == "approved" else [("bill", "issued")])
        require_sound(binding.account)

    def test_a_bill_run_at_the_same_time_bills_nothing_twice(self, binding, correction):
        run = start_month(month=FEBRUARY, actor=PORTAL, now=LATER)

        answers = at_once(approve(correction), lambda: process_run(run_id=run.pk, now=LATER))

        assert answers == ["done", "done"]
        assert statuses() == CORRECTED
        require_sound(binding.account)

    def test_events_at_the_same_time_leave_one_proposal(self, binding, bill, meters):
        meters.daily_kwh[binding.account_id] = Decimal(11)
        start = datetime(2023, 2, 10, tzinfo=UTC)
        for _ in range(4):
            publish(
                [
                    NewEvent(
                        DomainEvent.Kind.GAP_CLOSED,
                        binding.service_point_id,
                        start=start,
                        end=start + timedelta(days=1),
                    )
                ],
                now=LATER,
            )

        at_once(*(lambda: deliver_events(now=LATER),) * 2)
        deliver_events(now=LATER)

        assert Correction.objects.filter(status="open").count() == 1
        assert statuses() == [("bill", "draft"), ("bill", "issued"), ("credit_note", "draft")]

    def test_reratings_at_the_same_time_propose_once(self, binding, bill, meters):
        meters.daily_kwh[binding.account_id] = Decimal(11)
        version = bill.lines.get(kind="energy").tariff_version

        at_once(*(lambda: rerate_version(version_id=version.pk, now=LATER),) * 2)

        correction = Correction.objects.get()
        assert (correction.revision, len(correction.evidence)) == (1, 1)

    def test_of_two_disputes_one_is_opened(self, bill):
        user = AccountAccessFactory(account=bill.account, right="administer").user

        def dispute():
            open_dispute(bill_id=bill.pk, user=user, reason="other", text="No.", now=LATER)

        assert sorted(at_once(dispute, dispute)) == ["bill_already_disputed", "done"]
        assert Dispute.objects.count() == 1


class TestSuddenEnds:
    @pytest.mark.parametrize("after", ["the note", "the original", "the new bill"])
    def test_in_an_approval_leave_nothing_behind(self, binding, correction, monkeypatch, after):
        issued, issue, decide = [], drafting.issue_drafts, corrections._decide

        def dies(*, bills, **more):
            if after == "the original" and issued:
                raise KeyboardInterrupt
            issued.extend(issue(bills=bills, **more))
            if after == "the note":
                raise KeyboardInterrupt

        def dies_deciding(*args):
            if after == "the new bill":
                raise KeyboardInterrupt
            decide(*args)

        monkeypatch.setattr(drafting, "issue_drafts", dies)
        monkeypatch.setattr(corrections, "_decide", dies_deciding)
        with pytest.raises(KeyboardInterrupt):
            approve(correction)()
        monkeypatch.undo()

        correction.refresh_from_db()
        assert correction.status == "open"
        assert statuses() == [("bill", "draft"), ("bill", "issued"), ("credit_note", "draft")]
        assert not CreditNoteNumberSeries.objects.exists()

    def test_are_made_up_for_by_another_approval(self, binding, correction, meters, monkeypatch):
        monkeypatch.setattr(corrections, "_record_issue", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            approve(correction)()
        monkeypatch.undo()

        approve(correction)()

        assert Bill.objects.get(kind="credit_note").number == "CN-202302-000001"
        require_sound(binding.account)
