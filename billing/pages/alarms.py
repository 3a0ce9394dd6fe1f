"""A customer's alarms in plain words: what is wrong, what is done about it, and what they can do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import CustomerAccount
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from meters.insights.services.verdicts import ALARM_KIND
from meters.models import Alarm, AlarmSeverity
from meters.selectors.alarms import AlarmsOfAccount, alarms_of_account

_ON_HOME = 3
_GRADES = {AlarmSeverity.CRITICAL: "bad", AlarmSeverity.WARNING: "warn", AlarmSeverity.INFO: "info"}
_ADVICE = {
    "over_temperature": gettext_lazy(
        "Switch it off, and unplug it if you can do so safely. Let it cool before you use it again."
    ),
    "over_power": gettext_lazy(
        "Switch something off that hangs on it. A socket that carries more than it is made for gets hot."
    ),
    "offline": gettext_lazy(
        "See whether it has power and reaches your network. What it measured meanwhile is added if it kept it."
    ),
    "over_voltage": gettext_lazy("This comes from the network, not from your home. You need not do anything."),
    "under_voltage": gettext_lazy("This comes from the network, not from your home. You need not do anything."),
}


@dataclass(frozen=True)
class Shown:
    """An alarm as a customer reads it; ``grade`` is how it is coloured."""

    alarm: Alarm
    grade: str
    advice: str
    standing: str

    @property
    def unusual(self) -> bool:
        """Whether it is about unusual use, which has a page of its own."""
        return self.alarm.kind == ALARM_KIND


def alarms_page(request: HttpRequest) -> HttpResponse:
    """Show alarms to whoever they concern: customers their own, staff those of the admin."""
    if request.user.is_staff:
        return redirect("admin:meters_alarm_changelist")
    return _alarms_of_customer(request)


@customer_page
def _alarms_of_customer(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    now = timezone.now()
    found = alarms_of_account(chosen.account, now=now)
    context = {
        "chosen": chosen,
        "alarms": found,
        "shown": [shown_alarm(alarm, now) for alarm in found.open],
    }
    return render(request, "billing/alarms.html", context)


def strip_of(account: CustomerAccount, *, now: datetime) -> dict[str, Any]:
    """Return what the strip of alarms on another page needs: the worst, and how many more there are.

    What is unusual in one's use is left out: it has a strip of its own, where it can be answered.
    """
    found: AlarmsOfAccount = alarms_of_account(account, now=now)
    others = [alarm for alarm in found.open if alarm.kind != ALARM_KIND]
    return {
        "alarms": found,
        "shown": [shown_alarm(alarm, now) for alarm in others[:_ON_HOME]],
        "more": max(0, len(others) + found.left_out - _ON_HOME),
    }


def shown_alarm(alarm: Alarm, now: datetime) -> Shown:
    """Say of an alarm what is done about it, and what can be."""
    standing = ""
    if alarm.state == Alarm.State.ACKNOWLEDGED:
        standing = _("We are taking care of it.")
    elif alarm.snoozed_until is not None and alarm.snoozed_until > now:
        standing = _("We know of it.")
    return Shown(alarm, _GRADES[AlarmSeverity(alarm.severity)], str(_ADVICE.get(alarm.kind, "")), standing)
