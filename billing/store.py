"""The SQL that the ORM cannot say, each statement with the index that it leans on."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from django.db import connection

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
UPDATE billing_bill AS bill SET status = 'issued', number = given.number, issued_at = %(issued_at)s
FROM unnest(%(ids)s::uuid[], %(numbers)s::varchar[]) AS given (id, number)
WHERE bill.id = given.id AND bill.status = 'draft' AND bill.held_because = ''
"""


def reserve_numbers(*, month: date, count: int, kind: str = "bill") -> list[str]:
    """Take the next numbers of a month in a kind's series, in order and without a gap; waits for whoever takes some."""
    reserve, prefix = _SERIES[kind]
    with connection.cursor() as cursor:
        cursor.execute(reserve, {"month": month, "count": count})
        (last,) = cursor.fetchone()
    return [f"{prefix}{month:%Y%m}-{number:06d}" for number in range(last - count + 1, last + 1)]


def issue_drafts(*, bill_ids: Sequence[UUID], numbers: Sequence[str], issued_at: datetime) -> int:
    """Issue drafts that are not held under the numbers given; return how many were."""
    with connection.cursor() as cursor:
        cursor.execute(_ISSUE_DRAFTS, {"ids": list(bill_ids), "numbers": list(numbers), "issued_at": issued_at})
        return int(cursor.rowcount)
