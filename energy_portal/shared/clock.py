"""Half-hours, local days, weeks and months, and the marks that telemetry may carry.

Instants are aware and leave here in UTC; periods are ``[start, end)``. A local day begins at the first instant that
carries its date, so that where a zone's clock jumps over midnight the day begins with the jump, and a date that a zone
skipped altogether is an empty period.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from energy_portal.shared.errors import Invalid

HALF_HOUR = timedelta(minutes=30)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
# No zone has changed its clock twice within so long: the offset at both ends of such a stretch holds between them.
_CALM_SECONDS = 4 * 86_400
# From here on arrays are faster.
_MANY = 100
_LENGTH_OF_CLOCK = len("2025-02-01T00:00:00")
_YEAR_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


class UnknownZone(Invalid):
    """No time zone goes by that name."""

    code = "unknown_zone"


class OffMark(Invalid):
    """A stamp of half-hourly telemetry does not end a half-hour, or never was on the local clock."""

    code = "off_mark"


class BadMonth(Invalid):
    """A text does not name a month."""

    code = "bad_month"


class LabelConvention(StrEnum):
    """Which instant of its half-hour a source writes beside a value."""

    PERIOD_END = "period_end"
    PERIOD_START = "period_start"
    END_MINUS_ONE = "end_minus_one"


_LABEL_LAG = {
    LabelConvention.PERIOD_END: timedelta(0),
    LabelConvention.PERIOD_START: HALF_HOUR,
    LabelConvention.END_MINUS_ONE: timedelta(0),
}


@dataclass(frozen=True, order=True)
class Period:
    """A stretch of time ``[start, end)``, kept in UTC; it may be empty."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            object.__setattr__(self, name, as_utc(getattr(self, name)))
        if self.end < self.start:
            raise ValueError(f"A period cannot end ({self.end}) before it starts ({self.start}).")

    @classmethod
    def of_utc(cls, start: datetime, end: datetime) -> "Period":
        """Return a period between two instants that are in UTC and in order, without a look at them."""
        period = object.__new__(cls)
        period.__dict__.update(start=start, end=end)
        return period

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    @property
    def half_hour_count(self) -> int:
        """Whole half-hours in it."""
        return self.duration // HALF_HOUR

    def contains(self, instant: datetime) -> bool:
        """Tell whether an instant lies in it; its end does not."""
        return self.start <= instant < self.end

    def intersect(self, other: "Period") -> "Period | None":
        """Return what both share; None where they share nothing, also where they only touch."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Period(start, end) if start < end else None

    def split_at(self, *instants: datetime) -> list["Period"]:
        """Cut it at the instants that lie inside it; no piece is empty unless the whole is."""
        cuts = sorted({as_utc(instant) for instant in instants if self.start < instant < self.end})
        edges = [self.start, *cuts, self.end]
        return [Period.of_utc(start, end) for start, end in pairwise(edges)]

    def days(self, zone: ZoneInfo) -> list["Period"]:
        """Cut it at the zone's midnights; the first and the last piece may be parts of a day."""
        first = self.start.astimezone(zone).date()
        count = (self.end.astimezone(zone).date() - first).days
        return self.split_at(*(_day_start(first + n * _DAY, zone) for n in range(1, count + 1)))


@dataclass(frozen=True, order=True)
class YearMonth:
    """A calendar month, such as ``2025-02``."""

    year: int
    month: int

    def __post_init__(self) -> None:
        date(self.year, self.month, 1)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``YYYY-MM``.

        :raises BadMonth: when it is anything else.
        """
        match = _YEAR_MONTH.fullmatch(text)
        if match is None or match[1] == "0000":
            raise BadMonth(f"{text!r} is not a month as in 2025-02.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, instant: date, zone: ZoneInfo | None = None) -> Self:
        """Return the month of a date, or of an aware instant on a zone's clock."""
        if isinstance(instant, datetime):
            instant = as_utc(instant).astimezone(zone)
        return cls(instant.year, instant.month)

    @property
    def first_day(self) -> date:
        return date(self.year, self.month, 1)

    def previous(self) -> Self:
        return type(self).of(self.first_day - _DAY)

    def next(self) -> Self:
        return type(self).of(self.first_day + 31 * _DAY)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@cache
def _known_zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name.

    :raises UnknownZone: when the tz database has none by that name.
    """
    try:
        return _known_zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(f"{name!r} is not a time zone.") from error


def as_utc(instant: datetime) -> datetime:
    """Return an aware instant in UTC.

    :raises ValueError: when it is naive.
    """
    if instant.utcoffset() is None:
        raise ValueError(f"{instant} has no time zone.")
    return instant.astimezone(UTC)


def half_hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield, in UTC, the start of each half-hour of ``[start, end)``, counted from ``start``."""
    mark, end = as_utc(start), as_utc(end)
    while mark < end:
        yield mark
        mark += HALF_HOUR


def floor_half_hour(instant: datetime) -> datetime:
    """Return the last :00 or :30 at or before an instant, on the instant's own clock."""
    return instant.replace(minute=instant.minute // 30 * 30, second=0, microsecond=0)


def local_texts(instants: Sequence[datetime], zone: ZoneInfo) -> list[str]:
    """Return aware instants, in order, in ISO 8601 on a zone's clock: many several times as fast as one by one."""
    if len(instants) < _MANY:
        return [instant.astimezone(zone).isoformat() for instant in instants]
    stamps = np.array([instant.timestamp() for instant in instants])
    seconds = stamps.astype(np.int64)
    starts = np.unique(seconds // _CALM_SECONDS, return_index=True)[1].tolist()
    texts: list[str] = []
    for low, high in pairwise([*starts, len(instants)]):
        first, last = (instant.astimezone(zone) for instant in (instants[low], instants[high - 1]))
        offset = first.utcoffset()
        if offset is not None and offset == last.utcoffset() and (stamps[low:high] == seconds[low:high]).all():
            clock = seconds[low:high] + int(offset.total_seconds())
            suffix = first.isoformat()[_LENGTH_OF_CLOCK:]
            texts += [text + suffix for text in np.datetime_as_string(clock.astype("datetime64[s]")).tolist()]
        else:
            texts += [instant.astimezone(zone).isoformat() for instant in instants[low:high]]
    return texts


def is_half_hour_mark(instant: datetime) -> bool:
    """Tell whether an instant is :00 or :30 sharp on its own clock."""
    return instant == floor_half_hour(instant)


def local_day(day: date, zone: ZoneInfo) -> Period:
    """Return a local calendar day: 46, 48 or 50 half-hours where the clock changes by whole hours."""
    return Period(_day_start(day, zone), _day_start(day + _DAY, zone))


def local_week(day: date, zone: ZoneInfo) -> Period:
    """Return the local week, Monday to Sunday, that holds a day."""
    monday = day - day.weekday() * _DAY
    return Period(_day_start(monday, zone), _day_start(monday + 7 * _DAY, zone))


def local_month(year_month: YearMonth, zone: ZoneInfo) -> Period:
    """Return a local calendar month."""
    return Period(_day_start(year_month.first_day, zone), _day_start(year_month.next().first_day, zone))


def previous_month(now: datetime, zone: ZoneInfo) -> Period:
    """Return the local calendar month before the one that holds ``now``."""
    return local_month(YearMonth.of(now, zone).previous(), zone)


def normalise_mark(
    stamp: datetime,
    convention: LabelConvention | str = LabelConvention.PERIOD_END,
    zone: ZoneInfo | None = None,
) -> datetime:
    """Return, in UTC, the end of the half-hour that a source's stamp names.

    The convention is applied first: ``period_start`` adds 30 minutes, ``end_minus_one`` turns :29 and :59 into the
    minute after. What then reads :00 or :30 sharp on the zone's clock stands; 23:59:00 and 23:59:59 become the next
    day's midnight. An aware stamp is an instant, whatever its offset. A naive one is read on the zone's clock: where a
    clock change makes it ambiguous the first of the two is meant, except that 23:59 means the second, which closes
    the day; a time that the clock jumped over is refused.

    :param zone: the site's; not needed when the stamp carries its own clock.
    :raises OffMark: for any other stamp.
    :raises ValueError: for a naive stamp without a zone, and for an unknown convention.
    """
    convention = LabelConvention(convention)
    end = _instant(stamp, zone) + _LABEL_LAG[convention]
    local = end.astimezone(zone or stamp.tzinfo)
    if local.minute in _last_minutes(convention, local) and local.microsecond == 0 and local.second in _seconds(local):
        return end - timedelta(seconds=local.second) + _MINUTE
    if convention is not LabelConvention.END_MINUS_ONE and is_half_hour_mark(local):
        return end
    raise OffMark(f"{stamp.isoformat()} does not end a half-hour (:00, :30 or 23:59).")


def _last_minutes(convention: LabelConvention, local: datetime) -> tuple[int, ...]:
    if convention is LabelConvention.END_MINUS_ONE:
        return 29, 59
    return (59,) if local.hour == 23 else ()


def _seconds(local: datetime) -> tuple[int, ...]:
    return (0, 59) if (local.hour, local.minute) == (23, 59) else (0,)


def _instant(stamp: datetime, zone: ZoneInfo | None) -> datetime:
    if stamp.utcoffset() is not None:
        return stamp.astimezone(UTC)
    if zone is None:
        raise ValueError(f"{stamp} has no time zone, and none was given.")
    closes_day = (stamp.hour, stamp.minute) == (23, 59)
    instant = stamp.replace(tzinfo=zone, fold=int(closes_day)).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != stamp:
        raise OffMark(f"{stamp.isoformat()} was skipped by the clock of {zone}.")
    return instant


def _day_start(day: date, zone: ZoneInfo) -> datetime:
    midnight = datetime.combine(day, time(), tzinfo=zone)
    start = midnight.astimezone(UTC)
    if start.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return start
    return _first_instant_of(day, zone, midnight.replace(fold=1).astimezone(UTC), start)


def _first_instant_of(day: date, zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Halve ``(before, after]``, in whole seconds, down to the jump that leads into the day."""
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        if middle.astimezone(zone).date() >= day:
            after = middle
        else:
            before = middle
    return after
