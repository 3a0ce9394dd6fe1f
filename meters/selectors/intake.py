"""How the stream of readings goes: received against expected, and what waits for a decision."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import Count

from energy_portal.shared.clock import local_day, zone
from meters import store
from meters.models import ReadingException
from meters.selectors.periods import ended


@dataclass(frozen=True)
class IntakeDay:
    """Readings of one site day: stored, and expected of the dials that hung on active meters."""

    day: date
    received: int
    expected: int


def readings_received(*, now: datetime, days: int = 7) -> list[IntakeDay]:
    """Return, oldest first, the readings of the last ``days`` site days, today up to its last half-hour included.

    A reading belongs to the day in which its half-hour ends; the one at midnight to the day before.
    """
    site = zone(settings.SITE_ZONE)
    today = now.astimezone(site).date()
    dates = [today - timedelta(days=back) for back in reversed(range(days))]
    periods = [ended(local_day(each, site), now, site) for each in dates]
    bounds = [(period.start, period.end) for period in periods]
    counts = zip(store.count_received(bounds), store.count_expected(bounds), strict=True)
    return [IntakeDay(day, received, expected) for day, (received, expected) in zip(dates, counts, strict=True)]


def open_exception_counts() -> dict[str, int]:
    """Return how many reading exceptions are open, by code."""
    counts = ReadingException.objects.filter(status=ReadingException.Status.OPEN).order_by()
    return dict(counts.values_list("code").annotate(count=Count("pk")))
