"""Entries of the ledger: recorded once, taken back by their contrary, never changed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from billing.models import Payment
from billing.selectors.balance import account_balance
from billing.services.payments import (
    BadAmount,
    BadDay,
    CannotReverse,
    Money,
    OtherPayment,
    Payee,
    RefundExceedsCredit,
    Told,
    UnknownPayee,
    WrongCurrency,
    find_payee,
    record_payment,
    record_refund,
    reverse_payment,
)
from tests.factories import CustomerAccountFactory, DataSourceFactory, ManagerFactory, PaymentFactory, singapore_bill

pytestmark = pytest.mark.django_db
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
TODAY, FEBRUARY = date(2023, 3, 15), date(2023, 2, 1)
BY_HAND = Told(Payment.Origin.MANUAL)


@pytest.fixture
def bill():
    return singapore_bill(account=CustomerAccountFactory(number="A-1001"), first_day=FEBRUARY, issued_at=NOW)


@pytest.fixture
def payee(bill):
    return Payee(bill.account)


def money(amount="96.47", currency="SGD", day=TODAY):
    return Money(Decimal(amount), currency, day, "thank you")


def by_provider(key="pi-1"):
    return Told(Payment.Origin.PROVIDER, key)


def pay(payee, money, told=BY_HAND, actor=PORTAL):
    return record_payment(payee=payee, money=money, told=told, actor=actor, now=NOW)


class TestFindPayee:
    def test_knows_an_account_by_its_number(self, bill):
        assert find_payee(account_number="A-1001") == Payee(bill.account)

    def test_knows_a_bill_by_its_number(self, bill):
        assert find_payee(bill_number=bill.number) == Payee(bill.account, bill)

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({}, "no_payee"),
            ({"account_number": "A-2"}, "unknown_account"),
            ({"bill_number": "202302-999999"}, "unknown_bill"),
        ],
    )
    def test_refuses_whom_nobody_knows(self, bill, asked, code):
        with pytest.raises(UnknownPayee) as refused:
            find_payee(**asked)

        assert refused.value.code == code

    def test_refuses_a_bill_of_another_account(self, bill):
        CustomerAccountFactory(number="A-2")

        with pytest.raises(UnknownPayee, match="another account"):
            find_payee(account_number="A-2", bill_number=bill.number)


class TestRecordPayment:
    def test_writes_an_entry_and_who_wrote_it(self, payee):
        manager = ManagerFactory()

        payment = pay(payee, money(), actor=Actor(user=manager)).payment

        payment.refresh_from_db()
        assert (payment.amount, payment.kind, payment.recorded_by) == (Decimal("96.47"), "payment", manager)
        assert AuditEntry.objects.get(action="payment.payment").object_id == str(payment.pk)

    def test_counts_what_is_reported_again_once(self, payee):
        source = Actor(source=DataSourceFactory())

        first, again = (pay(payee, money(), by_provider(), source) for _ in range(2))

        assert (first.created, again.created) == (True, False)
        assert first.payment == again.payment
        assert Payment.objects.count() == AuditEntry.objects.filter(action="payment.payment").count() == 1

    def test_lets_two_providers_use_the_same_id(self, payee):
        for _ in range(2):
            assert pay(payee, money(), by_provider(), Actor(source=DataSourceFactory())).created

    @pytest.mark.parametrize("other", [money("96.46"), money(day=TODAY - timedelta(days=1))])
    def test_refuses_another_payment_under_the_same_id(self, payee, other):
        pay(payee, money(), by_provider())

        with pytest.raises(OtherPayment):
            pay(payee, other, by_provider())

        assert Payment.objects.get().amount == Decimal("96.47")

    @pytest.mark.parametrize("amount", ["0", "-1.00", "0.005"])
    def test_refuses_what_is_no_amount(self, payee, amount):
        with pytest.raises(BadAmount):
            pay(payee, money(amount))

    def test_refuses_another_currency(self, payee):
        with pytest.raises(WrongCurrency, match="SGD"):
            pay(payee, money(currency="EUR"))

    def test_refuses_a_day_that_is_yet_to_come(self, payee):
        with pytest.raises(BadDay):
            pay(payee, money(day=TODAY + timedelta(days=2)))


class TestReversePayment:
    def test_writes_the_contrary_and_names_what_it_takes_back(self, payee):
        payment = pay(payee, money()).payment

        taken = reverse_payment(payment_id=payment.pk, reason="bounced", told=BY_HAND, actor=PORTAL, now=NOW).payment

        assert (taken.kind, taken.amount, taken.reverses) == ("reversal", Decimal("-96.47"), payment)
        assert account_balance(account=payee.account, now=NOW).balances[0].balance == Decimal("96.47")

    def test_refuses_to_take_the_same_back_twice(self, payee):
        payment = pay(payee, money()).payment
        reverse_payment(payment_id=payment.pk, reason="", told=BY_HAND, actor=PORTAL, now=NOW)

        with pytest.raises(CannotReverse):
            reverse_payment(payment_id=payment.pk, reason="", told=BY_HAND, actor=PORTAL, now=NOW)

    def test_refuses_to_take_a_reversal_back(self, payee):
        payment = pay(payee, money()).payment
        taken = reverse_payment(payment_id=payment.pk, reason="", told=BY_HAND, actor=PORTAL, now=NOW).payment

        with pytest.raises(CannotReverse):
            reverse_payment(payment_id=taken.pk, reason="", told=BY_HAND, actor=PORTAL, now=NOW)

    def test_is_recognised_when_a_provider_reports_it_again(self, payee):
        payment = pay(payee, money(), by_provider()).payment

        again = [
            reverse_payment(payment_id=payment.pk, reason="", told=by_provider("cb-1"), actor=PORTAL, now=NOW).created
            for _ in range(2)
        ]

        assert again == [True, False]


class TestRecordRefund:
    def test_pays_back_what_is_left_over(self, payee):
        pay(payee, money("100.00"))

        record_refund(payee=payee, money=money("3.53"), told=BY_HAND, actor=PORTAL, now=NOW)

        assert account_balance(account=payee.account, now=NOW).balances[0].balance == 0

    def test_refuses_by_hand_more_than_is_left_over(self, payee):
        pay(payee, money("100.00"))

        with pytest.raises(RefundExceedsCredit, match=r"SGD 3\.53"):
            record_refund(payee=payee, money=money("3.54"), told=BY_HAND, actor=PORTAL, now=NOW)

    def test_is_recognised_by_hand_once_the_credit_is_gone(self, payee):
        pay(payee, money("100.00"))
        told = Told(Payment.Origin.MANUAL, "form-1")

        again = [
            record_refund(payee=payee, money=money("3.53"), told=told, actor=PORTAL, now=NOW).created for _ in range(2)
        ]

        assert again == [True, False]

    def test_takes_what_a_provider_paid_back_for_a_fact(self, payee):
        record_refund(payee=payee, money=money("5.00"), told=by_provider(), actor=PORTAL, now=NOW)

        assert account_balance(account=payee.account, now=NOW).balances[0].balance == Decimal("101.47")


class TestTheDatabase:
    def test_refuses_to_change_a_payment(self):
        payment = PaymentFactory()

        with pytest.raises(IntegrityError, match="stands"), transaction.atomic():
            Payment.objects.filter(pk=payment.pk).update(amount=Decimal("1.00"))

    def test_refuses_to_delete_a_payment(self):
        PaymentFactory()

        with pytest.raises(IntegrityError, match="stands"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM billing_payment")

    @pytest.mark.parametrize(
        "differing", [{"amount": Decimal("-9.99")}, {"currency": "EUR"}, {"account_id": UUID(int=1)}]
    )
    def test_refuses_a_reversal_of_something_else(self, differing):
        payment = PaymentFactory()
        contrary = {"account_id": payment.account_id, "amount": -payment.amount, "currency": "SGD", **differing}

        with pytest.raises(IntegrityError, match="contrary"), transaction.atomic():
            Payment.objects.create(
                kind="reversal", reverses=payment, received_on=TODAY, booked_at=NOW, origin="manual", **contrary
            )

    @pytest.mark.parametrize(("kind", "amount"), [("payment", "-1.00"), ("refund", "1.00"), ("payment", "0.00")])
    def test_refuses_a_sign_that_is_not_the_kinds(self, kind, amount):
        with pytest.raises(IntegrityError), transaction.atomic():
            PaymentFactory(kind=kind, amount=amount)
