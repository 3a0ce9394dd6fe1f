"""What a kilowatt-hour costs at which hours of the clock: the tariff's bands, as a chart draws them behind use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from accounts.models import CustomerAccount
from billing.rating import Hours, Version
from billing.rating.terms import EnergyTerms, Kind, Per, RatePeriod
from billing.selectors.price_books import PriceBook, price_books
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.models import ServicePoint

# One energy component's name, its rate period and what its tiers count for.
_Charge: TypeAlias = tuple[str, RatePeriod, Per]


@dataclass(frozen=True)
class BandPrice:
    """One of the prices in a period, before tax: its rank by price, dearest 0, its name and its rates a kWh.

    ``rates`` are (up to which kWh, rate), the last one without an end; ``tiers_per`` says of what the kWh are.
    """

    rank: int
    name: str
    currency: str
    rates: tuple[tuple[Decimal | None, Decimal], ...]
    tiers_per: Per


@dataclass(frozen=True)
class Band:
    """A stretch of time in which one price holds."""

    period: Period
    price: BandPrice


@dataclass(frozen=True)
class TariffBands:
    """The bands of a period in the order of time, and its prices, dearest first.

    ``service_point`` names the place that they are of, where an account has several; otherwise it is empty.
    """

    bands: tuple[Band, ...]
    prices: tuple[BandPrice, ...]
    service_point: str

    @property
    def changes(self) -> bool:
        """Whether the price depends on when energy is used."""
        return len(self.prices) > 1


def tariff_bands(*, account: CustomerAccount, period: Period) -> TariffBands:
    """Return what energy costs when, at the first of an account's places that a tariff covers.

    Components of energy add up: where several charge at once, a band is what they come to together, and it takes its
    name from those that tell hours apart. Tiers of several are not added: then the first tiers are.

    :param period: whole half-hours.
    """
    book = price_books(accounts=[account], periods={account.pk: period})[account.pk]
    point_id = next((point for point, versions in book.versions_of.items() if versions), None)
    if point_id is None:
        return TariffBands((), (), "")
    pieces = [
        (start, charges, version.currency)
        for version in book.versions_of[point_id]
        for start, charges in _charged(version, book.zones[point_id], period)
    ]
    prices = _prices({(charges, currency) for _, charges, currency in pieces})
    bands = []
    for key, run in groupby(sorted(pieces, key=lambda piece: piece[0]), key=lambda piece: piece[1:]):
        starts = [start for start, _, _ in run]
        bands.append(Band(Period(starts[0], starts[-1] + HALF_HOUR), prices[key]))
    several = len(book.versions_of) > 1
    found = sorted(set(prices.values()), key=lambda price: price.rank)
    return TariffBands(tuple(bands), tuple(found), _code(point_id) if several else "")


def rate_at(book: PriceBook, point_id: UUID, instant: datetime) -> tuple[Version, Decimal] | None:
    """Return the version in force at a place at an instant, and what the first kWh costs by it then, before tax.

    None where nothing charges energy there and then.

    :param instant: in the book's period.
    """
    moment = Period(instant, instant + HALF_HOUR)
    for version in book.versions_of.get(point_id, ()):
        for _, charges in _charged(version, book.zones[point_id], moment):
            return version, _first_rate(charges)
    return None


def _charged(version: Version, zone: ZoneInfo, period: Period) -> Iterator[tuple[datetime, tuple[_Charge, ...]]]:
    """Yield each half-hour in which a version is in force, with the energy that it charges then."""
    inside = Period(version.start, version.end or period.end).intersect(period)
    if inside is None:
        return
    count = inside.duration // HALF_HOUR
    charges: list[list[_Charge]] = [[] for _ in range(count)]
    hours = Hours()
    for component in version.components:
        if component.kind is not Kind.ENERGY or not isinstance(component.terms, EnergyTerms):
            continue
        places = hours.places(component.terms, zone, inside.start, count)
        for rate_period, own in zip(component.terms.periods, places, strict=True):
            for place in own:
                charges[int(place)].append((component.name, rate_period, component.terms.tiers_per))
    for number, charged in enumerate(charges):
        if charged:
            yield inside.start + number * HALF_HOUR, tuple(charged)


def _prices(
    found: set[tuple[tuple[_Charge, ...], str]],
) -> dict[tuple[tuple[_Charge, ...], str], BandPrice]:
    """Rank what is charged together by its first rates, dearest first."""
    ordered = sorted(found, key=lambda each: (-_first_rate(each[0]), _name(each[0])))
    return {
        (charges, currency): BandPrice(rank, _name(charges), currency, _rates(charges), charges[0][2])
        for rank, (charges, currency) in enumerate(ordered)
    }


def _first_rate(charges: Sequence[_Charge]) -> Decimal:
    return sum((period.tiers[0].rate for _, period, _ in charges), Decimal(0))


def _name(charges: Sequence[_Charge]) -> str:
    named = [period.name for _, period, _ in charges if period.name]
    return ", ".join(dict.fromkeys(named)) or charges[0][0]


def _rates(charges: Sequence[_Charge]) -> tuple[tuple[Decimal | None, Decimal], ...]:
    if len(charges) == 1:
        return tuple((tier.up_to, tier.rate) for tier in charges[0][1].tiers)
    return ((None, _first_rate(charges)),)


def _code(point_id: UUID) -> str:
    return str(ServicePoint.objects.values_list("code", flat=True).get(pk=point_id))
