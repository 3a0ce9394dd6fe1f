from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from billing.models import Bill, BillRun
from billing.services.tariffs import load_singapore_tariff
from tests.factories import (
    BindingFactory,
    CustomerAccountFactory,
    InstallationFactory,
    ManagerFactory,
    UserFactory,
    singapore_bill,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
FEBRUARY = date(2023, 2, 1)
RUNS = reverse("admin:billing_billrun_changelist")
BILLS = reverse("admin:billing_bill_changelist")


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def manager():
    return ManagerFactory()


@pytest.fixture
def desk(client, manager):
    client.force_login(manager)
    return client


def bill(**options):
    return singapore_bill(account=CustomerAccountFactory(), first_day=FEBRUARY, **options)


def words(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


class TestBillRuns:
    def test_run_a_month_that_is_chosen(self, desk, manager, meters, django_capture_on_commit_callbacks):
        load_singapore_tariff()
        BindingFactory()

        with django_capture_on_commit_callbacks(execute=True):
            response = desk.post(reverse("admin:billing_billrun_add"), {"billed_month": "2023-02"})

        run = BillRun.objects.get()
        assert response.status_code == 302
        assert (run.month, run.status, run.bills_issued, run.started_by) == (FEBRUARY, "done", 1, manager)

    def test_offer_only_months_that_are_over(self, desk):
        page = desk.get(reverse("admin:billing_billrun_add")).content.decode()

        assert '<option value="2023-02"' in page
        assert '<option value="2023-03"' not in page
        response = desk.post(reverse("admin:billing_billrun_add"), {"billed_month": "2023-03"})
        assert response.status_code == 200
        assert not BillRun.objects.exists()

    def test_run_a_month_again(self, desk):
        BillRun.objects.create(month=FEBRUARY, status="failed", error="no light")

        response = desk.post(reverse("admin:billing_billrun_add"), {"billed_month": "2023-02"})

        assert response.status_code == 302
        assert (BillRun.objects.get().status, BillRun.objects.get().error) == ("queued", "")

    def test_continue_from_its_page(self, desk):
        run = BillRun.objects.create(month=FEBRUARY, status="failed")

        response = desk.get(reverse("admin:billing_billrun_continue_run", args=(run.pk,)))

        assert words(response) == ["The run continues."]
        assert BillRun.objects.get().status == "queued"

    @pytest.mark.parametrize(
        ("status", "refresh"), [("running", "3"), ("queued", "3"), ("done", None), ("failed", None)]
    )
    def test_show_their_progress_and_refresh_while_under_way(self, desk, status, refresh):
        run = BillRun.objects.create(month=FEBRUARY, status=status, accounts_total=200, accounts_done=50)

        for url in (RUNS, reverse("admin:billing_billrun_change", args=(run.pk,))):
            response = desk.get(url)
            assert '<progress value="50" max="200"' in response.content.decode()
            assert response.get("Refresh") == refresh

    def test_preview_and_then_issue(self, desk, meters, django_capture_on_commit_callbacks):
        load_singapore_tariff()
        BindingFactory()
        meters.daily_kwh[BindingFactory().account_id] = None

        with django_capture_on_commit_callbacks(execute=True):
            desk.post(reverse("admin:billing_billrun_add"), {"billed_month": "2023-02", "preview": "on"})

        run = BillRun.objects.get()
        page = desk.get(reverse("admin:billing_billrun_change", args=(run.pk,))).content.decode()
        assert "1 draft, 280.00 kWh, SGD 87.54, 0.0% estimated" in page
        assert "held_because__exact=incomplete_energy" in page

        with django_capture_on_commit_callbacks(execute=True):
            response = desk.get(reverse("admin:billing_billrun_issue_run", args=(run.pk,)))

        assert words(response) == ["The bills are being issued."]
        assert (BillRun.objects.get().issues, BillRun.objects.get().bills_issued) == (True, 1)

    def test_link_to_the_choice_of_a_month(self, desk):
        assert "Run a month" in desk.get(RUNS).content.decode()
        assert desk.get(reverse("admin:billing_billrun_run_month")).url == reverse("admin:billing_billrun_add")

    def test_are_closed_to_customers(self, client):
        client.force_login(UserFactory(role=Role.CUSTOMER))

        assert client.get(RUNS).status_code == 302


class TestBills:
    def test_issue_what_is_whole_and_say_why_not_the_rest(self, desk):
        whole, held = bill(), bill()
        Bill.objects.filter(pk=held.pk).update(held_because="incomplete_energy")

        response = desk.post(BILLS, {"action": "issue_selected", "_selected_action": [whole.pk, held.pk]})

        assert [Bill.objects.get(pk=key).status for key in (whole.pk, held.pk)] == ["issued", "draft"]
        assert min(words(response)) == "1 bill issued."
        assert "Energy is missing" in sorted(words(response))[1]

    def test_rate_a_draft_anew(self, desk, meters):
        load_singapore_tariff()
        held = singapore_bill(account=BindingFactory().account, first_day=FEBRUARY)
        Bill.objects.filter(pk=held.pk).update(held_because="incomplete_energy")

        desk.post(BILLS, {"action": "rate_selected", "_selected_action": [held.pk]})

        assert Bill.objects.get().held_because == ""

    def test_rate_a_draft_with_leave_to_bill_estimates(self, desk, meters, settings):
        settings.BILL_MAX_ESTIMATED_SHARE = Decimal(-1)
        load_singapore_tariff()
        held = singapore_bill(account=BindingFactory().account, first_day=FEBRUARY)
        desk.post(BILLS, {"action": "rate_selected", "_selected_action": [held.pk]})
        assert Bill.objects.get().held_because == "estimated_energy"

        desk.post(BILLS, {"action": "rate_with_leave", "_selected_action": [held.pk]})

        assert Bill.objects.get().held_because == ""

    def test_cannot_be_changed_added_or_deleted(self, desk):
        issued = bill(issued_at=NOW)
        change = reverse("admin:billing_bill_change", args=(issued.pk,))

        assert desk.post(change, {"total": "1"}).status_code == 403
        assert desk.get(reverse("admin:billing_bill_add")).status_code == 403
        assert desk.post(reverse("admin:billing_bill_delete", args=(issued.pk,)), {"post": "yes"}).status_code == 403

    def test_show_lines_and_link_to_the_document(self, desk):
        issued = bill(issued_at=NOW)

        page = desk.get(reverse("admin:billing_bill_change", args=(issued.pk,))).content.decode()

        assert "Electricity, first" in page
        assert "GST 8 %" in page
        assert reverse("billing:api_bill_pdf", args=(issued.pk,)) in page

    @pytest.mark.parametrize("what", ["202302-000001", "account", "SG-000123", "sg-000123"])
    def test_are_found_by_number_account_and_meter(self, desk, what):
        wanted = bill(issued_at=NOW)
        hung = InstallationFactory(meter__serial="SG-000123")
        BindingFactory(service_point=hung.service_point, account=wanted.account)
        other = bill(issued_at=NOW)

        page = desk.get(BILLS, {"q": wanted.account.number if what == "account" else what}).content.decode()

        assert reverse("admin:billing_bill_change", args=(wanted.pk,)) in page
        assert reverse("admin:billing_bill_change", args=(other.pk,)) not in page

    @pytest.mark.parametrize(
        ("query", "count"), [({"status": "draft"}, 1), ({"month": "2023-02-01"}, 2), ({"month": "x"}, 3)]
    )
    def test_are_filtered(self, desk, query, count):
        BillRun.objects.create(month=FEBRUARY)
        bill()
        issued = bill(issued_at=NOW)
        singapore_bill(account=issued.account, first_day=date(2023, 1, 1), issued_at=NOW)

        assert desk.get(BILLS, query).context["cl"].result_count == count

    @pytest.mark.parametrize("url", [BILLS, RUNS])
    def test_ask_as_often_for_many_as_for_few(self, desk, url):
        def fill(month):
            BillRun.objects.create(month=month, started_by=ManagerFactory())
            singapore_bill(account=CustomerAccountFactory(), first_day=month)

        fill(FEBRUARY)
        desk.get(url)
        with CaptureQueriesContext(connection) as few:
            desk.get(url)
        for month in range(3, 11):
            fill(date(2023, month, 1))

        with CaptureQueriesContext(connection) as many:
            desk.get(url)

        assert len(many) == len(few)


class TestTariffs:
    def test_ask_as_often_for_many_versions_as_for_few(self, desk):
        tariff = load_singapore_tariff()
        url = reverse("admin:billing_tariff_change", args=(tariff.pk,))
        desk.get(url)
        with CaptureQueriesContext(connection) as many:
            assert desk.get(url).status_code == 200
        tariff.versions.filter(name__gt="2022 Q1").delete()

        with CaptureQueriesContext(connection) as few:
            desk.get(url)

        assert len(many) == len(few)

    @pytest.mark.parametrize("name", ["tariff", "tax", "tariffassignment"])
    def test_open(self, desk, name):
        load_singapore_tariff()

        assert desk.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200
        assert desk.get(reverse(f"admin:billing_{name}_add")).status_code == 200
