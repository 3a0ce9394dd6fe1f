"""Partitions of a series, made ahead of the rows that need them.

A partition holds one UTC month, or one UTC day, as the series has it. It is made in a transaction of its own as a
table beside the series, then attached: that takes no lock which a writer of the series would wait for, while
``CREATE … PARTITION OF`` waits for every open writer and blocks the next ones.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from numpy.typing import NDArray

from meters.series.columns import TimeKind
from meters.series.errors import OutsideAcceptance
from meters.series.spec import Grain, SeriesSpec

_LOCK_TIMEOUT = "10s"
_LOCK = "SELECT set_config('lock_timeout', %s, true), pg_advisory_xact_lock(hashtextextended(%s, 0))"
_ATTACHED = """
    SELECT child.relname
    FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = %s::regclass AND NOT inhdetachpending AND child.relname = ANY(%s)
"""
_ALL_ATTACHED = r"""
    SELECT relname,
           substring(bounds FROM 'FROM \(''([^'']+)''\)')::timestamptz,
           substring(bounds FROM 'TO \(''([^'']+)''\)')::timestamptz
    FROM (
        SELECT child.relname, pg_get_expr(child.relpartbound, child.oid) AS bounds
        FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = %s::regclass AND NOT inhdetachpending
    ) AS attached
    ORDER BY 2
"""

_known: dict[tuple[object, ...], frozenset[str]] = {}


@dataclass(frozen=True, slots=True)
class Partition:
    """An attached partition, holding the times in [start, end)."""

    name: str
    start: datetime
    end: datetime


def ensure_partitions(
    spec: SeriesSpec,
    times: Collection[datetime] | NDArray[Any],
    *,
    floor: datetime,
    ceiling: datetime,
    using: str = DEFAULT_DB_ALIAS,
) -> list[str]:
    """Make the partitions that rows of these times need, before the transaction that writes them.

    They are committed apart from the caller's work: where the caller has a transaction open, on a connection of
    their own. Only inside a test case's transaction are they a part of it, so that its rollback takes them back.
    Costs nothing for partitions that this process has seen committed, else one look at the catalogue.

    :param times: aware datetimes, or a datetime64 array in UTC.
    :param floor: the earliest acceptable time.
    :param ceiling: the latest acceptable time.
    :returns: names of the partitions that this call made.
    :raises BadValue: a time is missing or has no zone.
    :raises OutsideAcceptance: a time lies below the floor or above the ceiling; nothing was made.
    """
    kind = TimeKind()
    moments = spec.time.read(times if isinstance(times, np.ndarray) else list(times)).data
    if moments.size == 0:
        return []
    for extreme in (kind.restore(moments.min()), kind.restore(moments.max())):
        if not floor <= extreme <= ceiling:
            raise OutsideAcceptance(extreme, floor, ceiling)
    starts = kind.months(moments) if spec.grain is Grain.MONTH else kind.days(moments)
    spans = {partition_name(spec, start): start for start in starts.tolist()}
    connection = connections[using]
    place = _place(spec, connection)
    wanted = spans.keys() - _known.get(place, frozenset())
    if not wanted:
        return []
    missing = sorted(wanted - _attached(connection, spec, wanted))
    if missing:
        missing = _make(connection, spec, {name: spans[name] for name in missing})
    if not connection.in_atomic_block:
        _known[place] = _known.get(place, frozenset()) | wanted
    return missing


def list_partitions(spec: SeriesSpec, *, using: str = DEFAULT_DB_ALIAS) -> list[Partition]:
    """Return the attached partitions, the earliest first."""
    with connections[using].cursor() as cursor:
        cursor.execute(_ALL_ATTACHED, [_quoted(connections[using], spec.table)])
        return [Partition(name, start.astimezone(UTC), end.astimezone(UTC)) for name, start, end in cursor]


def forget_partitions(spec: SeriesSpec) -> None:
    """Look at the catalogue again, as after a partition was detached or dropped."""
    for place in [place for place in _known if place[-1] == spec.table]:
        _known.pop(place, None)


def partition_name(spec: SeriesSpec, start: date) -> str:
    """Name the partition that starts at a day, or at an instant in UTC."""
    day = f"d{start.day:02}" if spec.grain is Grain.DAY else ""
    return f"{spec.table}_y{start.year:04}m{start.month:02}{day}"


def _place(spec: SeriesSpec, connection: BaseDatabaseWrapper) -> tuple[object, ...]:
    settings = connection.settings_dict
    return settings["HOST"], settings["PORT"], settings["NAME"], spec.table


def _quoted(connection: BaseDatabaseWrapper, name: str) -> str:
    return connection.ops.quote_name(name)


def _attached(
    connection: BaseDatabaseWrapper, spec: SeriesSpec, names: Collection[str], cursor: CursorWrapper | None = None
) -> set[str]:
    if cursor is None:
        with connection.cursor() as own:
            return _attached(connection, spec, names, own)
    cursor.execute(_ATTACHED, [_quoted(connection, spec.table), sorted(names)])
    return {name for (name,) in cursor.fetchall()}


def _make(connection: BaseDatabaseWrapper, spec: SeriesSpec, starts: dict[str, date]) -> list[str]:
    """Make and attach what is still missing once the lock on the series' partitions is held."""
    parent = _quoted(connection, spec.table)
    with _transaction_of_its_own(connection) as cursor:
        cursor.execute(_LOCK, [_LOCK_TIMEOUT, f"partitions of {spec.table}"])
        missing = sorted(starts.keys() - _attached(connection, spec, starts, cursor))
        for name in missing:
            start, end = starts[name], _end_of(spec, starts[name])
            child = _quoted(connection, name)
            cursor.execute(f"CREATE TABLE {child} (LIKE {parent} INCLUDING ALL)")
            cursor.execute(
                f"ALTER TABLE {parent} ATTACH PARTITION {child} "
                f"FOR VALUES FROM ('{start.isoformat()} 00:00:00+00') TO ('{end.isoformat()} 00:00:00+00')"
            )
    return missing


def _end_of(spec: SeriesSpec, start: date) -> date:
    if spec.grain is Grain.DAY:
        return start + timedelta(days=1)
    return date(start.year + start.month // 12, start.month % 12 + 1, 1)


@contextmanager
def _transaction_of_its_own(connection: BaseDatabaseWrapper) -> Iterator[CursorWrapper]:
    if not connection.in_atomic_block or _inside_test_case(connection):
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            yield cursor
        return
    spare = connection.copy()
    try:
        spare.set_autocommit(False)
        with spare.cursor() as cursor:
            yield cursor
        spare.commit()
    finally:
        spare.close()


def _inside_test_case(connection: BaseDatabaseWrapper) -> bool:
    """Tell as ``atomic(durable=True)`` does whether an open transaction is only the test's."""
    return any(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)
