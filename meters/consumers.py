"""What stays connected: alarms as they are now, to whoever has a page of them open."""

from typing import Any

from django.utils import timezone

from accounts.consumers import NOT_ALLOWED, Refusal, StateConsumer
from accounts.models import CustomerAccount, User
from accounts.roles import Role
from meters.alarms import ALL_GROUP, FLEET_GROUP, account_group
from meters.models import Alarm
from meters.selectors.alarms import alarms_now

_NEWEST_SHOWN = 20


class AlarmsConsumer(StateConsumer):
    """The alarms that somebody may see."""

    def groups_of(self, user: User) -> list[str]:
        """Return the groups of the alarms that they may see; agents see none."""
        if user.role == Role.AGENT:
            raise Refusal(NOT_ALLOWED)
        if user.role in {Role.MANAGER, Role.ADMIN}:
            return [ALL_GROUP]
        if user.role == Role.OPERATOR:
            return [FLEET_GROUP]
        return [account_group(key) for key in CustomerAccount.objects.visible_to(user).values_list("pk", flat=True)]

    def state_of(self, user: User) -> dict[str, Any]:
        """Return how many are open, and the newest of them."""
        visible = Alarm.objects.visible_to(user)
        now = alarms_now(visible, now=timezone.now())
        return {
            "type": "alarms",
            "open": now.open,
            "waiting": now.waiting,
            "worst": now.worst,
            "alarms": [alarm_row(alarm) for alarm in visible.open()[:_NEWEST_SHOWN]],
        }


def alarm_row(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm as open pages are told of it."""
    return {
        "id": str(alarm.pk),
        "kind": alarm.kind,
        "subject": alarm.subject,
        "label": alarm.label,
        "severity": alarm.severity,
        "state": alarm.state,
        "text": alarm.text,
        "raised_at": alarm.raised_at.isoformat(),
    }
