"""The demo's hand-written SQL: empty the portal, and let one loader work at a time."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from psycopg import sql

_LOCK_KEY = 7_311_845_011
_LOCK = "SELECT pg_try_advisory_lock(%s)"
_UNLOCK = "SELECT pg_advisory_unlock(%s)"
_LONGEST_WAIT = "SET LOCAL lock_timeout = '20s'"
_EMPTYING = "SET LOCAL portal.emptying = 'on'"
_TRUNCATE = sql.SQL("TRUNCATE {tables} RESTART IDENTITY CASCADE")

# What was loaded at one go came little by little, so that what was known at an instant can be asked of the demo, too.
_AS_IT_CAME = (
    """
    UPDATE meters_registerreading SET received_at = time + interval '10 minutes'
    WHERE received_at > time + interval '10 minutes'
    """,
    "UPDATE meters_supersededreading SET received_at = time, superseded_at = time + interval '10 minutes'",
    "UPDATE meters_chainevent SET recorded_at = at WHERE recorded_at > at",
)


@contextmanager
def only_loader() -> Iterator[bool]:
    """Tell whether nobody else loads demo data into this database, and keep it so within the block."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [_LOCK_KEY])
        (alone,) = cursor.fetchone()
    try:
        yield bool(alone)
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute(_UNLOCK, [_LOCK_KEY])


@transaction.atomic
def truncate(tables: Iterable[str]) -> None:
    """Empty tables and what hangs on them, past what guards issued bills and decisions."""
    statement = _TRUNCATE.format(tables=sql.SQL(", ").join(sql.Identifier(table) for table in sorted(tables)))
    with connection.cursor() as cursor:
        cursor.execute(_LONGEST_WAIT)
        cursor.execute(_EMPTYING)
        cursor.execute(statement)


@transaction.atomic
def date_back() -> None:
    """Have readings and events known from when they happened, instead of since the load."""
    with connection.cursor() as cursor:
        for statement in _AS_IT_CAME:
            cursor.execute(statement)
