"""The one reader of archived rows: windows of owners and times out of Parquet files, in bounded memory.

Files are sorted by owner and time, so a window costs the row groups that hold it: a few milliseconds a file.
"""

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from meters.series.archive_columns import DUCKDB
from meters.series.archive_files import open_engine
from meters.series.columns import FloatKind, TimeKind
from meters.series.errors import ArchiveDamaged, ArchiveMoved
from meters.series.spec import SeriesSpec

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

logger = logging.getLogger(__name__)

_MEMORY = "256MB"
_THREADS = 2
_ROWS_AT_ONCE = 10_000
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Up to so many owners stand in the statement, where row groups are left out by each of them.
_OWNERS_BY_NAME = 64

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file that holds the rows of the times in [low, high)."""

    path: Path
    low: datetime
    high: datetime


class Asked(NamedTuple):
    """An owner's rows from ``low`` to ``high``, both included."""

    owner: int
    low: datetime
    high: datetime


@dataclass(frozen=True)
class Archive:
    """Some files of a series, to be asked for rows: tuples of (owner, time, *columns), the times in UTC.

    :ivar known: a column of times and an instant: later rows are as if they were not there.
    :ivar without: a column of whole numbers, and those whose rows are as if they were not there.
    """

    spec: SeriesSpec
    files: tuple[ArchivedFile, ...]
    columns: tuple[str, ...]
    known: tuple[str, datetime] | None = None
    without: tuple[str, tuple[int, ...]] | None = None

    def windows(
        self, asked: Collection[Asked], *, newest_first: bool = False, limit: int | None = None
    ) -> Iterator[Row]:
        """Yield the rows inside windows, each once, sorted by owner and time, or by time alone, newest first.

        :raises ArchiveMoved: a file is not there any more: ask the database again which are.
        :raises ArchiveDamaged: a file cannot be read.
        """
        joined = list(_joined(asked))
        if not joined or not self.files:
            return
        order = f"{self._time} DESC" if newest_first else f"{self._owner}, {self._time}"
        ending = f"ORDER BY {order}" + ("" if limit is None else f" LIMIT {int(limit)}")
        yield from self._rows(self.files, joined, ending)

    def edges(self, asked: Sequence[Asked]) -> Iterator[Row]:
        """Yield the first and the last row of each window.

        :raises ArchiveMoved: as :meth:`windows`.
        :raises ArchiveDamaged: as :meth:`windows`.
        """
        if not asked or not self.files:
            return
        ranked = f"row_number() OVER (PARTITION BY asked.number ORDER BY {self._time}"
        yield from self._rows(self.files, list(asked), f"QUALIFY {ranked}) = 1 OR {ranked} DESC) = 1")

    def nearest(self, instants: Collection[tuple[int, datetime]], *, before: bool) -> Iterator[Row]:
        """Yield, for each (owner, instant), the nearest row strictly before or after it, if any file holds one.

        The files are read one by one, away from the instants, until all are found.

        :raises ArchiveMoved: as :meth:`windows`.
        :raises ArchiveDamaged: as :meth:`windows`.
        """
        wanted = dict.fromkeys(instants)
        for file in sorted(self.files, key=lambda file: file.low, reverse=before):
            near = [each for each in wanted if _beside(each, file, before=before)]
            held = self._holding([owner for owner, _ in near], file) if near else frozenset()
            asked = [_towards(owner, at, file, before=before) for owner, at in near if owner in held]
            if not asked:
                continue
            order = "DESC" if before else ""
            ending = f"QUALIFY row_number() OVER (PARTITION BY asked.number ORDER BY {self._time} {order}) = 1"
            found = list(self._rows((file,), asked, ending))
            yield from found
            times: dict[int, list[datetime]] = {
                owner: [row[1] for row in rows]
                for owner, rows in groupby(sorted(found, key=itemgetter(0, 1)), itemgetter(0))
            }
            for owner, at in near:
                if any(time < at if before else time > at for time in times.get(owner, ())):
                    del wanted[owner, at]
            if not wanted:
                return

    def count(self, low: datetime, high: datetime) -> int:
        """Count the rows after one instant up to another; a scan of the times, where a file reaches into it.

        :raises ArchiveMoved: as :meth:`windows`.
        :raises ArchiveDamaged: as :meth:`windows`.
        """
        files = [file for file in self.files if file.low <= high and file.high > low]
        if not files:
            return 0
        statement = (
            f"SELECT count(*) FROM read_parquet(?) AS held WHERE {self._time} > make_timestamptz(?) "  # noqa: S608
            f"AND {self._time} <= make_timestamptz(?) {self._there()}"
        )
        parameters = [[str(file.path) for file in files], _micros(low), _micros(high)]
        ((found,),) = _fetched(statement, parameters, [file.path for file in files])
        return int(found)

    def _holding(self, owners: Collection[int], file: ArchivedFile) -> frozenset[int]:
        held = _owners_of(file.path, DUCKDB.quote(self.spec.owner.name))
        return frozenset(np.asarray(sorted(set(owners)))[np.isin(sorted(set(owners)), held)].tolist())

    @property
    def _owner(self) -> str:
        return f"held.{DUCKDB.quote(self.spec.owner.name)}"

    @property
    def _time(self) -> str:
        return f"held.{DUCKDB.quote(self.spec.time.name)}"

    def _rows(self, files: Sequence[ArchivedFile], asked: Sequence[Asked], ending: str) -> Iterator[Row]:
        low, high = min(file.low for file in files), max(file.high for file in files)
        cut = [Asked(each.owner, max(each.low, low), min(each.high, high)) for each in asked]
        cut = [each for each in cut if each.low <= each.high]
        if not cut:
            return
        owners = sorted({each.owner for each in cut})
        named = f"IN ({', '.join(map(str, owners))})" if len(owners) <= _OWNERS_BY_NAME else "BETWEEN ? AND ?"
        statement = f"""
            WITH asked AS (
                SELECT unnest(?::BIGINT[]) AS number, unnest(?::BIGINT[]) AS owner,
                       make_timestamptz(unnest(?::BIGINT[])) AS low, make_timestamptz(unnest(?::BIGINT[])) AS high
            )
            SELECT DISTINCT {self._selected()} FROM read_parquet(?) AS held
            JOIN asked ON {self._owner} = asked.owner AND {self._time} BETWEEN asked.low AND asked.high
            WHERE {self._owner} {named} AND {self._time} BETWEEN make_timestamptz(?) AND make_timestamptz(?)
              {self._there()}
            {ending}
        """  # noqa: S608 - names of a model's columns, quoted, and numbers
        parameters: list[Any] = [
            list(range(len(cut))),
            [each.owner for each in cut],
            [_micros(each.low) for each in cut],
            [_micros(each.high) for each in cut],
            [str(file.path) for file in files],
        ]
        if len(owners) > _OWNERS_BY_NAME:
            parameters += [owners[0], owners[-1]]
        parameters += [_micros(min(each.low for each in cut)), _micros(max(each.high for each in cut))]
        times = self._times()
        for row in _fetched(statement, parameters, [file.path for file in files]):
            yield tuple(_instant(value) if at in times else value for at, value in enumerate(row))

    def _there(self) -> str:
        """Write the condition that leaves out what is as if it were not there."""
        conditions = ""
        if self.known is not None:
            column, at = self.known
            conditions += f" AND held.{DUCKDB.quote(column)} <= make_timestamptz({_micros(at)})"
        if self.without is not None:
            column, values = self.without
            conditions += f" AND held.{DUCKDB.quote(column)} NOT IN ({', '.join(str(int(each)) for each in values)})"
        return conditions

    def _selected(self) -> str:
        names = [self.spec.owner.name, self.spec.time.name, *self.columns]
        return ", ".join(map(self._read_as, names))

    def _read_as(self, name: str) -> str:
        column, kind = f"held.{DUCKDB.quote(name)}", self.spec.columns[name].kind
        if isinstance(kind, TimeKind):
            return DUCKDB.micros.format(column)
        if isinstance(kind, FloatKind) and kind.type_name == "float4":
            # The shortest number that is it, as the database gives it, and not its four bytes widened to eight.
            return f"{column}::VARCHAR::DOUBLE"
        return column

    def _times(self) -> frozenset[int]:
        names = [self.spec.owner.name, self.spec.time.name, *self.columns]
        return frozenset(at for at, name in enumerate(names) if self._is_time(name))

    def _is_time(self, name: str) -> bool:
        return isinstance(self.spec.columns[name].kind, TimeKind)


def _joined(asked: Collection[Asked]) -> Iterator[Asked]:
    """Join windows of an owner that overlap."""
    last: Asked | None = None
    for each in sorted(asked):
        if last is not None and each.owner == last.owner and each.low <= last.high:
            last = Asked(last.owner, last.low, max(last.high, each.high))
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last


def _beside(instant: tuple[int, datetime], file: ArchivedFile, *, before: bool) -> bool:
    return file.low < instant[1] if before else file.high > instant[1]


def _towards(owner: int, at: datetime, file: ArchivedFile, *, before: bool) -> Asked:
    if before:
        return Asked(owner, file.low, min(at - _MICROSECOND, file.high))
    return Asked(owner, max(at + _MICROSECOND, file.low), file.high)


def _fetched(statement: str, parameters: list[Any], paths: Sequence[Path]) -> Iterator[Row]:
    with _reading(paths), _engine(os.getpid()).cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from rows


@lru_cache(maxsize=128)
def _owners_of(path: Path, owner: str) -> NDArray[np.int64]:
    """Return the owners that have a row in a file, which never changes under its name."""
    with _reading([path]), _engine(os.getpid()).cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {owner} FROM read_parquet(?)", [str(path)])  # noqa: S608 - a quoted name
        found: NDArray[np.int64] = np.array([row[0] for row in cursor.fetchall()], dtype=np.int64)
        return found


@contextmanager
def _reading(paths: Sequence[Path]) -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if gone := [path.name for path in paths if not path.exists()]:
            raise ArchiveMoved(f"{', '.join(gone)} is not in the archive.") from error
        logger.exception("The archive cannot be read")
        raise ArchiveDamaged(f"{', '.join(path.name for path in paths)} cannot be read.") from error


@lru_cache(maxsize=4)
def _engine(process: int) -> "DuckDBPyConnection":
    """Open the engine of a process: one that was inherited by a fork has lost its threads."""
    return open_engine(memory=_MEMORY, threads=_THREADS)


def _micros(instant: datetime) -> int:
    return (instant - _UNIX_EPOCH) // _MICROSECOND


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else _UNIX_EPOCH + micros * _MICROSECOND
