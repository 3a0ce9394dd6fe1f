"""What an account's own half-hours would have cost by other tariffs, beside what was billed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from accounts.models import CustomerAccount
from billing.models import Bill, Tariff
from billing.rating.terms import Component
from billing.selectors.price_books import Prices, tariff_prices
from billing.selectors.pricing import EnergyNotKnown, NotPriced
from billing.selectors.quotes import Quote, joined, quote_components, quote_prices
from energy_portal.shared.clock import Period, YearMonth, local_month, zone
from meters.halfhours import HalfHours
from meters.models.places import Commodity
from meters.selectors.half_hours import PointProfile, ProfileRequest, metered_half_hours

MOST_TARIFFS = 4
_STANDING = (Bill.Status.ISSUED, Bill.Status.ARCHIVED)


@dataclass(frozen=True)
class Offer:
    """What one tariff would have come to in a month; ``quote`` is None where it has no price, as ``because`` says."""

    tariff: Tariff
    quote: Quote | None
    because: str = ""


@dataclass(frozen=True)
class MonthCompared:
    """One month: what was billed, None where nothing was, and the offers; none where the energy is not all known."""

    month: YearMonth
    energy_kwh: Decimal | None
    billed: Decimal | None
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class Sum:
    """What a tariff comes to over the months that have a bill and a price; ``difference`` is against those bills."""

    tariff: Tariff
    total: Decimal
    months: int
    difference: Decimal | None
    components: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True)
class Comparison:
    """Months by tariffs."""

    currency: str
    months: tuple[MonthCompared, ...]
    sums: tuple[Sum, ...]

    @property
    def billed(self) -> Decimal | None:
        """What was billed in the months that were compared; None where nothing was."""
        known = [month.billed for month in self.months if month.billed is not None and month.offers]
        return sum(known, Decimal(0)) if known else None


def offered_tariffs(*, account: CustomerAccount) -> list[Tariff]:
    """Return the tariffs that an account could be on: of its classes of supply, in the currency of its bills."""
    points = account.bindings.filter(service_point__commodity=Commodity.ELECTRIC)
    classes = set(points.values_list("service_point__service_class", flat=True))
    fitting = Tariff.objects.filter(service_class__in={"", *classes}).select_related("tax").order_by("name")
    billed = Bill.objects.filter(account=account, status__in=_STANDING).order_by("-month")
    currency = billed.values_list("currency", flat=True).first()
    if currency is None:
        default = Tariff.objects.filter(Q(service_class="") | Q(service_class__in=classes), is_default=True).first()
        currency = default.currency if default else None
    return [tariff for tariff in fitting if currency is None or tariff.currency == currency]


def compare(
    *, account: CustomerAccount, months: Sequence[YearMonth], tariffs: Sequence[Tariff], now: datetime
) -> Comparison:
    """Price the half-hours of each month by each tariff; the count of queries does not grow with the months.

    A month in which a half-hour is not known is compared with nothing: missing is never zero.

    :param months: in order, one after the other.
    :param tariffs: one at the least, all in one currency.
    """
    site = zone(account.zone)
    whole = Period(local_month(months[0], site).start, local_month(months[-1], site).end)
    profiles = _profiles(account, whole, now)
    prices = {tariff.pk: _by_zone(tariff, profiles, whole) for tariff in tariffs}
    billed = dict(
        Bill.objects.filter(
            account=account,
            kind=Bill.Kind.BILL,
            status__in=_STANDING,
            month__gte=months[0].first_day,
            month__lte=months[-1].first_day,
        ).values_list("month", "total")
    )
    compared = tuple(
        _month(month, local_month(month, site), profiles, tariffs, prices, billed.get(month.first_day))
        for month in months
    )
    return Comparison(tariffs[0].currency, compared, tuple(_sum(tariff, compared) for tariff in tariffs))


def quote_account(
    *, account: CustomerAccount, month: YearMonth, components: Sequence[Component], tariff: Tariff, now: datetime
) -> Quote:
    """Price an account's month by components that need not be stored.

    :raises NotPriced: its energy is not all known, or a part of it has no tax rate.
    """
    period = local_month(month, zone(account.zone))
    parts = _parts(_profiles(account, period, now), period)
    return joined(
        [
            quote_components(
                components=components,
                currency=tariff.currency,
                tax=tariff.tax,
                profile=profile.imported,
                exported=profile.exported,
                zone=zone(profile.zone),
                period=own,
            )
            for profile, own in parts
        ]
    )


def months_before(*, now: datetime, account_zone: str, count: int) -> list[YearMonth]:
    """Return the latest months that are over on a zone's clock, oldest first."""
    month = YearMonth.of(now, zone(account_zone))
    months: list[YearMonth] = []
    for _ in range(count):
        month = month.previous()
        months.insert(0, month)
    return months


def _profiles(account: CustomerAccount, period: Period, now: datetime) -> list[PointProfile]:
    request = ProfileRequest(account.pk, period)
    return metered_half_hours(requests=[request], now=now, exports=True).get(account.pk, [])


def _by_zone(tariff: Tariff, profiles: Sequence[PointProfile], whole: Period) -> dict[str, Prices]:
    zones = {profile.zone for profile in profiles}
    return {name: tariff_prices(tariff=tariff, zone=zone(name), period=whole) for name in sorted(zones)}


def _parts(profiles: Sequence[PointProfile], period: Period) -> list[tuple[PointProfile, Period]]:
    """Return the profiles of a period, each with its part of it.

    :raises EnergyNotKnown: a half-hour is not known, or there is none.
    """
    parts = [(profile, own) for profile in profiles if (own := profile.period.intersect(period)) is not None]
    whole = [profile.imported.between(own.start, own.end) for profile, own in parts]
    if not parts or not all(_is_known(half_hours, own) for half_hours, (_, own) in zip(whole, parts, strict=True)):
        raise EnergyNotKnown(f"Half-hours are missing in {period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}.")
    return parts


def _is_known(half_hours: HalfHours, own: Period) -> bool:
    return half_hours.is_complete and half_hours.end >= own.end


def _month(
    month: YearMonth,
    period: Period,
    profiles: Sequence[PointProfile],
    tariffs: Sequence[Tariff],
    prices: dict[UUID, dict[str, Prices]],
    billed: Decimal | None,
) -> MonthCompared:
    try:
        parts = _parts(profiles, period)
    except EnergyNotKnown:
        return MonthCompared(month, None, billed, ())
    energy = sum((profile.imported.between(own.start, own.end).total_kwh for profile, own in parts), Decimal(0))
    return MonthCompared(month, energy, billed, tuple(_offer(tariff, parts, prices[tariff.pk]) for tariff in tariffs))


def _offer(tariff: Tariff, parts: Sequence[tuple[PointProfile, Period]], prices: dict[str, Prices]) -> Offer:
    try:
        quotes = [
            quote_prices(
                prices=prices[profile.zone],
                profile=profile.imported,
                exported=profile.exported,
                zone=zone(profile.zone),
                period=own,
            )
            for profile, own in parts
        ]
    except NotPriced as error:
        return Offer(tariff, None, str(error))
    return Offer(tariff, joined(quotes))


def _sum(tariff: Tariff, months: Sequence[MonthCompared]) -> Sum:
    found = [
        (month, offer.quote)
        for month in months
        for offer in month.offers
        if offer.tariff.pk == tariff.pk and offer.quote is not None
    ]
    amounts: dict[str, Decimal] = {}
    for _, quote in found:
        for cost in quote.components:
            amounts[cost.name] = amounts.get(cost.name, Decimal(0)) + cost.amount
    beside = [quote.total - month.billed for month, quote in found if month.billed is not None]
    return Sum(
        tariff=tariff,
        total=sum((quote.total for _, quote in found), Decimal(0)),
        months=len(found),
        difference=sum(beside, Decimal(0)) if beside else None,
        components=tuple(amounts.items()),
    )
