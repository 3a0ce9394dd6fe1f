"""The newest readings of batteries."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from psycopg import sql

from meters.batteries.quantities import System

# What is told of the same instant joins; of a value that stands already the first one counts.
_NOTE = sql.SQL("""
    INSERT INTO batteries_batterystate AS standing (battery_id, {at}, {values}, heard_at)
    SELECT battery_id, told_at, told::jsonb, %s
    FROM unnest(%s::int4[], %s::timestamptz[], %s::text[]) AS given (battery_id, told_at, told)
    ORDER BY battery_id
    ON CONFLICT (battery_id) DO UPDATE SET
        {values} = CASE
            WHEN standing.{at} = excluded.{at} THEN excluded.{values} || standing.{values}
            WHEN standing.{at} > excluded.{at} THEN standing.{values}
            ELSE excluded.{values}
        END,
        {at} = greatest(standing.{at}, excluded.{at}),
        heard_at = greatest(standing.heard_at, excluded.heard_at)
""")


def note_states(system: System, newest: Sequence[tuple[int, datetime, str]], *, heard_at: datetime | None) -> None:
    """Bring the states of batteries up to their newest readings, in one statement by the states' primary key.

    :param newest: each battery's key once, ascending, its newest reading's time, and its values as JSON.
    :param heard_at: None where the readings come from a file.
    """
    batteries, times, values = (list(column) for column in zip(*newest, strict=True))
    statement = _NOTE.format(at=sql.Identifier(f"{system}_at"), values=sql.Identifier(system.value))
    with connection.cursor() as cursor:
        cursor.execute(statement, [heard_at, batteries, times, values])
