"""Rate a billing period: what passed at service points and prices in, lines out. Pure; every amount is a Decimal."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from billing.rating.calendar import Hours
from billing.rating.charges import Tally, charge, top_up
from billing.rating.lines import NOTHING, Line, Rating
from billing.rating.supplies import Part, Supply, parts_of
from billing.rating.taxes import tax_lines
from billing.rating.versions import TaxRate, TwoCurrencies, Version


def rate(
    supplies: Sequence[Supply],
    versions_of: Mapping[UUID, Sequence[Version]],
    taxes: Sequence[TaxRate],
    *,
    hours: Hours | None = None,
) -> Rating:
    """Price one billing period: everything at each service point by the versions in force there, then the tax.

    Energy goes to the version in force when it passed; only what is fixed is shared out by days. Tiers count on over
    versions. Each line is rounded half-up to the cent, a unit rate never.

    :param versions_of: by the id of a service point.
    :param hours: of whoever rates many accounts; see :class:`Hours`.
    :raises NoRateInForce: a stretch, or a part of it, has no price.
    :raises NoTaxInForce: a taxed stretch has no tax version.
    :raises NotCut: a stretch crosses the start of a version; see :func:`cuts`.
    :raises HalfHoursMissing: a price asks for half-hours that are not known.
    :raises TwoCurrencies: the versions have more than one.
    """
    currency = _currency(versions_of)
    hours = hours or Hours()
    stays: dict[UUID, list[Supply]] = defaultdict(list)
    for supply in supplies:
        stays[supply.service_point_id].append(supply)
    tallies = {point_id: Tally(found) for point_id, found in stays.items()}
    charges: list[Line] = []
    for supply in supplies:
        parts = parts_of(supply, versions_of.get(supply.service_point_id, ()), taxes)
        charges += _charges(parts, tallies[supply.service_point_id], hours)
    taxed = tax_lines(charges, currency)
    subtotal = sum((line.amount for line in charges), NOTHING)
    tax = sum((line.amount for line in taxed), NOTHING)
    return Rating(lines=(*charges, *taxed), subtotal=subtotal, tax=tax, total=subtotal + tax, currency=currency)


def _charges(parts: Sequence[Part], tally: Tally, hours: Hours) -> list[Line]:
    lines: list[Line] = []
    of_version: list[Part] = []
    since = 0
    for index, part in enumerate(parts):
        lines += charge(part, tally, hours)
        of_version.append(part)
        if index + 1 == len(parts) or parts[index + 1].version is not part.version:
            lines += top_up(of_version, lines[since:])
            of_version, since = [], len(lines)
    return lines


def _currency(versions_of: Mapping[UUID, Sequence[Version]]) -> str:
    currencies = list(dict.fromkeys(version.currency for versions in versions_of.values() for version in versions))
    if len(currencies) > 1:
        raise TwoCurrencies(f"Prices are in {' and '.join(currencies)}.")
    return currencies[0] if currencies else ""
