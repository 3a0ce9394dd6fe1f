from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from billing.models import Bill, Dispute, DisputeStep
from billing.services.bills import draft_bill, issue_bill
from billing.services.corrections import NoDifference, approve_correction, reject_correction
from billing.services.disputes import (
    AlreadyDisputed,
    BadDispute,
    CannotDispute,
    NotYours,
    ask_for_readings,
    correct_disputed,
    open_dispute,
    reject_dispute,
    withdraw_dispute,
)
from billing.services.tariffs import load_singapore_tariff
from billing.workflow import CannotMove
from energy_portal.shared.clock import YearMonth
from energy_portal.shared.errors import Throttled
from tests.factories import AccountAccessFactory, BindingFactory, ManagerFactory, UserFactory, singapore_bill

NOW = datetime(2023, 4, 2, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
FEBRUARY = date(2023, 2, 1)
pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return BindingFactory().account


@pytest.fixture
def bill(account):
    load_singapore_tariff()
    return singapore_bill(account=account, first_day=FEBRUARY, issued_at=NOW)


@pytest.fixture
def customer(account):
    return AccountAccessFactory(account=account, right="administer").user


@pytest.fixture
def manager():
    return Actor(user=ManagerFactory())


def dispute(bill, user, now=NOW, **more):
    given = {"reason": "too_high", "text": "We were away.", **more}
    return open_dispute(bill_id=bill.pk, user=user, now=now, **given)


class TestOpenDispute:
    def test_keeps_what_the_bill_rests_on(self, account, bill, customer):
        singapore_bill(account=account, first_day=date(2022, 2, 1), kwh="100", issued_at=NOW)

        made = dispute(bill, customer, line_position=1)

        assert (made.status, made.line.position, made.opened_by) == ("open", 1, customer)
        evidence = made.evidence
        assert (evidence["total"], evidence["consumption_kwh"], evidence["estimated_share"]) == (
            "96.47",
            "308.52",
            "0",
        )
        assert [read["quality_name"] for read in evidence["lines"][0]["reads"]] == ["Validated", "Validated"]
        assert (evidence["year_ago"]["month"], evidence["year_ago"]["consumption_kwh"]) == ("2022-02", "100")
        assert AuditEntry.objects.get(action="dispute.opened").user == customer

    def test_is_for_those_who_act_for_the_account(self, account, bill):
        viewer = AccountAccessFactory(account=account, right="view").user

        with pytest.raises(NotYours):
            dispute(bill, viewer)

    def test_does_not_tell_strangers_that_there_is_such_a_bill(self, bill):
        with pytest.raises(Bill.DoesNotExist):
            dispute(bill, UserFactory())

    def test_takes_one_open_dispute_a_bill(self, bill, customer):
        dispute(bill, customer)

        with pytest.raises(AlreadyDisputed):
            dispute(bill, customer)

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"text": "  "}, "text_missing"),
            ({"text": "x" * 2001}, "text_too_long"),
            ({"reason": "weather"}, "unknown_reason"),
            ({"line_position": 9}, "unknown_line"),
        ],
    )
    def test_refuses_what_does_not_do(self, bill, customer, given, code):
        with pytest.raises(BadDispute) as refused:
            dispute(bill, customer, **given)

        assert refused.value.code == code

    @pytest.mark.parametrize("status", ["void", "archived"])
    def test_refuses_a_bill_that_is_not_owed_as_it_stands(self, bill, customer, status):
        Bill.objects.filter(pk=bill.pk).update(status=status)

        with pytest.raises(CannotDispute):
            dispute(bill, customer)

    def test_is_limited_a_day(self, bill, customer, settings):
        settings.DISPUTES_A_DAY = 2
        for _ in range(2):
            withdraw_dispute(dispute_id=dispute(bill, customer).pk, user=customer, now=NOW)

        with pytest.raises(Throttled) as refused:
            dispute(bill, customer, now=LATER)

        assert refused.value.retry_after_seconds == 21 * 3600
        assert dispute(bill, customer, now=NOW + timedelta(days=1, seconds=1)).status == "open"


class TestDecisions:
    @pytest.fixture
    def opened(self, bill, customer):
        return dispute(bill, customer)

    def test_keep_who_when_and_why(self, opened, manager):
        ask_for_readings(dispute_id=opened.pk, answer="We come to read it.", actor=manager, now=NOW)
        reject_dispute(dispute_id=opened.pk, answer="The dial is right.", actor=manager, now=LATER)

        opened.refresh_from_db()
        assert (opened.status, opened.answer, opened.closed_at) == ("rejected", "The dial is right.", LATER)
        steps = list(DisputeStep.objects.values_list("status", "at", "by", "text"))
        assert steps == [
            ("open", NOW, opened.opened_by_id, "We were away."),
            ("readings_asked", NOW, manager.user.pk, "We come to read it."),
            ("rejected", LATER, manager.user.pk, "The dial is right."),
        ]

    def test_are_final(self, opened, manager, customer):
        reject_dispute(dispute_id=opened.pk, answer="No.", actor=manager, now=NOW)

        for act in (reject_dispute, ask_for_readings, correct_disputed):
            with pytest.raises(CannotMove):
                act(dispute_id=opened.pk, answer="Again.", actor=manager, now=LATER)
        with pytest.raises(CannotMove):
            withdraw_dispute(dispute_id=opened.pk, user=customer, now=LATER)
        with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
            Dispute.objects.update(answer="Yes.")
        with pytest.raises(IntegrityError, match="stays as it is"), transaction.atomic():
            DisputeStep.objects.update(text="")

    def test_want_an_answer(self, opened, manager):
        with pytest.raises(BadDispute):
            reject_dispute(dispute_id=opened.pk, answer="", actor=manager, now=NOW)

    def test_can_be_forestalled_by_the_customer_alone(self, opened, customer):
        with pytest.raises(Dispute.DoesNotExist):
            withdraw_dispute(dispute_id=opened.pk, user=UserFactory(), now=NOW)

        assert withdraw_dispute(dispute_id=opened.pk, user=customer, now=LATER).status == "withdrawn"


class TestCorrectDisputed:
    @pytest.fixture
    def bill(self, account, meters):
        load_singapore_tariff()
        made = draft_bill(account_id=account.pk, month=YearMonth(2023, 2), actor=PORTAL, now=NOW)
        return issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)

    @pytest.fixture
    def opened(self, account, bill, customer, meters):
        meters.daily_kwh[account.pk] = Decimal(9)
        return dispute(bill, customer)

    def propose(self, opened, manager):
        return correct_disputed(dispute_id=opened.pk, answer="You are right.", actor=manager, now=LATER)

    def test_proposes_a_correction_and_upholds_with_its_approval(self, opened, manager):
        correction = self.propose(opened, manager)
        opened.refresh_from_db()
        assert (opened.status, opened.correction, correction.cause) == ("correcting", correction, "dispute")

        approve_correction(correction_id=correction.pk, actor=manager, now=LATER)

        opened.refresh_from_db()
        assert (opened.status, opened.closed_at) == ("upheld", LATER)
        assert "corrected bill" in opened.answer

    def test_comes_back_to_the_queue_when_the_correction_is_rejected(self, opened, manager):
        correction = self.propose(opened, manager)

        reject_correction(correction_id=correction.pk, reason="Not so.", actor=manager, now=LATER)

        opened.refresh_from_db()
        assert opened.status == "open"
        assert "look at it again" in opened.steps.last().text

    def test_says_so_where_the_bill_comes_to_the_same(self, account, opened, manager, meters):
        meters.daily_kwh[account.pk] = Decimal(10)

        with pytest.raises(NoDifference):
            self.propose(opened, manager)

        opened.refresh_from_db()
        assert opened.status == "open"

    def test_is_upheld_by_any_correction_of_its_bill(self, bill, opened, manager):
        ask_for_readings(dispute_id=opened.pk, answer="We read it.", actor=manager, now=NOW)
        other = correct_disputed(dispute_id=opened.pk, answer="Read.", actor=manager, now=LATER)
        reject_correction(correction_id=other.pk, reason="Wait.", actor=manager, now=LATER)
        again = self.propose(opened, manager)

        approve_correction(correction_id=again.pk, actor=manager, now=LATER)

        opened.refresh_from_db()
        assert (opened.status, opened.correction) == ("upheld", again)
