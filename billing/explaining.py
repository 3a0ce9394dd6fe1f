"""Why one bill differs from the one before: days, use, estimates and price, adding up to the cent. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import floor
from typing import TypeAlias

_CENTS = 100
_NOTHING = Decimal(0)
_HOURLY = "energy"
_FED_IN = "export"

# What was charged for by one key: its quantity and its amount.
_Sums: TypeAlias = dict[tuple[str, ...], tuple[Fraction, Fraction]]


class Cause(StrEnum):
    """What made the difference; ``price`` is what the causes after it come to."""

    DAYS = "days"
    USE = "use"
    ESTIMATES = "estimates"
    EXPORT = "export"
    PRICE = "price"
    RATES = "rates"
    MIX = "mix"
    ENERGY = "energy"
    DEMAND = "demand"
    FIXED = "fixed"
    TAX = "tax"


class Unexplained(StrEnum):
    """Why a difference cannot be told apart."""

    NO_BILL_BEFORE = "no_bill_before"
    OTHER_CURRENCY = "other_currency"
    NO_ENERGY_BEFORE = "no_energy_before"
    NOTHING_CHARGED_BEFORE = "nothing_charged_before"


@dataclass(frozen=True)
class Charge:
    """One line of a bill; ``hours`` and ``tier`` name what its rate holds for, both empty where it has one rate."""

    kind: str
    name: str
    quantity: Decimal
    amount: Decimal
    hours: str = ""
    tier: str = ""


@dataclass(frozen=True)
class Billed:
    """A bill as far as it can be compared: the days supplied, its energy measured and estimated, and its lines."""

    days: Decimal
    measured_kwh: Decimal
    estimated_kwh: Decimal
    total: Decimal
    currency: str
    charges: tuple[Charge, ...] = ()

    @property
    def kwh(self) -> Decimal:
        return self.measured_kwh + self.estimated_kwh


@dataclass(frozen=True)
class Part:
    """What one cause adds to the bill, or takes from it."""

    cause: Cause
    amount: Decimal


@dataclass(frozen=True)
class Difference:
    """A bill's total less the one before, None without one, and its parts, which add up to it exactly.

    ``price`` divides the part of that name and adds up to it. Without parts, ``reason`` says why there are none.
    """

    amount: Decimal | None
    parts: tuple[Part, ...] = ()
    price: tuple[Part, ...] = ()
    reason: Unexplained | None = None


def explain_difference(before: Billed | None, after: Billed) -> Difference:
    """Divide the difference of two bills among its causes.

    With p the price of the bill before, a kWh, and d days, m measured and e estimated energy: days count
    (d1 - d0) p k0 / d0, use (m1/d1 - m0/d0) d1 p, estimates the same of e, and price the rest, k1 (p1 - p0). What was
    fed in is a cause of its own and no part of p. Cents go to the parts with the largest remainders.
    """
    if before is None:
        return Difference(None, reason=Unexplained.NO_BILL_BEFORE)
    if before.currency != after.currency:
        return Difference(None, reason=Unexplained.OTHER_CURRENCY)
    amount = after.total - before.total
    if before.kwh <= 0 or before.days <= 0 or after.days <= 0:
        return Difference(amount, reason=Unexplained.NO_ENERGY_BEFORE)
    base = Fraction(before.total) - _fed_in(before)
    if base <= 0:
        return Difference(amount, reason=Unexplained.NOTHING_CHARGED_BEFORE)
    causes = _causes(before, after, base / Fraction(before.kwh))
    cents = _in_cents(list(causes.values()), amount)
    parts = tuple(Part(cause, part) for cause, part in zip(causes, cents, strict=True))
    price = next(part.amount for part in parts if part.cause is Cause.PRICE)
    return Difference(amount, tuple(part for part in parts if _is_told(part)), _price_parts(before, after, price))


def _is_told(part: Part) -> bool:
    return part.amount != 0 or part.cause in {Cause.DAYS, Cause.USE, Cause.PRICE}


def _fed_in(billed: Billed) -> Fraction:
    return sum((Fraction(charge.amount) for charge in billed.charges if charge.kind == _FED_IN), Fraction(0))


def _causes(before: Billed, after: Billed, price: Fraction) -> dict[Cause, Fraction]:
    days = Fraction(after.days) / Fraction(before.days)
    causes = {
        Cause.DAYS: (days - 1) * price * Fraction(before.kwh),
        Cause.USE: (Fraction(after.measured_kwh) - Fraction(before.measured_kwh) * days) * price,
        Cause.ESTIMATES: (Fraction(after.estimated_kwh) - Fraction(before.estimated_kwh) * days) * price,
        Cause.EXPORT: _fed_in(after) - _fed_in(before),
    }
    whole = Fraction(after.total) - Fraction(before.total)
    return causes | {Cause.PRICE: whole - sum(causes.values(), Fraction(0))}


def _price_parts(before: Billed, after: Billed, price: Decimal) -> tuple[Part, ...]:
    """Divide what price made among rates, hours and tiers, demand, fixed charges and tax.

    Each is its own amount less what it came to a kWh before; none where the lines do not make up the totals.
    """
    if any(_charged(billed) != Fraction(billed.total) for billed in (before, after)):
        return ()
    more_energy = Fraction(after.kwh) / Fraction(before.kwh)
    causes: dict[Cause, Fraction] = {}
    for cause, kinds in _KINDS.items():
        charged = [_sum(billed.charges, kinds) for billed in (before, after)]
        causes[cause] = charged[1] - charged[0] * more_energy
    rates = _rates_alone(before, after)
    if rates is not None:
        mix = causes.pop(Cause.ENERGY) - rates
        causes = {Cause.RATES: rates, Cause.MIX: mix} | causes
    cents = _in_cents(list(causes.values()), price)
    parts = (Part(cause, part) for cause, part in zip(causes, cents, strict=True))
    told = tuple(part for part in parts if part.amount)
    return told if len(told) > 1 else ()


_KINDS: Mapping[Cause, frozenset[str]] = {
    Cause.ENERGY: frozenset({_HOURLY}),
    Cause.DEMAND: frozenset({"demand"}),
    Cause.FIXED: frozenset({"fixed", "minimum"}),
    Cause.TAX: frozenset({"tax"}),
}


def _charged(billed: Billed) -> Fraction:
    return _sum(billed.charges, frozenset({_FED_IN}).union(*_KINDS.values()))


def _sum(charges: Iterable[Charge], kinds: frozenset[str]) -> Fraction:
    return sum((Fraction(charge.amount) for charge in charges if charge.kind in kinds), Fraction(0))


def _rates_alone(before: Billed, after: Billed) -> Fraction | None:
    """Return what the same energy at the same hours and tiers costs more than before; None where none compare.

    Tiers that one of the bills has not are put together with the others of their hours.
    """
    for by_tier in (True, False):
        then, now = (_by_rate(billed.charges, by_tier=by_tier) for billed in (before, after))
        used = {key: sums for key, sums in now.items() if sums[0]}
        if all(then[key][0] for key in used):
            dearer = (amount - kwh * then[key][1] / then[key][0] for key, (kwh, amount) in used.items())
            return sum(dearer, Fraction(0))
    return None


def _by_rate(charges: Iterable[Charge], *, by_tier: bool) -> _Sums:
    sums: _Sums = defaultdict(lambda: (Fraction(0), Fraction(0)))
    for charge in charges:
        if charge.kind == _HOURLY:
            key = (charge.name, charge.hours, charge.tier if by_tier else "")
            quantity, amount = sums[key]
            sums[key] = quantity + Fraction(charge.quantity), amount + Fraction(charge.amount)
    return sums


def _in_cents(exact: Sequence[Fraction], whole: Decimal) -> list[Decimal]:
    """Round parts to cents that add up to ``whole``, which lies within a cent of their sum.

    Each is cut down to the cent, and the cents that are left go to those that lost most.
    """
    cents = [floor(part * _CENTS) for part in exact]
    missing = int(whole * _CENTS) - sum(cents)
    by_loss = sorted(range(len(exact)), key=lambda place: (cents[place] - exact[place] * _CENTS, place))
    for place in by_loss[:missing]:
        cents[place] += 1
    return [(Decimal(cent) / _CENTS).quantize(Decimal("0.01")) for cent in cents]
