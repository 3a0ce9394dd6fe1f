"""Small line charts over days, drawn on the server: lines break where a day is not known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from django.utils.formats import date_format

WIDTH, HEIGHT = 720, 200
_MARKS = 6
_STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_MOST_LINES = 5
_SHARE_STEP, _USUAL_SHARE = 0.1, 0.6

Line = tuple[str, str, Mapping[date | None, float | None]]


@dataclass(frozen=True)
class Mark:
    """A place along an edge of the chart, in its units, and in per cent of it."""

    at: float
    percent: float
    label: str


@dataclass(frozen=True)
class Drawn:
    """A line in pieces, each ``x,y x,y …``, and its days that stand alone."""

    name: str
    key: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class LineChart:
    """Lines of an SVG of :data:`WIDTH` by :data:`HEIGHT`; ``band`` is (y, height) of where they should be."""

    lines: tuple[Drawn, ...]
    days: tuple[Mark, ...]
    levels: tuple[Mark, ...]
    band: tuple[float, float] | None
    width: int = WIDTH
    height: int = HEIGHT


def line_chart(
    lines: Sequence[Line],
    *,
    first: date,
    days: int,
    band: tuple[float, float] | None = None,
    are_shares: bool = False,
) -> LineChart | None:
    """Draw values by day as lines; None where no day is known.

    :param lines: (name, key, value by day) each.
    :param days: how many the chart is long, from ``first`` on.
    :param are_shares: whether values are shares of a whole, of which the upper part is looked at closely.
    """
    values = [value for *_, by_day in lines for value in by_day.values() if value is not None]
    if not values:
        return None
    if are_shares:
        step, highest, lowest = _SHARE_STEP, 1.0, min(_USUAL_SHARE, min(values) // _SHARE_STEP * _SHARE_STEP)
    else:
        step = next((each for each in _STEPS if max(values) / each <= _MOST_LINES), max(values) / _MOST_LINES)
        highest, lowest = step * max(1, -(-max(values) // step)), 0.0

    def across(day: date) -> float:
        return round(WIDTH * (day - first).days / max(days - 1, 1), 1)

    def down(value: float) -> float:
        return round(HEIGHT * (highest - min(value, highest)) / (highest - lowest), 1)

    every = [first + timedelta(days=number) for number in range(days)]
    drawn = []
    for name, key, by_day in lines:
        runs = [list(run) for known, run in groupby(every, key=lambda day: by_day.get(day) is not None) if known]
        points = [[(across(day), down(by_day[day] or 0.0)) for day in run] for run in runs]
        pieces = tuple(" ".join(f"{x},{y}" for x, y in run) for run in points if len(run) > 1)
        drawn.append(Drawn(name, key, pieces, tuple(run[0] for run in points if len(run) == 1)))
    count = round((highest - lowest) / step)
    marks = [lowest + step * number for number in range(count + 1)]
    levels = tuple(_level(down(mark), mark, in_percent=are_shares) for mark in marks)
    marked = every[:: max(1, -(-days // _MARKS))]
    return LineChart(
        lines=tuple(drawn),
        days=tuple(Mark(across(day), round(100 * across(day) / WIDTH, 2), date_format(day, "j M")) for day in marked),
        levels=levels,
        band=None if band is None else (down(band[1]), round(down(band[0]) - down(band[1]), 1)),
    )


def _level(at: float, value: float, *, in_percent: bool) -> Mark:
    return Mark(at, round(100 * at / HEIGHT, 2), f"{100 * value:.0f} %" if in_percent else f"{value:.10g}")
