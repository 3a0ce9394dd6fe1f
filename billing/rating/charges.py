"""What each kind of component charges for a part of a supply. Pure; energy is summed in integers of 10^-6 kWh."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias

from billing.rating.calendar import Hours, days_between, months_between
from billing.rating.lines import NOTHING, Line
from billing.rating.supplies import Part, Supply, known_between
from billing.rating.terms import (
    Component,
    DemandTerms,
    EnergyTerms,
    FixedTerms,
    Kind,
    MinimumTerms,
    Per,
    RatePeriod,
)
from energy_portal.shared.clock import HALF_HOUR, Period
from energy_portal.shared.units import to_cents

_MICRO = -6
_HALF_HOURS_AN_HOUR = 2
_ONE = Decimal(1)

Counted: TypeAlias = tuple[object, ...]


@dataclass(frozen=True)
class Slice:
    """The part of a quantity that lies in one tier, and the tier's limits; ``upper`` None: without end."""

    index: int
    lower: Decimal
    upper: Decimal | None
    rate: Decimal
    quantity: Decimal


class Tally:
    """What has been counted towards tiers at one service point since its billing period began, kWh."""

    def __init__(self, supplies: Sequence[Supply]) -> None:
        self._supplies = supplies
        self._reached: dict[Counted, Decimal] = {}

    @cached_property
    def days(self) -> Decimal:
        """The local days of supply in the billing period."""
        days = (days_between(each.start, each.end, at.days_on) for at in self._supplies for each in at.stretches)
        return sum(days, Decimal(0))

    def slices(self, key: Counted, period: RatePeriod, quantity: Decimal, *, times: Decimal = _ONE) -> list[Slice]:
        """Count a quantity on from where its like has come to, and cut it at the limits of the tiers."""
        reached = self._reached.get(key, Decimal(0))
        self._reached[key] = reached + quantity
        return slices(period, reached, quantity, times=times)


def slices(period: RatePeriod, reached: Decimal, quantity: Decimal, *, times: Decimal = _ONE) -> list[Slice]:
    """Cut the quantity that follows ``reached`` at the limits of a period's tiers, ``times`` as high as written.

    A quantity of nothing lies where it would start; so does a negative one, whole.
    """
    found, lower, end = [], Decimal(0), reached + quantity
    for index, tier in enumerate(period.tiers):
        upper = None if tier.up_to is None else tier.up_to * times
        if upper is None or reached < upper:
            until = end if upper is None or quantity <= 0 else min(end, upper)
            found.append(Slice(index, lower, upper, tier.rate, until - reached))
            reached = until
            if reached == end:
                break
        lower = upper or lower
    return found


def charge(part: Part, tally: Tally, hours: Hours) -> list[Line]:
    """Charge all components of a part's version but minimums, in their order.

    :raises HalfHoursMissing: a component asks for half-hours that are not known.
    """
    lines: list[Line] = []
    same: Counter[Counted] = Counter()
    reads = part.reads
    for component in part.version.components:
        like = (component.kind, component.name)
        match component.terms:
            case EnergyTerms() as terms:
                charged = _energies(part, component, terms, tally, hours, (*like, same[like]))
                # The reads behind the other lines of energy are the same: they are told once.
                lines += _energy(part, component, terms, charged, reads if component.kind is Kind.ENERGY else ())
                reads = () if component.kind is Kind.ENERGY else reads
            case DemandTerms() as terms:
                lines += _demand(part, component, terms, hours)
            case FixedTerms() as terms:
                lines.append(_fixed(part, component, terms))
        same[like] += 1
    return lines


def top_up(parts: Sequence[Part], lines: Sequence[Line]) -> list[Line]:
    """Charge what a version's lines at one service point are short of its minimums.

    :param parts: all of one version, in the order of time; the last one's tax is due.
    """
    found: list[Line] = []
    first, last = parts[0], parts[-1]
    for component in first.version.components:
        if not isinstance(component.terms, MinimumTerms):
            continue
        terms = component.terms
        times = sum((_times(part, terms.per) for part in parts), Decimal(0))
        least = to_cents(terms.amount * times)
        reached = sum((line.amount for line in (*lines, *found)), NOTHING)
        if reached < least:
            found.append(
                Line(
                    kind=component.kind,
                    component=component,
                    version=first.version,
                    tax=last.tax,
                    supply=first.supply,
                    start=first.start,
                    end=last.end,
                    quantity=least - reached,
                    unit=first.version.currency,
                    rate=_ONE,
                    amount=least - reached,
                    detail={
                        "least": f"{least:f}",
                        "reached": f"{reached:f}",
                        "amount": _plain(terms.amount),
                        "per": terms.per.value,
                        "times": f"{times:f}",
                    },
                )
            )
    return found


def _energy(
    part: Part, component: Component, terms: EnergyTerms, charged: Sequence[tuple[int, Slice]], reads: tuple[Any, ...]
) -> Iterator[Line]:
    sign = -1 if component.kind is Kind.EXPORT else 1
    for index, each in charged:
        amount = sign * to_cents(each.quantity * each.rate)
        yield _line(part, component, each, "kWh", amount, _detail(terms, index, each), reads=reads)
        reads = ()


def _energies(
    part: Part, component: Component, terms: EnergyTerms, tally: Tally, hours: Hours, like: Counted
) -> list[tuple[int, Slice]]:
    """Return the energy of a part by rate period and tier; nothing used is one of them, nothing given is none."""
    times = tally.days if terms.tiers_per is Per.DAY else _ONE
    found = []
    for index, quantity in _by_period(part, component, terms, hours):
        period = terms.periods[index]
        namesakes = sum(other.name == period.name for other in terms.periods[:index])
        key = (*like, period.name, namesakes)
        found += [(index, each) for each in tally.slices(key, period, quantity, times=times)]
    some = [(index, each) for index, each in found if each.quantity]
    return some or ([] if component.kind is Kind.EXPORT else found[:1])


def _by_period(part: Part, component: Component, terms: EnergyTerms, hours: Hours) -> Iterator[tuple[int, Decimal]]:
    """Yield the energy of each rate period that has hours in a part, kWh."""
    if component.kind is Kind.EXPORT:
        if part.supply.exported is None:
            return
        found = known_between(part.supply.exported, part.start, part.end)
    elif len(terms.periods) == 1:
        yield 0, part.energy_kwh
        return
    else:
        found = known_between(part.supply.imported, part.start, part.end)
    energy = found.energy_ukwh
    for index, places in enumerate(hours.places(terms, part.supply.zone, found.start, len(energy))):
        if len(places):
            yield index, Decimal(int(energy[places].sum())).scaleb(_MICRO)


def _demand(part: Part, component: Component, terms: DemandTerms, hours: Hours) -> Iterator[Line]:
    """Charge the highest half-hour of each rate period, for the share of each month that the part has."""
    for month, share in months_between(part.start, part.end, part.supply.days_on):
        found = known_between(part.supply.imported, month.start, month.end)
        energy = found.energy_ukwh
        for index, places in enumerate(hours.places(terms, part.supply.zone, found.start, len(energy))):
            if not len(places):
                continue
            highest = int(places[energy[places].argmax()])
            power = _HALF_HOURS_AN_HOUR * Decimal(int(energy[highest])).scaleb(_MICRO)
            at = found.start + highest * HALF_HOUR
            for each in slices(terms.periods[index], Decimal(0), power):
                amount = to_cents(each.quantity * each.rate * share)
                detail = _detail(terms, index, each) | {"at": at.isoformat(), "share": f"{share:f}"}
                yield _line(part, component, each, "kW", amount, detail, over=month)


def _fixed(part: Part, component: Component, terms: FixedTerms) -> Line:
    times = _times(part, terms.per)
    whole = Slice(0, Decimal(0), None, terms.amount, times)
    return _line(part, component, whole, f"{terms.per}s", to_cents(times * terms.amount), {})


def _times(part: Part, per: Per) -> Decimal:
    """Return how many days or months a part has."""
    zone = part.supply.days_on
    if per is Per.DAY:
        return days_between(part.start, part.end, zone)
    return sum((share for _, share in months_between(part.start, part.end, zone)), Decimal(0))


def _line(
    part: Part,
    component: Component,
    priced: Slice,
    unit: str,
    amount: Decimal,
    detail: dict[str, Any],
    over: Period | None = None,
    reads: tuple[Any, ...] = (),
) -> Line:
    return Line(
        kind=component.kind,
        component=component,
        version=part.version,
        tax=part.tax,
        supply=part.supply,
        start=over.start if over else part.start,
        end=over.end if over else part.end,
        quantity=priced.quantity,
        unit=unit,
        rate=priced.rate,
        amount=amount,
        detail=detail,
        reads=reads,
    )


def _detail(terms: EnergyTerms | DemandTerms, index: int, priced: Slice) -> dict[str, Any]:
    period = terms.periods[index]
    return {
        "period": index,
        "period_name": period.name,
        "tier": priced.index,
        "tier_from": _plain(priced.lower),
        "tier_up_to": None if priced.upper is None else _plain(priced.upper),
        "tiers": len(period.tiers),
    }


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
