from datetime import UTC, date, datetime
from itertools import product

import pytest
from django.db import IntegrityError, connection, transaction

from billing.models import Bill, BillLine
from billing.workflow import TRANSITIONS, CannotMove, require_transition
from tests.factories import CustomerAccountFactory, singapore_bill

Status = Bill.Status
ISSUED_AT = datetime(2023, 3, 2, 1, tzinfo=UTC)
STEPS = list(product(Status, Status))


def bill_in(status: str) -> Bill:
    issued_at = None if status == Status.DRAFT else ISSUED_AT
    bill = singapore_bill(account=CustomerAccountFactory(), first_day=date(2023, 2, 1), issued_at=issued_at)
    if status in {Status.VOID, Status.ARCHIVED}:
        Bill.objects.filter(pk=bill.pk).update(status=status)
        bill.refresh_from_db()
    return bill


def run_sql(sql: str, *params: object) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


class TestRequireTransition:
    @pytest.mark.parametrize(("start", "target"), STEPS)
    def test_follows_the_table(self, start, target):
        bill = Bill(status=start)

        if target in TRANSITIONS[start]:
            require_transition(bill, target)
        else:
            with pytest.raises(CannotMove):
                require_transition(bill, target)


@pytest.mark.django_db
class TestDatabaseGuard:
    @pytest.mark.parametrize(("start", "target"), [step for step in STEPS if step != (Status.DRAFT, Status.DRAFT)])
    def test_keeps_the_same_table_for_statuses(self, start, target):
        bill = bill_in(start)
        sql = (
            "UPDATE billing_bill SET status = %s, number = coalesce(number, 'X-1'),"
            " issued_at = coalesce(issued_at, now()) WHERE id = %s"
        )

        if target in TRANSITIONS[start]:
            assert run_sql(sql, target, bill.pk) == 1
        else:
            with pytest.raises(IntegrityError):
                run_sql(sql, target, bill.pk)

    @pytest.mark.parametrize(
        "change",
        [
            "total = total + 1, subtotal = subtotal + 1",
            "number = 'other'",
            "issued_at = now()",
            "account_id = gen_random_uuid()",
            "held_because = 'no_meter'",
            "status = 'void', total = total + 1, subtotal = subtotal + 1",
            "status = status",
        ],
    )
    def test_refuses_to_change_an_issued_bill(self, change):
        bill = bill_in(Status.ISSUED)

        with pytest.raises(IntegrityError, match="cannot be changed"):
            run_sql(f"UPDATE billing_bill SET {change} WHERE id = %s", bill.pk)  # noqa: S608

    @pytest.mark.parametrize("status", [Status.ISSUED, Status.VOID, Status.ARCHIVED])
    def test_refuses_to_delete_what_was_issued(self, status):
        bill = bill_in(status)

        with pytest.raises(IntegrityError, match="cannot be deleted"):
            run_sql("DELETE FROM billing_bill WHERE id = %s", bill.pk)

    def test_refuses_a_bill_that_starts_as_issued(self):
        bill = bill_in(Status.DRAFT)

        with pytest.raises(IntegrityError, match="starts as a draft"):
            run_sql(
                "INSERT INTO billing_bill (id, number, account_id, period, month, status, held_because, currency,"
                " consumption_kwh, subtotal, tax, total, complete, estimated_share, as_of, issued_at, created_at)"
                " SELECT gen_random_uuid(), 'X-1', account_id, period, '2023-03-01', 'issued', '', currency,"
                " consumption_kwh, subtotal, tax, total, complete, estimated_share, as_of, now(), created_at"
                " FROM billing_bill WHERE id = %s",
                bill.pk,
            )

    @pytest.mark.parametrize("status", [Status.ISSUED, Status.VOID, Status.ARCHIVED])
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE billing_billline SET amount = amount + 1 WHERE bill_id = %s",
            "DELETE FROM billing_billline WHERE bill_id = %s",
            "INSERT INTO billing_billline (bill_id, position, kind, description, period, quantity, unit, rate, amount,"
            " detail, reads) SELECT bill_id, position + 10, kind, description, period, quantity, unit, rate, amount,"
            " detail, reads FROM billing_billline WHERE bill_id = %s",
        ],
        ids=["update", "delete", "insert"],
    )
    def test_refuses_to_write_the_lines_of_what_was_issued(self, status, sql):
        bill = bill_in(status)

        with pytest.raises(IntegrityError, match="lines of an issued bill"):
            run_sql(sql, bill.pk)

        assert bill.lines.count() == 2

    def test_refuses_to_move_a_line_into_an_issued_bill_or_out_of_it(self):
        issued, draft = bill_in(Status.ISSUED), bill_in(Status.DRAFT)
        move = "UPDATE billing_billline SET bill_id = %s, position = 9 WHERE bill_id = %s AND position = 1"

        for target, source in ((issued, draft), (draft, issued)):
            with pytest.raises(IntegrityError, match="lines of an issued bill"):
                run_sql(move, target.pk, source.pk)

    def test_lets_a_draft_change_and_go(self):
        bill = bill_in(Status.DRAFT)
        bill.total, bill.subtotal = bill.total + 1, bill.subtotal + 1
        bill.save()

        bill.delete()

        assert not BillLine.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestTruncate:
    def test_empties_the_tables_of_a_test(self):
        bill_in(Status.ISSUED)

        run_sql("TRUNCATE billing_bill CASCADE")

        assert not Bill.objects.exists()
