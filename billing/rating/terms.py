"""What a tariff's components say, as data that can be stored, and the refusal of data that says nothing sound.

Prices are in the tariff's currency before tax. Tables are 12 rows (January first) of 24 numbers of periods, each for
an hour of the local clock, as the Utility Rate Database lays them out (https://openei.org/services/doc/rest/util_rates).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID

MONTHS, HOURS = 12, 24
# What a line of a bill keeps of a rate.
MOST_DECIMALS = 10
_LARGEST = Decimal("1e9")
_FINEST = Decimal(1).scaleb(-MOST_DECIMALS)

_PRICED = frozenset({"periods", "weekday", "weekend"})
_AMOUNT = frozenset({"amount", "per"})

Table: TypeAlias = tuple[tuple[int, ...], ...]


class Kind(StrEnum):
    """What a component charges, or credits."""

    ENERGY = "energy"
    EXPORT = "export"
    DEMAND = "demand"
    FIXED = "fixed"
    MINIMUM = "minimum"


class Per(StrEnum):
    """What an amount is paid for once."""

    DAY = "day"
    MONTH = "month"


_MEMBERS = {
    Kind.ENERGY: _PRICED | {"tiers_per"},
    Kind.EXPORT: _PRICED | {"tiers_per"},
    Kind.DEMAND: _PRICED,
    Kind.FIXED: _AMOUNT,
    Kind.MINIMUM: _AMOUNT,
}


@dataclass(frozen=True)
class Problem:
    """What is wrong at one place of a component's data, such as ``periods[1].tiers[0].rate``."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class InvalidTerms(ValueError):
    """A component's data cannot be charged by; ``problems`` names every place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Tier:
    """A price up to a quantity that is counted from the start of the billing period; None: without end."""

    up_to: Decimal | None
    rate: Decimal


@dataclass(frozen=True)
class RatePeriod:
    """Hours of one name and price; its tiers rise, and the last has no end."""

    name: str
    tiers: tuple[Tier, ...]


@dataclass(frozen=True)
class EnergyTerms:
    """A price of energy, a kWh. One period needs no tables; tiers count each period's own energy.

    ``tiers_per`` day: a tier's quantity is one day's and is multiplied by the days of the stretch.
    """

    periods: tuple[RatePeriod, ...]
    weekday: Table | None = None
    weekend: Table | None = None
    tiers_per: Per = Per.MONTH


@dataclass(frozen=True)
class DemandTerms:
    """A price of the highest half-hour of each period in a month, a kW and month; its tiers are kW."""

    periods: tuple[RatePeriod, ...]
    weekday: Table | None = None
    weekend: Table | None = None


@dataclass(frozen=True)
class FixedTerms:
    """An amount for each day or month of supply."""

    amount: Decimal
    per: Per


@dataclass(frozen=True)
class MinimumTerms:
    """What the lines before tax come to at the least, a day or month of supply."""

    amount: Decimal
    per: Per


Terms: TypeAlias = EnergyTerms | DemandTerms | FixedTerms | MinimumTerms


@dataclass(frozen=True)
class Component:
    """One of the things that a tariff's version charges for."""

    id: UUID
    kind: Kind
    name: str
    terms: Terms


def flat_terms(rate: Decimal) -> EnergyTerms:
    """Return the terms of energy that costs the same at all times."""
    return EnergyTerms((RatePeriod("", (Tier(None, rate),)),))


def decode(kind: Kind | str, data: object) -> Terms:
    """Read a component's stored data.

    :raises InvalidTerms: it is not sound; every problem is named.
    """
    reader = _Reader()
    if not isinstance(data, Mapping):
        raise InvalidTerms([Problem("", "An object is needed.")])
    terms: Terms
    match Kind(kind):
        case Kind.ENERGY | Kind.EXPORT:
            terms = EnergyTerms(*reader.priced(data), tiers_per=reader.per(data, "tiers_per", Per.MONTH))
        case Kind.DEMAND:
            terms = DemandTerms(*reader.priced(data))
        case Kind.FIXED:
            terms = FixedTerms(reader.amount(data), reader.per(data, "per"))
        case Kind.MINIMUM:
            terms = MinimumTerms(reader.amount(data), reader.per(data, "per"))
    reader.refuse_unknown(data, Kind(kind))
    if reader.problems:
        raise InvalidTerms(reader.problems)
    return terms


def encode(terms: Terms) -> dict[str, Any]:
    """Write terms as data that :func:`decode` reads."""
    if isinstance(terms, FixedTerms | MinimumTerms):
        return {"amount": f"{terms.amount:f}", "per": terms.per.value}
    data: dict[str, Any] = {
        "periods": [
            {"name": period.name, "tiers": [_encoded(tier) for tier in period.tiers]} for period in terms.periods
        ]
    }
    if terms.weekday is not None and terms.weekend is not None:
        data["weekday"] = [list(row) for row in terms.weekday]
        data["weekend"] = [list(row) for row in terms.weekend]
    if isinstance(terms, EnergyTerms) and terms.tiers_per is not Per.MONTH:
        data["tiers_per"] = terms.tiers_per.value
    return data


def _encoded(tier: Tier) -> dict[str, str | None]:
    return {"up_to": None if tier.up_to is None else f"{tier.up_to:f}", "rate": f"{tier.rate:f}"}


class _Reader:
    """Reads parts of data and gathers what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse_unknown(self, data: Mapping[str, Any], kind: Kind) -> None:
        for name in sorted(set(data) - _MEMBERS[kind]):
            self._wrong(str(name), f"A component of kind {kind} has no such member.")

    def priced(self, data: Mapping[str, Any]) -> tuple[tuple[RatePeriod, ...], Table | None, Table | None]:
        found = data.get("periods")
        if not isinstance(found, list) or not found:
            self._wrong("periods", "At least one period is needed.")
            return (), None, None
        periods = tuple(self._period(item, f"periods[{index}]") for index, item in enumerate(found))
        if "weekday" not in data and "weekend" not in data and len(found) == 1:
            return periods, None, None
        weekday, weekend = (self._table(data.get(name), name, len(found)) for name in ("weekday", "weekend"))
        return periods, weekday, weekend

    def amount(self, data: Mapping[str, Any]) -> Decimal:
        return self._number(data.get("amount"), "amount", least=Decimal(0))

    def per(self, data: Mapping[str, Any], name: str, otherwise: Per | None = None) -> Per:
        given = data.get(name, otherwise)
        if given not in set(Per):
            self._wrong(name, "Either day or month.")
            return Per.MONTH
        return Per(given)

    def _period(self, data: object, path: str) -> RatePeriod:
        if not isinstance(data, Mapping):
            self._wrong(path, "An object with name and tiers is needed.")
            return RatePeriod("", ())
        name, tiers = data.get("name", ""), data.get("tiers")
        if not isinstance(name, str) or len(name) > 60:
            self._wrong(f"{path}.name", "Text of at most 60 characters is needed.")
        if not isinstance(tiers, list) or not tiers:
            self._wrong(f"{path}.tiers", "At least one tier is needed.")
            return RatePeriod(str(name), ())
        return RatePeriod(str(name), self._tiers(tiers, f"{path}.tiers"))

    def _tiers(self, items: Sequence[object], path: str) -> tuple[Tier, ...]:
        tiers: list[Tier] = []
        reached = Decimal(0)
        for index, item in enumerate(items):
            place, last = f"{path}[{index}]", index == len(items) - 1
            if not isinstance(item, Mapping):
                self._wrong(place, "An object with up_to and rate is needed.")
                continue
            limit = item.get("up_to")
            if last and limit is not None:
                self._wrong(f"{place}.up_to", "The last tier has no end.")
            if not last and limit is None:
                self._wrong(f"{place}.up_to", "Only the last tier has no end.")
            up_to = None if limit is None else self._number(limit, f"{place}.up_to", least=Decimal(0))
            if up_to is not None and up_to <= reached:
                self._wrong(f"{place}.up_to", f"It must lie above {reached:f}.")
            reached = up_to if up_to is not None else reached
            tiers.append(Tier(up_to, self._number(item.get("rate"), f"{place}.rate")))
        return tuple(tiers)

    def _table(self, rows: object, name: str, periods: int) -> Table | None:
        if not isinstance(rows, list) or len(rows) != MONTHS:
            self._wrong(name, f"{MONTHS} rows are needed, one a month.")
            return None
        for index, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != HOURS:
                self._wrong(f"{name}[{index}]", f"{HOURS} numbers of periods are needed, one an hour.")
            elif wrong := [item for item in row if type(item) is not int or not 0 <= item < periods]:
                self._wrong(f"{name}[{index}]", f"There is no period {wrong[0]!r}: they go from 0 to {periods - 1}.")
        return tuple(tuple(row) if isinstance(row, list) else () for row in rows)

    def _number(self, given: object, path: str, *, least: Decimal = -_LARGEST) -> Decimal:
        try:
            number = Decimal("" if isinstance(given, bool) else str(given))
        except InvalidOperation:
            self._wrong(path, "A number is needed.")
            return Decimal(0)
        if not number.is_finite() or not least <= number <= _LARGEST:
            self._wrong(path, f"A number from {least:f} to {_LARGEST:f} is needed.")
            return Decimal(0)
        if number != number.quantize(_FINEST):
            self._wrong(path, f"At most {MOST_DECIMALS} decimals.")
        return number

    def _wrong(self, path: str, text: str) -> None:
        self.problems.append(Problem(path, text))
