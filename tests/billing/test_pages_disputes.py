from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from accounts.actors import PORTAL, Actor
from billing.models import Bill, Dispute
from billing.selectors import bills as selectors
from billing.services.bills import draft_bill, issue_bill
from billing.services.corrections import approve_correction, propose_correction
from billing.services.disputes import reject_dispute
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth
from tests.factories import AccountAccessFactory, BindingFactory, ManagerFactory, UserFactory

NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine, monkeypatch):
    time_machine.move_to(NOW, tick=False)
    monkeypatch.setattr(selectors, "_daily_use", lambda bill, site, now: ())


@pytest.fixture
def account(meters):
    load_singapore_tariff()
    return BindingFactory().account


@pytest.fixture
def bill(account):
    made = draft_bill(account_id=account.pk, month=YearMonth(2023, 2), actor=PORTAL, now=NOW)
    return issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)


@pytest.fixture
def customer(client, account):
    client.force_login(AccountAccessFactory(account=account, right="administer").user)
    return client


def path(bill, name="dispute"):
    return reverse(f"billing:{name}", args=(bill.pk,))


def dispute(client, bill, **more):
    return client.post(path(bill), {"reason": "too_high", "text": "We were away.", "line_position": "1", **more})


class TestDispute:
    def test_is_opened_from_the_bill_s_page(self, customer, bill):
        assert "Dispute this bill" in customer.get(path(bill, "bill")).content.decode()

        answer = dispute(customer, bill)

        assert (answer.status_code, answer["Location"]) == (302, f"{path(bill, 'bill')}#story")
        made = Dispute.objects.get()
        assert (made.reason, made.line.position, made.status) == ("too_high", 1, "open")
        shown = customer.get(path(bill, "bill")).content.decode()
        assert "This bill is disputed" in shown
        assert "We were away." in shown
        assert "Dispute this bill" not in shown

    def test_comes_back_to_be_mended(self, customer, bill):
        answer = dispute(customer, bill, text="")

        assert answer.status_code == 422
        assert "This field is required" in answer.content.decode()
        assert not Dispute.objects.exists()

    def test_is_withdrawn(self, customer, bill):
        dispute(customer, bill)

        customer.post(path(bill, "withdraw_dispute"))

        assert Dispute.objects.get().status == "withdrawn"
        assert "The dispute was withdrawn" in customer.get(path(bill, "bill")).content.decode()

    def test_tells_the_answer(self, customer, bill):
        dispute(customer, bill)
        manager = Actor(user=ManagerFactory())
        made = Dispute.objects.get()

        reject_dispute(dispute_id=made.pk, answer="The dial was read twice.", actor=manager, now=NOW)

        assert "The dial was read twice." in customer.get(path(bill, "bill")).content.decode()

    def test_says_when_it_was_too_much(self, customer, bill, settings):
        settings.DISPUTES_A_DAY = 1
        dispute(customer, bill)
        customer.post(path(bill, "withdraw_dispute"))

        answer = dispute(customer, bill)

        assert (answer.status_code, answer["Retry-After"]) == (429, "86400")
        assert "bills a day" in answer.content.decode()

    def test_is_not_offered_to_whom_may_only_look(self, client, account, bill):
        client.force_login(AccountAccessFactory(account=account, right="view").user)

        assert "Dispute this bill" not in client.get(path(bill, "bill")).content.decode()
        assert dispute(client, bill).status_code == 403

    def test_is_not_found_by_strangers(self, client, bill):
        client.force_login(UserFactory())

        assert dispute(client, bill).status_code == 404
        assert client.post(path(bill, "withdraw_dispute")).status_code == 404

    def test_wants_a_login(self, client, bill):
        assert dispute(client, bill).status_code == 302
        assert not Dispute.objects.exists()


class TestStory:
    def test_leads_from_each_document_to_the_others(self, customer, account, bill, meters):
        meters.daily_kwh[account.pk] = Decimal(9)
        correction = propose_correction(bill_id=bill.pk, reason="We read it.", actor=PORTAL, now=NOW)
        hidden = customer.get(path(bill, "bill")).content.decode()
        approve_correction(correction_id=correction.pk, actor=PORTAL, now=NOW)
        note, new = Bill.objects.get(kind="credit_note"), Bill.objects.get(kind="bill", status="issued")

        shown = {each.pk: customer.get(path(each, "bill")).content.decode() for each in (bill, note, new)}

        assert "CN-202302" not in hidden
        assert "We read it." not in hidden
        assert f'Taken back by <a href="{path(note, "bill")}">CN-202302-000001</a>' in shown[bill.pk]
        assert f'Billed anew by <a href="{path(new, "bill")}">{new.number}</a>' in shown[bill.pk]
        assert f'Takes back <a href="{path(bill, "bill")}">' in shown[note.pk]
        assert f'Stands in for <a href="{path(bill, "bill")}">' in shown[new.pk]
        assert all("We read it." in page for page in shown.values())
