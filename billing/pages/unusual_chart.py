"""The half-hours around what was unusual, over what is usual then."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import CustomerAccount
from billing.pages.chart import AXES
from billing.pages.windows import DAY, EN_DASH, View
from energy_portal.shared.clock import HALF_HOUR, Period, half_hours, local_day
from meters.insights.models import Anomaly, Subject
from meters.insights.selectors.shown import Usual, usual_between
from meters.selectors.half_hours import ProfileRequest, metered_half_hours

_MOST_DAYS = 3
_MICROS = Decimal(1_000_000)


@dataclass(frozen=True)
class HalfHourRow:
    """A half-hour beside what is usual then, kWh; None where it is not known."""

    name: str
    start: datetime
    used_kwh: Decimal | None
    usual: Usual | None
    unusual: bool

    @property
    def words(self) -> str:
        """What was used, in words."""
        return _("No reading") if self.used_kwh is None else f"{self.used_kwh:,.2f} kWh"

    @property
    def usual_words(self) -> str:
        """What is usual, in words."""
        if self.usual is None:
            return ""
        return _("Usual: about %(amount)s kWh (%(low)s to %(high)s)") % {
            "amount": f"{self.usual.median_kwh:,.2f}",
            "low": f"{self.usual.low_kwh:,.2f}",
            "high": f"{self.usual.high_kwh:,.2f}",
        }


@dataclass(frozen=True)
class Drawn:
    """What the chart's script reads, the same as rows, and the days in words where they are not all of it."""

    chart: dict[str, Any]
    rows: tuple[HalfHourRow, ...]
    cut: bool


def chart_of(anomaly: Anomaly, *, account: CustomerAccount, zone: ZoneInfo, now: datetime) -> Drawn | None:
    """Draw the local days of an anomaly, three at most; None where its subject has no half-hours of its own."""
    if anomaly.subject_kind != Subject.SERVICE_POINT:
        return None
    first, last = anomaly.start.astimezone(zone).date(), (anomaly.end - HALF_HOUR).astimezone(zone).date()
    until = min(last, first + (_MOST_DAYS - 1) * DAY)
    period = Period(local_day(first, zone).start, local_day(until, zone).end)
    used = _used(anomaly, account, period, now)
    rows = tuple(
        HalfHourRow(
            name=_name(start.astimezone(zone), (start + HALF_HOUR).astimezone(zone), several=until > first),
            start=start.astimezone(zone),
            used_kwh=used.get(start),
            usual=usual,
            unusual=anomaly.start <= start < anomaly.end,
        )
        for start, usual in zip(half_hours(period.start, period.end), usual_between(anomaly, period), strict=True)
    )
    return Drawn(_chart(rows, several=until > first), rows, cut=last > until)


def _used(anomaly: Anomaly, account: CustomerAccount, period: Period, now: datetime) -> dict[datetime, Decimal]:
    """Return the energies that are known, kWh, by the start of their half-hour."""
    found = metered_half_hours(requests=[ProfileRequest(account.pk, period)], now=now).get(account.pk, [])
    used = {}
    for profile in found:
        if profile.service_point_code == anomaly.subject:
            told = profile.imported
            for index, (energy, known) in enumerate(zip(told.energy_ukwh.tolist(), told.known.tolist(), strict=True)):
                if known:
                    used[told.start + index * HALF_HOUR] = Decimal(energy) / _MICROS
    return used


def _name(start: datetime, end: datetime, *, several: bool) -> str:
    times = f"{start:%H:%M}{EN_DASH}{end:%H:%M}"
    return f"{date_format(start, _('D j'))}, {times}" if several else times


def _chart(rows: tuple[HalfHourRow, ...], *, several: bool) -> dict[str, Any]:
    unusual = [index for index, row in enumerate(rows) if row.unusual]
    usual = [row.usual for row in rows]
    chart: dict[str, Any] = {
        "labels": [_label(row.start, several=several) for row in rows],
        "names": [row.name for row in rows],
        "words": [row.words for row in rows],
        "energy": [None if row.used_kwh is None else float(round(row.used_kwh, 3)) for row in rows],
        "estimated": [False] * len(rows),
        "ticks": [index for index, row in enumerate(rows) if _is_tick(row.start, several=several)],
        "present": None,
        "presentWord": "",
        "axis": str(AXES[View.DAY]),
        "unit": "kWh",
        "stretch": {"first": unusual[0], "last": unusual[-1]} if unusual else None,
    }
    if any(usual):
        chart["expected"] = {
            "shape": "band",
            "name": _("Usual"),
            "middle": [each and round(each.median_kwh, 3) for each in usual],
            "low": [each and round(each.low_kwh, 3) for each in usual],
            "high": [each and round(each.high_kwh, 3) for each in usual],
            "words": [row.usual_words for row in rows],
        }
    return chart


def _label(start: datetime, *, several: bool) -> str:
    at_midnight = (start.hour, start.minute) == (0, 0)
    return date_format(start, _("D j")) if several and at_midnight else f"{start:%H:%M}"


def _is_tick(start: datetime, *, several: bool) -> bool:
    return start.minute == 0 and start.hour % (12 if several else 3) == 0
