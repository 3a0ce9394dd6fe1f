"""Several at once: a provider's retry, two imports of one file, payments while bills are issued."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection

from accounts.actors import PORTAL
from billing.bankfiles import Options
from billing.models import BankImport, Payment, Reminder
from billing.selectors.balance import account_balance
from billing.services.bank import AlreadyBooked, book_import, check_file, request_booking
from billing.services.bills import issue_bill
from billing.services.payments import CannotReverse, Money, Payee, Told, record_payment, record_refund, reverse_payment
from billing.services.reminders import remind_overdue
from energy_portal.shared.errors import DomainError
from tests.factories import CustomerAccountFactory, PaymentFactory, singapore_bill

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2023, 3, 15, 4, tzinfo=UTC)
TODAY = date(2023, 3, 15)
WORKERS = 4


def at_once(*deeds):
    """Do things at the same time, and return what each returns, or the domain error that it raised."""
    barrier = Barrier(len(deeds))

    def run(deed):
        try:
            barrier.wait(timeout=30)
            return deed()
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [done.result(timeout=60) for done in [pool.submit(run, deed) for deed in deeds]]


@pytest.fixture
def bill():
    return singapore_bill(account=CustomerAccountFactory(number="A-1001"), first_day=date(2023, 2, 1), issued_at=NOW)


def money(amount: str) -> Money:
    return Money(Decimal(amount), "SGD", TODAY)


class TestRecordPayment:
    def test_counts_a_providers_retries_once(self, bill):
        def pay():
            told = Told(Payment.Origin.PROVIDER, "pi-1")
            return record_payment(payee=Payee(bill.account), money=money("96.47"), told=told, actor=PORTAL, now=NOW)

        outcomes = at_once(*[pay] * WORKERS)

        assert sorted(outcome.created for outcome in outcomes) == [False] * (WORKERS - 1) + [True]
        assert Payment.objects.count() == 1

    def test_loses_no_payment_while_a_bill_is_issued(self, bill):
        draft = singapore_bill(account=bill.account, first_day=date(2023, 1, 1))

        at_once(
            lambda: issue_bill(bill_id=draft.pk, actor=PORTAL, now=NOW),
            lambda: record_payment(
                payee=Payee(bill.account),
                money=money("50.00"),
                told=Told(Payment.Origin.MANUAL),
                actor=PORTAL,
                now=NOW,
            ),
        )

        (balance,) = account_balance(account=bill.account, now=NOW).balances
        assert (balance.billed, balance.paid) == (Decimal("192.94"), Decimal("50.00"))


class TestReversePayment:
    def test_takes_an_entry_back_once(self, bill):
        payment = PaymentFactory(account=bill.account)

        def take_back():
            told = Told(Payment.Origin.MANUAL)
            return reverse_payment(payment_id=payment.pk, reason="", told=told, actor=PORTAL, now=NOW)

        outcomes = at_once(*[take_back] * WORKERS)

        assert sum(isinstance(outcome, CannotReverse) for outcome in outcomes) == WORKERS - 1
        assert Payment.objects.filter(kind="reversal").count() == 1


class TestRecordRefund:
    def test_pays_no_credit_back_twice(self, bill):
        PaymentFactory(account=bill.account, amount="100.00")

        def refund():
            told = Told(Payment.Origin.MANUAL)
            return record_refund(payee=Payee(bill.account), money=money("3.53"), told=told, actor=PORTAL, now=NOW)

        at_once(*[refund] * WORKERS)

        assert Payment.objects.filter(kind="refund").count() == 1


class TestBankImports:
    def lines(self, numbers) -> bytes:
        rows = "".join(f"{n},2023-03-10,{'A-1001' if n % 3 else 'hello'},1.00\n" for n in numbers)
        return f"Transaction ID,Date,Details,Amount\n{rows}".encode()

    def load(self, content: bytes, name: str) -> BankImport:
        found = check_file(content=content, name=name, options=Options(currency="SGD"), actor=PORTAL, now=NOW)
        request_booking(import_id=found.pk, actor=PORTAL, now=NOW)
        return book_import(import_id=found.pk, now=NOW, chunk_lines=3)

    def test_count_one_file_once_when_it_is_loaded_at_once(self, bill):
        content = self.lines(range(1, 10))

        outcomes = at_once(*[lambda: self.load(content, "march.csv")] * 3)

        found = BankImport.objects.get()
        assert all(outcome == found or isinstance(outcome, AlreadyBooked) for outcome in outcomes)
        assert (found.status, found.lines_done, found.lines.count()) == ("done", 9, 9)
        assert Payment.objects.count() == 6

    def test_count_the_lines_that_two_files_share_once(self, bill):
        at_once(
            lambda: self.load(self.lines(range(1, 10)), "first.csv"),
            lambda: self.load(self.lines(range(4, 13)), "second.csv"),
        )

        assert {found.status for found in BankImport.objects.all()} == {"done"}
        assert Payment.objects.count() == len([n for n in range(1, 13) if n % 3])
        assert sum(found.lines.filter(status="waiting").count() for found in BankImport.objects.all()) == 4


class TestRemindOverdue:
    def test_writes_a_reminder_once(self, bill, monkeypatch):
        monkeypatch.setattr("billing.services.reminders.enqueue_on_commit", lambda *_, **__: None)

        written = at_once(*[lambda: remind_overdue(now=datetime(2023, 4, 20, tzinfo=UTC))] * WORKERS)

        assert sum(written) == 1
        assert Reminder.objects.count() == 1
