"""Payments, banks' files and reminders in the admin."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from billing.models import BankImport, BankLine, Payment, Reminder
from tests.factories import CustomerAccountFactory, ManagerFactory, PaymentFactory, UserFactory, singapore_bill

pytestmark = pytest.mark.django_db
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
PAYMENTS, IMPORTS, LINES, REMINDERS = (
    reverse(f"admin:billing_{name}_changelist") for name in ("payment", "bankimport", "bankline", "reminder")
)
FILE = "Date,Details,Amount\n2023-03-10,A-1001,90.00\n2023-03-11,hello,5.00\nsoon,A-1001,1.00\n"


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


@pytest.fixture
def bill():
    return singapore_bill(account=CustomerAccountFactory(number="A-1001"), first_day=date(2023, 2, 1), issued_at=NOW)


def words(response) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def form(**said):
    usual = {
        "key": "k-1",
        "kind": "payment",
        "account_number": "A-1001",
        "bill_number": "",
        "amount": "96.47",
        "currency": "SGD",
        "received_on": "2023-03-14",
        "reference": "at the counter",
    }
    return {**usual, **said}


def upload(desk, text=FILE, **said):
    file = SimpleUploadedFile("march.csv", text.encode())
    return desk.post(reverse("admin:billing_bankimport_load_file"), {"file": file, "currency": "SGD", **said})


@pytest.fixture
def booked(desk, bill, django_capture_on_commit_callbacks):
    upload(desk)
    found = BankImport.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        desk.post(reverse("admin:billing_bankimport_book", args=[found.pk]), {"apply": "1"})
    found.refresh_from_db()
    return found


class TestPayments:
    def test_are_recorded_by_hand_once_however_often_the_form_is_sent(self, desk, manager, bill):
        for _ in range(2):
            desk.post(reverse("admin:billing_payment_add"), form())

        payment = Payment.objects.get()
        assert (payment.account, payment.amount, payment.origin) == (bill.account, Decimal("96.47"), "manual")
        assert payment.recorded_by == manager

    def test_tell_what_the_service_refuses(self, desk, bill):
        response = desk.post(reverse("admin:billing_payment_add"), form(account_number="A-9"))

        assert "There is no account 'A-9'." in words(response)
        assert not Payment.objects.exists()

    def test_are_refunded_up_to_what_is_left_over(self, desk, bill):
        PaymentFactory(account=bill.account, amount="100.00")

        refused = desk.post(reverse("admin:billing_payment_add"), form(kind="refund", amount="4.00"))
        desk.post(reverse("admin:billing_payment_add"), form(kind="refund", amount="3.53", key="k-2"))

        assert "3.53" in words(refused)
        assert Payment.objects.get(kind="refund").amount == Decimal("-3.53")

    def test_are_taken_back_with_a_reason(self, desk, bill):
        payment = PaymentFactory(account=bill.account)
        path = reverse("admin:billing_payment_take_back", args=[payment.pk])
        assert desk.get(path).status_code == 200

        desk.post(path, {"reason": "bounced", "received_on": "2023-03-15"})
        again = desk.post(path, {"reason": "bounced", "received_on": "2023-03-15"})

        assert payment.reversed_by.reference == "bounced"
        assert b"taken back already" in again.content

    def test_are_listed_and_shown_with_what_the_account_owes(self, desk, bill):
        payment = PaymentFactory(account=bill.account, amount="90.00")

        assert b"A-1001" in desk.get(PAYMENTS).content
        page = desk.get(reverse("admin:billing_payment_change", args=[payment.pk])).content.decode()
        assert "SGD 6.47" in page
        assert bill.number in page

    def test_ask_as_often_for_many_as_for_one(self, desk, bill):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                desk.get(PAYMENTS)
            return len(captured)

        PaymentFactory()
        queries()
        one = queries()
        for _ in range(3):
            PaymentFactory()

        assert queries() == one

    @pytest.mark.parametrize("path", [PAYMENTS, IMPORTS, LINES, REMINDERS])
    def test_are_no_operators_business(self, client, path):
        client.force_login(UserFactory(role=Role.OPERATOR))

        assert client.get(path).status_code == 403


class TestAccounts:
    def test_show_what_they_owe(self, desk, bill):
        page = desk.get(reverse("admin:accounts_customeraccount_change", args=[bill.account_id]))

        assert "SGD 96.47" in page.content.decode()


class TestBankImports:
    def test_say_what_booking_would_do_and_book_nothing(self, desk, bill):
        response = upload(desk)

        page = desk.get(response.url).content.decode()
        assert "1 to be booked: unmatched" in page
        assert "1 Unreadable: bad_date" in page
        assert not Payment.objects.exists()

    def test_tell_what_is_wrong_with_a_file_above_the_form(self, desk):
        assert b"a date and an amount" in upload(desk, "hello\n").content

    def test_read_columns_and_conventions_as_told(self, desk, bill):
        upload(
            desk,
            "Tag;Geld\n04/03/2023;1,50\n",
            date_order="dmy",
            decimal_mark="comma",
            column_date="Tag",
            column_amount="Geld",
        )

        line = BankLine.objects.get()
        assert (line.received_on, line.amount) == (date(2023, 3, 4), Decimal("1.50"))

    def test_are_booked_by_a_worker(self, desk, booked):
        assert (booked.status, booked.lines_done) == ("done", 3)
        assert Payment.objects.get().amount == Decimal("90.00")
        assert b"3 of 3" in desk.get(IMPORTS).content


class TestBankLines:
    def test_wait_in_a_queue(self, desk, booked):
        page = desk.get(f"{LINES}?queue=open").content.decode()

        assert "hello" in page
        assert "90.00" not in page

    def test_are_assigned_to_an_account(self, desk, booked, bill):
        line = BankLine.objects.get(reference="hello")
        path = reverse("admin:billing_bankline_assign", args=[line.pk])
        assert desk.get(path).status_code == 200

        refused = desk.post(path, {"account_number": "A-9"})
        desk.post(path, {"account_number": "A-1001"})

        line.refresh_from_db()
        assert b"There is no account" in refused.content
        assert (line.status, line.payment.account) == ("booked", bill.account)

    def test_are_ignored_with_a_note_or_many_at_once(self, desk, booked):
        first, second = BankLine.objects.filter(status__in=("waiting", "unreadable")).order_by("line")

        desk.post(reverse("admin:billing_bankline_ignore", args=[first.pk]), {"note": "rent"})
        desk.post(LINES, {"action": "ignore_selected", "_selected_action": [second.pk]})

        assert set(BankLine.objects.filter(pk__in=[first.pk, second.pk]).values_list("status", "note")) == {
            ("ignored", "rent"),
            ("ignored", ""),
        }

    def test_are_not_decided_before_their_file_is_booked(self, desk, bill):
        upload(desk)
        line = BankLine.objects.get(status="unreadable")

        answer = desk.post(reverse("admin:billing_bankline_ignore", args=[line.pk]), {"note": ""})

        assert b"not booked yet" in answer.content


class TestReminders:
    def test_are_listed(self, desk, bill):
        Reminder.objects.create(
            bill=bill,
            account=bill.account,
            level=1,
            open_amount="6.47",
            currency="SGD",
            due_on=bill.due_on,
            created_at=NOW,
            status="sent",
            sent_to="mei@example.org",
        )

        assert b"mei@example.org" in desk.get(REMINDERS).content
