"""Batteries side by side, and what is wrong with one: for the pages that people watch."""

from datetime import datetime, timedelta

from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce

from accounts.models import User
from meters.batteries.models import Battery
from meters.batteries.selectors.batteries import batteries_for
from meters.models import Alarm, AlarmSeverity, SubjectKind

# A live battery tells something each second; one that has said nothing for so long is silent.
SILENT_AFTER = timedelta(seconds=60)
_MOST_ALARMS = 20


def fleet_for(user: User, *, now: datetime) -> QuerySet[Battery]:
    """Return the batteries in service that somebody may see, those first that need somebody.

    That is by critical alarms, then by all open ones, then what fell silent. Each has ``critical_alarms``,
    ``open_alarms`` and what it told last.
    """
    is_silent = Q(state__heard_at__lt=now - SILENT_AFTER)
    batteries = batteries_for(user=user).filter(status=Battery.Status.ACTIVE)
    counted = batteries.annotate(
        critical_alarms=_count(user, Q(severity=AlarmSeverity.CRITICAL)),
        open_alarms=_count(user, Q()),
        silent=Case(When(is_silent, then=1), default=0, output_field=IntegerField()),
    )
    return counted.order_by("-critical_alarms", "-open_alarms", "-silent", "battery_id")


def open_alarms_of(battery: Battery, user: User) -> list[Alarm]:
    """Return a battery's open alarms that somebody may see, the worst first."""
    rank = {AlarmSeverity.CRITICAL: 0, AlarmSeverity.WARNING: 1, AlarmSeverity.INFO: 2}
    found = _alarms(user).filter(subject=battery.battery_id)[:_MOST_ALARMS]
    return sorted(found, key=lambda alarm: rank[AlarmSeverity(alarm.severity)])


def _alarms(user: User) -> QuerySet[Alarm]:
    return Alarm.objects.visible_to(user).open().filter(subject_kind=SubjectKind.BATTERY)


def _count(user: User, condition: Q) -> Coalesce:
    of_one = _alarms(user).filter(condition, subject=OuterRef("battery_id")).order_by().values("subject")
    return Coalesce(Subquery(of_one.annotate(number=Count("pk")).values("number")), 0, output_field=IntegerField())
