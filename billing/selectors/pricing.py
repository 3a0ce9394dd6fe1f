"""What energy costs an account: the versions of its tariff and tax, as instants in its own zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.models import CustomerAccount
from billing.rating import EnergyRate, Rating, TaxRate
from energy_portal.shared.clock import Period
from energy_portal.shared.errors import DomainError
from meters.selectors.quantities import MeteredQuantity


class NoTariffInForce(DomainError):
    """A part of the period has no tariff version, or no version of its tax."""

    code = "no_tariff_in_force"


class EnergyNotKnown(DomainError):
    """A quantity to be priced is missing: it is never taken for zero."""

    code = "incomplete_energy"


@dataclass(frozen=True)
class Priced(Rating):
    """A rating in its currency."""

    currency: str


@dataclass(frozen=True)
class PriceBook:
    """Every price and tax rate that an account meets in a period."""

    currency: str
    energy_rates: tuple[EnergyRate, ...]
    tax_rates: tuple[TaxRate, ...]


def price_books(*, accounts: Sequence[CustomerAccount], periods: Mapping[UUID, Period]) -> dict[UUID, PriceBook]:
    """Collect what each account pays in its period, in a constant number of queries.

    :param periods: by account id.
    """
    raise NotImplementedError


def price_cuts(*, account: CustomerAccount, period: Period) -> tuple[datetime, ...]:
    """List the instants at which an account's energy must be known to price a period: what a QuantityRequest takes."""
    raise NotImplementedError


def price(*, account: CustomerAccount, quantities: Sequence[MeteredQuantity], now: datetime) -> Priced:
    """Price quantities that were metered between an account's :func:`price_cuts`.

    :raises NoTariffInForce: a part of them has no price, which is never guessed.
    :raises EnergyNotKnown: one of them has no energy.
    """
    raise NotImplementedError
