"""What is in force when: versions of a tariff with what they charge, and of its tax. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

from billing.rating.terms import Component, DemandTerms, EnergyTerms, Kind


class RatingError(Exception):
    """A quantity cannot be priced."""


class NoRateInForce(RatingError):
    """No tariff version covers a stretch."""


class NoTaxInForce(RatingError):
    """A price is taxed, and no version of its tax covers a stretch."""


class NotCut(RatingError):
    """A stretch crosses the start of a version: its energy cannot be told apart."""


class TwoCurrencies(RatingError):
    """Prices of more than one currency are in force: their sum means nothing."""


@dataclass(frozen=True)
class Version:
    """A tariff's prices before tax, in force over ``[start, end)``; ``end`` None: until further notice."""

    id: UUID
    name: str
    start: datetime
    end: datetime | None
    components: tuple[Component, ...]
    tax_code: str | None
    currency: str


@dataclass(frozen=True)
class TaxRate:
    """A tax in force over ``[start, end)``; a rate of 0.09 is 9 %."""

    version_id: UUID
    tax_code: str
    name: str
    start: datetime
    end: datetime | None
    rate: Decimal


_InForce = TypeVar("_InForce", Version, TaxRate)


def needs_half_hours(versions: Iterable[Version]) -> bool:
    """Tell whether energy between the cuts is not enough to price by these versions."""
    return any(component_needs_half_hours(item) for version in versions for item in version.components)


def component_needs_half_hours(component: Component) -> bool:
    """Tell whether a component asks when energy passed, or how much of it went out."""
    terms = component.terms
    if isinstance(terms, DemandTerms) or component.kind is Kind.EXPORT:
        return True
    return isinstance(terms, EnergyTerms) and len(terms.periods) > 1


def cuts(start: datetime, end: datetime, versions: Iterable[Version], taxes: Iterable[TaxRate]) -> tuple[datetime, ...]:
    """List the instants at which energy must be known to price ``[start, end]``, both ends among them.

    :returns: ascending: the period's ends and every start or end of a version between them.
    """
    in_force: list[Version | TaxRate] = [*versions, *taxes]
    inside = {
        instant
        for each in in_force
        for instant in (each.start, each.end)
        if instant is not None and start < instant < end
    }
    return (start, *sorted(inside), end)


def version_in_force(versions: Sequence[Version], start: datetime, end: datetime) -> Version:
    """Return the one version that covers ``[start, end)``.

    :raises NoRateInForce: a part of it has none.
    :raises NotCut: it has several.
    """
    found = _overlapping(versions, start, end)
    if _has_gap(found, start, end):
        raise NoRateInForce(f"No price is in force throughout {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    if len(found) > 1:
        raise NotCut(f"More than one price is in force in {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    return found[0]


def tax_in_force(taxes: Sequence[TaxRate], tax_code: str | None, start: datetime, end: datetime) -> TaxRate | None:
    """Return the one version of a tax that covers ``[start, end)``; None of no tax.

    :raises NoTaxInForce: a part of it has none.
    :raises NotCut: it has several.
    """
    if tax_code is None:
        return None
    found = _overlapping([tax for tax in taxes if tax.tax_code == tax_code], start, end)
    if _has_gap(found, start, end):
        raise NoTaxInForce(f"No version of {tax_code} is in force throughout {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    if len(found) > 1:
        raise NotCut(f"More than one tax rate is in force in {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    return found[0]


def _overlapping(rates: Sequence[_InForce], start: datetime, end: datetime) -> list[_InForce]:
    return [rate for rate in rates if rate.start < end and (rate.end is None or rate.end > start)]


def _has_gap(rates: Sequence[_InForce], start: datetime, end: datetime) -> bool:
    ordered = sorted(rates, key=lambda rate: rate.start)
    if not ordered or ordered[0].start > start:
        return True
    if any(earlier.end != later.start for earlier, later in pairwise(ordered)):
        return True
    last = ordered[-1].end
    return last is not None and last < end
