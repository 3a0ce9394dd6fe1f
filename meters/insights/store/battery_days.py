"""The hand-written SQL of batteries' trends: which days have to be measured, and who measures them."""

from datetime import date, datetime
from typing import Any

from django.db import connection

_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('trends of battery ' || %s, 0))"
# A stretch of the key of the quarters a month, and one of the trends.
_WAITING = """
    SELECT day, known.covered FROM (
        SELECT (time AT TIME ZONE 'UTC')::date AS day, sum(covered_seconds)::float8 AS covered
        FROM batteries_batteryquarter WHERE battery_id = %(battery)s AND time >= %(start)s AND time < %(end)s
        GROUP BY day
    ) AS known LEFT JOIN (
        SELECT day, covered_seconds AS covered FROM insights_batterytrend
        WHERE battery_id = %(battery)s AND quantity = 'soh_percent'
    ) AS measured USING (day)
    WHERE measured.covered IS NULL OR known.covered > measured.covered + %(more)s
    ORDER BY day LIMIT %(most)s
"""


def take_turn(battery_pk: int) -> bool:
    """Tell whether this transaction is the one that measures a battery, until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN, [battery_pk])
        return bool(cursor.fetchone()[0])


def waiting_days(
    battery_pk: int, start: datetime, end: datetime, *, more_seconds: float, most: int
) -> list[tuple[date, float]]:
    """Return the earliest days (UTC) in ``[start, end)`` that were not measured, and for how long each is known.

    :param more_seconds: a day of which this much more became known since is measured again.
    """
    parameters: dict[str, Any] = {"battery": battery_pk, "start": start, "end": end, "more": more_seconds, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, parameters)
        return [(day, covered) for day, covered in cursor]
