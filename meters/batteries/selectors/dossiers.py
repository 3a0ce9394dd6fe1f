"""Dossiers of batteries, from their quarters and alarms: for a page, a document and machines."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce, Greatest, Least

from energy_portal.shared.clock import Period, as_utc, local_day
from energy_portal.shared.errors import Invalid
from meters.batteries.dossiers import Dossier, Efficiency, Quarters, dossier_of
from meters.batteries.models import Battery, BatteryQuarter, QuarterMark
from meters.batteries.rollup import FIELDS, QUARTER_US
from meters.models import Alarm
from meters.models.alarms import SubjectKind
from meters.series.columns import EPOCH, micros_of

LONGEST = timedelta(days=366)
USUAL_DAYS = 30
_DAY = timedelta(days=1)
_QUARTER = timedelta(microseconds=QUARTER_US)
_MICROSECOND = timedelta(microseconds=1)
_DERATING = "derating_"
_SHORT = {"dc": "DC", "igbt": "IGBT", "soc": "state of charge", "temp": "temperature"}


class WrongPeriod(Invalid):
    """A dossier cannot be made of that period."""

    code = "wrong_period"


@dataclass(frozen=True)
class AlarmsOfKind:
    """The alarms of a kind that stood in a period: how many, how many still do, and for how long all together."""

    kind: str
    count: int
    open: int
    lasted: timedelta

    @property
    def title(self) -> str:
        """The kind as people read it."""
        words = [_SHORT.get(word, word) for word in self.kind.split("_")]
        return " ".join((words[0][:1].upper() + words[0][1:], *words[1:]))


@dataclass(frozen=True)
class BatteryDossier:
    """A battery's dossier of the local days from ``first`` to ``last``, both included, as far as it is rolled up."""

    battery: Battery
    first: date
    last: date
    zone: str
    until: datetime
    dossier: Dossier
    alarms: tuple[AlarmsOfKind, ...]

    @property
    def derating(self) -> tuple[AlarmsOfKind, ...]:
        """Which causes held the power back, seen while it was watched live."""
        return tuple(each for each in self.alarms if each.kind.startswith(_DERATING))


def days_asked(*, first: str, last: str, today: date) -> tuple[date, date]:
    """Return the local days of a dossier; what cannot be read becomes the last ``USUAL_DAYS`` days.

    Days that have not come are left off, and of more than ``LONGEST`` the last ones are taken.
    """
    to = min(_day_of(last) or today, today)
    since = _day_of(first) or to - (USUAL_DAYS - 1) * _DAY
    return max(min(since, to), to - (LONGEST - _DAY)), to


def dossier_between(*, battery: Battery, first: date, last: date, zone: str, now: datetime) -> BatteryDossier:
    """Return a battery's dossier of local days, both included; three queries however long it is."""
    clock = ZoneInfo(zone)
    edges = [local_day(first + n * _DAY, clock).start for n in range((last - first).days + 2)]
    whole = Period(edges[0], edges[-1])
    until = min(max(_rolled_until(), whole.start), whole.end)
    cuts = [edge for edge in edges if edge < until] + [until]
    cuts = cuts if len(cuts) > 1 else [whole.start, whole.start]
    period = Period(whole.start, until)
    return BatteryDossier(
        battery, first, last, zone, until, _dossier(battery, period, cuts), _alarms(battery, whole, now=now)
    )


def summary(*, battery: Battery, start: datetime, end: datetime, now: datetime) -> dict[str, Any]:
    """Return a dossier of the whole quarters within ``[start, end)`` as machines read it; three queries.

    :raises WrongPeriod: it is empty or longer than ``LONGEST``.
    """
    if not start < end <= start + LONGEST:
        raise WrongPeriod(f"A summary is of a period of at most {LONGEST.days} days that ends after it starts.")
    low = as_utc(start) + (EPOCH - as_utc(start)) % _QUARTER
    high = max(low, min(as_utc(end) - (as_utc(end) - EPOCH) % _QUARTER, _rolled_until()))
    made = _dossier(battery, Period(low, high), [low, high])
    told = asdict(made)
    return {
        "battery_id": battery.battery_id,
        "is_simulated": battery.is_simulated,
        "from": low,
        "to": high,
        "throughput": told["throughput"],
        "round_trip_efficiency": {"dc": _efficiency(made.dc), "ac": _efficiency(made.ac)},
        "outside_windows": told["outside"],
        "extremes": [
            {"name": each.name, "value": each.value, "unit": each.unit, "quarter": _instant(each.at)}
            for each in made.extremes
        ],
        "coverage": {**told["coverage"], "gap_start": _instant(made.coverage.gap_start)},
        "soh": {"first_percent": made.soh_first_percent, "last_percent": made.soh_last_percent},
        "alarms": [
            {"kind": each.kind, "count": each.count, "open": each.open, "seconds": each.lasted.total_seconds()}
            for each in _alarms(battery, Period(low, max(low, as_utc(end))), now=now)
        ],
    }


def instant_of(micros: int) -> datetime:
    """Return the instant of a dossier's time."""
    return EPOCH + micros * _MICROSECOND


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else instant_of(micros)


def _efficiency(told: Efficiency) -> dict[str, Any]:
    return {
        "percent": told.percent,
        "reason": told.reason,
        "from": _instant(told.start),
        "to": _instant(told.end),
        "is_corrected": told.is_corrected,
    }


def _day_of(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day >= EPOCH.date() else None


def _rolled_until() -> datetime:
    until: datetime | None = QuarterMark.objects.filter(pk=1).values_list("until", flat=True).first()
    return until or EPOCH


def _dossier(battery: Battery, period: Period, edges: list[datetime]) -> Dossier:
    rows = list(
        BatteryQuarter.objects.filter(battery=battery, time__gte=period.start, time__lt=period.end)
        .order_by("time")
        .values_list("time", *FIELDS)
    )
    starts = np.array([micros_of(row[0]) for row in rows], np.int64)
    values = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), len(FIELDS))
    quarters = Quarters(starts, {name: values[:, place] for place, name in enumerate(FIELDS)})
    return dossier_of(
        quarters,
        edges=[micros_of(edge) for edge in edges],
        capacity_ah=battery.capacity_ah,
        rated_energy_kwh=battery.rated_energy_kwh,
    )


def _alarms(battery: Battery, period: Period, *, now: datetime) -> tuple[AlarmsOfKind, ...]:
    until = min(period.end, now)
    if until <= period.start:
        return ()
    stood = Alarm.objects.filter(subject_kind=SubjectKind.BATTERY, subject=battery.battery_id, raised_at__lt=until)
    lasted = Least(Coalesce("cleared_at", until), until) - Greatest(F("raised_at"), period.start)
    rows = (
        stood.exclude(cleared_at__lte=period.start)
        .order_by("kind")
        .values("kind")
        .annotate(count=Count("pk"), standing=Count("pk", filter=Q(cleared_at=None)), lasted=Sum(lasted))
    )
    return tuple(AlarmsOfKind(row["kind"], row["count"], row["standing"], row["lasted"]) for row in rows)
