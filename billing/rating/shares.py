"""How much of each half-hour a line of energy counts, by the same rules as :mod:`billing.rating.charges`. Pure."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TypeAlias

from billing.rating.terms import Component, EnergyTerms
from energy_portal.shared.units import round_half_up

# What tiers count together over the versions of a billing period at one service point.
Counted: TypeAlias = tuple[str, str, int, str, int]

_PLACES = 6


def counted_as(components: Sequence[Component], component: Component, period: int) -> Counted:
    """Return what a rate period counts towards: those with an equal answer count on from each other.

    :param components: all of the version, in their order.
    :param period: the number of one of the component's rate periods.
    """
    like = [each.id for each in components if (each.kind, each.name) == (component.kind, component.name)]
    names = [each.name for each in component.terms.periods] if isinstance(component.terms, EnergyTerms) else []
    name = names[period] if period < len(names) else ""
    return component.kind.value, component.name, like.index(component.id), name, names[:period].count(name)


def tier_shares(
    energies_kwh: Sequence[Decimal], *, reached: Decimal, lower: Decimal, upper: Decimal | None
) -> Iterator[Decimal]:
    """Yield how much of each energy lies in a tier, kWh, when they count on from ``reached``.

    :param energies_kwh: in the order of time, none negative.
    :param upper: where the tier ends; None: nowhere.
    """
    top = None if upper is None else round_half_up(upper, _PLACES)
    bottom = round_half_up(lower, _PLACES)
    for energy in energies_kwh:
        end = reached + energy
        until = end if top is None else min(end, top)
        yield max(until - max(reached, bottom), Decimal(0))
        reached = end
