"""What meters showed and counted, as files tell it."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from operator import attrgetter

from energy_portal.shared.clock import HALF_HOUR, Period
from energy_portal.shared.errors import Invalid
from energy_portal.shared.units import round_half_up
from meters.formats.records import TOTAL_EXPORT, TOTAL_IMPORT, FileReading
from meters.formats.writing import ExportFormat, check_registers, write
from meters.models import ChainEvent, Meter, Register
from meters.models.places import Commodity
from meters.selectors.consumption import Granularity, meter_consumption
from meters.selectors.readings import readings_for
from meters.store import Window
from meters.validation import VALUE_DECIMALS

_AT_ONCE = timedelta(days=28)
_INSTANT = timedelta(microseconds=1)
_TOTALS = {Register.Direction.IMPORT: TOTAL_IMPORT, Register.Direction.EXPORT: TOTAL_EXPORT}


class NotElectric(Invalid):
    """Half-hours of electric energy are asked of a meter that counts something else."""

    code = "not_electric"


@dataclass(frozen=True)
class ExportedMeter:
    """A meter, the period of it that is wanted, and within that when its readings may be seen; None means always."""

    meter: Meter
    period: Period
    within: Sequence[Period] | None = None

    def parts(self) -> list[Period]:
        """Return what may be seen of the period, parts that touch joined."""
        if self.within is None:
            return [self.period]
        parts: list[Period] = []
        for part in sorted(self.within):
            seen = part.intersect(self.period)
            if seen is None:
                continue
            if parts and seen.start <= parts[-1].end:
                seen = Period(parts.pop().start, seen.end)
            parts.append(seen)
        return parts


def export(
    *,
    meter: Meter,
    period: Period,
    file_format: ExportFormat,
    now: datetime,
    within: Sequence[Period] | None = None,
) -> Iterator[bytes]:
    """Yield a file of one meter, in chunks; see :func:`export_meters`."""
    return export_meters(asked=[ExportedMeter(meter, period, within)], file_format=file_format, now=now)


def export_meters(*, asked: Iterable[ExportedMeter], file_format: ExportFormat, now: datetime) -> Iterator[bytes]:
    """Yield a file of meters, in chunks: tables of what registers hold, or half-hours in a format of markets.

    :param asked: sorted by serial.
    :raises DomainError: while the chunks are read, what the format cannot hold.
    """
    if file_format.is_table:
        return write(chain.from_iterable(map(register_readings, asked)), file_format, made_at=now)
    registers: dict[str, Collection[str]] = {}
    readings = _market_readings(asked, file_format, now, registers)
    return write(readings, file_format, made_at=now, registers=registers)


def check_format(*, meter: Meter, file_format: ExportFormat) -> None:
    """Make sure that a format can hold what a meter counts.

    :raises NotElectric: it holds half-hours of electric energy alone.
    :raises Unreadable: it has no name for a register.
    """
    if not file_format.is_table:
        check_registers(_codes(meter, file_format), file_format)


def register_readings(asked: ExportedMeter) -> Iterator[FileReading]:
    """Yield what a meter's registers hold, sorted by register and time; values are before their multiplier.

    What a dial showed from the first to the last instant, both included; of interval registers the half-hours that lie
    in the period wholly. A query a register and four weeks.
    """
    for register in _by_code(asked.meter):
        yield from _held(asked, register)


def _market_readings(
    asked: Iterable[ExportedMeter], file_format: ExportFormat, now: datetime, registers: dict[str, Collection[str]]
) -> Iterator[FileReading]:
    """Yield what market formats hold of meters, noting the registers of each just before its first reading.

    Of an electric meter the energy of each whole half-hour, in and out; what is not known is left out. Of each
    direction its interval registers count, the total alone where there is one, and where there are none what the dials
    give. Of other meters what their registers hold. Intervals are after their multiplier; a value that is finer than
    six decimals, as a fine multiplier makes it, is rounded.
    """
    for each in asked:
        registers[each.meter.serial] = _codes(each.meter, file_format)
        if each.meter.type != Commodity.ELECTRIC:
            for register in _by_code(each.meter):
                is_dial = register.kind == Register.Kind.CUMULATIVE
                yield from _held(each, register) if is_dial else _counted(each, register)
            continue
        for source in _sources(each.meter):
            for register in source.intervals:
                yield from _counted(each, register)
            if not source.intervals:
                yield from _derived(each, source.direction, now)


def _codes(meter: Meter, file_format: ExportFormat) -> list[str]:
    """Return the codes under which a market format holds a meter.

    :raises NotElectric: it cannot.
    """
    if meter.type == Commodity.ELECTRIC:
        return [code for source in _sources(meter) for code in source.codes]
    if file_format is ExportFormat.NEM12:
        raise NotElectric(f"The meter {meter.serial} counts {meter.type}, which NEM12 does not hold.")
    return [register.code for register in _by_code(meter)]


def _by_code(meter: Meter) -> list[Register]:
    return sorted(meter.registers.all(), key=attrgetter("code"))


@dataclass(frozen=True)
class _Source:
    """Where the half-hours of a direction come from: interval registers, or the dials where there are none."""

    direction: Register.Direction
    intervals: Sequence[Register]

    @property
    def codes(self) -> list[str]:
        return [each.code for each in self.intervals] or [_TOTALS[self.direction]]


def _sources(meter: Meter) -> list[_Source]:
    sources = []
    for direction in Register.Direction:
        found = [each for each in meter.registers.all() if each.direction == direction]
        intervals = [each for each in found if each.kind == Register.Kind.INTERVAL]
        total = [each for each in intervals if each.code == _TOTALS[direction]]
        if found:
            sources.append(_Source(direction, total or sorted(intervals, key=attrgetter("code"))))
    return sources


def _held(asked: ExportedMeter, register: Register) -> Iterator[FileReading]:
    is_interval = register.kind == Register.Kind.INTERVAL
    for part in asked.parts():
        low = part.start + HALF_HOUR if is_interval else part.start
        while low <= part.end:
            high = min(low + _AT_ONCE, part.end)
            for read in readings_for([Window(register.pk, low, high)], ()).get(register.pk, ()):
                yield FileReading(
                    line=0,
                    serial=asked.meter.serial,
                    register_code=register.code,
                    start=read.time - HALF_HOUR if is_interval else None,
                    end=read.time,
                    value=read.value,
                    unit=register.unit,
                    quality=read.quality,
                )
            low = high + _INSTANT


def _counted(asked: ExportedMeter, register: Register) -> Iterator[FileReading]:
    changes = ChainEvent.objects.filter(register=register, multiplier__isnull=False).order_by("at", "recorded_at")
    multipliers = [*changes.values_list("at", "multiplier")]
    for each in _held(asked, register):
        multiplier = register.multiplier
        for at, in_force in multipliers:
            if each.start is not None and at <= each.start:
                multiplier = in_force
        yield each if multiplier == 1 else _times(each, multiplier)


def _times(reading: FileReading, multiplier: Decimal) -> FileReading:
    return replace(reading, value=round_half_up(reading.value * multiplier, VALUE_DECIMALS))


def _derived(asked: ExportedMeter, direction: Register.Direction, now: datetime) -> Iterator[FileReading]:
    start, end = asked.period.start, min(asked.period.end, now)
    while start < end:
        part = Period(start, min(start + _AT_ONCE, end))
        measured = meter_consumption(
            meter=asked.meter,
            period=part,
            granularity=Granularity.HALF_HOUR,
            now=now,
            within=asked.within,
            direction=direction,
        )
        for each in measured.series:
            if each.energy_kwh is not None and each.end - each.start == HALF_HOUR:
                yield FileReading(
                    line=0,
                    serial=asked.meter.serial,
                    register_code=_TOTALS[direction],
                    start=each.start,
                    end=each.end,
                    value=round_half_up(each.energy_kwh, VALUE_DECIMALS),
                    quality=each.quality,
                )
        start = part.end
