"""A window's energy as bars and as table rows: the same numbers and words for both."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing.pages.notices import in_percent
from billing.pages.windows import EN_DASH, Slot, View, Window
from meters.selectors.consumption import Consumption, Interval

AXES = {
    View.DAY: gettext_lazy("Half-hour, by when it starts"),
    View.WEEK: gettext_lazy("Day"),
    View.MONTH: gettext_lazy("Day of the month"),
    View.YEAR: gettext_lazy("Month"),
}
HEADS = {
    View.DAY: gettext_lazy("Half-hour"),
    View.WEEK: gettext_lazy("Day"),
    View.MONTH: gettext_lazy("Day"),
    View.YEAR: gettext_lazy("Month"),
}
THIRD_HOURS = frozenset(f"{hour:02d}:00" for hour in range(0, 24, 3))
PRESENT_WORDS = {
    View.DAY: gettext_lazy("now"),
    View.WEEK: gettext_lazy("today"),
    View.MONTH: gettext_lazy("today"),
    View.YEAR: gettext_lazy("this month"),
}


@dataclass(frozen=True)
class Row:
    """One bar or table row. ``state`` is measured, estimated, part (so far), missing or future."""

    slot: Slot
    label: str
    name: str
    energy_kwh: Decimal | None
    state: str

    @property
    def words(self) -> str:
        """What the bar stands for, in words."""
        match self.state:
            case "missing":
                return _("No reading")
            case "future":
                return _("Not yet")
        amount = f"{self.energy_kwh:,.2f} kWh"
        match self.state:
            case "estimated":
                return _("%(amount)s, estimated") % {"amount": amount}
            case "part":
                return _("%(amount)s so far") % {"amount": amount}
        return amount


@dataclass(frozen=True)
class Use:
    """A window's rows, its total, and how much of it is known."""

    rows: tuple[Row, ...]
    total_kwh: Decimal | None
    total_until: datetime | None
    estimated_share: Decimal

    @property
    def missing(self) -> int:
        """How many rows should have a number and have none."""
        return sum(row.state == "missing" for row in self.rows)

    @property
    def known(self) -> int:
        """How many rows have a number."""
        return sum(row.energy_kwh is not None for row in self.rows)

    @property
    def estimated(self) -> int:
        """How many rows are estimates."""
        return sum(row.state == "estimated" for row in self.rows)


def use_of(
    *,
    window: Window,
    zone: ZoneInfo,
    consumption: Consumption,
    until: datetime | None,
    window_so_far: Consumption | None,
    slot_so_far: Consumption | None,
    now: datetime,
) -> Use:
    """Lay the known intervals on the window's slots.

    :param until: the end of the account's readings, where they reach the last two days; what lies behind it is not
        missing but still to come.
    :param window_so_far: the energy up to there, where that is inside the window.
    :param slot_so_far: the same of the slot that it is inside of.
    """
    by_start = {interval.start: interval for interval in consumption.series}
    total = window_so_far or consumption
    return Use(
        rows=tuple(
            _row(window, slot, zone, by_start.get(slot.period.start), until or now, slot_so_far)
            for slot in window.slots(zone)
        ),
        total_kwh=total.energy_kwh,
        total_until=window_so_far.period.end if window_so_far else None,
        estimated_share=total.estimated_share,
    )


def _row(
    window: Window,
    slot: Slot,
    zone: ZoneInfo,
    interval: Interval | None,
    until: datetime,
    so_far: Consumption | None,
) -> Row:
    energy = interval.energy_kwh if interval else None
    if slot.period.start >= until:
        state, energy = "future", None
    elif slot.period.contains(until):
        energy = so_far.energy_kwh if so_far else None
        state = "future" if energy is None else "part"
    elif interval is None or energy is None:
        state = "missing"
    else:
        state = "estimated" if interval.estimated else "measured"
    label, name = _names(window.view, slot, zone)
    return Row(slot, label, name, energy, state)


def _names(view: View, slot: Slot, zone: ZoneInfo) -> tuple[str, str]:
    """Return what stands under the bar, and what it is called in full."""
    start, end = (instant.astimezone(zone) for instant in (slot.period.start, slot.period.end))
    day = slot.day
    match view:
        case View.DAY:
            # An hour that the clock repeats is told apart by its offset.
            repeated = start.replace(fold=0).utcoffset() != start.replace(fold=1).utcoffset()
            return f"{start:%H:%M}", f"{start:%H:%M}{EN_DASH}{end:%H:%M}" + (f" (UTC{start:%z})" if repeated else "")
        case View.WEEK:
            return date_format(day, _("D j")), date_format(day, _("l j F"))
        case View.MONTH:
            return str(day.day), date_format(day, _("l j F"))
        case View.YEAR:
            return date_format(day, "M"), date_format(day, _("F Y"))


def chart_data(*, use: Use, window: Window, now: datetime) -> dict[str, object]:
    """Shape the rows as the chart's script reads them; energies are kWh, null where there is none."""
    present = next((index for index, row in enumerate(use.rows) if row.slot.period.contains(now)), None)
    return {
        "labels": [row.label for row in use.rows],
        "names": [row.name for row in use.rows],
        "words": [row.words for row in use.rows],
        "energy": [None if row.energy_kwh is None else float(round(row.energy_kwh, 3)) for row in use.rows],
        "estimated": [row.state == "estimated" for row in use.rows],
        "ticks": _ticks(use, window),
        "present": present,
        "presentWord": str(PRESENT_WORDS[window.view]),
        "axis": str(AXES[window.view]),
        "unit": "kWh",
    }


def _ticks(use: Use, window: Window) -> list[int] | None:
    """Name the bars that may carry a label: every third hour of a day, all of anything else."""
    if window.view is not View.DAY:
        return None
    return [index for index, row in enumerate(use.rows) if row.label in THIRD_HOURS]


def spoken_summary(*, use: Use, window: Window, ahead: str = "") -> str:
    """Say what the chart shows to somebody who does not see it; ``ahead`` is a sentence on what is to come."""
    return " ".join(filter(None, (_summary_of_bars(use, window), ahead)))


def _summary_of_bars(use: Use, window: Window) -> str:
    known = [row for row in use.rows if row.energy_kwh is not None]
    if not known:
        return _("Bar chart of %(window)s: no readings.") % {"window": window.title}
    highest = max(known, key=_energy)
    return _("Bar chart of %(window)s: most in %(most)s, %(amount)s kWh. The table below has every number.") % {
        "window": window.title,
        "most": highest.name,
        "amount": f"{highest.energy_kwh:,.2f}",
    }


def _energy(row: Row) -> Decimal:
    return row.energy_kwh or Decimal(0)


def completeness_words(*, use: Use, view: View, zone: ZoneInfo, begun: bool = True) -> tuple[str, str]:
    """Return a kind (good, info, warn) and a sentence on how much of a window is known."""
    if not begun:
        return "info", _("Not here yet: this is what we expect.")
    if not use.known:
        return "warn", _NOTHING_KNOWN[view]()
    if use.missing:
        without = _("Incomplete: %(count)s without a reading, left blank and not counted as zero.")
        return "warn", without % {"count": _count(use.missing, view)}
    complete = _("Complete up to %(moment)s") % {"moment": _moment(use.total_until, zone)} if use.total_until else ""
    complete = complete or _("Complete")
    if use.estimated_share or use.estimated:
        estimated = {"complete": complete, "share": in_percent(use.estimated_share)}
        return "info", _("%(complete)s. %(share)s of it is estimated.") % estimated
    return "good", _("%(complete)s, all of it measured.") % {"complete": complete}


_NOTHING_KNOWN = {
    View.DAY: lambda: _("No half-hour of this day has a reading."),
    View.WEEK: lambda: _("No day of this week has a reading."),
    View.MONTH: lambda: _("No day of this month has a reading."),
    View.YEAR: lambda: _("No month of this year has a reading."),
}


def _moment(instant: datetime, zone: ZoneInfo) -> str:
    return date_format(instant.astimezone(zone), _("j F, H:i"))


def _count(number: int, view: View) -> str:
    match view:
        case View.DAY:
            counted = ngettext("%(number)s half-hour", "%(number)s half-hours", number)
        case View.YEAR:
            counted = ngettext("%(number)s month", "%(number)s months", number)
        case _:
            counted = ngettext("%(number)s day", "%(number)s days", number)
    return counted % {"number": number}
