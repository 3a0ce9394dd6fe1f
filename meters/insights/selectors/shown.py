"""What customers are shown of insights: what lies ahead of an account, and what was unusual of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan
from statistics import quantiles
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from accounts.models import CustomerAccount
from energy_portal.shared.clock import HALF_HOUR, Period, half_hours
from meters.insights.models import Anomaly, Baseline, Forecast, ForecastScore, Subject
from meters.models import Binding
from meters.models.places import Commodity

# Forecasts hold two local days; one of them may have 25 hours.
_REACH = timedelta(hours=50)
_UNANSWERED_FOR = timedelta(days=7)
# Standard deviations on either side of the middle within which eight in ten lie.
_EIGHT_IN_TEN = 1.2816
_CELLS_A_DAY = 48
# So many days that turned out, and no older ones, tell how far sums of days go astray.
_DAYS_LOOKED_AT = 56
_FEWEST_DAYS = 10
_NEARLY_A_DAY = 44


@dataclass(frozen=True)
class Likely:
    """What is expected of a half-hour, kWh: the middle, the average, and between what eight in ten lie."""

    start: datetime
    median_kwh: float
    mean_kwh: float
    low_kwh: float | None
    high_kwh: float | None

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.start + HALF_HOUR


@dataclass(frozen=True)
class Ahead:
    """What is expected of an account; ``reason`` tells why nothing is, or why something simpler than a model spoke.

    :ivar of_a_day: between what parts of what was expected the sums of eight in ten days turned out; None where too few
        have: a day's band is not the sum of its half-hours', which seldom all go astray together.
    """

    half_hours: tuple[Likely, ...] = ()
    reason: str = ""
    of_a_day: tuple[float, float] | None = None

    def between(self, period: Period) -> list[Likely] | None:
        """Return the half-hours of a period; None unless all of them are foreseen."""
        found = [each for each in self.half_hours if period.contains(each.start)]
        return found if found and len(found) == period.half_hour_count else None


@dataclass(frozen=True)
class Usual:
    """What is usual of a half-hour, kWh: the middle, and between what eight in ten lie."""

    median_kwh: float
    low_kwh: float
    high_kwh: float


def forecast_ahead(account: CustomerAccount, *, now: datetime) -> Ahead:
    """Return what an account is expected to use from the newest origin on, in three queries at most.

    Where it is supplied at several places, its own forecast counts; else theirs are added up, and so are the ends of
    their bands, which makes the band wider than need be, never too narrow.
    """
    points = list(
        Binding.objects.filter(
            account=account, valid__contains=now, service_point__commodity=Commodity.ELECTRIC
        ).values_list("service_point__code", flat=True)
    )
    newest = _newest(account, points, now)
    own = newest.get((Subject.ACCOUNT, account.number))
    if own is not None and own.median and len(points) != 1:
        return Ahead(tuple(_likely(own).values()), own.reason, _turned_out(own))
    places = [newest.get((Subject.SERVICE_POINT, code)) for code in points]
    told = [row for row in places if row is not None]
    if not told or len(told) < len(places):
        return Ahead()
    reason = next((row.reason for row in told if not row.median), "") or next(
        (row.reason for row in told if row.reason), ""
    )
    if any(not row.median for row in told):
        return Ahead(reason=reason)
    of_a_day = _turned_out(told[0]) if len(told) == 1 else None
    return Ahead(_added([_likely(row) for row in told]), reason, of_a_day)


def anomalies_of(account: CustomerAccount) -> QuerySet[Anomaly]:
    """Return what was unusual of an account, newest first."""
    rows: QuerySet[Anomaly] = Anomaly.objects.filter(account=account)
    return rows.select_related("account")


def unanswered_anomalies(account: CustomerAccount, *, now: datetime) -> QuerySet[Anomaly]:
    """Return what still is unusual, or was within a week, and nobody has answered or put off."""
    waits = Q(state=Anomaly.State.OPEN) | Q(state=Anomaly.State.SNOOZED, snoozed_until__lte=now)
    over = Q(state=Anomaly.State.CLOSED, acknowledged_at=None, end__gt=now - _UNANSWERED_FOR)
    return anomalies_of(account).filter(waits | over, verdict=Anomaly.Verdict.NONE)


def usual_between(anomaly: Anomaly, period: Period) -> list[Usual | None]:
    """Return what is usual at each half-hour of a period of an anomaly's subject, None where too little is known."""
    marks = list(half_hours(period.start, period.end))
    baseline = Baseline.objects.filter(subject_kind=anomaly.subject_kind, subject=anomaly.subject).first()
    if baseline is None:
        return [None] * len(marks)
    zone = ZoneInfo(baseline.zone)
    return [_usual(baseline, _cell(mark.astimezone(zone))) for mark in marks]


def _newest(account: CustomerAccount, points: Sequence[str], now: datetime) -> dict[tuple[str, str], Forecast]:
    """Return the newest forecasts of an account and its places, by whom they are of.

    What was foreseen of a place while somebody else lived there is theirs.
    """
    subjects = Q(subject_kind=Subject.ACCOUNT, subject=account.number) | Q(
        Q(account=None) | Q(account=account), subject_kind=Subject.SERVICE_POINT, subject__in=points
    )
    rows = (
        Forecast.objects.filter(subjects, quantity=Forecast.Quantity.ENERGY, origin__gt=now - _REACH, origin__lte=now)
        .order_by("subject_kind", "subject", "-origin")
        .distinct("subject_kind", "subject")
    )
    return {(row.subject_kind, row.subject): row for row in rows}


def _turned_out(row: Forecast) -> tuple[float, float] | None:
    """Return between what parts of what was expected of the same lately, the sums of eight in ten days turned out."""
    scores = ForecastScore.objects.filter(
        forecast__subject_kind=row.subject_kind,
        forecast__subject=row.subject,
        forecast__account=row.account_id,
        forecast__origin__gt=row.origin - timedelta(days=_DAYS_LOOKED_AT),
        quantity=row.quantity,
        is_told=True,
        day_ahead=1,
        half_hours__gte=_NEARLY_A_DAY,
        mean__gt=0,
    )
    parts = [truth / mean for truth, mean in scores.values_list("truth", "mean")]
    if len(parts) < _FEWEST_DAYS:
        return None
    tenths = quantiles(parts, n=10, method="inclusive")
    return min(tenths[0], 1.0), max(tenths[-1], 1.0)


def _likely(row: Forecast) -> dict[datetime, Likely]:
    start = row.origin.astimezone(UTC)
    bands: Iterable[tuple[float | None, float | None]] = zip(row.low, row.high, strict=False)
    if not row.low:
        bands = [(None, None)] * len(row.median)
    found = (
        Likely(start + index * HALF_HOUR, median, mean, _known(low), _known(high))
        for index, (median, mean, (low, high)) in enumerate(zip(row.median, row.mean, bands, strict=True))
    )
    return {each.start: each for each in found if not isnan(each.median_kwh)}


def _known(value: float | None) -> float | None:
    return None if value is None or isnan(value) else value


def _added(places: Sequence[Mapping[datetime, Likely]]) -> tuple[Likely, ...]:
    shared = sorted(set.intersection(*(set(place) for place in places)))
    return tuple(_sum([place[start] for place in places]) for start in shared)


def _sum(together: Sequence[Likely]) -> Likely:
    lows = [each.low_kwh for each in together if each.low_kwh is not None]
    highs = [each.high_kwh for each in together if each.high_kwh is not None]
    return Likely(
        start=together[0].start,
        median_kwh=sum(each.median_kwh for each in together),
        mean_kwh=sum(each.mean_kwh for each in together),
        low_kwh=sum(lows) if len(lows) == len(together) else None,
        high_kwh=sum(highs) if len(highs) == len(together) else None,
    )


def _cell(local: datetime) -> int:
    return local.weekday() * _CELLS_A_DAY + 2 * local.hour + local.minute // 30


def _usual(baseline: Baseline, cell: int) -> Usual | None:
    if len(baseline.median) <= cell or isnan(baseline.median[cell]):
        return None
    middle, spread = baseline.median[cell], baseline.spread[cell]
    reach = 0.0 if isnan(spread) else _EIGHT_IN_TEN * spread
    return Usual(middle, max(0.0, middle - reach), middle + reach)
