"""The customer's home page: the month in words, numbers and two small pictures."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.alarms import strip_of
from billing.pages.notices import notices_of
from billing.pages.standing import bill_row
from billing.pages.unusual import unusual_strip
from billing.pages.windows import DAY, days_in_words
from billing.selectors.balance import bill_standing
from billing.selectors.bills import latest_bill
from billing.selectors.overview import MonthEnd, Overview, Spell, month_overview

DAYS_SHOWN = 7


@dataclass(frozen=True)
class Comparison:
    """This month against the same days of the last: how much less or more, and both as bars (percent of the longer)."""

    days: str
    before: Spell
    direction: str
    percent: Decimal
    width_now: Decimal
    width_before: Decimal


@dataclass(frozen=True)
class DayColumn:
    """One day of the small chart; ``height`` is percent of the highest."""

    day: date
    energy_kwh: Decimal | None
    estimated: bool
    partial: bool
    height: Decimal
    top: Decimal


@dataclass(frozen=True)
class RangePicture:
    """Where the used part, the range and its middle lie on a track, in percent of its length."""

    used: Decimal
    low: Decimal
    width: Decimal
    likely: Decimal


@customer_page
def home(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show a customer's month so far, where it is heading, the latest bill, and what to know."""
    now = timezone.now()
    zone = ZoneInfo(chosen.account.zone)
    overview = month_overview(account=chosen.account, now=now)
    columns = _columns(overview, zone, now)
    context = {
        "chosen": chosen,
        "overview": overview,
        "month_last_day": overview.month.end.astimezone(zone) - DAY,
        "so_far_days": _days(overview.so_far, zone) if overview.so_far else "",
        "comparison": _comparison(overview, zone),
        "range": _range(overview.heading, overview.so_far),
        "columns": columns,
        "any_estimated": any(column.estimated for column in columns),
        **_latest_bill(chosen, now),
        "strip": strip_of(chosen.account, now=now),
        "unusual": unusual_strip(chosen.account, now=now),
        "notices": notices_of(overview, zone=zone, now=now),
    }
    return render(request, "billing/home.html", context)


def _latest_bill(chosen: Chosen, now: datetime) -> dict[str, Any]:
    bill = latest_bill(chosen.account)
    standing = bill_row(bill, bill_standing([bill], now=now).get(bill.pk)).standing if bill else None
    return {"bill": bill, "standing": standing}


def _days(spell: Spell, zone: ZoneInfo) -> str:
    start, end = (instant.astimezone(zone) for instant in (spell.period.start, spell.period.end))
    whole = (end.hour, end.minute) == (0, 0)
    words = days_in_words(start.date(), (end - timedelta(days=1)).date() if whole else end.date())
    return words if whole else _("%(days)s, up to %(time)s") % {"days": words, "time": f"{end:%H:%M}"}


def _comparison(overview: Overview, zone: ZoneInfo) -> Comparison | None:
    now, before = overview.so_far, overview.before
    if now is None or before is None or now.energy_kwh is None or not before.energy_kwh:
        return None
    percent = 100 * (now.energy_kwh / before.energy_kwh - 1)
    rounded = percent.quantize(Decimal(1))
    longest = max(now.energy_kwh, before.energy_kwh)
    return Comparison(
        days=_days(before, zone),
        before=before,
        direction="same" if rounded == 0 else "more" if rounded > 0 else "less",
        percent=abs(rounded),
        width_now=_percent(now.energy_kwh, longest),
        width_before=_percent(before.energy_kwh, longest),
    )


def _range(heading: MonthEnd | None, so_far: Spell | None) -> RangePicture | None:
    if heading is None or so_far is None or not so_far.energy_kwh:
        return None
    projection = heading.projection
    whole = projection.high_kwh * Decimal("1.04")
    low = _percent(projection.low_kwh, whole)
    return RangePicture(
        used=_percent(so_far.energy_kwh, whole),
        low=low,
        width=_percent(projection.high_kwh, whole) - low,
        likely=_percent(projection.likely_kwh, whole),
    )


def _columns(overview: Overview, zone: ZoneInfo, now: datetime) -> tuple[DayColumn, ...]:
    """Return the last days of the small chart, today's part at the end."""
    days = [
        (interval.start.astimezone(zone).date(), interval.energy_kwh, interval.estimated, False)
        for interval in overview.days[-(DAYS_SHOWN - 1) :]
    ]
    today = overview.today
    days.append(
        (
            now.astimezone(zone).date(),
            today.energy_kwh if today else None,
            bool(today and today.estimated_share),
            True,
        )
    )
    highest = max((day[1] for day in days if day[1] is not None), default=Decimal(0)) or Decimal(1)
    columns = []
    for day, energy, estimated, partial in days:
        height = _percent(energy or Decimal(0), highest)
        columns.append(DayColumn(day, energy, estimated, partial, height, 100 - height))
    return tuple(columns)


def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (100 * part / whole).quantize(Decimal("0.1"))
