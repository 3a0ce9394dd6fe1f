"""A small chart of what half-hours counted: what is estimated is hatched, what is missing stays blank."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby

from django.utils import timezone
from django.utils.formats import date_format

from meters.models import Register
from meters.selectors.consumption import Interval
from meters.selectors.desk import Profile

WIDTH, HEIGHT = 720, 160
_ROUND_TOPS = tuple(Decimal(top) for top in ("0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "100", "1000"))

_TITLES = {
    Register.Direction.IMPORT: "Last seven days",
    Register.Direction.EXPORT: "Last seven days, fed in",
}


@dataclass(frozen=True)
class DayMark:
    """Where a local day begins, in the chart's units."""

    x: float
    label: str

    @property
    def percent(self) -> float:
        """Its place along the chart, per cent."""
        return round(100 * self.x / WIDTH, 2)


@dataclass(frozen=True)
class ProfileChart:
    """Lines of an SVG of :data:`WIDTH` by :data:`HEIGHT`; ``top`` is the quantity at its upper edge.

    ``hatched`` are the areas below the line that are estimated. ``energy_kwh`` is told of other units alone.
    """

    title: str
    unit: str
    lines: tuple[str, ...]
    hatched: tuple[str, ...]
    days: tuple[DayMark, ...]
    top: Decimal
    quantity: Decimal
    energy_kwh: Decimal | None
    known: int
    estimated: int
    total: int
    width: int = WIDTH
    height: int = HEIGHT


def profile_chart(profile: Profile) -> ProfileChart | None:
    """Draw half-hours as lines that break where nothing is known; None without any known half-hour."""
    series = profile.series
    quantities = [interval.quantity for interval in series if interval.quantity is not None]
    if not quantities:
        return None
    highest = max(quantities)
    top = next((round_top for round_top in _ROUND_TOPS if highest <= round_top), highest)
    start, end = series[0].start, series[-1].end
    width_of_second = WIDTH / (end - start).total_seconds()

    def place(instant: datetime) -> float:
        return round((instant - start).total_seconds() * width_of_second, 1)

    def level(energy: Decimal) -> float:
        return round(HEIGHT * (1 - float(energy / top)), 1)

    def line(run: Sequence[Interval]) -> str:
        steps = ((each, instant) for each in run for instant in (each.start, each.end))
        return " ".join(f"{place(instant)},{level(each.quantity or Decimal(0))}" for each, instant in steps)

    def area(run: Sequence[Interval]) -> str:
        return f"{place(run[0].start)},{HEIGHT} {line(run)} {place(run[-1].end)},{HEIGHT}"

    energies = [interval.energy_kwh for interval in series if interval.energy_kwh is not None]
    return ProfileChart(
        title=_TITLES[profile.direction],
        unit=profile.unit,
        lines=tuple(line(run) for run in _runs(series, _is_known)),
        hatched=tuple(area(run) for run in _runs(series, _is_estimated)),
        days=tuple(
            DayMark(place(interval.start), _day_name(interval.start))
            for interval in series
            if _is_midnight(interval.start)
        ),
        top=top,
        quantity=sum(quantities, Decimal(0)),
        energy_kwh=sum(energies, Decimal(0)) if energies and profile.unit != Register.Unit.KWH else None,
        known=len(quantities),
        estimated=sum(_is_estimated(interval) for interval in series),
        total=len(series),
    )


def _runs(series: Sequence[Interval], wanted: Callable[[Interval], bool]) -> list[list[Interval]]:
    return [list(run) for fits, run in groupby(series, key=wanted) if fits]


def _is_known(interval: Interval) -> bool:
    return interval.quantity is not None


def _is_estimated(interval: Interval) -> bool:
    return _is_known(interval) and interval.estimated


def _is_midnight(instant: datetime) -> bool:
    local = timezone.localtime(instant)
    return (local.hour, local.minute) == (0, 0)


def _day_name(instant: datetime) -> str:
    return date_format(timezone.localtime(instant), "D j")
