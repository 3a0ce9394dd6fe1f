"""What a CSV of battery signals holds, by its name and how it begins."""

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass

from energy_portal.shared.errors import Invalid
from meters.batteries.conventions import NEVER, Scale, Terms, split_heading, system_of
from meters.batteries.quantities import System

_LINES_LOOKED_AT = 100
_DELIMITERS = ",;\t|"
_TIME_NAMES = ("timestamp", "time", "datetime", "date_time", "ts")
_VALUE_NAMES = frozenset({"value", "val", "reading"})
_SUFFIX = re.compile(r"(\.csv|\.gz|\.txt)+$", re.IGNORECASE)
_SPLIT = re.compile(r"[\s.\-]+")


class UnreadableFile(Invalid):
    """A file that is no table of times and values."""

    code = "unreadable_file"


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of a file that holds a signal.

    :ivar place: from 0.
    :ivar name: as it is published.
    """

    place: int
    system: System
    name: str
    scale: Scale


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How a file is written.

    :ivar is_epoch: its times are numbers since 1970.
    :ivar unknown: headings of columns, or the file's own name, that name no signal.
    """

    delimiter: str
    has_header: bool
    is_quoted: bool
    width: int
    time_place: int
    is_epoch: bool
    columns: tuple[FileColumn, ...]
    unknown: tuple[str, ...]


def read_layout(name: str, head: str, *, terms: Terms, systems: Collection[System]) -> FileLayout:
    """Return how a file is written.

    :param head: its first lines, whole ones.
    :param systems: signals of others are unknown.
    :raises UnreadableFile: it has no two columns, or no line at all.
    :raises UnknownUnit: a heading names a unit that cannot be converted.
    """
    lines = [line for line in head.removeprefix("\ufeff").splitlines() if line.strip()]
    if not lines:
        raise UnreadableFile(f"{name} is empty.")
    delimiter = max(_DELIMITERS, key=lines[0].count)
    rows = list(csv.reader(lines[:_LINES_LOOKED_AT], delimiter=delimiter))
    first, width = rows[0], len(rows[0])
    if width < 2:
        raise UnreadableFile(f"{name} has no columns: it begins with {lines[0][:60]!r}.")
    has_header = not _is_time(first[0], terms) and not any(_is_number(cell) for cell in first)
    headings = [cell.strip() for cell in first] if has_header else [""] * width
    time_place = _time_place(headings, terms)
    stamps = (row[time_place] for row in rows[has_header:] if len(row) > time_place)
    sample = next((stamp for stamp in stamps if _is_time(stamp, terms)), "")
    columns, unknown = _columns(name, headings, time_place, terms, systems)
    return FileLayout(
        delimiter, has_header, '"' in head, width, time_place, _is_number(sample), tuple(columns), tuple(unknown)
    )


def _columns(
    name: str, headings: list[str], time_place: int, terms: Terms, systems: Collection[System]
) -> tuple[list[FileColumn], list[str]]:
    columns: list[FileColumn] = []
    unknown = []
    for place, heading in enumerate(headings):
        if place == time_place:
            continue
        theirs, unit = split_heading(heading)
        own = terms.own_name(theirs) if theirs else None
        if own is None and len(headings) == 2:
            own = _named_by(name, terms)
            unit = unit or (theirs if _folded(theirs) not in _VALUE_NAMES and _is_unit(own, theirs, terms) else "")
        if own is None or system_of(own) not in systems or any(each.name == own for each in columns):
            unknown.append(theirs if theirs and len(headings) > 2 else name)
        else:
            columns.append(FileColumn(place, system_of(own), own, terms.scale(system_of(own), own, unit)))
    return columns, unknown


def _named_by(name: str, terms: Terms) -> str | None:
    """Return the signal that a file's name ends with, such as ``bms_soc.csv``; the longest name counts."""
    stem = _folded(_SUFFIX.sub("", name.replace("\\", "/").rpartition("/")[2]))
    ends = [(len(theirs), own) for theirs, own in terms.names.items() if f"_{stem}".endswith(f"_{_folded(theirs)}")]
    if not ends:
        return None
    own = max(ends)[1]
    told = {system for system in System if system.value in stem.split("_")}
    return own if not told or system_of(own) in told else None


def _is_unit(own: str | None, theirs: str, terms: Terms) -> bool:
    if own is None or not theirs:
        return False
    try:
        terms.scale(system_of(own), own, theirs)
    except Invalid:
        return False
    return True


def _time_place(headings: list[str], terms: Terms) -> int:
    folded = [_folded(heading) for heading in headings]
    wanted = (_folded(terms.time_column),) if terms.time_column else _TIME_NAMES
    return next((folded.index(name) for name in wanted if name in folded), 0)


def _is_time(cell: str, terms: Terms) -> bool:
    return bool(terms.times_us([cell])[0] != NEVER)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _folded(name: str) -> str:
    return _SPLIT.sub("_", name.strip()).casefold()
