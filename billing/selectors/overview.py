"""An account's month at a glance: so far, against the same days of last month, and where it is heading."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from accounts.models import CustomerAccount
from billing.forecasting import Projection, project_total
from billing.selectors.pricing import NotPriced, PriceBook, Priced, price_books, price_by
from billing.selectors.recent import last_known_end, measured_until, used_between
from energy_portal.shared.clock import Period, YearMonth, local_day, local_month, previous_month
from meters.selectors.consumption import Consumption, Granularity, Interval, account_consumption
from meters.selectors.quantities import MeteredQuantity, QuantityRequest, metered_quantities

LOOK_BACK = timedelta(days=84)


@dataclass(frozen=True)
class Spell:
    """What was used between two instants, kWh, and what it costs; None where it is not known."""

    period: Period
    energy_kwh: Decimal | None
    estimated_share: Decimal
    priced: Priced | None


@dataclass(frozen=True)
class MonthEnd:
    """Where the month is heading, and what its three energies would cost in all; None without a price."""

    projection: Projection
    low: Decimal | None
    likely: Decimal | None
    high: Decimal | None


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
        quantities = _metered(account, (elapsed, same_days), book, now)
        so_far, before = (_spell(period, found, book) for period, found in quantities.items())
        heading = _month_end(quantities[elapsed], Period(until, month.end), days, book)
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
) -> dict[Period, list[MeteredQuantity]]:
    """Return each period's quantities, cut wherever a price changes."""
    edges = {edge for period in periods for edge in (period.start, period.end)}
    cuts = sorted(edges | {cut for cut in book.cuts if min(edges) < cut < max(edges)})
    found = metered_quantities(requests=[QuantityRequest(account.pk, tuple(cuts))], now=now).get(account.pk, [])
    return {
        period: [item for item in found if period.start <= item.period.start and item.period.end <= period.end]
        for period in periods
    }


def _energy(quantities: Sequence[MeteredQuantity]) -> Decimal | None:
    energies = [item.energy_kwh for item in quantities]
    known = [energy for energy in energies if energy is not None]
    return sum(known, Decimal(0)) if energies and len(known) == len(energies) else None


def _priced(quantities: Sequence[MeteredQuantity], book: PriceBook) -> Priced | None:
    if _energy(quantities) is None:
        return None
    try:
        return price_by(book, quantities)
    except NotPriced:
        return None


def _spell(period: Period, quantities: Sequence[MeteredQuantity], book: PriceBook) -> Spell:
    return Spell(
        period=period,
        energy_kwh=_energy(quantities),
        estimated_share=max((item.estimated_share for item in quantities), default=Decimal(0)),
        priced=_priced(quantities, book),
    )


def _month_end(
    quantities: Sequence[MeteredQuantity], rest: Period, days: Sequence[Interval], book: PriceBook
) -> MonthEnd | None:
    measured = _energy(quantities)
    if measured is None:
        return None
    projection = project_total(
        measured_kwh=measured,
        recent_days=[day.energy_kwh for day in days],
        days_left=Decimal(rest.duration // timedelta(minutes=1)) / (24 * 60),
    )
    if projection is None:
        return None
    outcomes = (projection.low_kwh, projection.likely_kwh, projection.high_kwh)
    low, likely, high = (_total_at(quantities, rest, outcome - measured, book) for outcome in outcomes)
    return MonthEnd(projection, low, likely, high)


def _total_at(
    quantities: Sequence[MeteredQuantity], rest: Period, energy_kwh: Decimal, book: PriceBook
) -> Decimal | None:
    """Price a month whose rest takes an energy, spread evenly over the stretches of different prices."""
    to_come = [
        replace(
            quantities[-1],
            period=piece,
            energy_kwh=energy_kwh * Decimal(piece.duration / rest.duration),
            complete=False,
            estimated_share=Decimal(1),
            reads=(),
        )
        for piece in rest.split_at(*book.cuts)
        if rest.duration
    ]
    priced = _priced([*quantities, *to_come], book)
    return priced.total if priced else None
