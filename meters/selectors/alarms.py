"""Alarms as somebody may see them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.models import CustomerAccount, User
from energy_portal.shared.errors import NotFound
from meters.models import Alarm, AlarmSeverity

OVER_SHOWN = timedelta(days=30)
_MOST_SHOWN = 50


class NoSuchAlarm(NotFound):
    """There is no such alarm, or not for the one who asks."""

    code = "no_such_alarm"


@dataclass(frozen=True)
class AlarmsNow:
    """How many alarms are open, and of these how many nobody has taken care of or put off, by how much they matter."""

    open: int
    waiting: int
    critical: int
    warning: int

    @property
    def worst(self) -> str:
        """The severity of the worst that waits; empty where none does."""
        if self.critical:
            return AlarmSeverity.CRITICAL.value
        if self.warning:
            return AlarmSeverity.WARNING.value
        return AlarmSeverity.INFO.value if self.waiting else ""


@dataclass(frozen=True)
class AlarmsOfAccount:
    """What an account's people see: what is open, worst first, and what was over lately, newest first."""

    open: tuple[Alarm, ...]
    over: tuple[Alarm, ...]
    open_count: int

    @property
    def left_out(self) -> int:
        """How many open ones are not among those shown."""
        return self.open_count - len(self.open)


def alarms_for(user: User | None) -> QuerySet[Alarm]:
    """Return the alarms that somebody may see; ``user`` None means a data source, which may see all."""
    rows = Alarm.objects.all() if user is None else Alarm.objects.visible_to(user)
    return rows.select_related("account", "region", "acknowledged_by")


def alarm_for(*, alarm_id: UUID, user: User | None) -> Alarm:
    """Return an alarm that somebody may see.

    :raises NoSuchAlarm: none, or not theirs.
    """
    found: Alarm | None = alarms_for(user).filter(pk=alarm_id).first()
    if found is None:
        raise NoSuchAlarm("There is no such alarm.")
    return found


def alarms_now(alarms: QuerySet[Alarm], *, now: datetime) -> AlarmsNow:
    """Count the open ones of alarms, in one query."""
    waits = Q(state=Alarm.State.RAISED) & (Q(snoozed_until=None) | Q(snoozed_until__lte=now))
    counts = (
        alarms.exclude(state=Alarm.State.CLEARED)
        .order_by()
        .aggregate(
            open=Count("pk"),
            waiting=Count("pk", filter=waits),
            critical=Count("pk", filter=waits & Q(severity=AlarmSeverity.CRITICAL)),
            warning=Count("pk", filter=waits & Q(severity=AlarmSeverity.WARNING)),
        )
    )
    return AlarmsNow(**counts)


def alarms_of_account(account: CustomerAccount, *, now: datetime) -> AlarmsOfAccount:
    """Return the alarms of an account as its people see them."""
    of_account = Alarm.objects.filter(account=account)
    is_open = of_account.open()
    found = sorted(is_open[: 4 * _MOST_SHOWN], key=_worst_first)[:_MOST_SHOWN]
    over = of_account.filter(state=Alarm.State.CLEARED, cleared_at__gte=now - OVER_SHOWN).order_by("-cleared_at", "pk")
    return AlarmsOfAccount(open=tuple(found), over=tuple(over[:_MOST_SHOWN]), open_count=is_open.count())


_RANK = {AlarmSeverity.CRITICAL: 0, AlarmSeverity.WARNING: 1, AlarmSeverity.INFO: 2}


def _worst_first(alarm: Alarm) -> tuple[int, float]:
    return _RANK[AlarmSeverity(alarm.severity)], -alarm.raised_at.timestamp()
