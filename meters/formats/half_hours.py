"""Intervals of any length as the half-hours that the portal keeps.

Shorter ones are summed where a half-hour is whole; longer ones cannot be cut, for nobody knows when within them the
energy passed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import HALF_HOUR, floor_half_hour
from meters.consumption import least_trusted
from meters.formats.records import DialColumns, FileFault, FileReading, Records

_SLOT = timedelta(minutes=5)
_SLOTS = HALF_HOUR // _SLOT
_WHOLE = (1 << _SLOTS) - 1
# A file in the order of time has as many open half-hours as it has registers; one in disorder is bounded by this.
_MOST_OPEN = 20_000
_VALIDATED = 17
_Key = tuple[str, str, str, datetime]


@dataclass
class _Open:
    """The parts of a half-hour that were read so far, by the five-minute slots that they cover."""

    parts: dict[int, FileReading] = field(default_factory=dict)

    def covered(self) -> int:
        return sum(self.parts)


def half_hourly(records: Iterable[FileReading | FileFault | DialColumns], *, zone: ZoneInfo) -> Records:
    """Yield half-hours for the intervals among records, and everything else as it comes.

    Intervals of 5 to 25 minutes are added up to the half-hours of a zone's clock; the sum has the line of its first
    part and the quality of the least trusted one. A half-hour that is not whole when the records end is a fault a part,
    ``incomplete_half_hour``.

    :returns: faults of ``interval_too_long``, ``interval_length``, ``off_mark`` and ``overlapping_intervals`` besides.
    """
    open_: dict[_Key, _Open] = {}
    for record in records:
        if (
            isinstance(record, (FileFault, DialColumns))
            or record.start is None
            or record.end - record.start == HALF_HOUR
        ):
            yield record
            continue
        place = _place(record, record.start, zone)
        if isinstance(place, FileFault):
            yield place
            continue
        start, mask = place
        key = (record.serial, record.register_code, record.unit, start)
        half_hour = open_.setdefault(key, _Open())
        standing = half_hour.parts.get(mask)
        if standing is None and not half_hour.covered() & mask:
            half_hour.parts[mask] = record
        elif standing is None or standing.value != record.value:
            yield FileFault(record.line, "overlapping_intervals", f"Other values stand for parts of {record.start}.")
        if half_hour.covered() == _WHOLE:
            yield _sum(open_.pop(key))
        elif len(open_) > _MOST_OPEN:
            yield from _faults(open_.pop(next(iter(open_))))
    for half_hour in open_.values():
        yield from _faults(half_hour)


def _place(reading: FileReading, start: datetime, zone: ZoneInfo) -> tuple[datetime, int] | FileFault:
    """Return the start of the half-hour that an interval lies in, and the bits of its slots."""
    length = reading.end - start
    if length > HALF_HOUR:
        return FileFault(reading.line, "interval_too_long", f"An interval of {length} is not cut into half-hours.")
    local = start.astimezone(zone)
    begin = floor_half_hour(local)
    first, uneven = divmod(local - begin, _SLOT)
    count, rest = divmod(length, _SLOT)
    if rest or not count:
        return FileFault(reading.line, "interval_length", f"Intervals are of whole five minutes, not of {length}.")
    if uneven or first + count > _SLOTS:
        return FileFault(reading.line, "off_mark", f"{start.isoformat()} does not start a part of a half-hour.")
    return start - (local - begin), ((1 << count) - 1) << first


def _sum(half_hour: _Open) -> FileReading:
    parts = sorted(half_hour.parts.values(), key=lambda part: part.end)
    told = [part.quality for part in parts if part.quality is not None]
    untold = [_VALIDATED] * (len(told) < len(parts))
    return replace(
        parts[0],
        line=min(part.line for part in parts),
        end=parts[-1].end,
        value=sum((part.value for part in parts[1:]), parts[0].value),
        quality=least_trusted([*told, *untold]) if told else None,
    )


def _faults(half_hour: _Open) -> list[FileFault]:
    return [
        FileFault(part.line, "incomplete_half_hour", f"The half-hour around {part.start} lacks other parts.")
        for part in sorted(half_hour.parts.values(), key=lambda part: (part.line, part.end))
    ]
