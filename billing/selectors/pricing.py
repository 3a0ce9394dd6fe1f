"""What metered energy costs an account, or would cost by any tariff."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from billing import rating
from billing.models import Hold, Tariff
from billing.rating import Rating, Stretch, Supply
from billing.selectors.price_books import PriceBook, Prices, price_books, tariff_prices
from energy_portal.shared.clock import Period
from energy_portal.shared.errors import DomainError
from meters.halfhours import HalfHours
from meters.selectors.half_hours import PointProfile
from meters.selectors.quantities import MeteredQuantity

__all__ = [
    "EnergyNotKnown",
    "MixedCurrencies",
    "NoTariffInForce",
    "NotPriced",
    "PriceBook",
    "Priced",
    "price_books",
    "price_by",
    "rate_by_prices",
    "rate_profile",
]

_STORED = Decimal("0.000001")
_PROFILE = UUID(int=0)

Priced: TypeAlias = Rating


class NotPriced(DomainError):
    """Energy cannot be priced as it is; its code is a :class:`billing.models.Hold`."""


class NoTariffInForce(NotPriced):
    """A part of the period has no tariff version, or no version of its tax."""

    code = Hold.NO_TARIFF.value


class EnergyNotKnown(NotPriced):
    """A quantity to be priced is missing: it is never taken for zero."""

    code = Hold.INCOMPLETE_ENERGY.value


class MixedCurrencies(NotPriced):
    """Tariffs of more than one currency are in force in the period."""

    code = Hold.MIXED_CURRENCIES.value


def price_by(book: PriceBook, quantities: Sequence[MeteredQuantity], profiles: Sequence[PointProfile] = ()) -> Priced:
    """Price quantities of one billing period, metered between a book's cuts, by that book.

    What was in force in the past and what is announced for later days are priced alike.

    :param profiles: the half-hours of the same time, where the book needs them.
    :raises NoTariffInForce: a part of them has no price, which is never guessed.
    :raises EnergyNotKnown: one of them has no energy, or half-hours are needed and missing.
    :raises MixedCurrencies: their tariffs are in more than one currency.
    """
    supplies = [_supply(book, each, profile) for each, profile in _by_supply(quantities, profiles)]
    prices = book.prices
    try:
        return rating.rate(supplies, book.versions_of, prices.taxes, hours=prices.hours)
    except rating.RatingError as error:
        raise _refusal(error) from error


def rate_profile(
    *,
    tariff: Tariff,
    profile: HalfHours,
    exported: HalfHours | None,
    zone: ZoneInfo,
    period: Period,
    service_point_code: str = "profile",
) -> Priced:
    """Price the half-hours of any place by any tariff, as one billing period: tiers count from its start.

    :param profile: what came in, covering the period.
    :param exported: what went out over the same time; None where nothing can.
    :raises NotPriced: as :func:`price_by` does.
    """
    prices = tariff_prices(tariff=tariff, zone=zone, period=period)
    return rate_by_prices(
        prices=prices,
        profile=profile,
        exported=exported,
        zone=zone,
        period=period,
        service_point_code=service_point_code,
    )


def rate_by_prices(
    *,
    prices: Prices,
    profile: HalfHours,
    exported: HalfHours | None,
    zone: ZoneInfo,
    period: Period,
    service_point_code: str = "profile",
) -> Priced:
    """Price half-hours as :func:`rate_profile` does, by one tariff's prices that were collected for many periods.

    :param prices: of one service class, covering the period.
    :raises NotPriced: as :func:`price_by` does.
    """
    (versions,) = prices.versions.values()
    pieces = [(piece, profile.between(piece.start, piece.end)) for piece in period.split_at(*prices.cuts)]
    if profile.start > period.start or profile.end < period.end or not all(found.is_complete for _, found in pieces):
        raise EnergyNotKnown(f"Half-hours are missing in {period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}.")
    supply = Supply(
        service_point_id=_PROFILE,
        service_point_code=service_point_code,
        zone=zone,
        stretches=tuple(Stretch(piece.start, piece.end, found.total_kwh) for piece, found in pieces),
        imported=profile,
        exported=exported,
    )
    try:
        return rating.rate([supply], {_PROFILE: versions}, prices.taxes, hours=prices.hours)
    except rating.RatingError as error:
        raise _refusal(error) from error


def _refusal(error: rating.RatingError) -> NotPriced:
    if isinstance(error, rating.HalfHoursMissing):
        return EnergyNotKnown(str(error))
    if isinstance(error, rating.TwoCurrencies):
        return MixedCurrencies(str(error))
    return NoTariffInForce(str(error))


def _by_supply(
    quantities: Iterable[MeteredQuantity], profiles: Sequence[PointProfile]
) -> list[tuple[list[MeteredQuantity], PointProfile | None]]:
    """Put the quantities of each service point together, or of each stay there where half-hours tell stays apart."""
    at: dict[UUID, list[PointProfile]] = defaultdict(list)
    for profile in profiles:
        at[profile.service_point_id].append(profile)
    found: dict[tuple[UUID, int], tuple[list[MeteredQuantity], PointProfile | None]] = {}
    for quantity in quantities:
        point_id, start = quantity.service_point_id, quantity.period.start
        number, own = next(
            ((number, each) for number, each in enumerate(at[point_id]) if each.period.contains(start)), (-1, None)
        )
        found.setdefault((point_id, number), ([], own))[0].append(quantity)
    return list(found.values())


def _supply(book: PriceBook, quantities: Sequence[MeteredQuantity], profile: PointProfile | None) -> Supply:
    point_id = quantities[0].service_point_id
    return Supply(
        service_point_id=point_id,
        service_point_code=quantities[0].service_point_code,
        zone=book.zones.get(point_id, book.zone),
        stretches=tuple(_stretch(quantity) for quantity in quantities),
        imported=profile.imported if profile else None,
        exported=profile.exported if profile else None,
        billing_zone=book.zone,
    )


def _stretch(quantity: MeteredQuantity) -> Stretch:
    if quantity.energy_kwh is None:
        raise EnergyNotKnown(
            f"The energy at {quantity.service_point_code} is not known from "
            f"{quantity.period.start:%Y-%m-%d} to {quantity.period.end:%Y-%m-%d}.",
        )
    return Stretch(
        start=quantity.period.start,
        end=quantity.period.end,
        # What the line will store: quantity times rate must give its amount again.
        energy_kwh=quantity.energy_kwh.quantize(_STORED, rounding=ROUND_HALF_UP),
        reads=quantity.reads,
    )
