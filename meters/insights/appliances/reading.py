"""Files of one plug's power: tracebase's lines and ordinary CSV, with whatever real files hold."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from zoneinfo import ZoneInfo

import numpy as np

from meters.insights.appliances.kinds import DAY, HOUR, MINUTE
from meters.insights.appliances.power import HOLD_SECONDS, Floats, Power, resample

_TRACEBASE = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d;")
_TIMES = ("time", "timestamp", "datetime", "date_time", "date", "at", "utc", "unix", "ts")
_POWERS = ("power_w", "power", "watts", "watt", "w", "active_power_w", "active_power", "value")
# Two stretches that lie further apart are not put on one line of steps.
_APART_SECONDS = 2 * DAY
_MILLISECONDS_FROM = 1e11


class CannotRead(Exception):
    """A file is not one of power by time; the message says why."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What a file holds: UTC seconds and watts, in order of the file, and how many lines made no sense."""

    times: Floats
    watts: Floats
    bad_lines: int

    @property
    def interval_seconds(self) -> float | None:
        """The usual time between samples."""
        gaps = np.diff(np.unique(self.times))
        return float(np.median(gaps)) if len(gaps) else None


def read_samples(
    lines: Iterable[str], *, zone: ZoneInfo, time_column: str | None = None, value_column: str | None = None
) -> Samples:
    """Read tracebase's lines (``dd/mm/yyyy HH:MM:SS;W;…``) or a CSV with a header.

    :param zone: where times without an offset of their own were written.
    :param time_column: found by its name unless given; ISO, ``dd/mm/yyyy HH:MM:SS`` or seconds since 1970.
    :param value_column: watts; found by its name unless given.
    :raises CannotRead: a column is missing, or no line makes sense.
    """
    every = iter(lines)
    head = list(islice((line for line in every if line.strip()), 1))
    if not head:
        raise CannotRead("The file is empty.")
    first = head[0].lstrip("\ufeff")
    if _TRACEBASE.match(first):
        pairs: Iterator[Sequence[str]] = (line.split(";")[:2] for line in chain([first], every))
    else:
        pairs = _columns(chain([first], every), first, time_column, value_column)
    return _samples(pairs, zone)


def stretches_of(files: Sequence[Samples]) -> list[Power]:
    """Lay the samples of one appliance on regular steps, anew after each silence of days."""
    times = np.concatenate([samples.times for samples in files]) if files else np.empty(0)
    watts = np.concatenate([samples.watts for samples in files]) if files else np.empty(0)
    if not len(times):
        return []
    order = np.argsort(times, kind="stable")
    times, watts = times[order], watts[order]
    gaps = np.diff(times)
    hold = float(np.clip(20 * np.median(gaps[gaps > 0]) if (gaps > 0).any() else 0, 2 * MINUTE, HOLD_SECONDS))
    cuts = np.flatnonzero(gaps > _APART_SECONDS) + 1
    parts = zip(np.split(times, cuts), np.split(watts, cuts), strict=True)
    return [part for own, drawn in parts if len((part := resample(own, drawn, hold_seconds=hold)).watts)]


def _columns(
    lines: Iterable[str], first: str, time_column: str | None, value_column: str | None
) -> Iterator[Sequence[str]]:
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(lines, delimiter=delimiter)
    names = [name.strip().strip('"') for name in next(rows)]
    time, value = _place(names, time_column, _TIMES), _place(names, value_column, _POWERS)
    return ((row[time], row[value]) if len(row) > max(time, value) else () for row in rows)


def _place(names: Sequence[str], wanted: str | None, usual: Sequence[str]) -> int:
    if wanted is not None:
        if wanted not in names:
            raise CannotRead(f"There is no column {wanted!r}; there are {', '.join(names)}.")
        return names.index(wanted)
    lowered = [name.lower() for name in names]
    for name in usual:
        if name in lowered:
            return lowered.index(name)
    raise CannotRead(f"None of the columns {', '.join(names)} is called {', '.join(usual)}: say which it is.")


def _samples(pairs: Iterable[Sequence[str]], zone: ZoneInfo) -> Samples:
    times: list[float] = []
    watts: list[float] = []
    local: list[bool] = []
    bad = 0
    for pair in pairs:
        try:
            stamp, value = pair
            moment, is_local = _moment(stamp.strip().strip('"'))
            power = float(value)
        except ValueError:
            bad += 1
            continue
        times.append(moment)
        local.append(is_local)
        watts.append(power)
    if not times:
        raise CannotRead("No line of it is a time and a power.")
    on_wall = np.asarray(times)
    utc = np.where(np.asarray(local), _utc_of(on_wall, zone), on_wall)
    return Samples(utc, np.asarray(watts), bad)


def _moment(stamp: str) -> tuple[float, bool]:
    """Return seconds since 1970, and whether they are the wall's instead of UTC's."""
    if len(stamp) >= 10 and stamp[2] == "/":
        stamp = f"{stamp[6:10]}-{stamp[3:5]}-{stamp[:2]}{stamp[10:]}"
    elif stamp.replace(".", "", 1).isdigit() and len(stamp) > 8:
        seconds = float(stamp)
        return (seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds), False
    moment = datetime.fromisoformat(stamp)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC).timestamp(), True
    return moment.timestamp(), False


def _utc_of(walls: Floats, zone: ZoneInfo) -> Floats:
    """Return UTC seconds of a wall's; of an hour that came twice, the second after the clock went back."""
    hours, place = np.unique(walls // HOUR, return_inverse=True)
    offsets = np.array([[_offset(hour * HOUR, zone, fold) for fold in (0, 1)] for hour in hours.tolist()])
    early, late = offsets[place, 0], offsets[place, 1]
    is_twice = early > late
    went_back = np.append(False, np.diff(walls) < -HOUR / 2)
    seconds = np.zeros(len(walls), dtype=bool)
    for start in np.flatnonzero(went_back & is_twice).tolist():
        seconds[start:] = True
    utc: Floats = walls - np.where(is_twice & seconds, late, early)
    return utc


def _offset(second: float, zone: ZoneInfo, fold: int) -> float:
    wall = datetime.fromtimestamp(second, UTC).replace(tzinfo=zone, fold=fold)
    offset = wall.utcoffset()
    return offset.total_seconds() if offset else 0.0
