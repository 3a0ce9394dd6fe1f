"""What half-hours would cost by any tariff, stored or only written down, month by month."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateRange

from billing import rating
from billing.models import Tariff, Tax
from billing.rating import NOTHING, Hours, Line, Rating, TaxRate, Version
from billing.rating.terms import Component
from billing.selectors.price_books import Prices, percent, tariff_prices
from billing.selectors.pricing import rate_by_prices
from energy_portal.shared.clock import Period, YearMonth, local_day, local_month
from meters.halfhours import HalfHours

_VERSION = UUID(int=1)


@dataclass(frozen=True)
class ComponentCost:
    """What one component comes to before tax; a credit is negative."""

    kind: str
    name: str
    amount: Decimal


@dataclass(frozen=True)
class Quote:
    """What a period would cost, as the sum of its months, each rated and rounded as a bill is."""

    currency: str
    energy_kwh: Decimal
    months: tuple[tuple[Period, Rating], ...]

    @property
    def subtotal(self) -> Decimal:
        """Before tax."""
        return sum((rated.subtotal for _, rated in self.months), NOTHING)

    @property
    def tax(self) -> Decimal:
        """All taxes."""
        return sum((rated.tax for _, rated in self.months), NOTHING)

    @property
    def total(self) -> Decimal:
        """With tax."""
        return self.subtotal + self.tax

    @property
    def components(self) -> tuple[ComponentCost, ...]:
        """The parts that the subtotal adds up from, in the order in which they are charged."""
        amounts: dict[tuple[str, str], Decimal] = {}
        for line in self.lines:
            key = (line.kind, line.component.name if line.component else "")
            amounts[key] = amounts.get(key, NOTHING) + line.amount
        return tuple(ComponentCost(kind, name, amount) for (kind, name), amount in amounts.items())

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines before tax of all months."""
        return tuple(line for _, rated in self.months for line in rated.charges)


def quote_tariff(
    *, tariff: Tariff, profile: HalfHours, zone: ZoneInfo, period: Period, exported: HalfHours | None = None
) -> Quote:
    """Price half-hours by a tariff's versions, each local month as a billing period, in three queries.

    :raises NotPriced: a half-hour is not known, or a part of the period has no price.
    """
    prices = tariff_prices(tariff=tariff, zone=zone, period=period)
    return quote_prices(prices=prices, profile=profile, zone=zone, period=period, exported=exported)


def quote_components(
    *,
    components: Sequence[Component],
    currency: str,
    tax: Tax | None,
    profile: HalfHours,
    zone: ZoneInfo,
    period: Period,
    exported: HalfHours | None = None,
) -> Quote:
    """Price half-hours by components that need not be stored, as if they were in force all the time.

    :raises NotPriced: a half-hour is not known, or a part of the period has no tax rate.
    """
    version = Version(
        id=_VERSION,
        name="",
        start=period.start,
        end=None,
        components=tuple(components),
        tax_code=tax.code if tax else None,
        currency=currency,
    )
    taxes = tuple(_tax_rates(tax, zone, period)) if tax else ()
    prices = Prices(
        period=period,
        versions={"": (version,)},
        taxes=taxes,
        cuts=rating.cuts(period.start, period.end, [version], taxes),
        currency=currency,
        needs_half_hours=True,
        needs_exports=exported is not None,
        hours=Hours(),
    )
    return quote_prices(prices=prices, profile=profile, zone=zone, period=period, exported=exported)


def quote_prices(
    *, prices: Prices, profile: HalfHours, zone: ZoneInfo, period: Period, exported: HalfHours | None = None
) -> Quote:
    """Price half-hours by one tariff's prices, each local month as a billing period.

    :raises NotPriced: as :func:`quote_tariff` does.
    """
    months = tuple(
        (month, rate_by_prices(prices=prices, profile=profile, exported=exported, zone=zone, period=month))
        for month in months_of(period, zone)
    )
    return Quote(prices.currency, profile.between(period.start, period.end).total_kwh, months)


def joined(quotes: Sequence[Quote]) -> Quote:
    """Return what several places cost together; at least one, all in one currency."""
    return Quote(
        currency=quotes[0].currency,
        energy_kwh=sum((quote.energy_kwh for quote in quotes), Decimal(0)),
        months=tuple(month for quote in quotes for month in quote.months),
    )


def months_of(period: Period, zone: ZoneInfo) -> list[Period]:
    """Cut a period where a local month begins."""
    starts: list[datetime] = []
    month = YearMonth.of(period.start, zone).next()
    while (start := local_month(month, zone).start) < period.end:
        starts.append(start)
        month = month.next()
    return period.split_at(*starts)


def _tax_rates(tax: Tax, zone: ZoneInfo, period: Period) -> Iterator[TaxRate]:
    days = DateRange(period.start.astimezone(zone).date(), period.end.astimezone(zone).date(), "[]")
    for version in tax.versions.filter(effective__overlap=days).order_by("effective"):
        lower, upper = version.effective.lower, version.effective.upper
        yield TaxRate(
            version_id=version.pk,
            tax_code=tax.code,
            name=f"{tax.name} {percent(version.rate)} %",
            start=period.start if lower is None else local_day(lower, zone).start,
            end=None if upper is None else local_day(upper, zone).start,
            rate=version.rate,
        )
