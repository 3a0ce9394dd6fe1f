"""Any table of half-hours as grids: wide or long, sorted or not, with local stamps or with offsets."""

import csv
import gzip
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from meters.insights.clockwork import SLOT_SECONDS, Grid, grid_of
from meters.insights.management.stamps import CannotTell, parser_of

_EPOCH = date(1970, 1, 1)
_HOUR = 3600
_MINUTE = 60
_FALSE = {"", "0", "0.0", "false", "f", "no", "n", "nan", "none", "null"}
_GZIP = b"\x1f\x8b"
_SNIFFED = 8_192


class CannotUse(ValueError):
    """The file does not hold what it should; the message tells what is wrong."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a file hold what, and how to read them.

    :ivar time: one, or several to be joined (a date and a time of day).
    :ivar values: one a series, or with ``id`` one a series and id.
    :ivar zone: on whose wall the half-hours are laid.
    :ivar stamps: in what zone stamps without an offset are.
    :ivar is_end: whether a stamp is the end of its period.
    """

    time: Sequence[str]
    values: Sequence[str]
    zone: ZoneInfo
    stamps: ZoneInfo
    is_end: bool = False
    id: str | None = None
    temperature: str | None = None
    holiday: str | None = None


@dataclass(frozen=True, eq=False)
class FileSeries:
    """One series of a file.

    :ivar step_seconds: how far apart its values were; they are laid on half-hours.
    :ivar holidays: days since 1970.
    """

    name: str
    grid: Grid
    step_seconds: int
    temperature: Grid | None
    holidays: frozenset[int]


@dataclass(frozen=True, eq=False)
class FileRead:
    """What a file held, and what of it could not be used."""

    series: list[FileSeries]
    rows: int
    notes: list[str]


@dataclass(eq=False)
class _Rows:
    """The rows of one id, in the order of the file."""

    stamps: list[str] = field(default_factory=list)
    values: list[list[float]] = field(default_factory=list)
    temperatures: list[float] = field(default_factory=list)
    holidays: list[bool] = field(default_factory=list)


def read_file(path: Path, columns: Columns) -> FileRead:
    """Read a table of values, .csv or .csv.gz.

    Rows may come in any order; of those that say the same instant the last counts. Quarter-hours are averaged, hours
    stand for both their half-hours.

    :raises CannotUse: no such file or column, no stamps that can be read, or periods longer than an hour.
    """
    by_id, rows, bad_values = _collected(path, columns)
    notes = Counter({"values that are no number": bad_values} if bad_values else {})
    try:
        parse = parser_of([stamp for own in by_id.values() for stamp in own.stamps])
    except CannotTell as error:
        raise CannotUse(f"{path.name}: {error}") from error
    found = [series for name, own in by_id.items() for series in _series_of(name, own, columns, parse, notes)]
    if not any(np.isfinite(series.grid.values).any() for series in found):
        raise CannotUse(f"{path.name}: no value in {', '.join(columns.values)} beside a stamp that can be read.")
    return FileRead(found, rows, [f"{count} {what}" for what, count in notes.items()])


def read_holidays(path: Path) -> frozenset[int]:
    """Return the days since 1970 that a file lists, one a line, first on it, as 2024-12-25.

    :raises CannotUse: no such file, or no day in it.
    """
    days = set()
    for line in _lines(path):
        try:
            days.add((date.fromisoformat(line.split(",")[0].split(";")[0].strip().strip('"')[:10]) - _EPOCH).days)
        except ValueError:
            continue
    if not days:
        raise CannotUse(f"{path.name}: no line begins with a day like 2024-12-25.")
    return frozenset(days)


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(2) == _GZIP
        with (gzip.open if is_packed else open)(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as text:
            for line in text:
                yield line.replace("\0", "")
    except (OSError, EOFError) as error:
        raise CannotUse(f"{path}: {error}") from error


def _collected(path: Path, columns: Columns) -> tuple[dict[str, _Rows], int, int]:
    """Return the rows by id, how many there were, and how many values were no numbers."""
    lines = _lines(path)
    header = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t|", key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    place = {wanted: _place(names, wanted, path) for wanted in _wanted(names, columns)}
    times = [place[name] for name in _time_columns(names, columns)]
    values = [place[name] for name in columns.values]
    beside = [place.get(name or "", -1) for name in (columns.id, columns.temperature, columns.holiday)]
    by_id: dict[str, _Rows] = {}
    rows = bad = 0
    for cells in csv.reader(lines, delimiter=delimiter):
        if len(cells) <= max(times):
            continue
        rows += 1
        own = by_id.setdefault(_cell(cells, beside[0]), _Rows())
        own.stamps.append(" ".join(cells[at].strip() for at in times))
        numbers = [_number(_cell(cells, at)) for at in values]
        bad += sum(number is None for number in numbers)
        own.values.append([math.nan if number is None else number for number in numbers])
        own.temperatures.append(_number(_cell(cells, beside[1])) or math.nan)
        own.holidays.append(_cell(cells, beside[2]).lower() not in _FALSE)
    if not rows:
        raise CannotUse(f"{path.name}: no rows.")
    return by_id, rows, bad


def _time_columns(names: list[str], columns: Columns) -> list[str]:
    """Return the columns whose texts joined are a stamp; ``date+time`` names two."""
    return [
        part.strip()
        for name in columns.time
        for part in ([name] if name in names or "+" not in name else name.split("+"))
    ]


def _wanted(names: list[str], columns: Columns) -> list[str]:
    others = (columns.id, columns.temperature, columns.holiday)
    return [*_time_columns(names, columns), *columns.values, *(name for name in others if name)]


def _place(names: list[str], wanted: str, path: Path) -> int:
    if wanted in names:
        return names.index(wanted)
    alike = [at for at, name in enumerate(names) if name.lower() == wanted.strip().lower()]
    if len(alike) != 1:
        raise CannotUse(f"{path.name}: no column {wanted!r}; it has {', '.join(names) or 'none'}.")
    return alike[0]


def _cell(cells: list[str], place: int) -> str:
    return cells[place].strip() if 0 <= place < len(cells) else ""


def _number(text: str) -> float | None:
    """Return a number, NaN where nothing stands, None where something else does."""
    if text.lower() in {"", "-", "na", "n/a", "nan", "none", "null", "?"}:
        return math.nan
    try:
        number = float(text.replace(",", "") if "." in text or text.count(",") > 1 else text.replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _series_of(
    name: str, rows: _Rows, columns: Columns, parse: Callable[[str], datetime | None], notes: Counter[str]
) -> Iterator[FileSeries]:
    instants = _instants(rows.stamps, columns.stamps, parse)
    is_read = np.isfinite(instants)
    notes["stamps that cannot be read"] += int((~is_read).sum())
    if not is_read.any():
        return
    seconds = (np.round(instants[is_read] / _MINUTE) * _MINUTE).astype(np.int64)
    # Of equal ones the last of the file: looked for from the end.
    starts, last = np.unique(seconds[::-1], return_index=True)
    kept = np.flatnonzero(is_read)[::-1][last]
    notes["rows of an instant that came again (the last counts)"] += len(seconds) - len(starts)
    step = _step(starts)
    if step > _HOUR:
        raise CannotUse(f"Values are {step / _HOUR:g} hours apart; half-hours, shorter periods or hours are needed.")
    starts = starts - step * columns.is_end
    halves = np.repeat(starts, 2) + np.tile([0, SLOT_SECONDS], len(starts)) if step > SLOT_SECONDS else starts
    times = 2 if step > SLOT_SECONDS else 1

    def laid(values: Sequence[float]) -> Grid:
        return grid_of(halves, np.repeat(np.array(values, dtype=np.float64)[kept], times), columns.zone)

    off = np.array(rows.holidays)[kept]
    days = {(datetime.fromtimestamp(start, UTC).astimezone(columns.zone).date() - _EPOCH).days for start in starts[off]}
    warmth = laid(rows.temperatures) if columns.temperature else None
    for at, column in enumerate(columns.values):
        label = column if not name else name if len(columns.values) == 1 else f"{name} {column}"
        yield FileSeries(label, laid([values[at] for values in rows.values]), step, warmth, frozenset(days))


def _step(starts: np.typing.NDArray[np.int64]) -> int:
    """Return how far apart most values are, in seconds; a half-hour where one alone is known."""
    if len(starts) < 2:
        return SLOT_SECONDS
    apart, counts = np.unique(np.diff(starts), return_counts=True)
    return int(apart[counts.argmax()])


def _instants(
    stamps: Sequence[str], zone: ZoneInfo, parse: Callable[[str], datetime | None]
) -> np.typing.NDArray[np.float64]:
    """Return UTC seconds, NaN where a stamp cannot be read; the hour that autumn repeats is told by the order."""
    found = np.full(len(stamps), np.nan)
    seen: set[datetime] = set()
    for place, stamp in enumerate(stamps):
        moment = parse(stamp)
        if moment is None:
            continue
        if moment.tzinfo is None:
            local = moment.replace(tzinfo=zone)
            if moment in seen and local.utcoffset() != local.replace(fold=1).utcoffset():
                local = local.replace(fold=1)
            seen.add(moment)
            moment = local
        found[place] = moment.timestamp()
    return found
