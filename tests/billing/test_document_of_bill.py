"""What a bill's document is gathered from."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Bill, BillLine
from billing.selectors.bills import bill_document, bill_with_lines
from tests.factories import CustomerAccountFactory, ManagerFactory, singapore_bill

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
FEBRUARY = date(2025, 2, 1)


def issued(account, month, kwh="308.00"):
    return singapore_bill(account=account, first_day=month, kwh=kwh, issued_at=NOW)


def document_of(bill):
    return bill_document(bill_with_lines(user=ManagerFactory(), bill_id=bill.pk), now=NOW)


class TestCompared:
    def test_holds_the_month_before_and_the_same_month_a_year_ago(self):
        account = CustomerAccountFactory()
        issued(account, date(2024, 2, 1), "290.00")
        issued(account, date(2025, 1, 1), "310.00")

        document = document_of(issued(account, FEBRUARY))

        assert [(use.month, use.kwh_a_day) for use in document.compared] == [
            (FEBRUARY, Decimal("11.00")),
            (date(2025, 1, 1), Decimal("10.00")),
            (date(2024, 2, 1), Decimal("10.00")),
        ]

    def test_leaves_months_blank_that_were_not_billed(self):
        document = document_of(issued(CustomerAccountFactory(), FEBRUARY))

        assert [use.kwh_a_day for use in document.compared] == [Decimal("11.00"), None, None]

    def test_leaves_out_what_others_were_billed_and_what_is_a_draft(self):
        account = CustomerAccountFactory()
        issued(CustomerAccountFactory(), date(2025, 1, 1))
        singapore_bill(account=account, first_day=date(2025, 1, 1))

        document = document_of(issued(account, FEBRUARY))

        assert document.compared[1].kwh_a_day is None

    def test_divides_by_the_days_of_supply(self):
        account = CustomerAccountFactory()
        bill = singapore_bill(account=account, first_day=FEBRUARY, kwh="154.00")
        moved_in = datetime(2025, 2, 14, 16, tzinfo=UTC)
        period = (moved_in, bill.period.upper)
        BillLine.objects.filter(bill=bill, kind="energy").update(period=period)

        document = document_of(bill)

        assert document.compared[0].kwh_a_day == Decimal("11.00")

    def test_asks_as_often_however_many_bills_there_are(self):
        account = CustomerAccountFactory()
        bill = issued(account, FEBRUARY)
        with CaptureQueriesContext(
            connection,
        ) as few:
            document_of(bill)
        issued(account, date(2024, 2, 1))
        issued(account, date(2025, 1, 1))

        with CaptureQueriesContext(connection) as many:
            document_of(bill)

        assert len(many) == len(few)


class TestReferences:
    def test_name_the_bill_that_a_credit_note_takes_back(self):
        account = CustomerAccountFactory()
        bill = issued(account, FEBRUARY)
        note = singapore_bill(account=account, first_day=date(2025, 1, 1))
        Bill.objects.filter(pk=note.pk).update(kind="credit_note", corrects=bill)

        document = document_of(note)

        assert document.is_credit_note
        assert document.corrects == bill.number
        assert (document.compared, document.daily_use) == ((), ())
