"""An account's month at a glance: so far, against the same days of last month, and where it is heading."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.models import CustomerAccount
from billing.selectors.month_end import Metered, MonthEnd, month_end
from billing.selectors.pricing import PriceBook, Priced, price_books
from billing.selectors.recent import last_known_end, measured_until, used_between
from energy_portal.shared.clock import Period, YearMonth, local_day, local_month, previous_month
from meters.selectors.consumption import Consumption, Granularity, Interval, account_consumption
from meters.selectors.half_hours import PointProfile, ProfileRequest, metered_half_hours
from meters.selectors.quantities import QuantityRequest, metered_quantities

__all__ = ["MonthEnd", "Overview", "Spell", "month_overview"]

LOOK_BACK = timedelta(days=84)


@dataclass(frozen=True)
class Spell:
    """What was used between two instants, kWh, and what it costs; None where it is not known."""

    period: Period
    energy_kwh: Decimal | None
    estimated_share: Decimal
    priced: Priced | None


@dataclass(frozen=True)
class Overview:
    """A month at a glance. ``days`` are the complete local days before today, oldest first."""

    month: Period
    measured_until: datetime | None
    so_far: Spell | None
    before: Spell | None
    heading: MonthEnd | None
    days: tuple[Interval, ...]
    today: Consumption | None


def month_overview(*, account: CustomerAccount, now: datetime) -> Overview:
    """Gather an account's month at a glance, in its own zone and a constant number of queries."""
    zone = ZoneInfo(account.zone)
    today = now.astimezone(zone).date()
    month = local_month(YearMonth.of(today), zone)
    midnight = local_day(today, zone).start
    days = account_consumption(
        account=account,
        period=Period(local_day(today - LOOK_BACK, zone).start, midnight),
        granularity=Granularity.DAY,
        now=now,
    ).series
    until = measured_until(account=account, now=now) or last_known_end(days)
    so_far = before = heading = None
    if until is not None and until > month.start:
        elapsed = Period(month.start, until)
        same_days = _same_days_of_last_month(elapsed, zone)
        prices = Period(same_days.start, month.end)
        book = price_books(accounts=[account], periods={account.pk: prices})[account.pk]
        metered = _metered(account, (elapsed, same_days), book, now)
        so_far, before = (_spell(period, found, book) for period, found in metered.items())
        heading = month_end(metered[elapsed], Period(until, month.end), days, book)
    return Overview(
        month=month,
        measured_until=until,
        so_far=so_far,
        before=before,
        heading=heading,
        days=days,
        today=used_between(account=account, start=midnight, until=until, now=now),
    )


def _same_days_of_last_month(elapsed: Period, zone: ZoneInfo) -> Period:
    """Return the stretch of the month before that ends on the same day and hour, or with that month."""
    before = previous_month(elapsed.start, zone)
    end = elapsed.end.astimezone(zone)
    on_the_wall = before.start.astimezone(zone) + (
        end.replace(tzinfo=None) - elapsed.start.astimezone(zone).replace(tzinfo=None)
    )
    return Period(before.start, min(on_the_wall, before.end))


def _metered(
    account: CustomerAccount, periods: Sequence[Period], book: PriceBook, now: datetime
) -> dict[Period, Metered]:
    """Return what passed in each period, cut wherever a price changes."""
    edges = {edge for period in periods for edge in (period.start, period.end)}
    whole = Period(min(edges), max(edges))
    cuts = sorted(edges | {cut for cut in book.cuts if whole.contains(cut)})
    found = metered_quantities(requests=[QuantityRequest(account.pk, tuple(cuts))], now=now).get(account.pk, [])
    profiles: Sequence[PointProfile] = ()
    if book.needs_half_hours:
        asked = [ProfileRequest(account.pk, whole)]
        profiles = metered_half_hours(requests=asked, now=now, exports=book.needs_exports).get(account.pk, ())
    return {
        period: Metered(
            [item for item in found if period.start <= item.period.start and item.period.end <= period.end], profiles
        )
        for period in periods
    }


def _spell(period: Period, metered: Metered, book: PriceBook) -> Spell:
    return Spell(
        period=period,
        energy_kwh=metered.energy_kwh,
        estimated_share=max((item.estimated_share for item in metered.quantities), default=Decimal(0)),
        priced=metered.priced(book),
    )
