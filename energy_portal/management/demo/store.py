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
