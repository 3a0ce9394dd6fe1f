"""What was unusual, as a customer reads it: what it is called, when, how much, what to think of, and how it stands."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from meters.insights.models import Anomaly, Subject

Kind, State, Verdict = Anomaly.Kind, Anomaly.State, Anomaly.Verdict

NAMES = {
    Kind.SPIKE: gettext_lazy("A short peak"),
    Kind.HIGH: gettext_lazy("More than usual"),
    Kind.LOW: gettext_lazy("Less than usual"),
    Kind.ZERO_RUN: gettext_lazy("Nothing used"),
    Kind.NIGHT_USE: gettext_lazy("More at night"),
    Kind.LEVEL_SHIFT: gettext_lazy("Use has gone up"),
    Kind.STUCK: gettext_lazy("The same value again and again"),
    Kind.DRIFT: gettext_lazy("Use creeps up"),
    Kind.SHAPE: gettext_lazy("Another course of the day"),
}
_NAMES_OF_LESS = {
    Kind.LEVEL_SHIFT: gettext_lazy("Use has gone down"),
    Kind.DRIFT: gettext_lazy("Use goes down slowly"),
}
_TOO_MUCH = gettext_lazy(
    "Was an oven, a heater or a charger on for longer, or did you have guests? If nothing comes to mind, see what is "
    "switched on."
)
_AT_NIGHT = gettext_lazy(
    "See what runs while you sleep: air conditioning, a water heater, a pump, a fridge whose door does not close."
)
_LASTING = gettext_lazy(
    "A new appliance, or one more person at home, explains such a change. If there is none, something may be left on "
    "or work harder than it should."
)
_TOO_LITTLE = gettext_lazy(
    "Were you away? If not, see whether all of your home has power. The meter may have stopped, too: then tell us."
)
_METER = gettext_lazy("Homes hardly ever do this: it may be the meter. You need not do anything but tell us.")
_COURSE = gettext_lazy("Holidays, guests or a day at home do this. If it was none of these, see what ran when.")
_ADVICE = {
    Kind.SPIKE: _TOO_MUCH,
    Kind.HIGH: _TOO_MUCH,
    Kind.LOW: _TOO_LITTLE,
    Kind.ZERO_RUN: _TOO_LITTLE,
    Kind.NIGHT_USE: _AT_NIGHT,
    Kind.LEVEL_SHIFT: _LASTING,
    Kind.STUCK: _METER,
    Kind.DRIFT: _LASTING,
    Kind.SHAPE: _COURSE,
}


@dataclass(frozen=True)
class Told:
    """An anomaly in words; ``tone`` is how its standing looks, and ``icon`` what stands beside it."""

    anomaly: Anomaly
    name: str
    when: str
    amount: str
    cost: str
    advice: str
    standing: str
    tone: str
    icon: str


def told_of(anomaly: Anomaly, *, zone: ZoneInfo, now: datetime) -> Told:
    """Put an anomaly in words, instants as the zone's clock shows them."""
    kind = Kind(anomaly.kind)
    standing, tone, icon = _standing(anomaly, zone, now)
    return Told(
        anomaly=anomaly,
        name=_name(anomaly, kind),
        when=_when(anomaly, zone),
        amount=_amount(anomaly, kind),
        cost=_cost(anomaly),
        advice=str(_TOO_LITTLE if _is_less(anomaly, kind) else _ADVICE[kind]),
        standing=standing,
        tone=tone,
        icon=icon,
    )


def moment(instant: datetime, zone: ZoneInfo) -> str:
    """Say an instant as the zone's clock shows it."""
    return date_format(instant.astimezone(zone), _("j F, H:i"))


def _name(anomaly: Anomaly, kind: Anomaly.Kind) -> str:
    """Name it, and whose it is where that is one thing in a home."""
    name = str(_NAMES_OF_LESS[kind] if _is_less(anomaly, kind) else NAMES[kind])
    return f"{anomaly.label}: {name}" if anomaly.subject_kind in {Subject.DEVICE, Subject.BATTERY} else name


def _is_less(anomaly: Anomaly, kind: Anomaly.Kind) -> bool:
    return kind in _NAMES_OF_LESS and anomaly.energy_kwh < 0


def _when(anomaly: Anomaly, zone: ZoneInfo) -> str:
    start, end = anomaly.start.astimezone(zone), anomaly.end.astimezone(zone)
    if anomaly.state != State.CLOSED:
        return _("since %(start)s") % {"start": moment(start, zone)}
    shown = f"{end:%H:%M}" if start.date() == end.date() else moment(end, zone)
    return _("%(start)s to %(end)s") % {"start": moment(start, zone), "end": shown}


def _amount(anomaly: Anomaly, kind: Anomaly.Kind) -> str:
    """Say how much it was beside what is usual."""
    used = anomaly.usual_kwh + anomaly.energy_kwh
    figures = {
        "more": f"{abs(anomaly.energy_kwh):,.1f}",
        "used": f"{max(used, Decimal(0)):,.1f}",
        "usual": f"{anomaly.usual_kwh:,.1f}",
    }
    if kind is Kind.ZERO_RUN:
        return _("Nothing was used, where %(usual)s kWh would be usual.") % figures
    if round(anomaly.energy_kwh, 1) == 0:
        return _("%(used)s kWh in all, as much as usual, but at other times.") % figures
    if anomaly.energy_kwh > 0:
        return _("%(more)s kWh more than usual: %(used)s kWh instead of %(usual)s.") % figures
    return _("%(more)s kWh less than usual: %(used)s kWh instead of %(usual)s.") % figures


def _cost(anomaly: Anomaly) -> str:
    if anomaly.money is None or anomaly.money <= 0:
        return ""
    return _("It costs about %(currency)s %(money)s.") % {
        "currency": anomaly.currency,
        "money": f"{anomaly.money:,.2f}",
    }


def _standing(anomaly: Anomaly, zone: ZoneInfo, now: datetime) -> tuple[str, str, str]:
    if anomaly.verdict == Verdict.NORMAL:
        return _("It was normal"), "good", "check"
    if anomaly.verdict == Verdict.REAL:
        return _("Something was wrong"), "warn", "alert"
    if anomaly.state == State.ACKNOWLEDGED:
        return _("Being looked into"), "plain", "check"
    if anomaly.state == State.SNOOZED and anomaly.snoozed_until is not None and anomaly.snoozed_until > now:
        return _("Put off until %(moment)s") % {"moment": moment(anomaly.snoozed_until, zone)}, "plain", "clock"
    if anomaly.state == State.CLOSED:
        return _("Over"), "plain", "clock"
    return _("Going on"), "warn", "alert"
