"""NEM12 files: out. Times are UTC+10 all year."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby

from meters.formats.nem import LENGTHS_MINUTES, NEM_ZONE
from meters.formats.nem_codes import NO_DATA, VARIES, flag_of, register_of, suffix_of
from meters.formats.records import FileReading, Unreadable

_PORTAL = "PORTAL"
_DAY = timedelta(days=1)


def write_nem12(
    readings: Iterable[FileReading], *, made_at: datetime, registers: Mapping[str, Collection[str]] | None = None
) -> Iterator[bytes]:
    """Yield a NEM12 file of intervals, a chunk a day; what is missing of a day is marked N, never taken as zero.

    Qualities that nobody changed (none, 0, 14, 17, 18, 19) all become A, which reads back as 17.

    :param readings: of 5, 15 or 30 minutes on their marks, sorted by meter, register and time.
    :param registers: all registers of a meter that are written; each stands alone unless told.
    :raises Unreadable: a register that NEM12 has no stream for, a dial, an interval of another length or off its mark.
    :raises ValueError: two values for one stretch of time.
    """
    stamp = made_at.astimezone(NEM_ZONE)
    yield _lines([["100", "NEM12", f"{stamp:%Y%m%d%H%M}", _PORTAL, _PORTAL]])
    for (serial, code, unit, minutes), stream in groupby(readings, _stream_of):
        suffix, configuration = suffix_of(code), configuration_of(code, (registers or {}).get(serial, ()))
        yield _lines([["200", serial, configuration, code, suffix, "", serial, unit, str(minutes), ""]])
        for day, intervals in groupby(stream, _day_of):
            yield _lines(_day_records(day, minutes, intervals, f"{stamp:%Y%m%d%H%M%S}"))
    yield _lines([["900"]])


def configuration_of(code: str, registers: Collection[str]) -> str:
    """Return all streams of a meter in a row, as a register's stream names them.

    :raises Unreadable: two registers would be one stream, or a part would be taken for the total.
    """
    streams = sorted({suffix_of(each) for each in (code, *registers)})
    configuration = "".join(streams)
    if len(streams) < len({code, *registers}) or register_of(suffix_of(code), configuration) != code:
        raise Unreadable(f"NEM12 cannot tell the register {code!r} from others.", code="unknown_register")
    return configuration


def _stream_of(reading: FileReading) -> tuple[str, str, str, int]:
    length = reading.length
    if length is None:
        raise Unreadable("NEM12 holds intervals, not what a dial showed.", code="not_an_interval")
    minutes, rest = divmod(length, timedelta(minutes=1))
    if rest or minutes not in LENGTHS_MINUTES:
        raise Unreadable(f"NEM12 has no intervals of {length}.", code="interval_length")
    if not reading.unit:
        raise Unreadable("NEM12 names the unit of every stream.", code="wrong_unit")
    return reading.serial, reading.register_code, reading.unit, minutes


def _day_of(reading: FileReading) -> date:
    start = reading.start or reading.end
    return start.astimezone(NEM_ZONE).date()


def _day_records(day: date, minutes: int, intervals: Iterable[FileReading], stamp: str) -> list[list[str]]:
    count = _DAY // timedelta(minutes=minutes)
    values, flags = [Decimal(0)] * count, [NO_DATA] * count
    taken: set[int] = set()
    for each in intervals:
        place = _place_of(each, minutes)
        if place in taken:
            raise ValueError(f"Two values were given for {each.start}.")
        taken.add(place)
        values[place], flags[place] = each.value, flag_of(each.quality)
    uniform = len(set(flags)) == 1
    record = ["300", f"{day:%Y%m%d}", *(format(value, "f") for value in values)]
    record += [flags[0] if uniform else VARIES, "", "", stamp, ""]
    return [record] if uniform else [record, *_quality_records(flags)]


def _quality_records(flags: list[str]) -> Iterator[list[str]]:
    first = 1
    for flag, run in groupby(flags):
        last = first + len(list(run)) - 1
        yield ["400", str(first), str(last), flag, "", ""]
        first = last + 1


def _place_of(reading: FileReading, minutes: int) -> int:
    start = (reading.start or reading.end).astimezone(NEM_ZONE)
    place, rest = divmod(start - start.replace(hour=0, minute=0, second=0, microsecond=0), timedelta(minutes=minutes))
    if rest:
        raise Unreadable(f"{reading.start} is no mark of {minutes} minutes in a NEM12 day.", code="off_mark")
    return place


def _lines(rows: Iterable[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
