"""What the engine has to know of a series, derived once from its model."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from django.db import DEFAULT_DB_ALIAS, connections, models

from meters.series.columns import (
    BooleanKind,
    FloatKind,
    IntegerKind,
    Kind,
    NumericKind,
    TextKind,
    TimeKind,
    Values,
    Vector,
)
from meters.series.errors import BadValue, UnsupportedColumn

_LONGEST_TABLE_NAME = 63 - len("_y2025m02d01")
_KINDS: dict[str, Callable[[], Kind]] = {
    "smallint": lambda: IntegerKind(2),
    "integer": lambda: IntegerKind(4),
    "bigint": lambda: IntegerKind(8),
    "real": lambda: FloatKind(4),
    "double precision": lambda: FloatKind(8),
    "boolean": BooleanKind,
    "timestamp with time zone": TimeKind,
    "text": TextKind,
    "varchar": TextKind,
}
_NUMERIC = re.compile(r"numeric\((\d+), ?(\d+)\)")


class Grain(StrEnum):
    """What one partition of a series holds, in UTC."""

    MONTH = "month"
    DAY = "day"


@dataclass(frozen=True)
class Column:
    """A column of a series' table."""

    name: str
    kind: Kind
    nullable: bool

    def read(self, values: Values) -> Vector:
        """Read a batch's values of this column.

        :raises BadValue: a value does not fit, or is missing where the column allows none.
        """
        try:
            vector = values if isinstance(values, Vector) else self.kind.read(values)
        except ValueError as error:
            raise BadValue(self.name, str(error)) from error
        if not self.nullable and vector.missing.any():
            raise BadValue(self.name, "missing")
        return vector


@dataclass(frozen=True, eq=False)
class SeriesSpec:
    """A series: its table, its key, and how rows of one key meet.

    :ivar identity: columns that tell a duplicate from a conflict.
    :ivar joins: whether a later row of the same key may supply identity values that are still missing.
    :ivar restamps: columns that take the value of the row that last supplied something.
    :ivar grain: what one of its partitions holds.
    """

    table: str
    owner: Column
    time: Column
    columns: dict[str, Column]
    identity: tuple[Column, ...]
    joins: bool
    grain: Grain = Grain.MONTH
    restamps: tuple[Column, ...] = ()

    @classmethod
    def of(
        cls,
        model: type[models.Model],
        *,
        owner: str,
        time: str = "time",
        identity: tuple[str, ...] = ("value",),
        joins: bool = False,
        grain: Grain = Grain.MONTH,
        restamps: tuple[str, ...] = (),
    ) -> Self:
        """Derive a series from its model, whose primary key is (owner, time).

        :param owner: field that holds an integer; a foreign key is given by its field's name.
        :param identity: fields that are compared.
        :param restamps: fields that a joining row sets anew, such as the time of its arrival.
        :raises UnsupportedColumn: a field's type cannot be held, or the table's name leaves no room for a day.
        """
        table = model._meta.db_table
        if len(table.encode()) > _LONGEST_TABLE_NAME:
            raise UnsupportedColumn(f"{table}: longer than {_LONGEST_TABLE_NAME} bytes")
        columns = {
            field.column: Column(field.column, _kind_of(field), field.null)
            for field in model._meta.concrete_fields
            if field.column is not None and not getattr(field, "generated", False)
        }

        def named(name: str) -> Column:
            return columns[str(getattr(model._meta.get_field(name), "column", None))]

        key, compared, stamps = (named(owner), named(time)), tuple(map(named, identity)), tuple(map(named, restamps))
        spec = cls(table, *key, columns, compared, joins, grain, stamps)
        if not isinstance(spec.owner.kind, IntegerKind) or not isinstance(spec.time.kind, TimeKind):
            raise UnsupportedColumn(f"{table}: the key of a series is an integer and a time")
        return spec


def _kind_of(field: "models.Field[object, object]") -> Kind:
    type_name = field.db_type(connections[DEFAULT_DB_ALIAS]) or ""
    if numeric := _NUMERIC.fullmatch(type_name):
        try:
            return NumericKind(int(numeric[1]), int(numeric[2]))
        except ValueError as error:
            raise UnsupportedColumn(f"{field.column}: {error}") from error
    kind = _KINDS.get(type_name.split("(")[0])
    if kind is None:
        raise UnsupportedColumn(f"{field.column}: {type_name} is not a type of a series")
    return kind()
