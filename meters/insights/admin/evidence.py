"""The small chart that shows a fault: what was drawn, and the levels that it is judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from energy_portal.shared.admin import moment
from meters.insights.models import Fault

WIDTH, HEIGHT = 720, 160
_POWER = "power_w"
_ROOM = 1.05


@dataclass(frozen=True)
class Level:
    """A horizontal line: where it lies in the chart's units, and what it is called."""

    name: str
    watts: float
    y: float


@dataclass(frozen=True)
class Evidence:
    """Lines of an SVG of :data:`WIDTH` by :data:`HEIGHT`, and the figures beside it; ``top``: watts, upper edge."""

    lines: tuple[str, ...]
    levels: tuple[Level, ...]
    top: float
    begin: str
    end: str
    figures: tuple[tuple[str, object], ...]
    width: int = WIDTH
    height: int = HEIGHT


def evidence_of(fault: Fault) -> Evidence:
    """Draw what a fault's rule saw; without a chart there are figures alone."""
    chart: Mapping[str, Sequence[tuple[float, float | None]]] = fault.evidence.get("chart", {})
    figures = tuple((_words(name), figure) for name, figure in fault.evidence.get("figures", {}).items())
    points = chart.get(_POWER, [])
    watts = [watt for series in chart.values() for _, watt in series if watt is not None]
    if len(points) < 2 or not watts:
        return Evidence((), (), 0, "", "", figures)
    begin, end, top = points[0][0], points[-1][0], max(*watts, 1.0) * _ROOM

    def level(watt: float) -> float:
        return round(HEIGHT * (1 - watt / top), 1)

    def line(run: Sequence[tuple[float, float | None]]) -> str:
        return " ".join(f"{WIDTH * (at - begin) / (end - begin):.1f},{level(watt or 0.0)}" for at, watt in run)

    runs = [list(run) for is_known, run in groupby(points, key=lambda point: point[1] is not None) if is_known]
    levels = [(name, series[0][1]) for name, series in chart.items() if name != _POWER and series]
    return Evidence(
        lines=tuple(line(run) for run in runs),
        levels=tuple(Level(_words(name), watt, level(watt)) for name, watt in levels if watt is not None),
        top=round(top),
        begin=moment(datetime.fromtimestamp(begin, UTC)),
        end=moment(datetime.fromtimestamp(end, UTC)),
        figures=figures,
    )


def _words(name: str) -> str:
    """Write a figure's name with its unit, as usual_w for usual (W)."""
    words = name.replace("_", " ")
    for unit, shown in ((" w", " (W)"), (" kwh", " (kWh)"), (" seconds", " (s)")):
        if words.endswith(unit):
            return words.removesuffix(unit) + shown
    return words
