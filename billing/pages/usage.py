"""How much was used when: a chart, the same numbers in a table, and as a file."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.text import slugify

from accounts.models import CustomerAccount
from billing.pages.accounts import Chosen, LoggedInRequest, customer_page
from billing.pages.chart import HEADS, Use, chart_data, completeness_words, spoken_summary, use_of
from billing.pages.windows import View, Window, window_of_query
from billing.selectors.recent import LOOK_BACK, measured_until, used_between
from energy_portal.shared.tables import csv_lines
from meters.selectors.consumption import Granularity, account_consumption

GRANULARITIES = {
    View.DAY: Granularity.HALF_HOUR,
    View.WEEK: Granularity.DAY,
    View.MONTH: Granularity.DAY,
    View.YEAR: Granularity.MONTH,
}
FILE_HEADS = ("from", "to", "energy_kwh", "state")


@dataclass(frozen=True)
class Step:
    """A way to another window: what it is called, and the day that leads there."""

    view: View
    on: date
    current: bool = False


@customer_page
def usage(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Show an account's use in a day, week, month or year."""
    now = timezone.now()
    zone = ZoneInfo(chosen.account.zone)
    today = now.astimezone(zone).date()
    window = window_of_query(request.GET.dict(), today=today)
    use = _use(chosen.account, window, zone, now)
    # Another view keeps the day that one looks at: today where the window holds it, else its first.
    day = today if window.first <= today < window.after else window.first
    kind, words = completeness_words(use=use, view=window.view, zone=zone)
    context = {
        "chosen": chosen,
        "window": window,
        "today": today,
        "day": day,
        "views": [Step(view, day, view is window.view) for view in View],
        "following": window.after if window.after <= today else None,
        "use": use,
        "kind": kind,
        "words": words,
        "head": HEADS[window.view],
        "chart": chart_data(use=use, window=window, now=now),
        "summary": spoken_summary(use=use, window=window),
    }
    # Going back in the browser's history asks for the whole page again.
    partial = request.htmx and not request.htmx.history_restore_request
    return render(request, "billing/usage_part.html" if partial else "billing/usage.html", context)


@customer_page
def usage_file(request: LoggedInRequest, chosen: Chosen) -> HttpResponse:
    """Hand out the same numbers as CSV; what is missing or not yet is empty."""
    now = timezone.now()
    zone = ZoneInfo(chosen.account.zone)
    window = window_of_query(request.GET.dict(), today=now.astimezone(zone).date())
    use = _use(chosen.account, window, zone, now)
    rows = [
        (
            row.slot.period.start.astimezone(zone),
            row.slot.period.end.astimezone(zone),
            row.energy_kwh,
            row.state,
        )
        for row in use.rows
    ]
    response = HttpResponse(b"".join(csv_lines(FILE_HEADS, rows)), content_type="text/csv; charset=utf-8")
    name = f"usage-{slugify(chosen.account.number)}-{window.view}-{window.first:%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _use(account: CustomerAccount, window: Window, zone: ZoneInfo, now: datetime) -> Use:
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
