"""Regions and what lies in them: the lock that keeps the two in step, and changes of region in one statement."""

from collections.abc import Mapping
from uuid import UUID

from django.db import connection

from meters.store.arrays import array_text

_SHARE = "SELECT pg_advisory_xact_lock_shared(hashtextextended('regions of meters', 0))"
_TAKE = "SELECT pg_advisory_xact_lock(hashtextextended('regions of meters', 0))"
# Rows are locked by serial first, as everybody does who locks many meters; the primary key serves both.
_MOVE = """
    WITH moved AS (
        SELECT * FROM unnest(%(meters)s::uuid[], %(regions)s::uuid[]) AS moved (meter_id, region_id)
    ), locked AS MATERIALIZED (
        SELECT meter.id FROM meters_meter AS meter JOIN moved ON moved.meter_id = meter.id
        ORDER BY meter.serial FOR NO KEY UPDATE OF meter
    )
    UPDATE meters_meter AS meter SET region_id = moved.region_id
    FROM locked JOIN moved ON moved.meter_id = locked.id
    WHERE meter.id = locked.id
"""


def hold_regions() -> None:
    """Keep regions as they are until the transaction ends; others may hold them too."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARE)


def take_regions() -> None:
    """Wait for everybody who holds regions or has taken them, and keep others out until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE)


def move_meters(regions: Mapping[UUID, UUID | None]) -> None:
    """Put meters into other regions, or into none; one statement.

    :param regions: by meter.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, {"meters": array_text(regions), "regions": array_text(regions.values())})
