"""The periods that people ask for by name, and how a period falls into a series."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import (
    HALF_HOUR,
    Period,
    YearMonth,
    floor_half_hour,
    local_day,
    local_month,
    local_week,
    previous_month,
)
from energy_portal.shared.errors import Invalid

MOST_INTERVALS = 20_000
_FIRST = datetime(1990, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


class InvalidPeriod(Invalid):
    """A period is not one that can be asked for."""

    code = "invalid_period"


class PeriodName(StrEnum):
    LAST_30_MINUTES = "last_30_minutes"
    TODAY = "today"
    WEEK = "week"
    MONTH = "month"
    LAST_MONTH = "last_month"
    CUSTOM = "custom"


class Granularity(StrEnum):
    HALF_HOUR = "half_hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_STEPS = {
    Granularity.HALF_HOUR: HALF_HOUR,
    Granularity.DAY: timedelta(days=1),
    Granularity.WEEK: timedelta(days=7),
    Granularity.MONTH: timedelta(days=28),
}


def named_period(
    name: PeriodName | str, *, now: datetime, zone: ZoneInfo, from_: datetime | None = None, to: datetime | None = None
) -> Period:
    """Return the period that a name means at an instant, on a zone's clock; today, week and month run on past now.

    :param from_: start of a custom period; naive means the zone's clock.
    :param to: end of a custom period, not included.
    :raises InvalidPeriod: no such name, or a custom period without two instants in order.
    """
    today = now.astimezone(zone).date()
    match name:
        case PeriodName.LAST_30_MINUTES:
            mark = floor_half_hour(now.astimezone(zone))
            return Period(mark.astimezone(UTC) - HALF_HOUR, mark)
        case PeriodName.TODAY:
            return local_day(today, zone)
        case PeriodName.WEEK:
            return local_week(today, zone)
        case PeriodName.MONTH:
            return local_month(YearMonth.of(today), zone)
        case PeriodName.LAST_MONTH:
            return previous_month(now, zone)
        case PeriodName.CUSTOM:
            return _custom(from_, to, zone)
        case _:
            raise InvalidPeriod(f"{name!r} is none of {', '.join(PeriodName)}.")


def _custom(from_: datetime | None, to: datetime | None, zone: ZoneInfo) -> Period:
    if from_ is None or to is None:
        raise InvalidPeriod("A custom period needs both from and to.")
    start, end = (at if at.tzinfo else at.replace(tzinfo=zone) for at in (from_, to))
    if not _FIRST <= start < end <= _LAST:
        raise InvalidPeriod(f"A period ends after it starts, and lies between {_FIRST.year} and {_LAST.year}.")
    return Period(start, end)


def past_instant(instant: datetime | None, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return an instant of which something is asked as it was known then; naive means the zone's clock.

    :raises InvalidPeriod: it lies in the future.
    """
    if instant is None:
        return None
    known = instant if instant.tzinfo else instant.replace(tzinfo=zone)
    if known > now:
        raise InvalidPeriod("What will be known in the future is not known yet.", code="as_of_in_future")
    return known


def ended(period: Period, now: datetime, zone: ZoneInfo) -> Period:
    """Cut a period at the last half-hour mark that has come; nothing is left of one that has not begun."""
    mark = floor_half_hour(now.astimezone(zone))
    return Period(period.start, max(period.start, min(period.end, mark)))


def edges(period: Period, granularity: Granularity, zone: ZoneInfo) -> list[datetime]:
    """Return a period's ends and, between, the half-hours or local days, weeks (Monday) or months that begin in it.

    In UTC; none of a period that is empty.

    :raises InvalidPeriod: more pieces than an answer may hold.
    """
    if period.duration / _STEPS[granularity] > MOST_INTERVALS:
        raise InvalidPeriod(f"A series holds at most {MOST_INTERVALS} intervals.", code="too_many_intervals")
    if period.start == period.end:
        return []
    if granularity is Granularity.HALF_HOUR:
        return _half_hours(period, zone)
    days = period.days(zone)
    if granularity is Granularity.DAY:
        return [period.start, *(day.end for day in days)]
    local = [day.start.astimezone(zone).date() for day in days]
    begins = [
        later.start
        for (before, day), later in zip(pairwise(local), days[1:], strict=True)
        if (day.isocalendar()[:2] if granularity is Granularity.WEEK else (day.year, day.month))
        != (before.isocalendar()[:2] if granularity is Granularity.WEEK else (before.year, before.month))
    ]
    return [period.start, *begins, period.end]


def _half_hours(period: Period, zone: ZoneInfo) -> list[datetime]:
    mark = floor_half_hour(period.start.astimezone(zone)).astimezone(UTC) + HALF_HOUR
    marks = [period.start]
    while mark < period.end:
        marks.append(mark)
        mark += HALF_HOUR
    return [*marks, period.end]
