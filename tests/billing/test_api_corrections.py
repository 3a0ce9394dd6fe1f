from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from accounts.actors import PORTAL
from accounts.roles import Role
from billing.models import Correction, Dispute
from billing.services.bills import draft_bill, issue_bill
from billing.services.corrections import propose_correction
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth
from tests.factories import AccountAccessFactory, BindingFactory, ManagerFactory, UserFactory

NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
CORRECTIONS, DISPUTES = "/api/v1/corrections", "/api/v1/disputes"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def account(meters):
    load_singapore_tariff()
    return BindingFactory().account


@pytest.fixture
def bill(account):
    made = draft_bill(account_id=account.pk, month=YearMonth(2023, 2), actor=PORTAL, now=NOW)
    return issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)


@pytest.fixture
def correction(account, bill, meters):
    meters.daily_kwh[account.pk] = Decimal(11)
    return propose_correction(bill_id=bill.pk, reason="Read again.", actor=PORTAL, now=NOW)


@pytest.fixture
def customer(account):
    return client_of(AccountAccessFactory(account=account, right="administer").user)


@pytest.fixture
def manager():
    return client_of(ManagerFactory())


def client_of(user):
    client = APIClient()
    client.force_authenticate(user=user)
    return client


class TestCorrections:
    def test_are_listed_with_the_difference_for_managers(self, manager, correction):
        (row,) = manager.get(CORRECTIONS).json()["results"]

        assert (row["id"], row["status"], row["difference"]) == (str(correction.pk), "open", "8.76")
        assert (row["old_kwh"], row["new_kwh"], row["month"]) == (280, 308, "2023-02")

    def test_are_shown_to_customers_once_approved(self, customer, manager, correction):
        path = f"{CORRECTIONS}/{correction.pk}"
        assert customer.get(CORRECTIONS).json()["results"] == []
        assert customer.get(path).status_code == 404

        approved = manager.post(f"{path}/approve", {"revision": 1}, format="json")

        assert approved.status_code == 200
        shown = customer.get(path).json()
        assert (shown["status"], shown["credit_note_number"]) == ("approved", "CN-202302-000001")
        assert shown["comparison"][0]["new"]["quantity"] == "308"
        bills = customer.get("/api/v1/bills").json()["results"]
        assert sorted((row["kind"], row["status"]) for row in bills) == [
            ("bill", "issued"),
            ("bill", "void"),
            ("credit_note", "issued"),
        ]

    @pytest.mark.parametrize("act", ["approve", "reject"])
    def test_are_decided_by_managers_alone(self, customer, correction, act):
        answer = customer.post(f"{CORRECTIONS}/{correction.pk}/{act}", {"revision": 1, "reason": "x"}, format="json")

        assert answer.status_code == 403
        correction.refresh_from_db()
        assert correction.status == "open"

    def test_are_rejected_with_a_reason_and_not_twice(self, manager, correction):
        path = f"{CORRECTIONS}/{correction.pk}/reject"

        assert manager.post(path, {}, format="json").status_code == 400
        assert manager.post(path, {"reason": "No."}, format="json").json()["status"] == "rejected"
        again = manager.post(path, {"reason": "No."}, format="json")
        assert (again.status_code, again.json()["code"]) == (409, "correction_cannot_move")

    def test_that_changed_since_they_were_seen_are_a_conflict(self, manager, correction):
        answer = manager.post(f"{CORRECTIONS}/{correction.pk}/approve", {"revision": 7}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "correction_drafted_anew")

    def test_cost_no_more_queries_for_more(self, manager, correction, account, meters, django_assert_max_num_queries):
        for month in (YearMonth(2023, 1), YearMonth(2022, 12), YearMonth(2022, 11)):
            meters.daily_kwh.clear()
            made = draft_bill(account_id=account.pk, month=month, actor=PORTAL, now=NOW)
            issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)
            meters.daily_kwh[account.pk] = Decimal(12)
            propose_correction(bill_id=made.pk, reason="x", actor=PORTAL, now=NOW)

        with django_assert_max_num_queries(4):
            assert len(manager.get(CORRECTIONS).json()["results"]) == Correction.objects.count() == 4


class TestDisputes:
    def open(self, client, bill, **more):
        body = {"bill_id": str(bill.pk), "reason": "too_high", "text": "We were away.", **more}
        return client.post(DISPUTES, body, format="json")

    def test_are_opened_by_customers_with_the_evidence(self, customer, bill):
        answer = self.open(customer, bill, line_position=1)

        assert answer.status_code == 201
        shown = customer.get(answer["Location"]).json()
        assert (shown["status"], shown["line_position"], shown["bill_number"]) == ("open", 1, bill.number)
        assert shown["evidence"]["total"] == str(bill.total)
        assert [step["status"] for step in shown["steps"]] == ["open"]

    def test_are_opened_once_a_key(self, customer, bill):
        body = {"bill_id": str(bill.pk), "reason": "too_high", "text": "We were away."}
        answers = [customer.post(DISPUTES, body, format="json", headers={"Idempotency-Key": "k1"}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json()["id"] == answers[1].json()["id"]

    def test_of_others_bills_are_not_found(self, bill):
        stranger = client_of(UserFactory())

        assert self.open(stranger, bill).status_code == 404
        dispute_id = Dispute.objects.create(bill=bill, reason="other", text="x", opened_at=NOW).pk
        assert stranger.get(f"{DISPUTES}/{dispute_id}").status_code == 404
        assert stranger.post(f"{DISPUTES}/{dispute_id}/withdraw").status_code == 404
        assert stranger.get(DISPUTES).json()["results"] == []

    def test_are_refused_beyond_the_limit_with_when_to_come_back(self, customer, bill, settings):
        settings.DISPUTES_A_DAY = 1
        made = self.open(customer, bill).json()
        customer.post(f"{DISPUTES}/{made['id']}/withdraw")

        answer = self.open(customer, bill)

        assert (answer.status_code, answer["Retry-After"]) == (429, "86400")

    @pytest.mark.parametrize("act", ["readings", "correct", "reject"])
    def test_are_answered_by_managers_alone(self, customer, bill, act):
        made = self.open(customer, bill).json()

        answer = customer.post(f"{DISPUTES}/{made['id']}/{act}", {"answer": "So be it."}, format="json")

        assert answer.status_code == 403

    def test_go_through_their_table(self, customer, manager, account, bill, meters):
        path = f"{DISPUTES}/{self.open(customer, bill).json()['id']}"

        asked = manager.post(f"{path}/readings", {"answer": "We come by."}, format="json").json()
        same = manager.post(f"{path}/correct", {"answer": "Read."}, format="json")
        meters.daily_kwh[account.pk] = Decimal(9)
        correcting = manager.post(f"{path}/correct", {"answer": "Read."}, format="json").json()
        closed = customer.post(f"{path}/withdraw").json()
        late = manager.post(f"{path}/reject", {"answer": "No."}, format="json")

        assert (asked["status"], correcting["status"], closed["status"]) == (
            "readings_asked",
            "correcting",
            "withdrawn",
        )
        assert (same.status_code, same.json()["code"]) == (409, "no_difference")
        assert (late.status_code, late.json()["code"]) == (409, "dispute_cannot_move")

    def test_that_are_not_there_are_not_found(self, manager):
        assert manager.get(f"{DISPUTES}/{uuid4()}").status_code == 404

    def test_are_nothing_for_operators(self, bill):
        assert client_of(UserFactory(role=Role.OPERATOR)).get(DISPUTES).json()["results"] == []
