"""The half-hours that a bill is for, as files tell them: as they were known when it was made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.models import Bill
from energy_portal.shared.clock import HALF_HOUR, Period, local_texts, zone
from energy_portal.shared.tables import csv_lines
from meters.consumption import QUALITY_LINEAR
from meters.formats.green_button_out import write_green_button
from meters.formats.records import TOTAL_EXPORT, TOTAL_IMPORT, FileReading
from meters.halfhours import HalfHours
from meters.selectors.half_hours import PointProfile, ProfileRequest, metered_half_hours

HEADS = ("service_point", "direction", "from", "to", "energy_kwh", "state")
_MICROS = Decimal("0.000001")


class DataFormat(StrEnum):
    """What the half-hours of a bill go out in; a value is how the file's name ends."""

    CSV = "csv"
    GREEN_BUTTON = "xml"

    @property
    def content_type(self) -> str:
        """The media type of a file."""
        return {"csv": "text/csv; charset=utf-8", "xml": "application/atom+xml; charset=utf-8"}[self.value]

    def name_for(self, bill: Bill) -> str:
        """Return the name under which the file of a bill is kept."""
        return f"bill-{bill.number or 'draft'}-half-hours.{self}"


@dataclass(frozen=True)
class _Flow:
    """What came in, or went out, at one place."""

    service_point: str
    zone: str
    direction: str
    register_code: str
    half_hours: HalfHours

    def rows(self) -> Iterator[tuple[datetime, Decimal | None, bool]]:
        """Yield when each half-hour starts, its energy, kWh, None where not known, and whether it is estimated."""
        start = self.half_hours.start
        columns = (self.half_hours.energy_ukwh, self.half_hours.known, self.half_hours.estimated)
        for energy, known, estimated in zip(*(column.tolist() for column in columns), strict=True):
            yield start, energy * _MICROS if known else None, estimated
            start += HALF_HOUR


def bill_data(bill: Bill, *, file_format: DataFormat, now: datetime) -> Iterator[bytes]:
    """Yield a file of a bill's half-hours, in chunks; they add up to the energy that the bill is for.

    In CSV what is not known is empty, and Green Button leaves it out. However many half-hours and places there are, the
    queries are as many.

    :param bill: one that whoever asks may see, with its account.
    """
    flows = _flows(bill, now)
    return _WRITERS[file_format](flows, now)


def _flows(bill: Bill, now: datetime) -> list[_Flow]:
    profiles = metered_half_hours(
        requests=[ProfileRequest(bill.account_id, Period(bill.period.lower, bill.period.upper))],
        now=now,
        as_of=None if bill.status == Bill.Status.DRAFT else bill.as_of,
        exports=True,
    )
    return [flow for profile in profiles.get(bill.account_id, ()) for flow in _flows_at(profile)]


def _flows_at(profile: PointProfile) -> Iterator[_Flow]:
    code, zone_name = profile.service_point_code, profile.zone
    yield _Flow(code, zone_name, "import", TOTAL_IMPORT, profile.imported)
    if profile.exported is not None:
        yield _Flow(code, zone_name, "export", TOTAL_EXPORT, profile.exported)


def _csv(flows: list[_Flow], now: datetime) -> Iterator[bytes]:
    return csv_lines(HEADS, (row for flow in flows for row in _csv_rows(flow)))


def _csv_rows(flow: _Flow) -> Iterator[tuple[object, ...]]:
    rows = list(flow.rows())
    edges = [*(start for start, _, _ in rows), flow.half_hours.end]
    times = local_texts(edges, zone(flow.zone))
    for (_, energy, estimated), start, end in zip(rows, times, times[1:], strict=False):
        state = "missing" if energy is None else "estimated" if estimated else "measured"
        yield (flow.service_point, flow.direction, start, end, energy, state)


def _green_button(flows: list[_Flow], now: datetime) -> Iterator[bytes]:
    return write_green_button((reading for flow in flows for reading in _readings(flow)), made_at=now)


def _readings(flow: _Flow) -> Iterator[FileReading]:
    """Yield the half-hours that are known; of how an estimate was made only the usual way has a quality here."""
    for start, energy, estimated in flow.rows():
        if energy is not None:
            yield FileReading(
                line=0,
                serial=flow.service_point,
                register_code=flow.register_code,
                start=start,
                end=start + HALF_HOUR,
                value=energy,
                quality=QUALITY_LINEAR if estimated else None,
            )


_WRITERS: dict[DataFormat, Callable[[list[_Flow], datetime], Iterator[bytes]]] = {
    DataFormat.CSV: _csv,
    DataFormat.GREEN_BUTTON: _green_button,
}
