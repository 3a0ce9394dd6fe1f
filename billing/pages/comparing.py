"""A window of use beside another one: the same hours, days or months before, or a year ago."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from django.utils.translation import gettext as _

from billing.pages.chart import Row, Use
from billing.pages.windows import View, Window, window_on

_A_YEAR_OF_WEEKS = timedelta(weeks=52)


class Against(StrEnum):
    """What a window is compared with."""

    NOTHING = ""
    BEFORE = "before"
    YEAR = "year"


@dataclass(frozen=True)
class Change:
    """How use moved over what is known of both: less, more or same, by whole percent."""

    direction: str
    percent: Decimal
    known: int


@dataclass(frozen=True)
class Compared:
    """The other window, its energy beside each row (kWh, None where there is none), and the change."""

    window: Window
    energies: tuple[Decimal | None, ...]
    total_kwh: Decimal | None
    change: Change | None


def against_of_query(text: str, view: View) -> Against:
    """Read ``with``; what cannot be read, or means the same as the window before, becomes that or nothing."""
    try:
        against = Against(text)
    except ValueError:
        return Against.NOTHING
    return Against.BEFORE if view is View.YEAR and against is Against.YEAR else against


def other_window(window: Window, against: Against) -> Window:
    """Return the window to compare with; a week a year ago is 52 weeks earlier, so that weekdays meet."""
    if against is Against.BEFORE:
        return window_on(window.view, window.previous)
    if window.view is View.WEEK:
        return window_on(window.view, window.first - _A_YEAR_OF_WEEKS)
    first = window.first
    # 29 February has no like: the day before it stands in.
    day = min(first.day, 28) if first.month == 2 else first.day
    return window_on(window.view, date(first.year - 1, first.month, day))


def choices(view: View) -> list[tuple[Against, str]]:
    """List what a view can be compared with, in words."""
    before = {
        View.DAY: _("the day before"),
        View.WEEK: _("the week before"),
        View.MONTH: _("the month before"),
        View.YEAR: _("the year before"),
    }[view]
    named = [(Against.NOTHING, _("nothing")), (Against.BEFORE, before)]
    return named if view is View.YEAR else [*named, (Against.YEAR, _("a year ago"))]


def compare(use: Use, other: Use, window: Window) -> Compared:
    """Lay another window's rows beside one's own: half-hours by the clock, all else by their place."""
    energies = _by_clock(use, other) if window.view is View.DAY else _by_place(use, other)
    both = [
        (row.energy_kwh, beside)
        for row, beside in zip(use.rows, energies, strict=True)
        if row.energy_kwh is not None and beside is not None and row.state != "part"
    ]
    return Compared(window, energies, other.total_kwh, _change(both))


def _by_clock(use: Use, other: Use) -> tuple[Decimal | None, ...]:
    # Of an hour that the clock repeats, the first has its like; the second is told apart by its name.
    named = {row.name: row.energy_kwh for row in other.rows}
    labelled = {row.label: row.energy_kwh for row in reversed(other.rows)}
    seen: set[str] = set()
    found = []
    for row in use.rows:
        fallback = None if row.label in seen else labelled.get(row.label)
        found.append(named.get(row.name, fallback))
        seen.add(row.label)
    return tuple(found)


def _by_place(use: Use, other: Use) -> tuple[Decimal | None, ...]:
    beside: list[Row | None] = [*other.rows, *[None] * len(use.rows)]
    return tuple(row.energy_kwh if row else None for row in beside[: len(use.rows)])


def _change(both: list[tuple[Decimal, Decimal]]) -> Change | None:
    now, before = (sum(column, Decimal(0)) for column in zip(*both, strict=True)) if both else (None, None)
    if now is None or not before:
        return None
    percent = (100 * (now / before - 1)).quantize(Decimal(1))
    direction = "same" if percent == 0 else "more" if percent > 0 else "less"
    return Change(direction, abs(percent), len(both))
