"""Balances, statements and payments on the API, and the door of payment providers."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.api.authentication import SourceCaller
from accounts.models import SourceKey
from accounts.roles import Role, Scope
from billing.models import Payment
from tests.factories import (
    AccountAccessFactory,
    CustomerAccountFactory,
    DataSourceFactory,
    ManagerFactory,
    PaymentFactory,
    UserFactory,
    singapore_bill,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
PAYMENT = {
    "id": "pi-1",
    "account_id": "A-1001",
    "amount": "96.47",
    "currency": "SGD",
    "received_on": "2023-03-14",
    "reference": "card",
}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def account():
    return CustomerAccountFactory(number="A-1001")


@pytest.fixture
def bill(account):
    return singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=datetime(2023, 3, 2, 4, tzinfo=UTC))


@pytest.fixture
def customer(account):
    return client_of(AccountAccessFactory(account=account).user)


@pytest.fixture
def provider():
    return client_of(scopes=[Scope.PAYMENTS])


def client_of(user=None, *, scopes=None) -> APIClient:
    client = APIClient()
    if scopes is not None:
        source = DataSourceFactory(scopes=scopes)
        key = SourceKey.objects.create(source=source, prefix=uuid4().hex[:16], key_hash=uuid4().hex)
        client.force_authenticate(user=SourceCaller(source), token=key)
    elif user is not None:
        client.force_authenticate(user=user)
    return client


def report(client: APIClient, **said):
    """Report the usual payment with some of it otherwise; what is None is left out."""
    body = {name: value for name, value in {**PAYMENT, **said}.items() if value is not None}
    return client.post("/api/v1/payments", body, format="json")


class TestBalance:
    def test_tells_what_is_open_and_until_when(self, customer, bill):
        PaymentFactory(account=bill.account, amount="90.00")

        answer = customer.get("/api/v1/accounts/A-1001/balance").json()

        (balance,) = answer["balances"]
        assert {name: balance[name] for name in ("currency", "billed", "paid", "balance", "credit", "overdue")} == {
            "currency": "SGD",
            "billed": "96.47",
            "paid": "90.00",
            "balance": "6.47",
            "credit": "0.00",
            "overdue": "0.00",
        }
        assert balance["next_due_on"] == "2023-03-23"
        (due,) = balance["bills"]
        assert (due["number"], due["month"], due["open"], due["standing"], due["pay_link"]) == (
            bill.number,
            "2023-02",
            "6.47",
            "part_paid",
            None,
        )

    def test_leads_to_the_provider_that_is_attached(self, customer, bill, settings):
        settings.PAYMENT_LINK = "https://pay.example/?n={number}&a={amount}"

        answer = customer.get("/api/v1/accounts/A-1001/balance").json()

        assert answer["balances"][0]["bills"][0]["pay_link"] == f"https://pay.example/?n={bill.number}&a=96.47"

    @pytest.mark.parametrize("path", ["balance", "statement", "payments"])
    def test_is_nobody_elses(self, bill, path):
        others = {
            404: [client_of(UserFactory()), client_of(UserFactory(role=Role.AGENT))],
            403: [client_of(scopes=[Scope.PAYMENTS])],
            401: [APIClient()],
            200: [client_of(ManagerFactory()), client_of(scopes=[Scope.QUERIES])],
        }

        for status, clients in others.items():
            assert {each.get(f"/api/v1/accounts/A-1001/{path}").status_code for each in clients} == {status}

    @pytest.mark.parametrize("path", ["balance", "statement", "payments"])
    def test_asks_as_often_for_much_as_for_little(self, customer, account, bill, path):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                assert customer.get(f"/api/v1/accounts/A-1001/{path}").status_code == 200
            return len(captured)

        PaymentFactory(account=account, bill=bill)
        few = queries()
        for month in (3, 4, 5):
            more = singapore_bill(account=account, first_day=date(2022, month, 1), issued_at=NOW)
            PaymentFactory(account=account, bill=more)

        assert queries() == few


class TestStatement:
    def test_runs_a_balance_over_documents_and_payments(self, customer, bill):
        PaymentFactory(account=bill.account, amount="100.00", bill=bill, reference="thanks")

        answer = customer.get("/api/v1/accounts/A-1001/statement").json()

        assert (answer["opening"], answer["closing"], answer["from"], answer["to"]) == (
            "0.00",
            "-3.53",
            "2022-03-15",
            "2023-03-15",
        )
        assert [
            (row["day"], row["kind"], row["number"], row["amount"], row["balance"]) for row in answer["results"]
        ] == [
            ("2023-03-02", "bill", bill.number, "96.47", "96.47"),
            ("2023-03-10", "payment", bill.number, "-100.00", "-3.53"),
        ]

    def test_opens_with_what_was_owed_before(self, customer, bill):
        PaymentFactory(account=bill.account, amount="6.47")

        answer = customer.get("/api/v1/accounts/A-1001/statement", {"from": "2023-03-03", "to": "2023-03-10"}).json()

        assert (answer["opening"], answer["closing"], len(answer["results"])) == ("96.47", "90.00", 1)

    def test_comes_in_pages(self, customer, bill):
        for _ in range(4):
            PaymentFactory(account=bill.account)

        seen, url = [], "/api/v1/accounts/A-1001/statement?page_size=2"
        while url:
            answer = customer.get(url).json()
            seen += [row["position"] for row in answer["results"]]
            url = answer["next"]

        assert seen == [1, 2, 3, 4, 5]

    def test_is_a_file_too(self, customer, bill):
        answer = customer.get("/api/v1/accounts/A-1001/statement?format=csv")

        lines = answer.content.decode("utf-8-sig").splitlines()
        assert lines[0] == "day,kind,number,received_on,text,amount,balance"
        assert lines[1] == f"2023-03-02,bill,{bill.number},,,96.47,96.47"

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"from": "2023-03-10", "to": "2023-03-01"}, "bad_period"),
            ({"from": "2001-01-01"}, "bad_period"),
            ({"currency": "EUR"}, "needs_currency"),
        ],
    )
    def test_refuses_what_it_cannot_tell(self, customer, bill, query, code):
        answer = customer.get("/api/v1/accounts/A-1001/statement", query)

        assert (answer.status_code, answer.json()["code"]) == (422, code)


class TestAccountPayments:
    def test_lists_the_newest_first(self, customer, account):
        old = PaymentFactory(account=account)
        new = PaymentFactory(account=account, booked_at=NOW)
        PaymentFactory()

        rows = customer.get("/api/v1/accounts/A-1001/payments").json()["results"]

        assert [row["id"] for row in rows] == [str(new.pk), str(old.pk)]
        assert (rows[0]["amount"], rows[0]["account_id"]) == ("10.00", "A-1001")


class TestReportPayment:
    def test_counts_a_payment_once_however_often_it_is_reported(self, provider, bill):
        answers = [report(provider) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [201, 200, 200]
        assert len({answer.json()["id"] for answer in answers}) == 1
        payment = Payment.objects.get()
        assert (payment.amount, payment.origin, payment.external_id) == (Decimal("96.47"), "provider", "pi-1")
        assert payment.source is not None

    def test_takes_a_bills_number_alone(self, provider, bill):
        answer = report(provider, account_id=None, bill_number=bill.number)

        assert (answer.status_code, answer.json()["bill_number"]) == (201, bill.number)

    @pytest.mark.parametrize(
        ("said", "status", "code"),
        [
            ({"account_id": "A-9"}, 422, "unknown_account"),
            ({"bill_number": "202301-999999"}, 422, "unknown_bill"),
            ({"account_id": None}, 422, "no_payee"),
            ({"currency": "EUR"}, 422, "wrong_currency"),
            ({"received_on": "2033-01-01"}, 422, "in_future"),
            (
                {"kind": "reversal", "reverses": "pi-0", "account_id": None, "amount": None, "currency": None},
                422,
                "unknown_payment",
            ),
        ],
    )
    def test_says_by_a_code_what_is_wrong(self, provider, bill, said, status, code):
        answer = report(provider, **said)

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert not Payment.objects.exists()

    @pytest.mark.parametrize("amount", [96.47, 96, "96.4", "96.475", "-1.00", "0.00", "1e3", " 96.47", None])
    def test_refuses_an_amount_that_is_no_string_to_the_cent(self, provider, bill, amount):
        answer = report(provider, amount=amount)

        assert answer.status_code in {400, 422}
        assert "amount" in {error["field"] for error in answer.json()["errors"]}
        assert not Payment.objects.exists()

    def test_refuses_the_same_id_for_something_else(self, provider, bill):
        report(provider)

        answer = report(provider, amount="96.46")

        assert (answer.status_code, answer.json()["code"]) == (409, "payment_conflict")

    def test_takes_back_what_was_reported(self, provider, customer, bill):
        report(provider)
        taken = {
            "kind": "reversal",
            "id": "cb-1",
            "reverses": "pi-1",
            "account_id": None,
            "amount": None,
            "currency": None,
        }

        answers = [report(provider, **taken) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json()["amount"] == "-96.47"
        assert customer.get("/api/v1/accounts/A-1001/balance").json()["balances"][0]["balance"] == "96.47"

    def test_takes_back_nothing_that_another_provider_reported(self, provider, bill):
        report(provider)
        taken = {
            "kind": "reversal",
            "id": "cb-1",
            "reverses": "pi-1",
            "account_id": None,
            "amount": None,
            "currency": None,
        }

        assert report(client_of(scopes=[Scope.PAYMENTS]), **taken).json()["code"] == "unknown_payment"

    def test_takes_a_refund(self, provider, bill):
        assert report(provider, kind="refund", amount="5.00").json()["amount"] == "-5.00"

    def test_takes_a_managers_word_for_what_came_in_by_hand(self, bill):
        manager = ManagerFactory()

        answer = report(client_of(manager))

        assert (answer.status_code, answer.json()["origin"]) == (201, "manual")
        assert Payment.objects.get().recorded_by == manager

    def test_is_for_providers_and_managers_alone(self, customer, bill):
        refused = {401: [APIClient()], 403: [customer, client_of(scopes=[Scope.QUERIES, Scope.ACCOUNTS])]}

        for status, clients in refused.items():
            assert {report(each).status_code for each in clients} == {status}
