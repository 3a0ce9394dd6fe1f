"""What a customer sees of the account's balance, and the statement on paper."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from billing.documents import Issuer
from billing.documents.statements import EntryText, StatementDocument, statement_pdf
from tests.factories import AccountAccessFactory, CustomerAccountFactory, PaymentFactory, UserFactory, singapore_bill

NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
ISSUED = datetime(2023, 3, 2, 4, tzinfo=UTC)


@pytest.fixture
def account(db, time_machine):
    time_machine.move_to(NOW, tick=False)
    return CustomerAccountFactory(number="A-1001")


@pytest.fixture
def bill(account):
    return singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=ISSUED)


@pytest.fixture
def customer(account):
    client = Client()
    client.force_login(AccountAccessFactory(account=account).user)
    return client


def text_of(response) -> str:
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


class TestPaymentsPage:
    def test_says_that_there_is_nothing_to_pay(self, customer):
        assert "Nothing to pay" in text_of(customer.get("/payments"))

    def test_says_what_is_due_and_when(self, customer, bill):
        PaymentFactory(account=bill.account, amount="90.00")

        text = text_of(customer.get("/payments"))

        assert "To pay SGD 6.47" in text
        assert "February 2023 23 March 2023 paid in part 96.47 6.47" in text
        assert "your account number A-1001" in text

    def test_marks_what_is_overdue(self, customer, bill, time_machine):
        time_machine.move_to(datetime(2023, 3, 24, 4, tzinfo=UTC), tick=False)

        assert "overdue SGD 96.47" in text_of(customer.get("/payments"))

    def test_says_what_is_left_over(self, customer, bill):
        PaymentFactory(account=bill.account, amount="100.00")

        assert "In your favour SGD 3.53" in text_of(customer.get("/payments"))

    def test_leads_to_the_provider_that_is_attached(self, customer, bill, settings):
        settings.PAYMENT_LINK = "https://pay.example/?n={number}&a={amount}"

        assert f'href="https://pay.example/?n={bill.number}&amp;a=96.47"' in customer.get("/payments").content.decode()

    def test_offers_to_pay_all_of_several_bills_at_once(self, customer, bill, settings):
        settings.PAYMENT_LINK = "https://pay.example/?n={number}&a={amount}"
        singapore_bill(account=bill.account, first_day=date(2023, 1, 1), issued_at=ISSUED)

        assert 'href="https://pay.example/?n=&amp;a=192.94"' in customer.get("/payments").content.decode()

    def test_shows_the_statement_with_the_running_balance(self, customer, bill):
        PaymentFactory(account=bill.account, amount="100.00", reference="<b>thanks</b>")

        text = text_of(customer.get("/payments"))

        assert "Balance before: SGD 0.00. Balance after: SGD -3.53." in text
        assert "&lt;b&gt;thanks&lt;/b&gt; -100.00 -3.53" in text

    def test_says_what_is_wrong_with_the_days_that_are_asked_for(self, customer, bill):
        assert "three years" in text_of(customer.get("/payments?from=2023-03-02&to=2023-03-01"))
        assert "Balance before" in text_of(customer.get("/payments?from=nonsense&to=2023-02-31"))

    def test_comes_in_pages(self, customer, bill, monkeypatch):
        monkeypatch.setattr("billing.pages.payments.ENTRIES_A_PAGE", 2)
        for _ in range(3):
            PaymentFactory(account=bill.account)

        assert "Page 1 of 2" in text_of(customer.get("/payments"))
        assert "Bill February 2023" in text_of(customer.get("/payments?page=2"))

    def test_is_nobody_elses(self, bill):
        stranger = Client()
        stranger.force_login(AccountAccessFactory(user=UserFactory()).user)

        assert "Nothing to pay" in text_of(stranger.get("/payments"))

    def test_asks_as_often_for_much_as_for_little(self, customer, bill):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                customer.get("/payments")
            return len(captured)

        PaymentFactory(account=bill.account, bill=bill)
        few = queries()
        for month in (3, 4, 5):
            more = singapore_bill(account=bill.account, first_day=date(2022, month, 1), issued_at=ISSUED)
            PaymentFactory(account=bill.account, bill=more)

        assert queries() == few


class TestStatementFiles:
    def test_has_each_movement_in_a_row(self, customer, bill):
        PaymentFactory(account=bill.account, amount="100.00", reference="=1+1")

        answer = customer.get("/payments.csv?from=2023-03-01&to=2023-03-31")

        assert answer["Content-Disposition"] == 'attachment; filename="statement-a-1001-2023-03-01-2023-03-31.csv"'
        assert answer.content.decode("utf-8-sig").splitlines() == [
            "day,kind,number,received_on,text,amount,balance,currency",
            f"2023-03-02,bill,{bill.number},,,96.47,96.47,SGD",
            "2023-03-10,payment,,2023-03-10,'=1+1,-100.00,-3.53,SGD",
        ]

    def test_can_be_printed(self, customer, bill):
        answer = customer.get("/payments.pdf")

        text = PdfReader(BytesIO(answer.content)).pages[0].extract_text()
        for expected in ("Statement of account", "A-1001", bill.number, "To pay: SGD 96.47"):
            assert expected in text

    def test_is_not_found_where_there_is_none(self, customer, bill):
        assert customer.get("/payments.csv?currency=EUR").status_code == 404


class TestStatementPdf:
    def test_goes_on_on_further_pages(self):
        entry = EntryText(date(2023, 3, 1), "Payment", "thanks", Decimal("-1.00"), Decimal("-1.00"))
        document = StatementDocument(
            issuer=Issuer("Energy portal", "", "help@example.org"),
            account_number="A-1001",
            owner_name="Tan Mei Ling",
            currency="SGD",
            first_day=date(2023, 3, 1),
            last_day=date(2023, 3, 31),
            opening=Decimal("0.00"),
            closing=Decimal("-120.00"),
            entries=(entry,) * 120,
        )

        pages = PdfReader(BytesIO(statement_pdf(document))).pages

        assert len(pages) == 3
        assert sum(page.extract_text().count("thanks") for page in pages) == 120
        assert "In your favour: SGD 120.00" in pages[-1].extract_text()
