"""Emptying the database after a test that committed: of a hundred tables only the few that hold rows are touched."""

from functools import cache

from django.db import connection, transaction

# What flush would write anew each time, as it was.
_KEPT = {"django_content_type", "auth_permission"}
_GUARDED = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0"


def empty_database() -> None:
    """Delete all rows, those too that triggers keep for good elsewhere; what migrations had put there goes as well."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_rows_held())
        tables = [table for (table,) in cursor.fetchall()]
        if not tables:
            return
        cursor.execute(_GUARDED)
        guarded = [table for (table,) in cursor.fetchall() if table in tables]
        statements = [
            *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in guarded),
            *(f"DELETE FROM {table}" for table in tables),  # noqa: S608  names of our own models
            "SET CONSTRAINTS ALL IMMEDIATE",
            *(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in guarded),
        ]
        cursor.execute(";".join(statements))


@cache
def _rows_held() -> str:
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - _KEPT
    asked = (f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})" for table in sorted(tables))  # noqa: S608  as above
    return " UNION ALL ".join(asked)
