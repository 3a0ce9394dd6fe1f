"""How a battery ages and how full it will be, as its page and machines are told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet

from energy_portal.shared.clock import HALF_HOUR
from meters.batteries.models import Battery
from meters.insights import ageing
from meters.insights.ageing import Course, Line, Quantity, Reason, Trend
from meters.insights.models import BatteryTrend, Forecast, Subject
from meters.insights.selectors.battery_days import measured_days

AHEAD = timedelta(hours=24)


@dataclass(frozen=True)
class Followed:
    """A quantity of a battery's health: its days in like conditions, and where it stood on the newest of them."""

    quantity: Quantity
    row: BatteryTrend
    course: Course
    trend: Trend

    @property
    def outlook(self) -> str:
        """Where it leads, in one sentence."""
        return ageing.outlook_text(self.quantity, self.trend)


@dataclass(frozen=True)
class Expected:
    """A half-hour's state of charge as it is expected, percent: the middle, and between what eight in ten lie."""

    start: datetime
    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ChargeAhead:
    """What is expected of a battery's state of charge from now on; empty with the reason where nothing is."""

    forecast: Forecast | None = None
    half_hours: tuple[Expected, ...] = ()

    @property
    def lowest(self) -> Expected | None:
        """Return the half-hour in which it is expected to be emptiest."""
        return min(self.half_hours, key=lambda each: each.median, default=None)

    @property
    def highest(self) -> Expected | None:
        """Return the half-hour in which it is expected to be fullest."""
        return max(self.half_hours, key=lambda each: each.median, default=None)


def trends_of(battery: Battery) -> QuerySet[BatteryTrend]:
    """Return the days of a battery's health, the newest first."""
    return BatteryTrend.objects.filter(battery=battery).order_by("-day", "quantity", "pk")


def health_of(battery: Battery) -> list[Followed]:
    """Return how a battery ages, by quantity; nothing where no day was measured. Three queries."""
    rows = list(trends_of(battery)[: len(Quantity)])
    if not rows:
        return []
    newest = {row.quantity: row for row in rows if row.day == rows[0].day}
    days = measured_days(battery.pk, until=rows[0].day)
    courses = {quantity: _lately(ageing.course_of(quantity, days[quantity])) for quantity in Quantity}
    return [
        Followed(quantity, row, courses[quantity], trend_at(row))
        for quantity in Quantity
        if (row := newest.get(quantity)) is not None
    ]


def charge_ahead(battery: Battery, *, now: datetime) -> ChargeAhead:
    """Return what is expected of a battery's charge in the coming day, by the newest forecast. One query."""
    found = (
        Forecast.objects.filter(
            subject_kind=Subject.BATTERY,
            subject=battery.battery_id,
            quantity=Forecast.Quantity.SOC,
            origin__lte=now,
            origin__gt=now - 2 * AHEAD,
        )
        .order_by("-origin")
        .first()
    )
    return ChargeAhead() if found is None else ChargeAhead(found, tuple(_expected(found, now)))


def _expected(forecast: Forecast, now: datetime) -> Sequence[Expected]:
    low = forecast.low or [math.nan] * len(forecast.median)
    high = forecast.high or [math.nan] * len(forecast.median)
    spans = (
        Expected(forecast.origin + place * HALF_HOUR, middle, _known(below), _known(above))
        for place, (middle, below, above) in enumerate(zip(forecast.median, low, high, strict=True))
        if not math.isnan(middle)
    )
    return [each for each in spans if now < each.start + HALF_HOUR <= now + AHEAD + HALF_HOUR]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _lately(course: Course) -> Course:
    """Leave off what lies before the year that trends are made of."""
    if not course.days.size:
        return course
    within = course.days > course.days[-1] - ageing.WINDOW_DAYS
    return Course(course.days[within], course.values[within], course.conditions)


def trend_at(row: BatteryTrend) -> Trend:
    """Return the trend as it was judged on a day."""
    line = None if row.slope_a_day is None else Line(row.slope_a_day, row.slope_a_day, row.slope_a_day)
    bounds = (row.days_to_threshold, row.days_soonest, row.days_latest)
    return Trend(row.level, line, row.threshold, *bounds, Reason(row.reason))
