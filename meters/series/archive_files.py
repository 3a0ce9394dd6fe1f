"""A table of a series into a Parquet file and back, each checked against what the other engine holds.

Both ways rows pass through a pipe as CSV, so memory stays bounded whatever the table's size.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from meters.series.archive_columns import DUCKDB, POSTGRESQL, Figures, duckdb_type, figures_query, read_figures
from meters.series.columns import TextKind
from meters.series.errors import ArchiveDamaged
from meters.series.spec import SeriesSpec

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNFINISHED = ".part"
_MEMORY = "256MB"
_THREADS = 2
_ROW_GROUP = 61_440
_ROWS_STAGED = 500_000
_STAGE = f".stage{UNFINISHED}"
_CHUNK_BYTES = 1 << 20

OnRows = Callable[[int], None]


@dataclass(frozen=True)
class Manifest:
    """What a file holds, as it was read back from it.

    :ivar sha256: of the file.
    :ivar low: the least time, as text of microseconds since 1970; None in an empty file; ``high`` the greatest.
    """

    rows: int
    bytes: int
    sha256: str
    digest: str
    low: str | None
    high: str | None
    columns: dict[str, dict[str, int | str | None]]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def write_file(
    spec: SeriesSpec, table: str, path: Path, connection: BaseDatabaseWrapper, *, on_rows: OnRows = lambda rows: None
) -> Manifest:
    """Write a table, in the order of its key, to a file that is not there under its name until it is whole.

    What is written is read back and compared with what the table holds; run it in one snapshot. It stays unfinished,
    beside ``path`` with a further suffix, until :func:`finish_file`.

    :param on_rows: called now and then with the number of rows that went out.
    :raises ArchiveDamaged: the file does not hold what the table holds.
    """
    unfinished = unfinished_of(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished.unlink(missing_ok=True)
    expected = table_figures(spec, table, connection)
    _export(spec, table, unfinished, connection, on_rows)
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    found = file_figures(spec, unfinished)
    if found != expected:
        raise ArchiveDamaged(f"{unfinished.name} holds {found.rows} rows and not just what {table} holds.")
    times = found.columns[spec.time.name]
    return Manifest(
        rows=found.rows,
        bytes=unfinished.stat().st_size,
        sha256=sha256_of(unfinished),
        digest=found.digest,
        low=_text(times["min"]),
        high=_text(times["max"]),
        columns={name: dict(figures) for name, figures in found.columns.items()},
    )


def finish_file(path: Path) -> None:
    """Give a written file its name, on disk."""
    unfinished_of(path).replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unfinished_of(path: Path) -> Path:
    """Name a file while it is written."""
    return path.with_name(path.name + UNFINISHED)


def fill_table(
    spec: SeriesSpec, path: Path, table: str, connection: BaseDatabaseWrapper, *, on_rows: OnRows = lambda rows: None
) -> int:
    """Copy a file's rows into an empty table, in the caller's transaction, and return their number.

    :raises ArchiveDamaged: the file cannot be read.
    """
    names = _quoted_names(spec)
    source = f"SELECT {names} FROM read_parquet('{_quoted_path(path)}')"  # noqa: S608 - names of a model's columns
    texts = [column.name for column in spec.columns.values() if isinstance(column.kind, TextKind)]
    forced = f", FORCE_QUOTE ({', '.join(map(DUCKDB.quote, texts))})" if texts else ""
    options = f"FORMAT csv, HEADER false, NULLSTR '', USE_TMP_FILE false{forced}"
    statement = sql.SQL("COPY {table} ({names}) FROM STDIN (FORMAT csv)").format(
        table=sql.Identifier(table), names=sql.SQL(", ").join(map(sql.Identifier, spec.columns))
    )
    rows = 0
    with (
        _reading_pipe(lambda pipe: f"COPY ({source}) TO '{pipe}' ({options})") as pipe,
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
        cursor.copy(statement) as copy,
    ):
        while chunk := os.read(pipe, _CHUNK_BYTES):
            copy.write(chunk)
            # A line break inside a text is counted too: it is only how far it is.
            rows += chunk.count(b"\n")
            on_rows(rows)
    return rows


def table_figures(spec: SeriesSpec, table: str, connection: BaseDatabaseWrapper, *, columns: bool = True) -> Figures:
    """Reckon what a table holds."""
    query = figures_query(spec, POSTGRESQL, POSTGRESQL.quote(table), columns=columns)
    with connection.cursor() as cursor:
        cursor.execute(query)
        return read_figures(spec, cursor.fetchone() or ())


def file_figures(spec: SeriesSpec, path: Path) -> Figures:
    """Reckon what a file holds.

    :raises ArchiveDamaged: it cannot be read.
    """
    with engine() as cursor:
        found = cursor.execute(figures_query(spec, DUCKDB, f"read_parquet('{_quoted_path(path)}')")).fetchone()
    return read_figures(spec, found or ())


def sha256_of(path: Path) -> str:
    """Reckon a file's checksum.

    :raises FileNotFoundError: it is not there.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def engine(file: Path | None = None) -> Iterator["DuckDBPyConnection"]:
    """Have an engine of its own within a block, in UTC, with little memory, that loads nothing from elsewhere.

    :param file: where it keeps its tables, unless in memory.

    :raises ArchiveDamaged: it cannot read or write what it was told to.
    """
    import duckdb

    try:
        with open_engine(memory=_MEMORY, threads=_THREADS, file=file) as connection:
            yield connection
    except duckdb.Error as error:
        raise ArchiveDamaged(str(error)) from error


def open_engine(*, memory: str, threads: int, file: Path | None = None) -> "DuckDBPyConnection":
    """Open an engine, in memory unless told a file."""
    import duckdb

    return duckdb.connect(
        ":memory:" if file is None else str(file),
        config={
            "memory_limit": memory,
            "threads": threads,
            "TimeZone": "UTC",
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "preserve_insertion_order": True,
        },
    )


def _export(spec: SeriesSpec, table: str, path: Path, connection: BaseDatabaseWrapper, on_rows: OnRows) -> None:
    """Send a table through a pipe to a staged table on disk, some rows at a time, and write the file from that.

    Of a pipe's CSV the engine keeps all in memory until its statement ends.
    """
    types = {column.name: duckdb_type(column) for column in spec.columns.values()}
    named = ", ".join(f"{_literal(name)}: {_literal(type_name)}" for name, type_name in types.items())
    reading = (
        "auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
        f"allow_quoted_nulls = false, parallel = false, new_line = '\\n', columns = {{{named}}}"
    )
    texts = [sql.Identifier(name) for name, column in spec.columns.items() if isinstance(column.kind, TextKind)]
    forced = sql.SQL(", FORCE_QUOTE ({})").format(sql.SQL(", ").join(texts)) if texts else sql.SQL("")
    statement = sql.SQL(
        "COPY (SELECT {names} FROM {table} ORDER BY {key}) TO STDOUT (FORMAT csv, ENCODING 'UTF8'{forced})"
    ).format(
        names=sql.SQL(", ").join(map(sql.Identifier, spec.columns)),
        table=sql.Identifier(table),
        key=sql.SQL(", ").join(sql.Identifier(column.name) for column in (spec.owner, spec.time)),
        forced=forced,
    )
    with (
        _staged(path) as stage,
        connection.wrap_database_errors,
        psycopg.Cursor(connection.connection) as cursor,
    ):
        stage.execute(
            f"CREATE TABLE staged ({', '.join(f'{DUCKDB.quote(name)} {kind}' for name, kind in types.items())})"
        )
        with cursor.copy(statement) as copy:
            rows, sent, total = iter(copy), _ROWS_STAGED, 0
            while sent == _ROWS_STAGED:
                with _writing_pipe(
                    stage, lambda pipe: f"INSERT INTO staged FROM read_csv('{pipe}', {reading})"
                ) as pipe:
                    sent = _send(islice(rows, _ROWS_STAGED), pipe)
                total += sent
                on_rows(total)
        stage.execute(
            f"COPY staged TO '{_quoted_path(path)}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP})"
        )


def _send(rows: Iterable[Any], pipe: int) -> int:
    """Write rows to a pipe and return their number."""
    count, waiting = 0, bytearray()
    for row in rows:
        waiting += row
        count += 1
        if len(waiting) >= _CHUNK_BYTES:
            _write_all(pipe, waiting)
            waiting.clear()
    _write_all(pipe, waiting)
    return count


@contextmanager
def _staged(path: Path) -> Iterator["DuckDBPyConnection"]:
    """Have an engine with a file of its own beside another within a block."""
    stage = path.with_name(f"{path.name}{_STAGE}")
    _remove(stage)
    try:
        with engine(stage) as connection:
            yield connection
    finally:
        _remove(stage)


def _remove(stage: Path) -> None:
    for each in (stage, stage.with_name(stage.name + ".wal")):
        each.unlink(missing_ok=True)


@contextmanager
def _writing_pipe(stage: "DuckDBPyConnection", statement: Callable[[str], str]) -> Iterator[int]:
    """Have the end of a pipe to write to, while a statement reads the other end to its end."""
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(_run_on, stage, statement(f"/dev/fd/{reading}"), reading)
        try:
            yield writing
        except BrokenPipeError:
            # The statement let go: its own error says why.
            running.result()
            raise
        finally:
            os.close(writing)
        running.result()


@contextmanager
def _reading_pipe(statement: Callable[[str], str]) -> Iterator[int]:
    """Have the end of a pipe to read from, while a statement writes to the other end."""
    reading, writing = os.pipe()
    with ThreadPoolExecutor(1) as thread:
        running: Future[None] = thread.submit(_run, statement(f"/dev/fd/{writing}"), writing)
        try:
            yield reading
            running.result()
        finally:
            os.close(reading)
            with contextlib.suppress(ArchiveDamaged):
                running.result()


def _run(statement: str, end_of_pipe: int) -> None:
    with engine() as connection:
        _run_on(connection, statement, end_of_pipe)


def _run_on(connection: "DuckDBPyConnection", statement: str, end_of_pipe: int) -> None:
    """Run a statement, and close our hold on its end of the pipe, so that the other end learns of it."""
    try:
        connection.execute(statement)
    finally:
        os.close(end_of_pipe)


def _write_all(pipe: int, data: bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]
    view.release()


def _text(value: int | str | None) -> str | None:
    return None if value is None else str(value)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted_path(path: Path) -> str:
    return str(path).replace("'", "''")


def _quoted_names(spec: SeriesSpec) -> str:
    return ", ".join(map(DUCKDB.quote, spec.columns))
