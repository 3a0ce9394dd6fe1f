"""How the columns of a series lie in Parquet, and a digest of rows that PostgreSQL and DuckDB each reckon alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import sql

from meters.series.columns import BooleanKind, IntegerKind, NumericKind, TextKind, TimeKind
from meters.series.errors import UnsupportedColumn
from meters.series.spec import Column, SeriesSpec

_DUCKDB_INTEGERS = {"int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT"}
_DUCKDB_TYPES: dict[type, Callable[[Any], str]] = {
    IntegerKind: lambda kind: _DUCKDB_INTEGERS[kind.type_name],
    NumericKind: lambda kind: f"DECIMAL({kind.precision}, {kind.scale})",
    TimeKind: lambda kind: "TIMESTAMPTZ",
    TextKind: lambda kind: "VARCHAR",
    BooleanKind: lambda kind: "BOOLEAN",
}


class Dialect(NamedTuple):
    """What the two engines write differently: a column by its name, a column's microseconds, a row's first 60 bits."""

    quote: Callable[[str], str]
    micros: str
    bits: str


POSTGRESQL = Dialect(
    quote=lambda name: sql.Identifier(name).as_string(None),
    micros="(extract(epoch FROM {0}) * 1000000)::int8",
    bits="('x' || left(md5({0}), 15))::bit(60)::int8",
)
DUCKDB = Dialect(
    quote=lambda name: '"' + name.replace('"', '""') + '"',
    micros="epoch_us({0})",
    bits="('0x' || left(md5({0}), 15))::BIGINT",
)


@dataclass(frozen=True)
class Figures:
    """What a set of rows comes to, whatever their order and whichever engine holds them.

    :ivar digest: the sum of each row's MD5 over all of its columns, cut to 60 bits, as text.
    :ivar columns: by column its ``nulls``, and its ``min``, ``max`` and ``sum`` as text; of texts their ``length``.
    """

    rows: int
    digest: str
    columns: Mapping[str, Mapping[str, int | str | None]]


def duckdb_type(column: Column) -> str:
    """Name the type that holds a column exactly.

    :raises UnsupportedColumn: there is none whose text is the same in both engines, as for floats.
    """
    named = _DUCKDB_TYPES.get(type(column.kind))
    if named is None:
        raise UnsupportedColumn(f"{column.name}: {column.kind.type_name} is not archived")
    return named(column.kind)


def figures_query(spec: SeriesSpec, dialect: Dialect, source: str, *, columns: bool = True) -> str:
    """Write the query that reckons the figures of a table or file; one row, all of it text but the counts.

    :param columns: also each column's; without them it is several times as fast.
    """
    texts = [_text(column, dialect) for column in spec.columns.values()]
    row = "concat_ws('|', " + ", ".join(texts) + ")"
    wanted = ["count(*)", f"coalesce(sum({dialect.bits.format(row)}), 0)::text"]
    if columns:
        for column in spec.columns.values():
            wanted += _summary(column, dialect)
    return f"SELECT {', '.join(wanted)} FROM {source}"  # noqa: S608 - names of a model's columns, quoted


def read_figures(spec: SeriesSpec, row: tuple[Any, ...]) -> Figures:
    """Read the answer to ``figures_query``."""
    rows, digest, *rest = row
    columns: dict[str, dict[str, int | str | None]] = {}
    parts = iter(rest)
    for column in spec.columns.values() if rest else ():
        columns[column.name] = {name: next(parts) for name in _summary_names(column)}
    return Figures(int(rows), str(digest), columns)


def _text(column: Column, dialect: Dialect) -> str:
    """Write a column as a text that says apart what differs: a missing value is no text, which no value is."""
    name = dialect.quote(column.name)
    if isinstance(column.kind, TimeKind):
        name = dialect.micros.format(name)
    if isinstance(column.kind, TextKind):
        return f"coalesce(length({name})::text || '=' || {name}, '')"
    return f"coalesce('=' || ({name})::text, '')"


def _summary_names(column: Column) -> tuple[str, ...]:
    if isinstance(column.kind, TextKind):
        return "nulls", "length"
    if isinstance(column.kind, BooleanKind):
        return "nulls", "min", "max"
    return "nulls", "min", "max", "sum"


def _summary(column: Column, dialect: Dialect) -> list[str]:
    name = dialect.quote(column.name)
    nulls = f"count(*) - count({name})"
    if isinstance(column.kind, TextKind):
        return [nulls, f"sum(length({name}))::text"]
    if isinstance(column.kind, BooleanKind):
        return [nulls, f"bool_and({name})::text", f"bool_or({name})::text"]
    value = dialect.micros.format(name) if isinstance(column.kind, TimeKind) else name
    return [nulls, f"min({value})::text", f"max({value})::text", f"sum({value})::text"]
