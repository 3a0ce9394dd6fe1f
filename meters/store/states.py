"""The state rows of registers, a register at a time; the door has them whole columns at a time."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import numpy as np
from django.db import connection

from meters.store import door
from meters.store.arrays import array_text
from meters.store.registers import REGISTER_READINGS

_ADD_STATES = """
    INSERT INTO meters_registerstate (register_id)
    SELECT register_id FROM unnest(%s::int4[]) AS register_id ORDER BY register_id
    ON CONFLICT DO NOTHING
"""
# The descents of the key that LIMIT asks for stay so whatever the statistics say. Qualities 8, 9 and 12 are estimates.
_REFRESH_STATES = """
    WITH asked AS (SELECT * FROM unnest(%s::int4[]) AS asked (register_id) ORDER BY register_id), newest AS (
        SELECT asked.register_id, reading.time, reading.value FROM asked CROSS JOIN LATERAL (
            SELECT time, value FROM meters_registerreading
            WHERE register_id = asked.register_id AND quality NOT IN (8, 9, 12) ORDER BY time DESC LIMIT 1
        ) AS reading
        UNION ALL
        SELECT asked.register_id, event.at, event.value FROM asked CROSS JOIN LATERAL (
            SELECT at, value FROM meters_chainevent
            WHERE register_id = asked.register_id AND value IS NOT NULL ORDER BY at DESC, recorded_at DESC LIMIT 1
        ) AS event
    )
    UPDATE meters_registerstate AS state SET last_time = newest.time, last_value = newest.value
    FROM asked LEFT JOIN (
        SELECT DISTINCT ON (register_id) * FROM newest ORDER BY register_id, time DESC
    ) AS newest USING (register_id)
    WHERE state.register_id = asked.register_id
      AND (state.last_time, state.last_value) IS DISTINCT FROM (newest.time, newest.value)
"""
_REFRESH_ESTIMATED = """
    UPDATE meters_registerstate AS state SET estimated_from = earliest.time
    FROM unnest(%s::int4[], %s::timestamptz[]) AS asked (register_id, low) LEFT JOIN LATERAL (
        SELECT time FROM meters_registerreading
        WHERE register_id = asked.register_id AND time >= asked.low AND quality IN (8, 9, 12)
        ORDER BY time LIMIT 1
    ) AS earliest ON true
    WHERE state.register_id = asked.register_id AND state.estimated_from IS DISTINCT FROM earliest.time
"""


def add_states(register_ids: Iterable[int]) -> None:
    """Make the state rows that registers lack; commit it before any of them is locked, so that no order is broken."""
    with connection.cursor() as cursor:
        cursor.execute(_ADD_STATES, [sorted(register_ids)])


def lock_states(register_ids: Iterable[int]) -> dict[int, door.State]:
    """Lock the state rows of registers in the order of their ids, and return what they say; see the door's."""
    states = door.lock_states(np.array(list(register_ids), dtype=np.int64))
    return states.of(states.register_ids.tolist())


def advance_states(newest: Iterable[tuple[int, datetime, Decimal]]) -> None:
    """Note (register, time, value) in the state rows, which the caller has locked, where nothing newer stands."""
    rows = sorted(newest)
    if not rows:
        return
    register_ids, times, values = zip(*rows, strict=True)
    spec = REGISTER_READINGS
    door.advance_states(
        np.array(register_ids, dtype=np.int64),
        spec.time.kind.read(times).data,
        spec.columns["value"].kind.read(values).data,
    )


def refresh_states(register_ids: Iterable[int]) -> None:
    """Note again what the newest true reading, or read of an event, of registers is, which the caller has locked."""
    if ids := sorted(set(register_ids)):
        with connection.cursor() as cursor:
            cursor.execute(_REFRESH_STATES, [array_text(ids)])


def refresh_estimated(earliest: Mapping[int, datetime]) -> None:
    """Note the earliest estimate that stands of registers, which the caller has locked.

    One descent of the key a register where an estimate stands at that instant; else a walk to the next one.

    :param earliest: by register, an instant before which none stands.
    """
    if earliest:
        rows = sorted(earliest.items())
        with connection.cursor() as cursor:
            cursor.execute(_REFRESH_ESTIMATED, [array_text(column) for column in zip(*rows, strict=True)])
