"""How much was used when: a chart, the same numbers in a table, beside another time, and as files."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy

from accounts.models import CustomerAccount
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.ahead import Expected, Outlook, expected_chart, latest_day, outlook_of
from billing.pages.chart import HEADS, Row, Use, chart_data, completeness_words, spoken_summary, use_of
from billing.pages.comparing import Against, Compared, against_of_query, choices, compare, other_window
from billing.pages.prices import chart_bands, names_of, price_keys
from billing.pages.unusual import unusual_strip
from billing.pages.windows import View, Window, window_of_query
from billing.selectors.bands import TariffBands, tariff_bands
from billing.selectors.recent import LOOK_BACK, measured_until, used_between
from meters.insights.selectors.shown import forecast_ahead
from meters.selectors.consumption import Granularity, account_consumption

GRANULARITIES = {
    View.DAY: Granularity.HALF_HOUR,
    View.WEEK: Granularity.DAY,
    View.MONTH: Granularity.DAY,
    View.YEAR: Granularity.MONTH,
}
VIEW_NAMES = {
    View.DAY: gettext_lazy("Day"),
    View.WEEK: gettext_lazy("Week"),
    View.MONTH: gettext_lazy("Month"),
    View.YEAR: gettext_lazy("Year"),
}
# What a bar opens into.
FINER = {View.WEEK: View.DAY, View.MONTH: View.DAY, View.YEAR: View.MONTH}


@dataclass(frozen=True)
class Step:
    """A way to another window: what it is called, and the day that leads there."""

    view: View
    on: date
    current: bool = False

    @property
    def name(self) -> str:
        """What the view is called."""
        return str(VIEW_NAMES[self.view])


@dataclass(frozen=True)
class TableRow:
    """A row of the table: the bar's numbers, its price's name, the other window's energy, and what is expected."""

    row: Row
    price: str
    beside_kwh: Decimal | None
    expected: Expected | None


@dataclass(frozen=True)
class Looked:
    """What somebody looks at: a window of their account, and what it is compared with."""

    account: CustomerAccount
    window: Window
    against: Against
    zone: ZoneInfo
    now: datetime

    @property
    def today(self) -> date:
        """The day that it is at the account's place."""
        return self.now.astimezone(self.zone).date()

    @property
    def day(self) -> date:
        """The day that another view keeps: today where the window holds it, else its first."""
        return self.today if self.window.first <= self.today < self.window.after else self.window.first


def looked_at(request: LoggedInRequest, chosen: Chosen, *, latest: date | None = None) -> Looked:
    """Read from the address what somebody looks at; ``latest`` is the last day that they can, today unless told."""
    now, zone = timezone.now(), ZoneInfo(chosen.account.zone)
    window = window_of_query(request.GET.dict(), today=now.astimezone(zone).date(), latest=latest)
    against = against_of_query(request.GET.get("with", ""), window.view)
    return Looked(chosen.account, window, against, zone, now)


@customer_page
def usage(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show an account's use in a day, week, month or year, and what is expected of the days ahead."""
    now, zone = timezone.now(), ZoneInfo(chosen.account.zone)
    ahead = forecast_ahead(chosen.account, now=now)
    latest = latest_day(ahead, today=now.astimezone(zone).date(), zone=zone)
    looked = looked_at(request, chosen, latest=latest)
    window = looked.window
    use, compared = use_in(looked, window), _compared(looked)
    use_beside = compare(use, compared[1], compared[0]) if compared else None
    bands = _bands(looked)
    outlook = outlook_of(ahead, use=use, window=window, zone=zone, now=now)
    kind, words = completeness_words(use=use, view=window.view, zone=zone, begun=window.first <= looked.today)
    context = {
        "chosen": chosen,
        "window": window,
        "view_name": VIEW_NAMES[window.view],
        "latest": latest,
        "day": looked.day,
        "views": [Step(view, looked.day, view is window.view) for view in View],
        "finer": FINER.get(window.view),
        "following": window.after if window.after <= _last_of(window.view, latest, looked.today) else None,
        "runs": window.first <= looked.today < window.after,
        "unfinished": window.after > looked.today,
        "outlook": outlook,
        "unusual": unusual_strip(chosen.account, now=now),
        "use": use,
        "rows": _table(use, bands, use_beside, outlook),
        "kind": kind,
        "words": words,
        "head": HEADS[window.view],
        "prices": price_keys(bands) if bands else [],
        "priced_point": bands.service_point if bands else "",
        "against": looked.against,
        "choices": choices(window.view),
        "beside": use_beside,
        "chart": _chart(looked, use, bands, use_beside, outlook),
        "summary": spoken_summary(use=use, window=window, ahead=outlook.sentence if outlook else ""),
    }
    # Going back in the browser's history asks for the whole page again.
    partial = request.htmx and not request.htmx.history_restore_request
    return render(request, "billing/usage_part.html" if partial else "billing/usage.html", context)


def use_in(looked: Looked, window: Window) -> Use:
    """Return an account's use in a window, up to the end of its readings."""
    account, zone, now = looked.account, looked.zone, looked.now
    period = window.period(zone)
    consumption = account_consumption(account=account, period=period, granularity=GRANULARITIES[window.view], now=now)
    until = window_so_far = slot_so_far = None
    if period.end > now - LOOK_BACK:
        until = measured_until(account=account, now=now)
    if until is not None and period.contains(until):
        slot = next(slot for slot in window.slots(zone) if slot.period.contains(until))
        window_so_far = used_between(account=account, start=period.start, until=until, now=now)
        slot_so_far = used_between(account=account, start=slot.period.start, until=until, now=now)
    return use_of(
        window=window,
        zone=zone,
        consumption=consumption,
        until=until,
        window_so_far=window_so_far,
        slot_so_far=slot_so_far,
        now=now,
    )


def _compared(looked: Looked) -> tuple[Window, Use] | None:
    if looked.against is Against.NOTHING:
        return None
    window = other_window(looked.window, looked.against)
    return window, use_in(looked, window)


def _bands(looked: Looked) -> TariffBands | None:
    if looked.window.view is not View.DAY:
        return None
    return tariff_bands(account=looked.account, period=looked.window.period(looked.zone))


def _last_of(view: View, latest: date, today: date) -> date:
    return latest if view in {View.DAY, View.WEEK} else today


def _table(use: Use, bands: TariffBands | None, beside: Compared | None, outlook: Outlook | None) -> list[TableRow]:
    nothing = (None,) * len(use.rows)
    names = names_of(bands, use.rows) if bands and bands.changes else [""] * len(use.rows)
    energies = beside.energies if beside else nothing
    expected = outlook.rows if outlook else nothing
    return [TableRow(*each) for each in zip(use.rows, names, energies, expected, strict=True)]


def _chart(
    looked: Looked, use: Use, bands: TariffBands | None, beside: Compared | None, outlook: Outlook | None
) -> dict[str, object]:
    chart = chart_data(use=use, window=looked.window, now=looked.now)
    if bands:
        chart["bands"] = chart_bands(bands, use.rows)
    if outlook and outlook.any:
        chart["expected"] = expected_chart(outlook, view=looked.window.view)
    if beside:
        chart["beside"] = [None if energy is None else float(round(energy, 3)) for energy in beside.energies]
        chart["besideName"] = beside.window.title
    if (finer := FINER.get(looked.window.view)) is not None:
        chart["opens"] = [f"?view={finer}&on={row.slot.day:%Y-%m-%d}" for row in use.rows]
    return chart
