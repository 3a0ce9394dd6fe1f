"""What a manager sees beside a meter or a service point: its newest readings and its last days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import CharField, F, OuterRef, QuerySet, Subquery, Value, Window
from django.db.models.functions import Concat, RowNumber

from energy_portal.shared.clock import Period, floor_half_hour
from meters.models import Binding, Installation, Meter, Register, RegisterDay, RegisterReading, ServicePoint
from meters.selectors.consumption import Consumption, Granularity, Interval, meter_consumption
from meters.selectors.reading_lists import ReadingList

READINGS_A_PAGE = 24
PROFILE_DAYS = 7
DAYS_SHOWN = 7


@dataclass(frozen=True)
class ReadingsPage:
    """Newest readings of a register; ``older_than`` is where the next page begins, None on the last one."""

    register: Register
    readings: tuple[RegisterReading, ...]
    older_than: datetime | None


@dataclass(frozen=True)
class Profile:
    """The half-hours of one direction at a place, oldest first, in ``unit``."""

    direction: Register.Direction
    unit: str
    series: tuple[Interval, ...]


def newest_readings(
    *, register: Register, before: datetime | None = None, limit: int = READINGS_A_PAGE
) -> ReadingsPage:
    """Return a page of a register's readings, newest first, along the key of the series."""
    readings = ReadingList(register)
    found = tuple((readings if before is None else readings.before(before)).page(limit=limit + 1))
    more = len(found) > limit
    return ReadingsPage(register=register, readings=found[:limit], older_than=found[limit - 1].time if more else None)


def registers_at(*, service_point: ServicePoint, now: datetime) -> list[Register]:
    """Return the registers of the meter that hangs at a service point, imports first."""
    hanging = Register.objects.filter(
        meter__installations__service_point=service_point, meter__installations__valid__contains=now
    )
    return list(hanging.select_related("meter").order_by("-direction", "code"))


def recent_profile(
    *,
    service_point: ServicePoint,
    now: datetime,
    days: int = PROFILE_DAYS,
    direction: Register.Direction = Register.Direction.IMPORT,
) -> Profile:
    """Return the half-hours of the last days at a service point, whichever meters hung there."""
    end = floor_half_hour(now)
    period = Period(end - timedelta(days=days), end)
    installations = (
        Installation.objects.filter(service_point=service_point, valid__overlap=(period.start, period.end))
        .select_related("meter")
        .order_by("valid")
    )
    known: dict[datetime, Interval] = {}
    unit = Register.Unit.KWH.value
    for installation in installations:
        counted = _half_hours(installation.meter, period, now, direction)
        unit = counted.unit
        for interval in counted.series:
            if interval.quantity is not None or interval.start not in known:
                known[interval.start] = interval
    return Profile(direction, unit, tuple(known[start] for start in sorted(known)))


def newest_days(*, registers: Sequence[Register], limit: int = DAYS_SHOWN) -> list[RegisterDay]:
    """Return the newest day totals of registers, newest first, ``limit`` days of each; in one query."""
    ids = [register.pk for register in registers]
    named = {register.pk: register for register in registers}
    rank = Window(RowNumber(), partition_by="register_id", order_by=F("time").desc())
    days = RegisterDay.objects.filter(register_id__in=ids).annotate(rank=rank).filter(rank__lte=limit)
    found: list[RegisterDay] = sorted(days, key=lambda day: (-day.time.timestamp(), ids.index(day.register_id)))
    for day in found:
        day.register = named[day.register_id]
    return found


def _half_hours(meter: Meter, period: Period, now: datetime, direction: Register.Direction) -> Consumption:
    return meter_consumption(
        meter=meter, period=period, granularity=Granularity.HALF_HOUR, now=now, direction=direction
    )


def with_place(meters: QuerySet[Any], *, now: datetime) -> QuerySet[Any]:
    """Annotate meters with the code of the service point where they hang at an instant (``place``)."""
    hanging = Installation.objects.filter(meter=OuterRef("pk"), valid__contains=now)
    placed: QuerySet[Any] = meters.annotate(place=Subquery(hanging.values("service_point__code")[:1]))
    return placed


def with_supply(service_points: QuerySet[Any], *, now: datetime) -> QuerySet[Any]:
    """Annotate service points with the meter (``meter_serial``) and the account (``account_name``) of an instant."""
    hanging = Installation.objects.filter(service_point=OuterRef("pk"), valid__contains=now)
    bound = Binding.objects.filter(service_point=OuterRef("pk"), valid__contains=now)
    name = Concat("account__number", Value(" "), "account__owner_name", output_field=CharField())
    supplied: QuerySet[Any] = service_points.annotate(
        meter_serial=Subquery(hanging.values("meter__serial")[:1]),
        account_name=Subquery(bound.annotate(name=name).values("name")[:1]),
    )
    return supplied
