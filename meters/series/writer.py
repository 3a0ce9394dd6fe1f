"""Writing rows of a series, with an outcome for each.

A batch is one statement, in the order of its keys: two writers of the same rows wait for each other and never
deadlock. What the statement did not add is read after it and compared.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, LiteralString

import numpy as np
import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError
from numpy.typing import NDArray
from psycopg import sql

from meters.series.batch import Batch, Columns
from meters.series.columns import Vector
from meters.series.errors import MissingPartition, RowsVanished
from meters.series.partitions import forget_partitions
from meters.series.spec import Column, SeriesSpec
from meters.series.wire import Cursor, binary_cursor, packed

_COPY_START = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_COPY_ROWS = 20_000
_INSERT = sql.SQL("""
    INSERT INTO {table} AS standing ({columns})
    SELECT {columns} FROM unnest({arrays}) AS given ({columns}) ORDER BY {key}
    ON CONFLICT ({key}) {action}
    RETURNING {returned}
""")
_INSERT_ALONG = sql.SQL("WITH added AS ({insert}) {along} SELECT * FROM added")
# LATERAL with LIMIT is planned as one descent of one partition's key an asked row, whatever the statistics say.
_READ = sql.SQL("""
    SELECT asked.position, found.*
    FROM unnest({arrays}) WITH ORDINALITY AS asked (owner, time, position)
    CROSS JOIN LATERAL (
        SELECT {identity} FROM {table} AS held
        WHERE held.{owner} = asked.owner AND held.{time} = asked.time
          AND held.{time} BETWEEN %s::timestamptz AND %s::timestamptz
        LIMIT 1
    ) AS found
""")
_COPY = sql.SQL("COPY {table} ({columns}) FROM STDIN (FORMAT BINARY)")


class Outcome(StrEnum):
    """What became of a row."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Along:
    """What a batch's statement does besides, in the same moment.

    :ivar statements: more of its WITH, each after a comma; ``added`` has the key of each row that brought something.
    :ivar parameters: for the placeholders in them.
    """

    statements: LiteralString
    parameters: tuple[object, ...] = ()


_OUTCOMES = np.array([Outcome.DUPLICATE, Outcome.STORED, Outcome.CONFLICT], dtype=object)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What became of a batch.

    :ivar outcomes: one a row, in the batch's order.
    :ivar standing: for each row in conflict, by its place in the batch, what stands in the batch's identity columns.
    """

    outcomes: list[Outcome]
    standing: dict[int, tuple[object, ...]]


def write(
    spec: SeriesSpec,
    rows: Columns,
    connection: BaseDatabaseWrapper,
    *,
    along: Along | None = None,
    alone: bool = False,
) -> WriteResult:
    """Write a batch in the caller's READ COMMITTED transaction; the first value of a key stands.

    Where the series joins rows, a missing identity value is filled by the first row that has it; a row counts as
    stored when it brought a value to a key that gained one, and as a conflict when any of its own values is not
    what stands, although another of them may have been filled. A missing value contradicts nothing.
    Costs one descent of the key a row, and a second one where a row was not added; only the batch's months are read.

    :param rows: values by column; times need their partition (see ``ensure_partitions``).
    :param alone: where no transaction is open the statement is one by itself, which saves beginning and ending it.
    :raises BadValue: a value does not fit its column.
    :raises MissingPartition: a row's month has no partition.
    :raises RowsVanished: rows were deleted meanwhile; write again.
    """
    if not alone:
        _require_transaction(connection)
    batch = Batch.read(spec, rows)
    if batch.size == 0:
        return WriteResult([], {})
    standing = {column.name: batch.proposed(column.name) for column in batch.identity}
    with _cursor(spec, connection) as cursor:
        added = _insert(cursor, batch, standing, along)
        left = np.flatnonzero(~added)
        if left.size:
            _read(cursor, batch, left, standing)
    return _result(batch, added, standing)


def copy_in(spec: SeriesSpec, rows: Columns, connection: BaseDatabaseWrapper | None = None) -> int:
    """Copy rows that are known to be new, in the caller's transaction; several times as fast as ``write``.

    :returns: the number of rows.
    :raises BadValue: a value does not fit its column.
    :raises MissingPartition: a row's month has no partition.
    :raises django.db.IntegrityError: a key was not new.
    """
    connection = connection or connections[DEFAULT_DB_ALIAS]
    _require_transaction(connection)
    batch = Batch.read(spec, rows)
    statement = _COPY.format(table=sql.Identifier(spec.table), columns=_names(batch.columns))
    start_of_row = len(batch.columns).to_bytes(2, "big")
    with _cursor(spec, connection) as cursor, cursor.copy(statement) as copy:
        copy.write(_COPY_START)
        for start in range(0, batch.size, _COPY_ROWS):
            part = np.arange(start, min(start + _COPY_ROWS, batch.size))
            vectors = [batch.vectors[column.name].take(part) for column in batch.columns]
            copy.write(_rows(batch.columns, vectors, start_of_row))
        copy.write(_COPY_END)
    return batch.size


def conflict_action(spec: SeriesSpec, identity: tuple[Column, ...] = ()) -> sql.Composable:
    """Write what becomes of a row whose key stands already; the table is called ``standing``.

    :param identity: the identity columns that the rows have, all unless told.
    """
    if not spec.joins:
        return sql.SQL("DO NOTHING")
    names = [sql.Identifier(column.name) for column in identity or spec.identity]
    fills = [sql.SQL("{0} = coalesce(standing.{0}, excluded.{0})").format(name) for name in names]
    fills += [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column.name)) for column in spec.restamps]
    gains = (sql.SQL("(standing.{0} IS NULL AND excluded.{0} IS NOT NULL)").format(name) for name in names)
    return sql.SQL("DO UPDATE SET {} WHERE {}").format(sql.SQL(", ").join(fills), sql.SQL(" OR ").join(gains))


def _rows(columns: tuple[Column, ...], vectors: list[Vector], start_of_row: bytes) -> bytes:
    """Return rows as COPY takes them, without a step a row where all columns are of fixed width and none is missing."""
    cells = [column.kind.cells(vector) for column, vector in zip(columns, vectors, strict=True)]
    if all(cell is not None for cell in cells):
        starts = np.broadcast_to(np.frombuffer(start_of_row, dtype=np.uint8), (vectors[0].data.size, len(start_of_row)))
        return np.hstack([starts, *(cell for cell in cells if cell is not None)]).tobytes()
    fields = [column.kind.fields(vector) for column, vector in zip(columns, vectors, strict=True)]
    return b"".join(chain.from_iterable(zip(repeat(start_of_row, vectors[0].data.size), *fields, strict=True)))


def _insert(cursor: Cursor, batch: Batch, standing: dict[str, Vector], along: Along | None) -> NDArray[np.bool_]:
    """Add what is new, note what then stands in keys that joined, and tell which keys came back."""
    spec = batch.spec
    statement = _insert_statement(spec, batch.columns, batch.identity, along and along.statements)
    parameters: list[object] = [packed(column.kind, batch.proposed(column.name)) for column in batch.columns]
    parameters += along.parameters if along else ()
    cursor.execute(statement, parameters, binary=True, prepare=True)
    returned = _returned(spec, batch.identity)
    if cursor.rowcount == batch.groups and not returned:
        return np.ones(batch.groups, dtype=np.bool_)
    added = np.zeros(batch.groups, dtype=np.bool_)
    if rows := cursor.fetchall():
        owners, times, *identity = zip(*rows, strict=True)
        groups = batch.groups_of(spec.owner.read(owners), spec.time.read(times))
        added[groups] = True
        _note(standing, returned, groups, identity)
    return added


def _read(cursor: Cursor, batch: Batch, groups: NDArray[np.intp], standing: dict[str, Vector]) -> None:
    """Note what stands in keys that did not come back.

    Served by the partitions' primary keys; the bounds let the planner leave out all other partitions.
    """
    spec = batch.spec
    owners = batch.proposed(spec.owner.name).take(groups)
    times = batch.proposed(spec.time.name).take(groups)
    bounds = [spec.time.kind.restore(extreme) for extreme in (times.data.min(), times.data.max())]
    arrays = [packed(spec.owner.kind, owners), packed(spec.time.kind, times)]
    cursor.execute(_read_statement(spec, batch.identity), [*arrays, *bounds], binary=True)
    rows = cursor.fetchall()
    if len(rows) < groups.size:
        raise RowsVanished(f"{spec.table}: {groups.size - len(rows)} rows were deleted while they were written")
    positions, *identity = zip(*rows, strict=True)
    _note(standing, batch.identity, groups[np.array(positions) - 1], identity)


def _note(
    standing: dict[str, Vector],
    columns: tuple[Column, ...],
    groups: NDArray[np.intp],
    values: list[tuple[Any, ...]],
) -> None:
    for column, found in zip(columns, values, strict=True):
        vector = column.read(found)
        standing[column.name].data[groups] = vector.data
        standing[column.name].missing[groups] = vector.missing


def _result(batch: Batch, added: NDArray[np.bool_], standing: dict[str, Vector]) -> WriteResult:
    identity = batch.identity
    differs = np.zeros(batch.size, dtype=np.bool_)
    for column in identity:
        differs |= batch.vectors[column.name].differs(standing[column.name].take(batch.group))
    codes = np.where(differs, 2, added[batch.group] & batch.contributes)
    outcomes = np.empty(batch.size, dtype=object)
    outcomes[batch.positions] = _OUTCOMES[codes]
    conflicts = {
        int(batch.positions[row]): tuple(
            _restored(column, standing[column.name], int(batch.group[row])) for column in identity
        )
        for row in np.flatnonzero(differs).tolist()
    }
    return WriteResult(outcomes.tolist(), conflicts)


def _restored(column: Column, vector: Vector, position: int) -> object:
    return None if vector.missing[position] else column.kind.restore(vector.data[position])


def _returned(spec: SeriesSpec, identity: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the identity columns to look at in a key that came back; where there is one alone, it took our value."""
    return identity if spec.joins and len(identity) > 1 else ()


@lru_cache(maxsize=256)
def _insert_statement(
    spec: SeriesSpec, columns: tuple[Column, ...], identity: tuple[Column, ...], along: LiteralString | None
) -> bytes:
    returned = (spec.owner, spec.time, *_returned(spec, identity))
    insert = _INSERT.format(
        table=sql.Identifier(spec.table),
        columns=_names(columns),
        arrays=_arrays(columns),
        key=_names((spec.owner, spec.time)),
        action=conflict_action(spec, identity),
        returned=sql.SQL(", ").join(sql.Identifier("standing", column.name) for column in returned),
    )
    if along is None:
        return insert.as_bytes(None)
    return _INSERT_ALONG.format(insert=insert, along=sql.SQL(along)).as_bytes(None)


@lru_cache(maxsize=256)
def _read_statement(spec: SeriesSpec, identity: tuple[Column, ...]) -> bytes:
    return _READ.format(
        table=sql.Identifier(spec.table),
        owner=sql.Identifier(spec.owner.name),
        time=sql.Identifier(spec.time.name),
        identity=_names(identity),
        arrays=_arrays((spec.owner, spec.time)),
    ).as_bytes(None)


def _names(columns: tuple[Column, ...]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)


def _arrays(columns: tuple[Column, ...]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("%b::{}[]").format(sql.Identifier(column.kind.type_name)) for column in columns)


def _require_transaction(connection: BaseDatabaseWrapper) -> None:
    if not connection.in_atomic_block:
        raise TransactionManagementError("A series is written inside a transaction.")


@contextmanager
def _cursor(spec: SeriesSpec, connection: BaseDatabaseWrapper) -> Iterator[Cursor]:
    with binary_cursor(connection) as cursor:
        try:
            yield cursor
        except psycopg.errors.CheckViolation as error:
            if error.diag.constraint_name:
                raise
            forget_partitions(spec)
            raise MissingPartition(str(error).split("\n")[0]) from error
