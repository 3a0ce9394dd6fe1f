"""The statements of accounts that the ORM cannot say."""

from django.db import connection

_SET_LOCK_WAIT = "SELECT set_config('lock_timeout', %s, true)"
_LOCK_WAIT = "SELECT current_setting('lock_timeout')"


def lock_wait() -> str:
    """Return how long a statement waits for a lock, in PostgreSQL's own notation; ``0`` is for ever."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_WAIT)
        (value,) = cursor.fetchone()
    return str(value)


def set_lock_wait(value: str) -> None:
    """Bound how long a statement waits for a lock, until the running transaction ends or this is called again."""
    with connection.cursor() as cursor:
        cursor.execute(_SET_LOCK_WAIT, [value])
