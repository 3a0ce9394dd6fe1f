"""The figures of the admin's front page."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Max, Q
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import DataSource, User
from accounts.roles import Role
from billing.models import Bill, BillRun
from billing.selectors.corrections import waiting_corrections, waiting_disputes
from energy_portal.navigation import list_link
from energy_portal.shared.clock import YearMonth, zone
from field_ops.admin.agents_map import agents_map
from field_ops.selectors.approvals import counters_for
from field_ops.selectors.desk import FieldNow, field_now
from meters.devices.selectors.archive import retention
from meters.devices.selectors.fleet import STANDING_KEY, Standing, fleet_standing_of_late
from meters.devices.selectors.pulse import PULSE_KEY, Pulse, pulse_at
from meters.models import Alarm, RegistrationRequest
from meters.selectors.alarms import AlarmsNow, alarms_now
from meters.selectors.events import ConsumerLag, outbox_lag
from meters.selectors.intake import (
    IntakeDay,
    JobsNow,
    OpenExceptions,
    jobs_now,
    open_exception_count,
    open_exceptions,
    readings_received,
)
from meters.selectors.regions import is_bound_to_regions
from meters.services.outbox import consumers

CACHE_SECONDS = 60
(
    _PAGE_KEY,
    _REQUESTS_KEY,
    _EXCEPTIONS_KEY,
    _ALARMS_KEY,
    _SAMPLES_KEY,
    _FIELD_KEY,
    _QUEUE_KEY,
    _CORRECTIONS_KEY,
    _DISPUTES_KEY,
    *_,
) = CACHE_KEYS = (
    "dashboard",
    "dashboard-requests",
    "dashboard-exceptions",
    "dashboard-alarms",
    "dashboard-samples",
    "dashboard-field",
    "dashboard-queue",
    "dashboard-corrections",
    "dashboard-disputes",
    STANDING_KEY,
    PULSE_KEY,
)
_LINKED = {
    "alarms": "meters.Alarm",
    "exceptions": "meters.ReadingException",
    "requests": "meters.RegistrationRequest",
    "bills": "billing.Bill",
    "runs": "billing.BillRun",
    "sources": "accounts.DataSource",
    "jobs": "meters.Job",
    "deliveries": "meters.EventDelivery",
    "days": "devices.ArchivedDay",
    "approvals": "field_ops.ApprovalRequest",
    "assignments": "field_ops.Assignment",
}
_GOOD_SHARE, _POOR_SHARE, _FEW_SHARE = 0.98, 0.9, 0.6
_SOURCES_SHOWN = 6
_QUIET_AFTER = timedelta(hours=2)
_LATE_AFTER, _STUCK_AFTER = timedelta(minutes=5), timedelta(hours=1)


@dataclass(frozen=True)
class Intake:
    """Readings of one day, and how high their bar stands."""

    day: date
    received: int
    expected: int

    @property
    def share(self) -> float:
        """Received of expected, 0 to 1; a day without anything to expect is whole."""
        return min(1.0, self.received / self.expected) if self.expected else 1.0

    @property
    def percent(self) -> int:
        """The share in whole per cent, 100 only when nothing is missing."""
        return int(self.share * 100)

    @property
    def grade(self) -> str:
        """How well it goes, for eyes: ``good``, ``warn`` or ``bad``."""
        if self.share >= _GOOD_SHARE:
            return "good"
        return "warn" if self.share >= _POOR_SHARE else "bad"


@dataclass(frozen=True)
class Billing:
    """The bills of a month, and its run where there is one."""

    month: date
    issued: int
    held: int
    run: BillRun | None

    @property
    def run_percent(self) -> int:
        """How far the run is, in whole per cent."""
        if self.run is None or not self.run.accounts_total:
            return 0
        return min(100, 100 * self.run.accounts_done // self.run.accounts_total)


@dataclass(frozen=True)
class SourceSeen:
    """When a data source's keys were last used."""

    name: str
    pk: int
    seen_at: datetime | None
    quiet: bool


@dataclass(frozen=True)
class Lag:
    """How far a consumer of events is behind."""

    of: ConsumerLag

    @property
    def minutes(self) -> int:
        """How long the oldest event waits, in whole minutes."""
        return self.of.age // timedelta(minutes=1)

    @property
    def grade(self) -> str:
        """How well it goes, for eyes: ``good``, ``warn`` or ``bad``."""
        if self.of.failing or self.of.age >= _STUCK_AFTER:
            return "bad"
        return "warn" if self.of.age >= _LATE_AFTER else "good"


@dataclass(frozen=True)
class FleetNow:
    """How fast devices talk, and how many of them are online."""

    pulse: Pulse
    standing: Standing

    @property
    def grade(self) -> str:
        """How well it goes, for eyes: ``good``, ``warn`` or ``bad``."""
        share = self.standing.percent / 100
        if share >= _POOR_SHARE:
            return "good"
        return "warn" if share >= _FEW_SHARE else "bad"


@dataclass(frozen=True)
class Dashboard:
    """Everything that the front page shows, as it was at ``as_of``."""

    as_of: datetime
    days: tuple[Intake, ...]
    alarms: AlarmsNow
    rules: tuple[OpenExceptions, ...]
    jobs: JobsNow
    requests_waiting: int
    billing: Billing
    sources: tuple[SourceSeen, ...]
    lags: tuple[Lag, ...]

    @property
    def today(self) -> Intake:
        return self.days[-1]

    @property
    def exceptions_open(self) -> int:
        return sum(rule.count for rule in self.rules)

    @property
    def values_waiting(self) -> int:
        """How many values have not entered and wait for a decision."""
        return sum(rule.count for rule in self.rules if rule.holds_values)


def front_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures to the admin's front page; they are at most a minute old.

    Who may see no readings, as operators, is shown the fleet alone.
    """
    now = timezone.now()
    context["title"] = "Overview"
    if request.user.has_perm("meters.view_readingexception"):
        context["dashboard"] = _kept_dashboard(cast("User", request.user), now)
    else:
        context["dashboard"] = None
    context["fleet"] = fleet_now(now=now) if request.user.has_perm("devices.view_device") else None
    if request.user.has_perm("devices.view_archivedday"):
        context["samples"] = cache.get_or_set(_SAMPLES_KEY, retention, CACHE_SECONDS)
    if request.user.has_perm("field_ops.view_assignment"):
        user = cast("User", request.user)
        context["field"], context["agents"] = kept_field(user), agents_map(user)
    context["links"] = {name: list_link(request, label) for name, label in _LINKED.items()}
    return context


def fleet_now(*, now: datetime) -> FleetNow:
    """Collect the figures of the fleet, some seconds old at most."""
    return FleetNow(pulse=pulse_at(now=now), standing=fleet_standing_of_late().whole)


def _kept_dashboard(user: User, now: datetime) -> Dashboard:
    dashboard: Dashboard | None = cache.get(_PAGE_KEY)
    if dashboard is None:
        dashboard = dashboard_at(now=now)
        cache.set(_PAGE_KEY, dashboard, CACHE_SECONDS)
    return _in_regions_of(user, dashboard, now) if is_bound_to_regions(user) else dashboard


def _in_regions_of(user: User, dashboard: Dashboard, now: datetime) -> Dashboard:
    """Let a manager of some regions see what waits in these."""
    key = f"{_PAGE_KEY}-{user.pk}"
    waiting = cache.get(key)
    if waiting is None:
        waiting = alarms_now(Alarm.objects.visible_to(user), now=now), tuple(open_exceptions(user))
        cache.set(key, waiting, CACHE_SECONDS)
    return replace(dashboard, alarms=waiting[0], rules=waiting[1])


def dashboard_at(*, now: datetime) -> Dashboard:
    """Collect the figures, in a constant number of queries."""
    return Dashboard(
        as_of=now,
        days=tuple(_intake(day) for day in readings_received(now=now, days=7)),
        alarms=alarms_now(Alarm.objects.all(), now=now),
        rules=tuple(open_exceptions()),
        jobs=jobs_now(now=now),
        requests_waiting=RegistrationRequest.objects.filter(status=RegistrationRequest.Status.OPEN).count(),
        billing=_billing(now),
        sources=_sources(now),
        lags=tuple(map(Lag, outbox_lag(now=now, consumers=consumers()))),
    )


def requests_badge(request: HttpRequest) -> str:
    """Return what stands beside the registration requests in the navigation: how many wait, if any."""
    waiting = _cached_count(
        _REQUESTS_KEY, RegistrationRequest.objects.filter(status=RegistrationRequest.Status.OPEN).count
    )
    return str(waiting) if waiting else ""


def exceptions_badge(request: HttpRequest) -> str:
    """Return what stands beside the exceptions in the navigation: how many are open, of those they may see."""
    if not isinstance(request.user, User):
        return ""
    waiting = _cached_count(_of(request.user, _EXCEPTIONS_KEY), partial(open_exception_count, request.user))
    return str(waiting) if waiting else ""


def alarms_badge(request: HttpRequest) -> str:
    """Return what stands beside the alarms in the navigation: how many wait for somebody, of those they may see."""
    if not isinstance(request.user, User):
        return ""
    visible = Alarm.objects.visible_to(request.user)
    waiting = _cached_count(_of(request.user, _ALARMS_KEY), lambda: alarms_now(visible, now=timezone.now()).waiting)
    return str(waiting) if waiting else ""


def queue_badge(request: HttpRequest) -> str:
    """Return what stands beside the approval queue in the navigation: what waits for this person, if anything."""
    if not isinstance(request.user, User):
        return ""
    user = request.user
    waiting = _cached_count(f"{_QUEUE_KEY}-{user.pk}", lambda: counters_for(user)["mine"])
    return str(waiting) if waiting else ""


def corrections_badge(request: HttpRequest) -> str:
    """Return what stands beside the corrections of bills in the navigation: how many wait for a decision, if any."""
    waiting = _cached_count(_CORRECTIONS_KEY, waiting_corrections)
    return str(waiting) if waiting else ""


def disputes_badge(request: HttpRequest) -> str:
    """Return what stands beside the disputes of bills in the navigation: how many wait for an answer, if any."""
    waiting = _cached_count(_DISPUTES_KEY, waiting_disputes)
    return str(waiting) if waiting else ""


def kept_field(user: User) -> FieldNow:
    """Collect how field work stands in the regions of somebody; at most a minute old."""
    kept: FieldNow | None = cache.get_or_set(_of(user, _FIELD_KEY), lambda: field_now(user), CACHE_SECONDS)
    return kept if kept is not None else field_now(user)


def _of(user: User, key: str) -> str:
    """Return under which key a figure is kept: what managers see depends on their regions."""
    return f"{key}-{user.pk if user.role == Role.MANAGER else user.role}"


def _intake(day: IntakeDay) -> Intake:
    return Intake(day=day.day, received=day.received, expected=day.expected)


def _billing(now: datetime) -> Billing:
    month = YearMonth.of(now, zone(settings.SITE_ZONE)).previous().first_day
    run = BillRun.objects.filter(month=month).first()
    counts = (
        Bill.objects.bills()
        .filter(month=month)
        .aggregate(
            issued=Count("pk", filter=Q(status__in=(Bill.Status.ISSUED, Bill.Status.ARCHIVED))),
            held=Count("pk", filter=Q(status=Bill.Status.DRAFT) & ~Q(held_because="")),
        )
    )
    return Billing(month=month, issued=counts["issued"], held=counts["held"], run=run)


def _sources(now: datetime) -> tuple[SourceSeen, ...]:
    with_keys = DataSource.objects.filter(revoked_at=None, keys__isnull=False)
    standing = with_keys.annotate(seen_at=Max("keys__last_used_at"))
    newest_first = standing.order_by("-seen_at", "name")[:_SOURCES_SHOWN]
    return tuple(
        SourceSeen(
            name=source.name,
            pk=source.pk,
            seen_at=source.seen_at,
            quiet=source.seen_at is None or source.seen_at < now - _QUIET_AFTER,
        )
        for source in newest_first
    )


def _cached_count(key: str, count: Any) -> int:
    return int(cache.get_or_set(key, count, CACHE_SECONDS) or 0)
