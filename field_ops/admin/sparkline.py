"""A small line of what a register showed, with the value that waits and the range that was expected of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

WIDTH, HEIGHT, _MARGIN = 280, 72, 8


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the drawing, in its own units."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Band:
    """The range that was expected, as a bar beneath the value that waits."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Sparkline:
    """An SVG of :data:`WIDTH` by :data:`HEIGHT`: a line, its points, and the value that waits, if any."""

    line: str
    known: tuple[Point, ...]
    waiting: Point | None
    band: Band | None
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(
    known: Sequence[tuple[datetime, Decimal]],
    waiting: tuple[datetime, Decimal] | None,
    expected: tuple[Decimal, Decimal] | None = None,
) -> Sparkline | None:
    """Draw readings over time; None where there are fewer than two points to draw.

    :param known: readings, oldest first, in the register's unit.
    :param waiting: when and what was read.
    :param expected: lowest and highest that was expected of it.
    """
    points = [*known, *([waiting] if waiting else [])]
    if len(points) < 2:
        return None
    values = [float(value) for _, value in points] + [float(value) for value in (expected or ()) if waiting]
    low, high = min(values), max(values)
    first, last = points[0][0], points[-1][0]
    span = (last - first).total_seconds() or 1.0

    def x(at: datetime) -> float:
        return round(_MARGIN + (WIDTH - 2 * _MARGIN) * (at - first).total_seconds() / span, 1)

    def y(value: Decimal) -> float:
        share = (float(value) - low) / (high - low) if high > low else 0.5
        return round(HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * share, 1)

    placed = [Point(x(at), y(value)) for at, value in points]
    band = None
    if waiting and expected:
        top, bottom = y(expected[1]), y(expected[0])
        band = Band(x(waiting[0]) - 6, top, 12, max(2.0, round(bottom - top, 1)))
    return Sparkline(
        line=" ".join(f"{point.x},{point.y}" for point in placed),
        known=tuple(placed[: len(known)]),
        waiting=placed[-1] if waiting else None,
        band=band,
    )
