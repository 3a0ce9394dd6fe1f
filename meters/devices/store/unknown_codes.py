"""Counts of codes that no mapping knows."""

from collections.abc import Mapping
from datetime import datetime

from django.db import connection

# Who adds counts goes one after another: rows are then locked in no order that could matter.
_TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('unknown codes of devices', 0))"
# Not an upsert, which would use a number of the sequence each time that a row stands.
_COUNT = """
    UPDATE devices_unknowncode AS held SET count = held.count + more.count, last_seen_at = %s
    FROM unnest(%s::text[], %s::text[], %s::int8[]) AS more (product_id, code, count)
    WHERE held.product_id = more.product_id AND held.code = more.code
    RETURNING held.product_id, held.code
"""
_ADD = """
    INSERT INTO devices_unknowncode (product_id, code, count, last_seen_at)
    SELECT product_id, code, count, %s FROM unnest(%s::text[], %s::text[], %s::int8[]) AS more (product_id, code, count)
    WHERE (SELECT count(*) FROM devices_unknowncode) + %s <= %s
    RETURNING product_id, code
"""

Counts = Mapping[tuple[str, str], int]


def add_counts(counts: Counts, *, most: int, now: datetime) -> set[tuple[str, str]]:
    """Add to counts by product and code, in the caller's transaction; the unique index finds each.

    :param most: rows that the table may hold; where new ones would exceed it, none of them is added.
    :returns: products and codes that were counted.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN)
        cursor.execute(_COUNT, [now, *_arrays(counts)])
        counted = set(cursor.fetchall())
        missing = {pair: count for pair, count in counts.items() if pair not in counted}
        if missing:
            cursor.execute(_ADD, [now, *_arrays(missing), len(missing), most])
            counted |= set(cursor.fetchall())
    return counted


def _arrays(counts: Counts) -> list[list[object]]:
    return [[product for product, _ in counts], [code for _, code in counts], list(counts.values())]
