"""What lies ahead of a battery: its charge in the coming day, and its health; a part of its page, or a page alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.pages.chosen import LoggedInRequest
from meters.batteries.pages.doors import battery_page, zone_of
from meters.batteries.selectors.batteries import UnknownBattery, battery_for
from meters.insights import ageing
from meters.insights.ageing import Reason, Words
from meters.insights.selectors.battery_health import ChargeAhead, Expected, Followed, charge_ahead, health_of

_ROWS_IN_TABLE = 30
# So much of what lies ahead is drawn beyond the days that were measured, by their number at most.
_MOST_AHEAD = 90
_STANDS_OUT = frozenset({Reason.NONE, Reason.TOO_FAR, Reason.REACHED})
_Point = list[float | None]


@dataclass(frozen=True)
class Health:
    """A quantity of a battery's health as its page says it."""

    followed: Followed
    words: Words

    @property
    def key(self) -> str:
        """Return what its chart goes by."""
        return self.followed.quantity.value

    @property
    def conditions(self) -> str:
        """Say in which conditions it is followed."""
        return ageing.conditions_text(self.followed.course.conditions)

    @property
    def pace(self) -> str:
        """Say how fast it moves, where that stands out."""
        return ageing.pace_text(self.followed.quantity, self.followed.trend)

    @property
    def level(self) -> str:
        """Write where it stands."""
        level = self.followed.trend.level
        return "" if level is None else self.words.say(level)

    @property
    def is_near(self) -> bool:
        """Tell whether somebody has to see to it."""
        return self.followed.trend.is_near

    @property
    def is_measured(self) -> bool:
        """Tell whether there is anything to draw."""
        return bool(self.followed.course.days.size)

    @property
    def value_rows(self) -> list[tuple[date, str]]:
        """Return its newest days, the newest first."""
        course = self.followed.course
        days = zip(course.days[-_ROWS_IN_TABLE:].tolist(), course.values[-_ROWS_IN_TABLE:].tolist(), strict=True)
        return [(date.fromordinal(day), self.words.say(value)) for day, value in days][::-1]

    def as_json(self) -> dict[str, Any]:
        """Return it as the charts' script reads it."""
        course, trend = self.followed.course, self.followed.trend
        if not course.days.size:
            return {}
        scale = self.words.factor
        first, last = int(course.days[0]), date.toordinal(self.followed.row.day)
        told: dict[str, Any] = {
            "unit": self.words.unit,
            "digits": self.words.digits,
            "label": self.words.title,
            "points": [[_millis(day), scale * value] for day, value in zip(course.days, course.values, strict=True)],
        }
        if trend.line is None or trend.level is None or trend.reason not in _STANDS_OUT:
            return told | {"from": _millis(first), "to": _millis(last)}
        ahead = 0 if trend.days is None else min(int(trend.days) + 1, _MOST_AHEAD)
        ends = [(day, scale * (trend.level + trend.line.slope * (day - last))) for day in (first, last, last + ahead)]
        line = [[_millis(day), value] for day, value in ends]
        more: dict[str, Any] = {"from": line[0][0], "to": line[2][0], "line": line[:2], "ahead": line[1:]}
        if trend.days is not None and trend.threshold is not None:
            more["threshold"] = scale * trend.threshold
        return told | more


@battery_page
def battery(request: LoggedInRequest, battery_id: str) -> HttpResponse:
    """Show what is expected of a battery to whoever may see it; to htmx as a part of its page."""
    now = timezone.now()
    try:
        found = battery_for(battery_id=battery_id, user=request.user)
    except UnknownBattery as error:
        raise Http404 from error
    zone = zone_of(found)
    ahead = charge_ahead(found, now=now)
    health = [Health(each, ageing.WORDS[each.quantity]) for each in health_of(found)]
    with timezone.override(zone):
        context = {
            "battery": found,
            "zone": zone,
            "ahead": ahead,
            "hours": _hours(ahead.half_hours),
            "health": health,
            "is_shown_health": any(each.is_measured for each in health),
            "chart": _chart(ahead, health, zone),
        }
        return render(request, "insights/battery_part.html" if request.htmx else "insights/battery.html", context)


def _chart(ahead: ChargeAhead, health: Sequence[Health], zone: str) -> Mapping[str, Any]:
    charts = {each.key: told for each in health if (told := each.as_json())}
    if ahead.half_hours:
        charts["soc"] = _charge(ahead.half_hours)
    return {"zone": zone, "charts": charts}


def _charge(half_hours: Sequence[Expected]) -> dict[str, Any]:
    # A value is the mean of its half-hour, and drawn in the middle of it.
    def points(name: str) -> list[_Point]:
        return [[_instant(each.start + timedelta(minutes=15)), getattr(each, name)] for each in half_hours]

    told = {name: points(name) for name in ("median", "low", "high")}
    return {
        "unit": "%",
        "digits": 0,
        "label": "Expected charge",
        "from": told["median"][0][0],
        "to": told["median"][-1][0],
        **told,
    }


def _hours(half_hours: Sequence[Expected]) -> list[Expected]:
    """Return every second half-hour, for the table."""
    return list(half_hours[::2])


def _millis(day: int) -> float:
    return _instant(datetime.combine(date.fromordinal(int(day)), time(12), tzinfo=UTC))


def _instant(instant: datetime) -> float:
    return round(1_000 * instant.timestamp())
