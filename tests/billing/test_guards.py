from datetime import date
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.models import Bill
from tests.billing.test_workflow import ISSUED_AT, run_sql
from tests.factories import CustomerAccountFactory, singapore_bill

FEBRUARY = date(2023, 2, 1)
ISSUE = "UPDATE billing_bill SET status = 'issued', number = %s, issued_at = now() WHERE id = %s"
pytestmark = pytest.mark.django_db


def issued_bill() -> Bill:
    return singapore_bill(account=CustomerAccountFactory(), first_day=FEBRUARY, issued_at=ISSUED_AT)


def note_of(bill: Bill, **other: object) -> Bill:
    fields = {
        "account": bill.account,
        "month": bill.month,
        "currency": bill.currency,
        "consumption_kwh": -bill.consumption_kwh,
        "subtotal": -bill.subtotal,
        "tax": -bill.tax,
        "total": -bill.total,
    } | other
    return Bill.objects.create(kind="credit_note", corrects=bill, period=bill.period, as_of=ISSUED_AT, **fields)


def void(bill: Bill) -> None:
    run_sql("UPDATE billing_bill SET status = 'void' WHERE id = %s", bill.pk)


class TestCreditNote:
    def test_is_issued_as_the_exact_negative_of_its_bill(self):
        note = note_of(issued_bill())

        assert run_sql(ISSUE, "CN-1", note.pk) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {"subtotal": Decimal(-1), "tax": Decimal(0), "total": Decimal(-1)},
            {"currency": "EUR"},
            {"month": date(2023, 3, 1)},
        ],
        ids=["amount", "currency", "month"],
    )
    def test_is_refused_where_it_is_not(self, other):
        note = note_of(issued_bill(), **other)

        with pytest.raises(IntegrityError, match="does not fit"):
            run_sql(ISSUE, "CN-1", note.pk)

    def test_is_refused_for_another_account_s_bill(self):
        note = note_of(issued_bill(), account=CustomerAccountFactory())

        with pytest.raises(IntegrityError, match="does not fit"):
            run_sql(ISSUE, "CN-1", note.pk)

    def test_is_never_taken_back(self):
        note = note_of(issued_bill())
        run_sql(ISSUE, "CN-1", note.pk)

        with pytest.raises(IntegrityError, match="cannot be taken back"):
            void(note)

        assert run_sql("UPDATE billing_bill SET status = 'archived' WHERE id = %s", note.pk) == 1


class TestReplacement:
    def test_is_issued_only_once_its_original_is_void(self):
        original = issued_bill()
        replacement = singapore_bill(account=original.account, first_day=FEBRUARY, kwh="300")
        Bill.objects.filter(pk=replacement.pk).update(corrects=original)

        with pytest.raises(IntegrityError, match="does not fit"):
            run_sql(ISSUE, "202302-000009", replacement.pk)

        void(original)
        assert run_sql(ISSUE, "202302-000009", replacement.pk) == 1


class TestColumnsAddedLater:
    @pytest.mark.parametrize("change", ["kind = 'credit_note'", "corrects_id = id", "due_on = '2023-04-01'"])
    def test_stay_as_they_were_issued(self, change):
        bill = issued_bill()

        with pytest.raises(IntegrityError, match="cannot be changed"), transaction.atomic():
            run_sql(f"UPDATE billing_bill SET {change} WHERE id = %s", bill.pk)  # noqa: S608
