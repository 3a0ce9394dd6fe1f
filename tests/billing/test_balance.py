"""What accounts owe, by documents and payments."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test.utils import CaptureQueriesContext

from billing.models import Bill
from billing.selectors.balance import Standing, account_balance, account_balances, bill_standing, currencies_of
from tests.factories import CustomerAccountFactory, PaymentFactory, TariffFactory, singapore_bill

pytestmark = pytest.mark.django_db
# 2023-03-02 03:00 in Singapore, the day before in UTC.
ISSUED = datetime(2023, 3, 1, 19, tzinfo=UTC)
FEBRUARY, JANUARY = date(2023, 2, 1), date(2023, 1, 1)
TOTAL = Decimal("96.47")


@pytest.fixture
def account():
    return CustomerAccountFactory()


def only_balance(account, now=ISSUED):
    (balance,) = account_balance(account=account, now=now).balances
    return balance


class TestDueDay:
    def test_counts_from_the_local_day_of_issue(self, account):
        bill = singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)

        assert Bill.objects.get(pk=bill.pk).due_on == date(2023, 3, 23)

    def test_follows_the_setting(self, account, settings):
        settings.BILL_DUE_DAYS = 14

        bill = singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)

        assert bill.due_on == date(2023, 3, 16)


class TestAccountBalance:
    def test_is_nothing_without_documents_and_payments(self, account):
        assert account_balance(account=account, now=ISSUED).balances == ()

    def test_leaves_drafts_out(self, account):
        singapore_bill(account=account, first_day=FEBRUARY)

        assert account_balance(account=account, now=ISSUED).balances == ()

    def test_is_billed_less_paid(self, account):
        bill = singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)
        PaymentFactory(account=account, amount="90.00")

        balance = only_balance(account)

        assert (balance.billed, balance.paid, balance.balance) == (TOTAL, Decimal("90.00"), Decimal("6.47"))
        assert [(each.bill_id, each.open_amount) for each in balance.bills] == [(bill.pk, Decimal("6.47"))]
        assert balance.next_due_on == date(2023, 3, 23)

    def test_keeps_currencies_apart(self, account):
        singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)
        PaymentFactory(account=account, amount="500.00", currency="EUR")

        euros, dollars = account_balance(account=account, now=ISSUED).balances

        assert (euros.currency, euros.credit) == ("EUR", Decimal("500.00"))
        assert (dollars.currency, dollars.balance) == ("SGD", TOTAL)

    def test_becomes_overdue_on_the_day_after_the_due_day_on_the_accounts_clock(self, account):
        singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)
        last_instant = datetime(2023, 3, 23, 15, 59, 59, tzinfo=UTC)

        assert only_balance(account, last_instant).overdue == 0
        assert only_balance(account, last_instant + timedelta(seconds=1)).overdue == TOTAL

    def test_asks_as_often_for_many_accounts_as_for_one(self, account):
        singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)
        others = [CustomerAccountFactory() for _ in range(4)]
        for other in others:
            singapore_bill(account=other, first_day=FEBRUARY, issued_at=ISSUED)
            PaymentFactory(account=other)

        with CaptureQueriesContext(connection) as captured:
            found = account_balances(accounts=[account, *others], now=ISSUED)

        assert len(captured) == 2
        assert len(found) == 5


class TestBillStanding:
    def test_tells_of_each_bill_how_far_it_is_settled(self, account):
        old = singapore_bill(account=account, first_day=JANUARY, issued_at=ISSUED - timedelta(days=28))
        new = singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)
        draft = singapore_bill(account=account, first_day=date(2023, 3, 1))
        PaymentFactory(account=account, amount="100.00")

        found = bill_standing([old, new, draft], now=ISSUED)

        assert {key: (each.standing, each.open_amount) for key, each in found.items()} == {
            old.pk: (Standing.PAID, 0),
            new.pk: (Standing.PART_PAID, Decimal("92.94")),
        }

    def test_takes_a_withdrawn_bill_and_its_credit_note_for_settled(self, account):
        bill = singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)
        note = credit_note_of(bill)
        Bill.objects.filter(pk=bill.pk).update(status=Bill.Status.VOID)
        bill.refresh_from_db()

        found = bill_standing([bill, note], now=ISSUED)

        assert [found[each.pk].standing for each in (bill, note)] == [Standing.WITHDRAWN, Standing.CREDIT]
        assert only_balance(account).balance == 0

    def test_gives_a_bill_without_a_due_day_the_one_that_it_would_have_had(self, account):
        bill = singapore_bill(account=account, first_day=FEBRUARY)
        Bill.objects.filter(pk=bill.pk).update(status="issued", number="OLD-1", issued_at=ISSUED)
        bill.refresh_from_db()

        assert bill_standing([bill], now=ISSUED)[bill.pk].due_on == date(2023, 3, 23)


class TestCurrenciesOf:
    def test_are_those_of_the_bills(self, account):
        singapore_bill(account=account, first_day=FEBRUARY, issued_at=ISSUED)

        assert currencies_of([account]) == {account.pk: {"SGD"}}

    def test_are_the_tariffs_before_the_first_bill(self, account):
        tariff = TariffFactory(currency="EUR")
        account.tariffs.create(tariff=tariff, effective=DateRange(date(2023, 1, 1), None))

        assert currencies_of([account, CustomerAccountFactory()])[account.pk] == {"EUR"}


def credit_note_of(bill: Bill) -> Bill:
    """Issue a credit note that takes a whole bill back."""
    note = Bill.objects.create(
        kind=Bill.Kind.CREDIT_NOTE,
        corrects=bill,
        account=bill.account,
        month=bill.month,
        period=bill.period,
        currency=bill.currency,
        consumption_kwh=-bill.consumption_kwh,
        subtotal=-bill.subtotal,
        tax=-bill.tax,
        total=-bill.total,
        as_of=bill.as_of,
    )
    Bill.objects.filter(pk=note.pk).update(status="issued", number=f"CN-{bill.number}", issued_at=bill.issued_at)
    note.refresh_from_db()
    return note
