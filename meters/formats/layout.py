"""What a table of readings does not say itself: how it writes its times, and what its columns hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from energy_portal.shared.clock import LabelConvention, OffMark
from energy_portal.shared.tables import restore
from meters.formats.records import Unreadable
from meters.validation import mark_of, parse_stamp

COLUMNS = ("serial", "register", "start", "time", "value", "unit", "quality")
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "serial": ("serial", "meter", "meter_id", "meter_serial", "serial_number", "nmi"),
    "register": ("register", "register_code", "obis", "obis_code", "channel"),
    "start": ("start", "interval_start", "period_start", "start_time"),
    "time": (
        "time",
        "timestamp",
        "reading_time",
        "read_at",
        "datetime",
        "date_time",
        "end",
        "interval_end",
        "end_time",
    ),
    "value": ("value", "reading", "reading_value", "meter_reading", "kwh", "energy_kwh", "consumption_kwh"),
    "unit": ("unit", "uom", "units"),
    "quality": ("quality", "quality_code"),
}
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Layout:
    """Where a table's columns are, and what holds for all of its rows.

    :param columns: names of :data:`COLUMNS` to the file's own, before any synonym; ``date+hour`` joins two columns.
    :param serial: the meter of rows that name none.
    :param unit: of values whose row names none.
    :param scale: what every value is multiplied by; 500 makes kWh of the mean MW of a half-hour.
    :param interval: how long the intervals are of rows that tell only one instant; None means that they are dials.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    serial: str = ""
    unit: str = ""
    scale: Decimal = Decimal(1)
    interval: timedelta | None = None

    def places(self, header: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Return where each column stands.

        :raises Unreadable: one that is needed is not there.
        """
        wanted = _SYNONYMS | {column: (name,) for column, name in self.columns.items()}
        return find_columns(header, wanted, needed=("time", "value") if self.serial else ("serial", "time", "value"))


@dataclass(frozen=True)
class Stamps:
    """How a file writes its times: what they name, and on which clock those without an offset are read."""

    zone: ZoneInfo
    labels: LabelConvention = LabelConvention.PERIOD_END

    def mark(self, text: str, *, again: bool = False) -> datetime:
        """Return the half-hour mark, UTC, that a stamp names.

        :param again: of two instants that a stamp without an offset may name where the clock was put back, the second.
        :raises Invalid: it is not a time, or names no half-hour.
        """
        written = parse_stamp(text)
        return mark_of(written.replace(tzinfo=self.zone, fold=1) if again else written, self.labels, self.zone)

    def instant(self, text: str, *, again: bool = False) -> datetime:
        """Return the instant, UTC, of a stamp that bounds an interval of any length.

        :param again: see :meth:`mark`.
        :raises Invalid: it is not a time, or the clock jumped over it.
        """
        written = parse_stamp(text)
        try:
            if written.tzinfo is not None:
                return written.astimezone(UTC)
            instant = written.replace(tzinfo=self.zone, fold=int(again)).astimezone(UTC)
            local = instant.astimezone(self.zone)
        except OverflowError as error:
            raise Unreadable("The timestamp lies outside the calendar.") from error
        if local.replace(tzinfo=None) != written:
            raise OffMark(f"{written.isoformat()} was skipped by the clock of {self.zone}.")
        return instant

    def end(self, text: str, *, again: bool = False) -> datetime:
        """Return the instant, UTC, at which an interval ends; one that is labelled by its last minute ends after it.

        :param again: see :meth:`mark`.
        :raises Invalid: see :meth:`instant`.
        """
        end = self.instant(text, again=again)
        local = end.astimezone(self.zone)
        closes_day = (local.hour, local.minute) == (23, 59)
        by_last_minute = self.labels is LabelConvention.END_MINUS_ONE and local.minute % 5 == 4
        if (closes_day or by_last_minute) and local.second in {0, 59}:
            return end - timedelta(seconds=local.second) + _MINUTE
        return end

    def interval(self, text: str, length: timedelta, *, again: bool = False) -> tuple[datetime, datetime]:
        """Return the start and the end of an interval that one stamp names by the convention.

        :param again: see :meth:`mark`.
        :raises Invalid: see :meth:`instant`.
        """
        if self.labels is LabelConvention.PERIOD_START:
            start = self.instant(text, again=again)
            return start, start + length
        end = self.end(text, again=again)
        return end - length, end

    def is_repeated(self, text: str) -> bool:
        """Tell whether a stamp without an offset names two instants, because the clock was put back."""
        written = parse_stamp(text)
        if written.tzinfo is not None:
            return False
        first, second = written.replace(tzinfo=self.zone, fold=0), written.replace(tzinfo=self.zone, fold=1)
        first_offset, second_offset = first.utcoffset(), second.utcoffset()
        return first_offset is not None and second_offset is not None and first_offset > second_offset


def find_columns(
    header: Sequence[str], wanted: Mapping[str, Sequence[str]], *, needed: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """Return where columns stand in a header, by their names or any synonym, however these are written.

    :param wanted: synonyms by column; a plus joins two of the file's columns.
    :raises Unreadable: one that is needed is not there.
    """
    names = [_plain(cell) for cell in header]
    found: dict[str, tuple[int, ...]] = {}
    for column, synonyms in wanted.items():
        place = next((each for name in synonyms if (each := _place(name, names))), None)
        if place is not None:
            found[column] = place
    if lacking := [column for column in needed if column not in found]:
        raise Unreadable(f"The first line names no column for {', '.join(lacking)}.", code="column_missing")
    return found


def _place(name: str, names: Sequence[str]) -> tuple[int, ...]:
    """Return where a column stands, or those that a plus joins; empty where it is not there."""
    wanted = _plain(name)
    parts = [wanted] if wanted in names else wanted.split("+")
    return tuple(names.index(part) for part in parts) if all(part in names for part in parts) else ()


def _plain(name: str) -> str:
    return "_".join(restore(name.strip()).casefold().replace("-", " ").split())
