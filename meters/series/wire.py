"""Whole columns to and from PostgreSQL in binary: no step a value."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

from meters.series.columns import Kind, Vector

Cursor = psycopg.Cursor[tuple[Any, ...]]

_HEADER_BYTES = 20
_NEVER_UNASKED = 1 << 62
# Arrays of int4, int8, timestamptz, float4 and float8, by the oids of PostgreSQL's catalogue.
_CELLS = {1007: ">i4", 1016: ">i8", 1185: ">i8", 1021: ">f4", 1022: ">f8"}


@dataclass(frozen=True, slots=True)
class Packed:
    """An array in PostgreSQL's binary format; its type is the statement's."""

    data: bytes


def packed(kind: Kind, vector: Vector) -> Packed:
    """Return a column as a parameter for ``%b::type[]``."""
    return Packed(kind.array(vector))


@contextmanager
def binary_cursor(connection: BaseDatabaseWrapper) -> Iterator[Cursor]:
    """Open a cursor in the connection's transaction that binds on the server and reads arrays as numpy columns.

    Django's own would send arrays as text, and prepares nothing; here a statement is where ``execute`` says so. Arrays
    of whole numbers and of times (microseconds since 2000) come back as int64, those of real numbers as float64; they
    hold no NULL.
    """
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    connection.connection.prepare_threshold = _NEVER_UNASKED
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.adapters.register_dumper(Packed, _PackedDumper)
        for oid in _CELLS:
            cursor.adapters.register_loader(oid, _ArrayLoader)
        yield cursor


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        return obj.data


class _ArrayLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[Any]:
        cell = _CELLS[self.oid]
        cells = np.frombuffer(data, dtype=[("length", ">i4"), ("value", cell)], offset=min(_HEADER_BYTES, len(data)))
        return cells["value"].astype(np.int64 if "i" in cell else np.float64)
