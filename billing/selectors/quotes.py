"""What half-hours would cost by any tariff, stored or only written down, month by month."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateRange

from billing import rating
from billing.models import Tariff, Tax
from billing.rating import NOTHING, Line, Rating, Stretch, Supply, TaxRate, Version
from billing.rating.terms import Component
from billing.selectors.price_books import percent
from billing.selectors.pricing import EnergyNotKnown, NoTariffInForce, rate_profile
from energy_portal.shared.clock import Period, YearMonth, local_day, local_month
from meters.halfhours import HalfHours

_PLACE = UUID(int=0)
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
    """Price half-hours by a tariff's versions, each local month as a billing period.

    :raises NotPriced: a half-hour is not known, or a part of the period has no price.
    """

    def rated(month: Period) -> Rating:
        return rate_profile(tariff=tariff, profile=profile, exported=exported, zone=zone, period=month)

    return _quote(rated, tariff.currency, profile, zone, period)


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
    taxes = _tax_rates(tax, zone, period) if tax else []

    def rated(month: Period) -> Rating:
        cuts = rating.cuts(month.start, month.end, [version], taxes)
        pieces = [(piece, profile.between(piece.start, piece.end)) for piece in month.split_at(*cuts)]
        if profile.start > month.start or profile.end < month.end or not all(part.is_complete for _, part in pieces):
            raise EnergyNotKnown(f"Half-hours are missing in {month.start:%Y-%m-%d} to {month.end:%Y-%m-%d}.")
        supply = Supply(
            service_point_id=_PLACE,
            service_point_code="",
            zone=zone,
            stretches=tuple(Stretch(piece.start, piece.end, part.total_kwh) for piece, part in pieces),
            imported=profile,
            exported=exported,
        )
        try:
            return rating.rate([supply], {_PLACE: (version,)}, taxes)
        except rating.HalfHoursMissing as error:
            raise EnergyNotKnown(str(error)) from error
        except rating.RatingError as error:
            raise NoTariffInForce(str(error)) from error

    return _quote(rated, currency, profile, zone, period)


def months_of(period: Period, zone: ZoneInfo) -> list[Period]:
    """Cut a period where a local month begins."""
    starts: list[datetime] = []
    month = YearMonth.of(period.start, zone).next()
    while (start := local_month(month, zone).start) < period.end:
        starts.append(start)
        month = month.next()
    return period.split_at(*starts)


def _quote(
    rated: Callable[[Period], Rating], currency: str, profile: HalfHours, zone: ZoneInfo, period: Period
) -> Quote:
    months = tuple((month, rated(month)) for month in months_of(period, zone))
    return Quote(currency, profile.between(period.start, period.end).total_kwh, months)


def _tax_rates(tax: Tax, zone: ZoneInfo, period: Period) -> list[TaxRate]:
    days = DateRange(period.start.astimezone(zone).date(), period.end.astimezone(zone).date(), "[]")
    return list(_cut(tax, zone, period, days))


def _cut(tax: Tax, zone: ZoneInfo, period: Period, days: DateRange) -> Iterable[TaxRate]:
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
