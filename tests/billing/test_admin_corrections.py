from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.urls import reverse

from accounts.actors import PORTAL
from accounts.roles import Role
from billing.models import Bill, Correction
from billing.services.bills import draft_bill, issue_bill
from billing.services.corrections import propose_correction
from billing.services.disputes import open_dispute
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth
from tests.factories import AccountAccessFactory, BindingFactory, InstallationFactory, ManagerFactory, UserFactory

NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
CORRECTIONS = reverse("admin:billing_correction_changelist")
DISPUTES = reverse("admin:billing_dispute_changelist")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)
    cache.clear()


@pytest.fixture
def desk(client):
    client.force_login(ManagerFactory())
    return client


@pytest.fixture
def binding(meters):
    load_singapore_tariff()
    return BindingFactory()


def issued(binding):
    made = draft_bill(account_id=binding.account_id, month=YearMonth(2023, 2), actor=PORTAL, now=NOW)
    return issue_bill(bill_id=made.pk, actor=PORTAL, now=NOW)


def proposed(binding, meters, daily=11):
    bill = issued(binding)
    meters.daily_kwh[binding.account_id] = Decimal(daily)
    return propose_correction(bill_id=bill.pk, reason="We read it again.", actor=PORTAL, now=NOW)


def page(row, name="change"):
    return reverse(f"admin:billing_{row._meta.model_name}_{name}", args=(row.pk,))


def disputed(bill):
    customer = AccountAccessFactory(account=bill.account, right="administer").user
    return open_dispute(bill_id=bill.pk, user=customer, reason="too_high", text="We were away.", now=NOW)


class TestCorrections:
    def test_show_both_bills_side_by_side_with_the_evidence(self, desk, binding, meters):
        shown = desk.get(page(proposed(binding, meters))).content.decode()

        for expected in ("280 kWh", "308 kWh", "8.76", "We read it again.", "Approve", "Reject"):
            assert expected in shown

    def test_are_approved_as_they_were_seen(self, desk, binding, meters):
        correction = proposed(binding, meters)
        asked = desk.get(page(correction, "approve")).content.decode()
        assert "87.54 becomes 96.30 SGD" in asked

        answer = desk.post(page(correction, "approve"), {"revision": correction.revision, "note": ""})

        assert answer.status_code == 302
        correction.refresh_from_db()
        assert correction.status == "approved"
        after = desk.get(page(correction)).content.decode()
        assert "CN-202302-000001" in after
        assert page(correction, "approve") not in after

    def test_are_not_approved_when_drafted_anew_since(self, desk, binding, meters):
        correction = proposed(binding, meters)

        answer = desk.post(page(correction, "approve"), {"revision": 9, "note": ""})

        assert "drafted anew" in answer.content.decode()
        correction.refresh_from_db()
        assert correction.status == "open"

    def test_are_rejected_with_a_reason(self, desk, binding, meters):
        correction = proposed(binding, meters)

        desk.post(page(correction, "reject"), {"note": ""})
        assert Correction.objects.get().status == "open"
        desk.post(page(correction, "reject"), {"note": "Misread."})

        assert (Correction.objects.get().status, Correction.objects.get().note) == ("rejected", "Misread.")
        assert "280 kWh" in desk.get(page(correction)).content.decode()

    def test_of_small_differences_are_approved_together(self, desk, meters, binding):
        small, large = proposed(binding, meters), proposed(BindingFactory(), meters, 30)
        chosen = {"action": "approve_small_ones", "_selected_action": [small.pk, large.pk]}

        answer = desk.post(CORRECTIONS, chosen)

        told = [str(message) for message in get_messages(answer.wsgi_request)]
        assert any("look at it by itself" in message for message in told)
        assert any(message.startswith("1 approved") for message in told)
        assert dict(Correction.objects.values_list("pk", "status")) == {small.pk: "approved", large.pk: "open"}

    @pytest.mark.parametrize("by", ["number", "account", "serial"])
    def test_are_found_by_bill_account_and_meter(self, desk, binding, meters, by):
        wanted, _ = proposed(binding, meters), proposed(BindingFactory(), meters)
        meter = InstallationFactory(service_point=binding.service_point).meter
        terms = {"number": wanted.original.number, "account": binding.account.number, "serial": meter.serial}

        found = desk.get(CORRECTIONS, {"q": terms[by]}).context["cl"].queryset

        assert list(found) == [wanted]

    def test_are_counted_in_the_navigation(self, desk, binding, meters):
        proposed(binding, meters)
        disputed(issued(BindingFactory()))

        items = [item for group in desk.get(CORRECTIONS).context["sidebar_navigation"] for item in group["items"]]

        badges = {item["link"]: item.get("badge") for item in items}
        assert (badges[CORRECTIONS], badges[DISPUTES]) == ("1", "1")

    def test_are_not_for_operators(self, client, binding, meters):
        correction = proposed(binding, meters)
        client.force_login(UserFactory(role=Role.OPERATOR))

        assert client.get(CORRECTIONS).status_code == 403
        assert client.post(page(correction, "approve"), {"revision": 1}).status_code == 403


class TestDisputes:
    def test_show_what_the_bill_rests_on(self, desk, binding):
        dispute = disputed(issued(binding))

        shown = desk.get(page(dispute)).content.decode()

        for expected in ("We were away.", "87.54", "SG-1", "Validated", "No bill.", "Ask for readings"):
            assert expected in shown

    @pytest.mark.parametrize(
        ("act", "status"), [("readings", "readings_asked"), ("correct", "correcting"), ("reject", "rejected")]
    )
    def test_are_answered(self, desk, binding, meters, act, status):
        dispute = disputed(issued(binding))
        meters.daily_kwh[binding.account_id] = Decimal(9)
        names = {"readings": "ask_readings", "correct": "correct", "reject": "reject"}

        answer = desk.post(page(dispute, names[act]), {"answer": "So it is."})

        assert answer.status_code == 302
        dispute.refresh_from_db()
        assert (dispute.status, dispute.answer) == (status, "So it is.")

    def test_say_when_there_is_nothing_to_correct(self, desk, binding):
        dispute = disputed(issued(binding))

        answer = desk.post(page(dispute, "correct"), {"answer": "So it is."})

        assert "comes to the same" in answer.content.decode()

    def test_offer_nothing_once_closed(self, desk, binding):
        dispute = disputed(issued(binding))
        desk.post(page(dispute, "reject"), {"answer": "No."})

        assert "Ask for readings" not in desk.get(page(dispute)).content.decode()

    @pytest.mark.parametrize("count", [1, 5])
    def test_cost_no_more_queries_for_more(self, desk, binding, count, django_assert_max_num_queries):
        for _ in range(count):
            disputed(issued(BindingFactory()))
        desk.get(DISPUTES)

        with django_assert_max_num_queries(18):
            desk.get(DISPUTES)


class TestBill:
    def test_leads_to_its_corrections_and_disputes(self, desk, binding, meters):
        correction = proposed(binding, meters)
        dispute = disputed(correction.original)

        shown = desk.get(page(correction.original)).content.decode()

        assert page(correction) in shown
        assert page(dispute) in shown

    def test_is_rated_anew_by_hand(self, desk, binding, meters):
        bill = issued(binding)
        meters.daily_kwh[binding.account_id] = Decimal(9)

        answer = desk.post(page(bill, "propose_correction"), {"note": "The customer called."})

        correction = Correction.objects.get()
        assert (answer["Location"], correction.reason) == (page(correction), "The customer called.")

    def test_in_a_correction_says_so(self, desk, binding, meters):
        proposed(binding, meters)

        shown = desk.get(reverse("admin:billing_bill_changelist"), {"status__exact": "draft"}).content.decode()

        assert shown.count("In a correction") == Bill.objects.filter(status="draft").count() == 2
