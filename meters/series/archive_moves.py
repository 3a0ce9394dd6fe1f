"""Taking a partition out of its series, and a filled table in, so that every reader sees its rows exactly once.

Both hold the series itself alone for the instant of their commit. A statement locks the series before it takes its
snapshot, so the partitions that it reads and the list of archived months that it sees are of one moment; and within
a transaction that has read the series neither changes any more.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import LockNotAvailable

from meters.series.errors import SeriesBusy
from meters.series.spec import SeriesSpec
from meters.series.writer import conflict_action

# Less than PostgreSQL's deadlock_timeout of 1 s: where a writer and we wait for each other, we give way.
_LONGEST_WAIT_ALONE = "500ms"
_LONGEST_WAIT_STILL = "10s"
_REVISION = re.compile(r"revision (\d+)")


def hold_still(table: str, connection: BaseDatabaseWrapper) -> None:
    """Keep everybody from writing a partition until the transaction ends; they may read.

    :raises SeriesBusy: a writer works in it.
    """
    with _lock_timeout(_LONGEST_WAIT_STILL, connection):
        _run(connection, f"LOCK TABLE {_quoted(connection, table)} IN SHARE MODE")


def hold_alone(spec: SeriesSpec, connection: BaseDatabaseWrapper, *, longest_wait: str = _LONGEST_WAIT_ALONE) -> None:
    """Keep everybody from the series until the transaction ends.

    :param longest_wait: as PostgreSQL writes times; so long do others wait behind us, where somebody is at it.
    :raises SeriesBusy: somebody reads or writes it; the transaction stands as before.
    """
    with transaction.atomic(using=connection.alias), _lock_timeout(longest_wait, connection):
        _run(connection, f"LOCK TABLE ONLY {_quoted(connection, spec.table)} IN ACCESS EXCLUSIVE MODE")


def drop_partition(spec: SeriesSpec, name: str, connection: BaseDatabaseWrapper) -> None:
    """Take a partition out of its series and drop it; the caller holds the series alone."""
    _run(connection, f"ALTER TABLE {_quoted(connection, spec.table)} DETACH PARTITION {_quoted(connection, name)}")
    _run(connection, f"DROP TABLE {_quoted(connection, name)}")


def make_table(spec: SeriesSpec, name: str, low: datetime, high: datetime, connection: BaseDatabaseWrapper) -> None:
    """Make an empty table like the series' partitions, which may hold the times in [low, high) only."""
    table, time = _quoted(connection, name), _quoted(connection, spec.time.name)
    _run(connection, f"CREATE TABLE {table} (LIKE {_quoted(connection, spec.table)} INCLUDING ALL)")
    # With it the rows need not be looked at again while everybody waits.
    _run(
        connection,
        f"ALTER TABLE {table} ADD CONSTRAINT bounds CHECK "
        f"({time} IS NOT NULL AND {time} >= '{low.isoformat()}' AND {time} < '{high.isoformat()}')",
    )


def attach_table(
    spec: SeriesSpec, name: str, low: datetime, high: datetime, connection: BaseDatabaseWrapper, *, revision: int
) -> None:
    """Make a table of ``make_table`` a partition; the caller holds the series alone.

    :param revision: of the file that it was filled from, noted at the table.
    """
    table = _quoted(connection, name)
    _run(
        connection,
        f"ALTER TABLE {_quoted(connection, spec.table)} ATTACH PARTITION {table} "
        f"FOR VALUES FROM ('{low.isoformat()}') TO ('{high.isoformat()}')",
    )
    _run(connection, f"ALTER TABLE {table} DROP CONSTRAINT bounds")
    _run(connection, f"COMMENT ON TABLE {table} IS 'restored from revision {int(revision)}'")


def take_rows(spec: SeriesSpec, source: str, target: str, connection: BaseDatabaseWrapper) -> int:
    """Copy the rows of one table into another and return how many changed it.

    Where rows of the same key stand they replace them; in a series whose rows join they supply what is missing.
    """
    names = ", ".join(_quoted(connection, name) for name in spec.columns)
    key = [column.name for column in (spec.owner, spec.time)]
    told = [_quoted(connection, name) for name in spec.columns if name not in key]
    replaced = "DO UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in told)
    action = conflict_action(spec).as_string(None) if spec.joins else replaced
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_quoted(connection, target)} AS standing ({names}) "  # noqa: S608 - names of a model's columns
            f"SELECT {names} FROM {_quoted(connection, source)} "
            f"ON CONFLICT ({', '.join(_quoted(connection, name) for name in key)}) {action}"
        )
        return int(cursor.rowcount)


def revision_of(table: str, connection: BaseDatabaseWrapper) -> int:
    """Return the revision of the file that a partition was filled from; 0 where it never was in a file."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regclass(%s), 'pg_class')", [_quoted(connection, table)])
        (comment,) = cursor.fetchone() or (None,)
    found = _REVISION.search(comment or "")
    return int(found[1]) if found else 0


@contextmanager
def _lock_timeout(limit: str, connection: BaseDatabaseWrapper) -> Iterator[None]:
    _run(connection, f"SET LOCAL lock_timeout = '{limit}'")
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise SeriesBusy("Somebody reads or writes the series all the time.") from error
        raise
    _run(connection, "SET LOCAL lock_timeout = DEFAULT")


def _run(connection: BaseDatabaseWrapper, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _quoted(connection: BaseDatabaseWrapper, name: str) -> str:
    return connection.ops.quote_name(name)
