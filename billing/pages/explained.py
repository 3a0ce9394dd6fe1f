"""A line of a bill, opened: its days, their half-hours, and the reads behind them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from billing.models import Bill, BillLine
from billing.pages.accounts import LoggedInRequest
from billing.pages.windows import EN_DASH
from billing.selectors.bills import bill_with_lines
from billing.selectors.explain import ExplainedLine, NoSuchLine, line_of
from billing.selectors.explain_hours import DayShare, LineHours, NoSuchDay, ReadHalfHour, line_hours, read_day
from billing.selectors.explain_words import number_in_words, role_in_words
from meters.selectors.quantities import ReadUsed

ARROW = "\N{RIGHTWARDS ARROW}"


@dataclass(frozen=True)
class DayRow:
    """A day of a line, and its bar: how much of the line's greatest day it is, and how much of that is estimated."""

    day: date
    counted: str
    estimated: str
    missing: int
    width: float
    estimated_width: float
    rows: Sequence["HalfHourRow"] | None = None


@dataclass(frozen=True)
class HalfHourRow:
    """A half-hour as a row: its local times, its energy, what the line counts of it, and what it was computed from."""

    name: str
    energy: str
    counted: str
    quality: str
    estimated: bool
    dials: tuple[str, ...]


@login_required
@never_cache
def bill_line_page(request: LoggedInRequest, bill_id: UUID, position: int) -> HttpResponse:
    """Show one line of a bill day by day; with ``day`` the half-hours of one, with their reads."""
    bill, explained, hours = _opened_line(request, bill_id, position)
    day = _day_asked(hours, request.GET.get("day"))
    rows = half_hour_rows(read_day(bill=bill, line=explained.line, day=day), day) if day is not None else None
    partial = request.htmx and not request.htmx.history_restore_request
    context = {
        "bill": bill,
        "explained": explained,
        "hours": hours,
        "days": day_rows(hours, opened=day, rows=rows),
        "half_hours": rows,
        "day": day,
        "unit": explained.line.unit,
        "shares": explained.line.kind == "demand" or is_in_steps(explained.line),
        "counted": number_in_words(hours.counted),
    }
    template = "billing/bill_line.html"
    if partial:
        template = "billing/bill_line_days.html" if day is None else "billing/bill_line_day.html"
    with timezone.override(bill.account.zone):
        return render(request, template, context)


def _opened_line(request: LoggedInRequest, bill_id: UUID, position: int) -> tuple[Bill, ExplainedLine, LineHours]:
    try:
        bill = bill_with_lines(user=request.user, bill_id=bill_id)
        explained = line_of(bill, position)
    except (Bill.DoesNotExist, NoSuchLine) as error:
        raise Http404 from error
    if not explained.opens:
        raise Http404
    return bill, explained, line_hours(bill=bill, line=explained.line)


def _day_asked(hours: LineHours, text: str | None) -> DayShare | None:
    if text is None:
        return None
    try:
        return hours.day(date.fromisoformat(text))
    except (ValueError, NoSuchDay) as error:
        raise Http404 from error


def is_in_steps(line: BillLine) -> bool:
    """Tell whether a line counts only what lies between two limits."""
    return bool(line.detail.get("tiers", 1) > 1)


def day_rows(hours: LineHours, *, opened: DayShare | None, rows: Sequence[HalfHourRow] | None) -> list[DayRow]:
    """Write the days of a line as rows: of a demand each day's highest power, else what the line counts of it.

    Days of which nothing lies in a line's step are left out, but for one that was asked for.
    """
    in_steps = is_in_steps(hours.line)
    days = [day for day in hours.days if day.counted or day.highest_kw is not None or day is opened or not in_steps]
    shown = [day.counted if day.highest_kw is None else day.highest_kw for day in days]
    greatest = max((float(amount) for amount in shown), default=0) or 1
    return [
        DayRow(
            day=day.day,
            counted=text,
            estimated=number_in_words(day.estimated_kwh) if day.estimated_kwh else "",
            missing=day.missing,
            width=100 * float(amount) / greatest,
            estimated_width=100 * _estimated_part(day) * float(amount) / greatest,
            rows=rows if day is opened else None,
        )
        for day, amount, text in zip(days, shown, _aligned(shown), strict=True)
    ]


def _estimated_part(day: DayShare) -> float:
    return float(day.estimated_kwh / day.energy_kwh) if day.energy_kwh else 0


def half_hour_rows(read: Sequence[ReadHalfHour], day: DayShare) -> list[HalfHourRow]:
    """Write a day's half-hours as rows; on a day on which the clock changes the times name their clock."""
    clock = "%H:%M" if _is_usual(day) else "%H:%M %Z"
    energies = _aligned([each.share.energy_kwh for each in read])
    counted = _aligned([each.share.counted for each in read])
    return [
        HalfHourRow(
            name=f"{each.share.start:{clock}}",
            energy=energy,
            counted=part,
            quality=each.quality_words,
            estimated=each.share.estimated,
            dials=tuple(_dials(each)),
        )
        for each, energy, part in zip(read, energies, counted, strict=True)
    ]


def _aligned(numbers: Sequence[Decimal | None]) -> list[str]:
    """Write numbers with as many decimals as the finest of them needs; a dash where there is none."""
    texts = [number_in_words(number) for number in numbers if number is not None]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [EN_DASH if number is None else f"{number:,.{decimals}f}" for number in numbers]


def _is_usual(day: DayShare) -> bool:
    offsets = {share.start.utcoffset() for share in day.half_hours} | {day.half_hours[-1].end.utcoffset()}
    return len(offsets) == 1


def _dials(each: ReadHalfHour) -> Iterator[str]:
    """Yield what each meter's dial showed, one after the other."""
    for serial, reads in groupby(each.reads, key=lambda used: used.serial):
        used = list(reads)
        values = _aligned([read.value for read in used])
        told = [_read_text(read, value, each) for read, value in zip(used, values, strict=True)]
        yield f"{serial}: {f' {ARROW} '.join(told)}"


def _read_text(used: ReadUsed, value: str, each: ReadHalfHour) -> str:
    """Write what a dial showed, and when and why where that is not at an end of the half-hour."""
    if used.time in {each.share.start, each.share.end} and used.role == "boundary":
        return value
    at = used.time.astimezone(each.share.start.tzinfo)
    return f"{value} ({date_format(at, gettext('j M, H:i'))}, {role_in_words(used.role)})"
