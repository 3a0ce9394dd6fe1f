"""How the columns of a series lie in Parquet, and a digest of rows that PostgreSQL and DuckDB each reckon alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from psycopg import sql

from meters.series.columns import BooleanKind, FloatKind, IntegerKind, NumericKind, TextKind, TimeKind
from meters.series.spec import Column, SeriesSpec

_DUCKDB_INTEGERS = {"int2": "SMALLINT", "int4": "INTEGER", "int8": "BIGINT"}
_DUCKDB_FLOATS = {"float4": "FLOAT", "float8": "DOUBLE"}
_DUCKDB_TYPES: dict[type, Callable[[Any], str]] = {
    IntegerKind: lambda kind: _DUCKDB_INTEGERS[kind.type_name],
    FloatKind: lambda kind: _DUCKDB_FLOATS[kind.type_name],
    NumericKind: lambda kind: f"DECIMAL({kind.precision}, {kind.scale})",
    TimeKind: lambda kind: "TIMESTAMPTZ",
    TextKind: lambda kind: "VARCHAR",
    BooleanKind: lambda kind: "BOOLEAN",
}


class Dialect(NamedTuple):
    """What the two engines write differently.

    :ivar quote: a column by its name.
    :ivar micros: a column's microseconds.
    :ivar bits: the first 60 bits of a row's MD5.
    :ivar floats: by its type, a float's own bits as a whole number: texts of floats differ from engine to engine.
    """

    quote: Callable[[str], str]
    micros: str
    bits: str
    floats: Mapping[str, str]


POSTGRESQL = Dialect(
    quote=lambda name: sql.Identifier(name).as_string(None),
    micros="(extract(epoch FROM {0}) * 1000000)::int8",
    bits="('x' || left(md5({0}), 15))::bit(60)::int8",
    floats={
        "float4": "('x' || encode(float4send({0}), 'hex'))::bit(32)::int4",
        "float8": "('x' || encode(float8send({0}), 'hex'))::bit(64)::int8",
    },
)
DUCKDB = Dialect(
    quote=lambda name: '"' + name.replace('"', '""') + '"',
    micros="epoch_us({0})",
    bits="('0x' || left(md5({0}), 15))::BIGINT",
    floats={"float4": "({0}::BIT)::INTEGER", "float8": "({0}::BIT)::BIGINT"},
)


@dataclass(frozen=True)
class Figures:
    """What a set of rows comes to, whatever their order and whichever engine holds them.

    :ivar digest: the sum of each row's MD5 over all of its columns, cut to 60 bits, as text.
    :ivar columns: by column its ``nulls``, and its ``min``, ``max`` and ``sum`` as text; of texts their ``length``, and
        of floats no sum, which would depend on their order.
    """

    rows: int
    digest: str
    columns: Mapping[str, Mapping[str, int | str | None]]


def duckdb_type(column: Column) -> str:
    """Name the type that holds a column exactly."""
    return _DUCKDB_TYPES[type(column.kind)](column.kind)


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
        columns[column.name] = {name: _plain(next(parts)) for name in _summary_names(column)}
    return Figures(int(rows), str(digest), columns)


def _plain(value: int | float | str | None) -> int | str | None:
    return repr(value) if isinstance(value, float) else value


def _text(column: Column, dialect: Dialect) -> str:
    """Write a column as a text that says apart what differs: a missing value is no text, which no value is."""
    name = dialect.quote(column.name)
    if isinstance(column.kind, TimeKind):
        name = dialect.micros.format(name)
    if isinstance(column.kind, FloatKind):
        name = dialect.floats[column.kind.type_name].format(name)
    if isinstance(column.kind, TextKind):
        return f"coalesce(length({name})::text || '=' || {name}, '')"
    return f"coalesce('=' || ({name})::text, '')"


def _summary_names(column: Column) -> tuple[str, ...]:
    if isinstance(column.kind, TextKind):
        return "nulls", "length"
    if isinstance(column.kind, BooleanKind | FloatKind):
        return "nulls", "min", "max"
    return "nulls", "min", "max", "sum"


def _summary(column: Column, dialect: Dialect) -> list[str]:
    name = dialect.quote(column.name)
    nulls = f"count(*) - count({name})"
    if isinstance(column.kind, TextKind):
        return [nulls, f"sum(length({name}))::text"]
    if isinstance(column.kind, BooleanKind):
        return [nulls, f"bool_and({name})::text", f"bool_or({name})::text"]
    if isinstance(column.kind, FloatKind):
        # As double, in which both engines hand the same number over, and without a sign at zero.
        return [nulls, *(f"{least}({name})::float8 + 0" for least in ("min", "max"))]
    value = dialect.micros.format(name) if isinstance(column.kind, TimeKind) else name
    return [nulls, f"min({value})::text", f"max({value})::text", f"sum({value})::text"]
