"""The SQL that the ORM cannot say, each statement with the index that it leans on."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from billing.models import Bill, BillLine

# Primary key of a series, here and below; its row stays locked until commit, so that a rolled back issue leaves no gap.
_RESERVE_NUMBERS = """
INSERT INTO billing_billnumberseries AS series (month, last_number) VALUES (%(month)s, %(count)s)
ON CONFLICT (month) DO UPDATE SET last_number = series.last_number + excluded.last_number
RETURNING last_number
"""

_RESERVE_NOTE_NUMBERS = """
INSERT INTO billing_creditnotenumberseries AS series (month, last_number) VALUES (%(month)s, %(count)s)
ON CONFLICT (month) DO UPDATE SET last_number = series.last_number + excluded.last_number
RETURNING last_number
"""
_SERIES = {"bill": (_RESERVE_NUMBERS, ""), "credit_note": (_RESERVE_NOTE_NUMBERS, "CN-")}

# Primary key of the bills, one probe a bill.
_ISSUE_DRAFTS = """
UPDATE billing_bill AS bill
SET status = 'issued', number = given.number, issued_at = %(issued_at)s, due_on = given.due_on
FROM unnest(%(ids)s::uuid[], %(numbers)s::varchar[], %(due_ons)s::date[]) AS given (id, number, due_on)
WHERE bill.id = given.id AND bill.status = 'draft' AND bill.held_because = ''
"""

# Every bill and every payment is read once: for a daily task. Amounts of two currencies are never added up.
_DEBTORS = """
SELECT DISTINCT account_id FROM (
    SELECT account_id, currency, total AS amount FROM billing_bill WHERE status <> 'draft'
    UNION ALL
    SELECT account_id, currency, -amount FROM billing_payment
) AS entry
GROUP BY account_id, currency HAVING sum(amount) > 0
"""

# No index is asked: rows are told apart by the key that the sequence gives.
_COPY_LINES = """
COPY billing_billline (
    bill_id, position, kind, description, service_point_id, tariff_version_id, component_id, tax_version_id,
    period, quantity, unit, rate, amount, detail, reads
) FROM STDIN
"""

# No table: whoever books lines of bank files waits here until the other's chunk is committed.
_WAIT_FOR_BOOKING = "SELECT pg_advisory_xact_lock(hashtext('billing: bank lines'))"


def insert_lines(lines: Iterable[BillLine]) -> None:
    """Insert lines that are new, in the caller's transaction; several times as fast as one statement of their values.

    Their keys are not read back.
    """
    with connection.cursor() as cursor, cursor.copy(_COPY_LINES) as copy:
        for line in lines:
            copy.write_row(
                (
                    line.bill_id,
                    line.position,
                    line.kind,
                    line.description,
                    line.service_point_id,
                    line.tariff_version_id,
                    line.component_id,
                    line.tax_version_id,
                    f"[{line.period.lower.isoformat()},{line.period.upper.isoformat()})",
                    line.quantity,
                    line.unit,
                    line.rate,
                    line.amount,
                    json.dumps(line.detail),
                    json.dumps(line.reads),
                )
            )


def insert_bills(bills: Sequence[Bill]) -> None:
    """Insert bills that are new, in the caller's transaction, as fast as their lines."""
    fields = [field for field in Bill._meta.concrete_fields if not field.generated]
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields if field.column)
    with connection.cursor() as cursor, cursor.copy(f"COPY billing_bill ({names}) FROM STDIN") as copy:
        for bill in bills:
            copy.write_row(
                tuple(field.get_db_prep_save(field.pre_save(bill, add=True), connection) for field in fields)
            )
    for bill in bills:
        bill._state.adding, bill._state.db = False, connection.alias


def reserve_numbers(*, month: date, count: int, kind: str = "bill") -> list[str]:
    """Take the next numbers of a month in a kind's series, in order and without a gap; waits for whoever takes some."""
    reserve, prefix = _SERIES[kind]
    with connection.cursor() as cursor:
        cursor.execute(reserve, {"month": month, "count": count})
        (last,) = cursor.fetchone()
    return [f"{prefix}{month:%Y%m}-{number:06d}" for number in range(last - count + 1, last + 1)]


def issue_drafts(
    *, bill_ids: Sequence[UUID], numbers: Sequence[str], due_ons: Sequence[date | None], issued_at: datetime
) -> int:
    """Issue drafts that are not held under the numbers given, each due on its day; return how many were.

    :param due_ons: local days; None for credit notes.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _ISSUE_DRAFTS,
            {"ids": list(bill_ids), "numbers": list(numbers), "due_ons": list(due_ons), "issued_at": issued_at},
        )
        return int(cursor.rowcount)


def debtors() -> list[UUID]:
    """Name the accounts that owe something in some currency."""
    with connection.cursor() as cursor:
        cursor.execute(_DEBTORS)
        return [account_id for (account_id,) in cursor.fetchall()]


def wait_for_booking() -> None:
    """Be the only one who books lines of bank files until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_WAIT_FOR_BOOKING)
