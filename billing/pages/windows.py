"""The stretch of local days that the usage page shows, and the steps to its neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from energy_portal.shared.clock import HALF_HOUR, Period, YearMonth, half_hours, local_day, local_month

DAY = timedelta(days=1)
EN_DASH = "\u2013"


class View(StrEnum):
    """How much a usage page shows at once."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True)
class Slot:
    """One bar: the period in which its energy was used, and the first local day of it."""

    period: Period
    day: date


@dataclass(frozen=True)
class Window:
    """Local days from ``first`` up to, but without, ``after``."""

    view: View
    first: date
    after: date

    @property
    def title(self) -> str:
        """Its name as people say it."""
        last = self.after - DAY
        match self.view:
            case View.DAY:
                return date_format(self.first, _("l j F Y"))
            case View.WEEK:
                return days_in_words(self.first, last)
            case View.MONTH:
                return date_format(self.first, _("F Y"))
            case View.YEAR:
                return date_format(self.first, "Y")

    @property
    def previous(self) -> date:
        """A day of the window before."""
        return self.first - DAY

    def period(self, zone: ZoneInfo) -> Period:
        """Return its instants on a zone's clock."""
        return Period(local_day(self.first, zone).start, local_day(self.after, zone).start)

    def slots(self, zone: ZoneInfo) -> tuple[Slot, ...]:
        """Divide it into bars: half-hours of a day (46, 48 or 50), days of a week or month, months of a year."""
        if self.view is View.DAY:
            marks = half_hours(self.period(zone).start, self.period(zone).end)
            return tuple(Slot(Period(mark, mark + HALF_HOUR), self.first) for mark in marks)
        if self.view is View.YEAR:
            months = [YearMonth(self.first.year, number) for number in range(1, 13)]
            return tuple(Slot(local_month(month, zone), month.first_day) for month in months)
        days = [self.first + n * DAY for n in range((self.after - self.first).days)]
        return tuple(Slot(local_day(day, zone), day) for day in days)


def days_in_words(first: date, last: date) -> str:
    """Say a range of days without repeating what both share."""
    whole = date_format(last, _("j F Y"))
    if first == last:
        return whole
    if (first.year, first.month) == (last.year, last.month):
        pattern = pgettext("a day beside another of its month", "j")
        return f"{date_format(first, pattern)}{EN_DASH}{whole}"
    pattern = _("j F") if first.year == last.year else _("j F Y")
    return f"{date_format(first, pattern)} {EN_DASH} {whole}"


def window_on(view: View, day: date) -> Window:
    """Return the window of a view that holds a day; weeks begin on Monday."""
    match view:
        case View.DAY:
            first, after = day, day + DAY
        case View.WEEK:
            first = day - timedelta(days=day.weekday())
            after = first + timedelta(days=7)
        case View.MONTH:
            first, after = day.replace(day=1), YearMonth.of(day).next().first_day
        case View.YEAR:
            first, after = date(day.year, 1, 1), date(day.year + 1, 1, 1)
    return Window(view, first, after)


def window_of_query(query: Mapping[str, str], *, today: date, latest: date | None = None) -> Window:
    """Read ``view`` and ``on``; what cannot be read becomes the present.

    :param latest: the last day that can be looked at, of a day's and a week's view; today unless told.
    """
    try:
        view = View(query.get("view", ""))
    except ValueError:
        view = View.MONTH
    try:
        day = date.fromisoformat(query.get("on", ""))
    except ValueError:
        day = today
    earliest = date(today.year - 50, 1, 1)
    last = latest if latest is not None and view in {View.DAY, View.WEEK} else today
    return window_on(view, min(max(day, earliest), last))
