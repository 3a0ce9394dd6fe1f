"""What batteries told, page by page and drawn together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any, ClassVar

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from energy_portal.shared.errors import Invalid
from meters.batteries import store
from meters.batteries.models import Battery, BmsReading, PcsReading
from meters.batteries.quantities import COLUMNS, SIGNALS, System, published, published_time
from meters.batteries.sampling import sample
from meters.series.columns import EPOCH, TimeKind

EARLIEST, LATEST = EPOCH, datetime(2200, 1, 1, tzinfo=UTC)
MOST_POINTS = 5_000
LONGEST_SPAN = timedelta(days=92)

_INSTANT = timedelta(microseconds=1)
_SLICE = timedelta(days=1)
_DIGITS = 4
_MODELS: dict[System, type[BmsReading] | type[PcsReading]] = {System.BMS: BmsReading, System.PCS: PcsReading}


class TooFine(Invalid):
    """A period would come to more points than an answer holds."""

    code = "too_many_points"


class PeriodTooLong(Invalid):
    """A period is longer than readings are drawn together over."""

    code = "period_too_long"


class EndBeforeStart(Invalid):
    """A period ends before it starts."""

    code = "end_before_start"


@dataclass(frozen=True)
class ReadingList:
    """What a system of a battery told in ``[start, end)``, the newest first: a page is one stretch of the key.

    :ivar battery_pk: the battery's primary key.
    """

    ordering: ClassVar[tuple[str, ...]] = ("-time",)

    system: System
    battery_pk: int
    start: datetime
    end: datetime

    def page(self, *, limit: int, backwards: bool = False, beyond: Sequence[Any] | None = None) -> list[Any]:
        """Return the newest readings, or backwards the earliest, that lie beyond one.

        :param beyond: that reading's time, an instant or as text.
        :raises ValueError: it is no time.
        """
        start, end = self.start, self.end
        if beyond is not None:
            edge = datetime.fromisoformat(beyond[0]) if isinstance(beyond[0], str) else beyond[0]
            start, end = (max(start, edge + _INSTANT), end) if backwards else (start, min(end, edge))
        rows = _rows(self.system, self.battery_pk).filter(time__gte=start, time__lt=end)
        return list(rows.order_by("time" if backwards else "-time")[:limit])


def reading_page(*, system: System, battery: Battery, skip: int, size: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many readings there are, and some of them as published, the oldest first.

    As the published path has it this counts and skips rows, along the key; who has many asks by cursor.
    """
    rows = _rows(system, battery.pk)
    found = rows.order_by("time")[skip : skip + size]
    return rows.count(), [as_published(system, row) for row in found]


def as_published(system: System, row: BmsReading | PcsReading) -> dict[str, Any]:
    """Return a row as it is published."""
    return published(system, row.time, [getattr(row, column) for column in COLUMNS[system]])


def sampled_readings(
    *, system: System, battery: Battery, start: datetime, end: datetime, every: timedelta, names: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Return what a system told in ``[start, end)``, drawn together; spans without a reading are left out.

    Each signal has its mean under its name, and its lowest and highest value beside it. Reads every reading of the
    period along the key, a day at a time.

    :param every: the spans' length; they start at multiples of it since 2000, UTC.
    :param names: of the signals, all unless told.
    :raises EndBeforeStart: the period ends before it starts.
    :raises TooFine: more than ``MOST_POINTS`` spans.
    :raises PeriodTooLong: longer than ``LONGEST_SPAN``.
    """
    check_points(start, end, every)
    columns = {signal.name: signal.column for signal in SIGNALS[system] if not names or signal.name in names}
    return [
        point
        for low, high in slices_of(start, end, every)
        for point in _points(system, battery.pk, columns, low, high, every)
    ]


def check_points(start: datetime, end: datetime, every: timedelta) -> None:
    """Refuse to draw a period together that an answer cannot hold.

    :raises EndBeforeStart: the period ends before it starts.
    :raises TooFine: more than ``MOST_POINTS`` spans.
    :raises PeriodTooLong: longer than ``LONGEST_SPAN``.
    """
    if end <= start:
        raise EndBeforeStart("The period ends before it starts.")
    if end - start > LONGEST_SPAN:
        raise PeriodTooLong(f"Readings are drawn together over {LONGEST_SPAN.days} days at most.")
    if (end - start) / every > MOST_POINTS:
        finest = (end - start) / MOST_POINTS
        raise TooFine(f"An answer holds {MOST_POINTS} points; take {finest.total_seconds():.0f} seconds or more.")


def _rows(system: System, battery_pk: int) -> QuerySet[Any]:
    return _MODELS[system].objects.filter(battery=battery_pk)


def slices_of(start: datetime, end: datetime, every: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Yield spans of about a day that cut no point in two."""
    length = max(1, _SLICE // every) * every
    low = start
    while low < end:
        high = EPOCH + ((low - EPOCH) // length + 1) * length
        yield low, min(high, end)
        low = high


def _points(
    system: System, battery_pk: int, columns: dict[str, str], low: datetime, high: datetime, every: timedelta
) -> list[dict[str, Any]]:
    told = store.told(system, battery_pk, list(columns.values()), start=low, end=high)
    sampled = sample(told.times, told.values, every=every // _INSTANT)
    instants = [TimeKind().restore(start).astimezone(UTC) for start in sampled.starts]
    table: dict[str, list[Any]] = {
        "timestamp": [published_time(instant) for instant in instants],
        "rows": sampled.rows.tolist(),
    }
    for name, column in columns.items():
        table[name] = numbers(sampled.means[column])
        table[f"{name}_min"] = numbers(sampled.lows[column])
        table[f"{name}_max"] = numbers(sampled.highs[column])
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers with the digits that a column of four bytes holds of what batteries tell."""
    return [None if isnan(value) else value for value in values.round(_DIGITS).tolist()]
