"""Rate metered energy: quantities and prices in, priced lines out. Pure; every amount is a Decimal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

from energy_portal.shared.units import to_cents

NOTHING = Decimal("0.00")


class RatingError(Exception):
    """A quantity cannot be priced."""


class NoRateInForce(RatingError):
    """No tariff version covers a stretch."""


class NoTaxInForce(RatingError):
    """A price is taxed, and no version of its tax covers a stretch."""


class NotCut(RatingError):
    """A stretch crosses the start of a version: its energy cannot be told apart."""


@dataclass(frozen=True)
class EnergyRate:
    """A price of energy, before tax, in force over ``[start, end)``; ``end`` None: until further notice."""

    version_id: UUID
    name: str
    start: datetime
    end: datetime | None
    rate_per_kwh: Decimal
    tax_code: str | None


@dataclass(frozen=True)
class TaxRate:
    """A tax in force over ``[start, end)``; a rate of 0.09 is 9 %."""

    version_id: UUID
    tax_code: str
    name: str
    start: datetime
    end: datetime | None
    rate: Decimal


@dataclass(frozen=True)
class Stretch:
    """Energy that passed at one service point over ``[start, end)``; ``reads`` are carried, not read."""

    service_point_id: UUID
    service_point_code: str
    start: datetime
    end: datetime
    energy_kwh: Decimal
    reads: tuple[Any, ...] = ()


@dataclass(frozen=True)
class EnergyLine:
    """One stretch at the price in force, rounded to the cent."""

    stretch: Stretch
    rate: EnergyRate
    amount: Decimal


@dataclass(frozen=True)
class TaxLine:
    """A tax on the rounded lines of ``[start, end)`` in which its version was in force, rounded to the cent."""

    tax: TaxRate
    start: datetime
    end: datetime
    taxed: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Rating:
    """Priced lines and what they come to: ``total`` is ``subtotal`` plus ``tax``, each the sum of its lines."""

    lines: tuple[EnergyLine, ...]
    taxes: tuple[TaxLine, ...]
    subtotal: Decimal
    tax: Decimal
    total: Decimal


def cuts(
    start: datetime, end: datetime, energy_rates: Iterable[EnergyRate], tax_rates: Iterable[TaxRate]
) -> tuple[datetime, ...]:
    """List the instants at which energy must be known to price ``[start, end]``, both ends among them.

    :returns: ascending: the period's ends and every start or end of a version between them.
    """
    versions: list[EnergyRate | TaxRate] = [*energy_rates, *tax_rates]
    inside = {
        instant
        for version in versions
        for instant in (version.start, version.end)
        if instant is not None and start < instant < end
    }
    return (start, *sorted(inside), end)


def rate(stretches: Sequence[Stretch], energy_rates: Sequence[EnergyRate], tax_rates: Sequence[TaxRate]) -> Rating:
    """Price stretches by the version in force, and tax each tax version's rounded lines.

    Each line is rounded half-up to the cent; a unit rate never is.

    :raises NoRateInForce: a stretch, or a part of it, has no price.
    :raises NoTaxInForce: a taxed stretch has no tax version.
    :raises NotCut: a stretch crosses the start of a version; see :func:`cuts`.
    """
    lines = tuple(_energy_line(stretch, energy_rates) for stretch in stretches)
    taxes = _tax_lines(lines, tax_rates)
    subtotal = sum((line.amount for line in lines), NOTHING)
    tax = sum((line.amount for line in taxes), NOTHING)
    return Rating(lines=lines, taxes=taxes, subtotal=subtotal, tax=tax, total=subtotal + tax)


def _energy_line(stretch: Stretch, rates: Sequence[EnergyRate]) -> EnergyLine:
    in_force = [rate for rate in rates if _overlaps(rate, stretch)]
    if _has_gap(in_force, stretch):
        raise NoRateInForce(f"No price is in force throughout {stretch.start:%Y-%m-%d} to {stretch.end:%Y-%m-%d}.")
    if len(in_force) > 1:
        raise NotCut(f"More than one price is in force in {stretch.start:%Y-%m-%d} to {stretch.end:%Y-%m-%d}.")
    price = in_force[0]
    return EnergyLine(stretch=stretch, rate=price, amount=to_cents(stretch.energy_kwh * price.rate_per_kwh))


def _tax_lines(lines: Sequence[EnergyLine], rates: Sequence[TaxRate]) -> tuple[TaxLine, ...]:
    taxed: dict[TaxRate, list[EnergyLine]] = {}
    for line in lines:
        if line.rate.tax_code is not None:
            taxed.setdefault(_tax_in_force(line, rates), []).append(line)
    return tuple(_tax_line(tax, taxed[tax]) for tax in sorted(taxed, key=lambda tax: (tax.start, tax.tax_code)))


def _tax_in_force(line: EnergyLine, rates: Sequence[TaxRate]) -> TaxRate:
    stretch = line.stretch
    in_force = [tax for tax in rates if tax.tax_code == line.rate.tax_code and _overlaps(tax, stretch)]
    if _has_gap(in_force, stretch):
        raise NoTaxInForce(
            f"No version of {line.rate.tax_code} is in force throughout "
            f"{stretch.start:%Y-%m-%d} to {stretch.end:%Y-%m-%d}."
        )
    if len(in_force) > 1:
        raise NotCut(f"More than one tax rate is in force in {stretch.start:%Y-%m-%d} to {stretch.end:%Y-%m-%d}.")
    return in_force[0]


def _tax_line(tax: TaxRate, lines: Sequence[EnergyLine]) -> TaxLine:
    taxed = sum((line.amount for line in lines), NOTHING)
    return TaxLine(
        tax=tax,
        start=min(line.stretch.start for line in lines),
        end=max(line.stretch.end for line in lines),
        taxed=taxed,
        amount=to_cents(taxed * tax.rate),
    )


def _overlaps(version: EnergyRate | TaxRate, stretch: Stretch) -> bool:
    return version.start < stretch.end and (version.end is None or version.end > stretch.start)


def _has_gap(versions: Sequence[EnergyRate | TaxRate], stretch: Stretch) -> bool:
    ordered = sorted(versions, key=lambda version: version.start)
    if not ordered or ordered[0].start > stretch.start:
        return True
    if any(earlier.end != later.start for earlier, later in pairwise(ordered)):
        return True
    last = ordered[-1].end
    return last is not None and last < stretch.end
