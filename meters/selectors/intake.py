"""How the stream of readings goes: received against expected, and what waits for a decision."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet

from accounts.models import User
from energy_portal.shared.clock import local_day, zone
from meters import store
from meters.models import Job, ReadingException, Severity
from meters.selectors.periods import ended

FAILURES_SHOWN = timedelta(days=7)


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
    received = store.archive.with_files(lambda: _received(bounds))
    counts = zip(dates, received, store.count_expected(bounds), strict=True)
    return [IntakeDay(*each) for each in counts]


@transaction.atomic
def _received(bounds: list[tuple[datetime, datetime]]) -> list[int]:
    pairs = zip(store.count_received(bounds), store.archive.count_archived(bounds), strict=True)
    return [stored + archived for stored, archived in pairs]


@dataclass(frozen=True)
class OpenExceptions:
    """How many exceptions of a rule are open, by what becomes of a value that it catches."""

    code: str
    severity: str
    count: int

    @property
    def name(self) -> str:
        """The rule in words."""
        return self.code.replace("_", " ")

    @property
    def holds_values(self) -> bool:
        """Whether the values have not entered, and wait."""
        return self.severity == Severity.QUARANTINE


@dataclass(frozen=True)
class JobsNow:
    """Jobs by how they stand: those that failed are of the last days only."""

    queued: int
    running: int
    failed: int


def open_exceptions(user: User | None = None) -> list[OpenExceptions]:
    """Return how many reading exceptions are open, by code and severity, the most first.

    :param user: count what they may see; None: all.
    """
    counts = _open(user).order_by()
    found = counts.values_list("code", "severity").annotate(count=Count("pk"))
    return sorted((OpenExceptions(*row) for row in found), key=lambda each: (-each.count, each.code, each.severity))


def open_exception_count(user: User | None = None) -> int:
    """Return how many reading exceptions are open; see :func:`open_exceptions`."""
    return _open(user).count()


def _open(user: User | None) -> QuerySet[ReadingException]:
    rows = ReadingException.objects.all() if user is None else ReadingException.objects.visible_to(user)
    found: QuerySet[ReadingException] = rows.filter(status=ReadingException.Status.OPEN)
    return found


def jobs_now(*, now: datetime) -> JobsNow:
    """Return how many jobs wait, run, and failed of late. One query."""
    recent = now - FAILURES_SHOWN
    counts = Job.objects.aggregate(
        queued=Count("pk", filter=Q(status=Job.Status.QUEUED)),
        running=Count("pk", filter=Q(status=Job.Status.RUNNING)),
        failed=Count("pk", filter=Q(status=Job.Status.FAILED, created_at__gte=recent)),
    )
    return JobsNow(**counts)
