"""What a meter showed and counted, as files tell it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from energy_portal.shared.clock import HALF_HOUR, Period
from energy_portal.shared.units import round_half_up
from meters.formats.csv_files import write_csv
from meters.formats.green_button_out import write_green_button
from meters.formats.nem_out import write_nem12
from meters.formats.reading import FileFormat
from meters.formats.records import TOTAL_IMPORT, FileReading
from meters.models import Meter, Register
from meters.selectors.consumption import Granularity, meter_consumption
from meters.selectors.reading_lists import ReadingList
from meters.validation import VALUE_DECIMALS

_READ_AT_ONCE = 2_000
_MEASURED_AT_ONCE = timedelta(days=28)


def dial_readings(*, meter: Meter, period: Period, within: Sequence[Period] | None = None) -> Iterator[FileReading]:
    """Yield what a meter's dials showed from the first to the last instant of a period, both included.

    Sorted by register and time; values are the dials' own, before their multiplier. A query a page of a register.

    :param within: keep to these periods, their ends included, all unless told.
    """
    for register in meter.registers.filter(kind=Register.Kind.CUMULATIVE).order_by("code"):
        readings = ReadingList(register).during(period.start, period.end).within(within)
        for reading in readings.ascending(at_once=_READ_AT_ONCE):
            yield FileReading(
                line=0,
                serial=meter.serial,
                register_code=register.code,
                end=reading.time,
                value=reading.value,
                unit=register.unit,
                quality=reading.quality,
            )


def half_hours(
    *, meter: Meter, period: Period, now: datetime, within: Sequence[Period] | None = None
) -> Iterator[FileReading]:
    """Yield the energy that a meter counted in each whole half-hour, kWh; where it is not known there is no reading.

    A value finer than the portal's six decimals, as a fine multiplier makes it, is rounded to them.

    :param within: keep to these periods, all unless told.
    """
    start, end = period.start, min(period.end, now)
    while start < end:
        part = Period(start, min(start + _MEASURED_AT_ONCE, end))
        measured = meter_consumption(
            meter=meter, period=part, granularity=Granularity.HALF_HOUR, now=now, within=within
        )
        for each in measured.series:
            if each.energy_kwh is not None and each.end - each.start == HALF_HOUR:
                yield FileReading(
                    line=0,
                    serial=meter.serial,
                    register_code=TOTAL_IMPORT,
                    start=each.start,
                    end=each.end,
                    value=round_half_up(each.energy_kwh, VALUE_DECIMALS),
                    quality=each.quality,
                )
        start = part.end


def export(
    *,
    meter: Meter,
    period: Period,
    file_format: FileFormat,
    now: datetime,
    within: Sequence[Period] | None = None,
) -> Iterator[bytes]:
    """Yield a file, in chunks: a table of what the dials showed, or the half-hours in a format for intervals.

    :raises DomainError: while the chunks are read, what the format cannot hold.
    """
    if file_format is FileFormat.CSV:
        return write_csv(dial_readings(meter=meter, period=period, within=within))
    intervals = half_hours(meter=meter, period=period, now=now, within=within)
    if file_format is FileFormat.NEM12:
        return write_nem12(intervals, made_at=now)
    return write_green_button(intervals, made_at=now)
