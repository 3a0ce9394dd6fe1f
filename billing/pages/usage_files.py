"""An account's use as files: the numbers of the chart as CSV, and the half-hours behind them as Green Button."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from django.http import HttpResponse
from django.utils.text import slugify

from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.usage import GRANULARITIES, Looked, looked_at, use_in
from energy_portal.shared.clock import HALF_HOUR, Period
from energy_portal.shared.tables import csv_lines
from meters.formats.green_button_out import write_green_button
from meters.formats.obis import ELECTRIC, USUAL_CODE
from meters.formats.records import TOTAL_EXPORT, FileReading
from meters.halfhours import HalfHours
from meters.models.readings import Quality
from meters.selectors.consumption import account_consumption
from meters.selectors.flows import Direction
from meters.selectors.half_hours import PointProfile, ProfileRequest, metered_half_hours

HEADS = ("from", "to", "energy_kwh", "state")
EXPORTED = "exported_kwh"
_MICROS = Decimal(1_000_000)


@customer_page
def usage_file(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Hand out the chart's numbers as CSV; what is missing or not yet is empty.

    Where a meter counts what goes out, a column tells it.
    """
    looked = looked_at(request, chosen)
    use = use_in(looked, looked.window)
    rows: list[tuple[object, ...]] = [
        (
            row.slot.period.start.astimezone(looked.zone),
            row.slot.period.end.astimezone(looked.zone),
            row.energy_kwh,
            row.state,
        )
        for row in use.rows
    ]
    heads: Sequence[str] = HEADS
    if any(profile.exported is not None for profile in _profiles(looked)):
        went_out = _exported(looked)
        heads = (*HEADS, EXPORTED)
        rows = [(*row, went_out.get(each.slot.period.start)) for row, each in zip(rows, use.rows, strict=True)]
    response = HttpResponse(b"".join(csv_lines(heads, rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_name(looked)}.csv"'
    return response


@customer_page
def usage_green_button(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Hand out the half-hours of a window, in and out, as Green Button; what is not known is left out."""
    looked = looked_at(request, chosen)
    readings = (reading for profile in _profiles(looked) for reading in _readings(profile))
    body = b"".join(write_green_button(readings, made_at=looked.now))
    response = HttpResponse(body, content_type="application/atom+xml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_name(looked)}.xml"'
    return response


def _name(looked: Looked) -> str:
    return f"usage-{slugify(looked.account.number)}-{looked.window.view}-{looked.window.first:%Y-%m-%d}"


def _profiles(looked: Looked) -> list[PointProfile]:
    request = ProfileRequest(looked.account.pk, looked.window.period(looked.zone))
    return metered_half_hours(requests=[request], now=looked.now, exports=True).get(looked.account.pk, [])


def _exported(looked: Looked) -> dict[datetime, Decimal | None]:
    """Return what went out in each interval of the chart, by its start; one that runs still, as far as it is known."""
    period = looked.window.period(looked.zone)
    until = min(period.end, max(period.start, looked.now))
    if until == period.start:
        return {}
    found = account_consumption(
        account=looked.account,
        period=Period(period.start, until),
        granularity=GRANULARITIES[looked.window.view],
        now=looked.now,
        direction=Direction.EXPORT,
    )
    return {interval.start: interval.energy_kwh for interval in found.series}


def _readings(profile: PointProfile) -> Iterator[FileReading]:
    yield from _half_hours(profile.imported, profile.service_point_code, USUAL_CODE[ELECTRIC])
    if profile.exported is not None:
        yield from _half_hours(profile.exported, profile.service_point_code, TOTAL_EXPORT)


def _half_hours(found: HalfHours, code: str, register_code: str) -> Iterator[FileReading]:
    for index, (energy, known, estimated) in enumerate(
        zip(found.energy_ukwh.tolist(), found.known.tolist(), found.estimated.tolist(), strict=True)
    ):
        if known:
            start = found.start + index * HALF_HOUR
            yield FileReading(
                line=0,
                serial=code,
                register_code=register_code,
                start=start,
                end=start + HALF_HOUR,
                value=Decimal(energy) / _MICROS,
                quality=Quality.LINEAR if estimated else Quality.VALIDATED,
            )
