"""What is expected of the days ahead, laid on the bars of a window: a line with its band, and the same in words."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.pages.chart import Row, Use
from billing.pages.windows import DAY, View, Window
from energy_portal.shared.clock import HALF_HOUR, local_day
from meters.insights.models import Forecast
from meters.insights.selectors.shown import Ahead

_PLACES = Decimal("0.001")
_REFUSED = {
    Forecast.Reason.NO_DATA: gettext_lazy("Nothing is expected here: nothing is known of your last weeks."),
    Forecast.Reason.GAPS: gettext_lazy(
        "Nothing is expected here: too many readings of your last weeks are missing. It comes back by itself."
    ),
    Forecast.Reason.COLD_START: gettext_lazy(
        "Nothing is expected here yet: it takes some two weeks of readings to say what comes."
    ),
    Forecast.Reason.NO_MODEL: gettext_lazy("Nothing is expected here yet: we are still learning from your readings."),
}
_SIMPLE = gettext_lazy(
    "Until more is known of how you use energy, this is simply what you used at the same times in the weeks before."
)
_FROM_HABITS = gettext_lazy("From how you used energy in the weeks before.")
_OF_THE_BAND = gettext_lazy("Of ten half-hours, about eight turn out within the band.")
_OF_THE_SPAN = gettext_lazy("The thin line spans how eight of ten days turned out lately.")


@dataclass(frozen=True)
class Expected:
    """What is expected of one bar, kWh, and between what: a half-hour's middle, or a day's sum at its end."""

    kwh: Decimal
    low_kwh: Decimal | None = None
    high_kwh: Decimal | None = None


@dataclass(frozen=True)
class Outlook:
    """What a usage page says of the days ahead: by bar, as a sentence, and where it comes from, or why it is not."""

    rows: tuple[Expected | None, ...]
    sentence: str
    source: str
    refusal: str
    begun: bool

    @property
    def any(self) -> bool:
        """Whether any bar has something to expect."""
        return any(self.rows)


def latest_day(ahead: Ahead, *, today: date, zone: ZoneInfo) -> date:
    """Return the last day that can be looked at: tomorrow where it is foreseen, else today."""
    tomorrow = today + DAY
    return tomorrow if ahead.between(local_day(tomorrow, zone)) else today


def outlook_of(ahead: Ahead, *, use: Use, window: Window, zone: ZoneInfo, now: datetime) -> Outlook | None:
    """Lay what is expected on a window's bars; None where the window is over, or nobody tried to foresee it."""
    today = now.astimezone(zone).date()
    if window.after <= today or window.view is View.YEAR or not (ahead.half_hours or ahead.reason):
        return None
    since = use.total_until or now
    lay = _of_half_hour if window.view is View.DAY else _of_day
    rows = tuple(lay(ahead, row, since) for row in use.rows)
    return Outlook(
        rows=rows,
        sentence=_sentence(ahead, window, today, zone, since) if any(rows) else "",
        source=_source(ahead, rows, window.view) if any(rows) else "",
        refusal="" if ahead.half_hours else str(_REFUSED[Forecast.Reason(ahead.reason)]),
        begun=window.first <= today,
    )


def expected_chart(outlook: Outlook, *, view: View) -> dict[str, object]:
    """Shape what is expected as the chart's script reads it: a band over half-hours, frames around days."""
    return {
        "shape": "band" if view is View.DAY else "frames",
        "name": _("Expected"),
        "middle": [_number(row.kwh if row else None) for row in outlook.rows],
        "low": [_number(row.low_kwh if row else None) for row in outlook.rows],
        "high": [_number(row.high_kwh if row else None) for row in outlook.rows],
        "words": [words_of(row) for row in outlook.rows],
    }


def words_of(row: Expected | None) -> str:
    """Say what is expected of a bar; nothing where nothing is."""
    if row is None:
        return ""
    if row.low_kwh is None or row.high_kwh is None:
        return _("Expected: about %(amount)s kWh") % {"amount": f"{row.kwh:,.2f}"}
    return _("Expected: about %(amount)s kWh (%(low)s to %(high)s)") % {
        "amount": f"{row.kwh:,.2f}",
        "low": f"{row.low_kwh:,.2f}",
        "high": f"{row.high_kwh:,.2f}",
    }


def _source(ahead: Ahead, rows: tuple[Expected | None, ...], view: View) -> str:
    told = [_SIMPLE if ahead.reason else _FROM_HABITS]
    if any(row is not None and row.low_kwh is not None for row in rows):
        told.append(_OF_THE_BAND if view is View.DAY else _OF_THE_SPAN)
    return " ".join(map(str, told))


def _of_half_hour(ahead: Ahead, row: Row, _since: datetime) -> Expected | None:
    found = ahead.between(row.slot.period) if row.state == "future" else None
    if not found:
        return None
    each = found[0]
    return Expected(_kwh(each.median_kwh), _kwh_or_none(each.low_kwh), _kwh_or_none(each.high_kwh))


def _of_day(ahead: Ahead, row: Row, since: datetime) -> Expected | None:
    if row.state not in {"future", "part"}:
        return None
    start = max(row.slot.period.start, since)
    rest = _mean_sum(ahead, start, row.slot.period.end)
    used = row.energy_kwh if row.state == "part" else Decimal(0)
    if rest is None or used is None:
        return None
    if ahead.of_a_day is None:
        return Expected(used + rest)
    low, high = (used + (rest * Decimal(part)).quantize(_PLACES) for part in ahead.of_a_day)
    return Expected(used + rest, low, high)


def _mean_sum(ahead: Ahead, start: datetime, end: datetime) -> Decimal | None:
    """Return the energy that is expected in a stretch: of averages, since middles of a skewed use add up to too little.

    A half-hour that runs counts by what is left of it.
    """
    if start >= end:
        return None
    shares = [(each, (min(each.end, end) - max(each.start, start)) / HALF_HOUR) for each in ahead.half_hours]
    inside = [(each, share) for each, share in shares if share > 0]
    if sum(share for _each, share in inside) * HALF_HOUR < end - start:
        return None
    return _kwh(sum(each.mean_kwh * share for each, share in inside))


def _sentence(ahead: Ahead, window: Window, today: date, zone: ZoneInfo, since: datetime) -> str:
    """Say how much is still to come today, and how much tomorrow, as far as the window holds them."""
    tomorrow = today + DAY
    rest = _mean_sum(ahead, max(since, local_day(today, zone).start), local_day(today, zone).end)
    next_day = _mean_sum(ahead, local_day(tomorrow, zone).start, local_day(tomorrow, zone).end)
    if window.first > today:
        rest = None
    amounts = {"rest": f"{rest:,.1f}" if rest is not None else "", "next": f"{next_day:,.1f}" if next_day else ""}
    if rest is not None and next_day is not None:
        return _("Expected: about %(rest)s kWh more today, and about %(next)s kWh tomorrow.") % amounts
    if rest is not None:
        return _("Expected: about %(rest)s kWh more today.") % amounts
    return _("Expected: about %(next)s kWh tomorrow.") % amounts if next_day is not None else ""


def _kwh(value: float) -> Decimal:
    return Decimal(value).quantize(_PLACES)


def _kwh_or_none(value: float | None) -> Decimal | None:
    return None if value is None else _kwh(value)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
