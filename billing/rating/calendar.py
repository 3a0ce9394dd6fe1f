"""Days and months as bills count them, and the hours of rate periods on a local clock. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from billing.rating.terms import DemandTerms, EnergyTerms
from energy_portal.shared.clock import Period, YearMonth, local_day, local_month
from energy_portal.shared.units import round_half_up

Ints: TypeAlias = NDArray[np.int64]

_PLACES = 6
_MICROSECOND = timedelta(microseconds=1)
_HALF_HOUR_SECONDS, _HOUR_SECONDS, _DAY_SECONDS = 1800, 3600, 86_400
_THURSDAY, _SATURDAY, _WEEK = 3, 5, 7  # of Monday 0; 1970 began on a Thursday
_KEPT = 4096


def days_between(start: datetime, end: datetime, zone: ZoneInfo) -> Decimal:
    """Count local days, to six decimals: a day is one however long its clock makes it."""
    return round_half_up(_day_number(end, zone) - _day_number(start, zone), _PLACES)


@lru_cache(_KEPT)
def months_between(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[tuple[Period, Decimal], ...]:
    """Cut ``[start, end)`` at local months, each piece with its share of the days of its month, to six decimals."""
    return tuple(_months(start, end, zone))


def _months(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[Period, Decimal]]:
    while start < end:
        month = local_month(YearMonth.of(start, zone), zone)
        until = min(month.end, end)
        days = _day_number(month.end, zone) - _day_number(month.start, zone)
        share = (_day_number(until, zone) - _day_number(start, zone)) / days
        yield Period(start, until), round_half_up(share, _PLACES)
        start = until


@lru_cache(_KEPT)
def _day_number(instant: datetime, zone: ZoneInfo) -> Decimal:
    """Return how many local days lie before an instant, with the part of its own day that has passed."""
    day = local_day(instant.astimezone(zone).date(), zone)
    passed = (instant - day.start) // _MICROSECOND
    return Decimal(day.start.astimezone(zone).toordinal()) + Decimal(passed) / (day.duration // _MICROSECOND)


class Hours:
    """Which half-hours belong to which rate period: worked out once for each table, zone and stretch of time.

    Whoever rates many accounts holds one and hands it to each rating.
    """

    def __init__(self) -> None:
        self._clocks: dict[tuple[str, datetime, int], tuple[Ints, Ints, Ints]] = {}
        # The terms are kept with their answer, so that no other terms can come to have their identity.
        self._places: dict[tuple[int, str, datetime, int], tuple[object, tuple[Ints, ...]]] = {}

    def places(self, terms: EnergyTerms | DemandTerms, zone: ZoneInfo, start: datetime, count: int) -> tuple[Ints, ...]:
        """Return, for each rate period, where its half-hours stand among ``count`` of them from ``start`` on."""
        key = (id(terms), zone.key, start, count)
        if key not in self._places:
            self._places[key] = terms, self._find(terms, zone, start, count)
        return self._places[key][1]

    def _find(self, terms: EnergyTerms | DemandTerms, zone: ZoneInfo, start: datetime, count: int) -> tuple[Ints, ...]:
        if terms.weekday is None or terms.weekend is None:
            return (np.arange(count, dtype=np.int64),)
        months, weekdays, hours = self._clock(zone, start, count)
        weekday, weekend = (
            np.asarray(table, dtype=np.int64)[months, hours] for table in (terms.weekday, terms.weekend)
        )
        numbers = np.where(weekdays >= _SATURDAY, weekend, weekday)
        return tuple(np.flatnonzero(numbers == number) for number in range(len(terms.periods)))

    def _clock(self, zone: ZoneInfo, start: datetime, count: int) -> tuple[Ints, Ints, Ints]:
        """Return the month (January 0), the weekday (Monday 0) and the hour at which each half-hour starts."""
        key = (zone.key, start, count)
        if key not in self._clocks:
            seconds = int(start.timestamp()) + _HALF_HOUR_SECONDS * np.arange(count, dtype=np.int64)
            local = seconds + np.array([_offset_seconds(int(second), zone) for second in seconds], dtype=np.int64)
            days = local // _DAY_SECONDS
            months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
            self._clocks[key] = months, (days + _THURSDAY) % _WEEK, local % _DAY_SECONDS // _HOUR_SECONDS
        return self._clocks[key]


def _offset_seconds(second: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
