"""Trends of batteries' health: each closed day is measured once, again where more became known, and the newest judged.

A day is measured from its own rows alone, which are read for one battery and day at a time; trends are made of what was
measured, a year of it at most. So memory is bounded however long a history is, and what is done twice is the same.
"""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
from django.db import transaction

from energy_portal.shared.clock import as_utc
from meters.batteries.models import Battery
from meters.batteries.quantities import System
from meters.batteries.services.watching import nameplate_of
from meters.batteries.store import told
from meters.insights import ageing
from meters.insights.ageing import COLUMNS, LIMITS, LOOK_BACK_US, Course, Limit, Quantity, Reason, Rows, Trend
from meters.insights.models import BatteryTrend
from meters.insights.selectors.battery_days import Days, measured_days
from meters.insights.store import battery_days as store
from meters.models import AlarmRule
from meters.models.alarms import SubjectKind
from meters.series.columns import micros_of
from meters.services.alarms import clear_alarm, raise_alarm

# How far back days are looked for that were not measured; what lies before is measured where somebody asks for it.
REACH = timedelta(days=400)
MOST_DAYS = 31
# Of so much more of a day something has to be known before it is measured again.
_MORE_SECONDS = 900.0
_DAY = timedelta(days=1)
_LOOK_BACK = timedelta(microseconds=LOOK_BACK_US)
# An alarm that was raised because a threshold is near is cleared once it is as far as this.
_FAR_DAYS = 90.0
# The past raises no alarm.
_FRESH = timedelta(days=7)
_KINDS = {
    Quantity.WEAK_CELL: "battery_weak_cell",
    Quantity.SPREAD: "battery_cell_spread",
    Quantity.RESISTANCE: "battery_resistance",
    Quantity.SOH: "battery_soh",
}
_MEASURED = ("value", "samples", "covered_seconds", "conditions", "detail", "made_at")


def measure_battery(*, battery_pk: int, now: datetime, since: datetime | None = None) -> int:
    """Measure all closed days of a battery that wait, some in a transaction each; return how many.

    :param since: from when on days are looked for, ``REACH`` before now unless told.
    """
    done = 0
    while number := measure_next(battery_pk=battery_pk, now=now, since=since):
        done += number
    return done


@transaction.atomic
def measure_next(*, battery_pk: int, now: datetime, since: datetime | None = None) -> int:
    """Measure at most ``MOST_DAYS`` days (UTC) of a battery, the earliest that wait, and judge where it stands by them.

    One process at a time for a battery, the others do nothing.

    :returns: how many days; none when nothing waits, or the battery is retired.
    """
    battery = Battery.objects.filter(pk=battery_pk, status=Battery.Status.ACTIVE).first()
    if battery is None or not store.take_turn(battery_pk):
        return 0
    end = as_utc(now).replace(hour=0, minute=0, second=0, microsecond=0)
    start = as_utc(since) if since is not None else end - REACH
    waiting = store.waiting_days(battery_pk, start, end, more_seconds=_MORE_SECONDS, most=MOST_DAYS)
    for day, covered in waiting:
        _measure(battery, day, covered, now)
    if waiting:
        _judge(battery, [day for day, _ in waiting], now)
    return len(waiting)


def _measure(battery: Battery, day: date, covered: float, now: datetime) -> None:
    start = datetime.combine(day, time(), tzinfo=UTC)
    read = told(System.BMS, battery.pk, COLUMNS, start=start - _LOOK_BACK, end=start + _DAY)
    found = ageing.measure(Rows(read.times, read.values), since=micros_of(start), rest_a=nameplate_of(battery).rest_a)
    rows = [
        BatteryTrend(
            battery=battery,
            quantity=quantity.value,
            day=day,
            samples=sum(samples for _, samples in found[quantity].values()),
            covered_seconds=covered,
            detail={conditions: list(each) for conditions, each in found[quantity].items()},
            made_at=now,
        )
        for quantity in Quantity
    ]
    BatteryTrend.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=("battery", "quantity", "day"), update_fields=_MEASURED
    )


def _judge(battery: Battery, measured: Sequence[date], now: datetime) -> None:
    """Say what the measured days come to in like conditions, and where the battery stands on its newest day."""
    courses = _courses(measured_days(battery.pk, until=max(measured)))
    for quantity, course in courses.items():
        _put_values(battery, quantity, course, measured)
    newest = BatteryTrend.objects.filter(battery=battery).latest("day").day
    if newest > max(measured):
        courses = _courses(measured_days(battery.pk, until=newest))
    for quantity, limit in _limits(battery).items():
        course = courses[quantity]
        first = float(np.median(course.values[: ageing.FEWEST_DAYS])) if course.values.size else None
        trend = ageing.trend_of(course, limit, first=first)
        _put_trend(battery, quantity, newest, trend)
        if newest > as_utc(now).date() - _FRESH:
            _alarm(battery, quantity, trend, now)


def _courses(days: Days) -> dict[Quantity, Course]:
    return {quantity: ageing.course_of(quantity, days[quantity]) for quantity in Quantity}


def _put_values(battery: Battery, quantity: Quantity, course: Course, measured: Sequence[date]) -> None:
    values = dict(zip(course.days.tolist(), course.values.tolist(), strict=True))
    rows = list(BatteryTrend.objects.filter(battery=battery, quantity=quantity.value, day__in=measured))
    for row in rows:
        row.value, row.conditions = values.get(row.day.toordinal()), course.conditions
    BatteryTrend.objects.bulk_update(rows, ("value", "conditions"))


def _limits(battery: Battery) -> dict[Quantity, Limit]:
    """Return how far each quantity may go; the spread as far as the rule has it that watches over it at rest."""
    rules = AlarmRule.objects.filter(
        subject_kind=SubjectKind.BATTERY, quantity="cell_spread_rest_v", is_enabled=True, set_at__isnull=False
    )
    rule = rules.filter(subject__in=("", battery.battery_id)).order_by("-subject").first()
    limits = dict(LIMITS)
    if rule is not None and rule.set_at is not None:
        limits[Quantity.SPREAD] = Limit(rule.set_at)
    return limits


def _put_trend(battery: Battery, quantity: Quantity, day: date, trend: Trend) -> None:
    BatteryTrend.objects.filter(battery=battery, quantity=quantity.value, day=day).update(
        level=trend.level,
        slope_a_day=None if trend.line is None else trend.line.slope,
        threshold=trend.threshold,
        days_to_threshold=trend.days,
        days_soonest=trend.soonest,
        days_latest=trend.latest,
        reason=trend.reason.value,
    )


def _alarm(battery: Battery, quantity: Quantity, trend: Trend, now: datetime) -> None:
    about: dict[str, Any] = {"subject_kind": SubjectKind.BATTERY, "subject": battery.battery_id}
    if trend.is_near:
        raise_alarm(
            **about,
            label=str(battery),
            kind=_KINDS[quantity],
            text=ageing.outlook_text(quantity, trend),
            value=trend.level,
            account_id=battery.account_id,
            region_id=battery.region_id,
            now=now,
        )
    elif _is_over(trend):
        clear_alarm(**about, kind=_KINDS[quantity], now=now)


def _is_over(trend: Trend) -> bool:
    """Tell whether a threshold is out of sight again; where nobody can tell, what stands stays.

    A line that does not stand out from the scatter any more, but still leads there soon, ends nothing.
    """
    if trend.line is None or trend.level is None or trend.threshold is None or trend.reason is Reason.TOO_SHORT:
        return False
    ahead = (trend.threshold - trend.level) / trend.line.slope if trend.line.slope else math.inf
    return not 0.0 < ahead <= _FAR_DAYS
