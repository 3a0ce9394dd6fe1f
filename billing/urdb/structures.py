"""Prices by period and tier, and the tables that say when which period applies."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from billing.rating.terms import HOURS, MONTHS, RatePeriod, Table, Tier
from billing.urdb.remarks import Remarks

_LONGEST_NAME = 60
# Seconds, and even milliseconds, since 1970 lie below it.
_LARGEST = Decimal("1e15")


class Price(NamedTuple):
    """A tier as it was written: ``rate`` with its adjustment; ``sell`` is what exported energy earns."""

    up_to: Decimal | None
    rate: Decimal
    sell: Decimal | None
    unit: str


class Structure(NamedTuple):
    """A structure that was read: prices of each period, and its tables, None where one period needs none."""

    prices: tuple[tuple[Price, ...], ...]
    weekday: Table | None
    weekend: Table | None

    @property
    def is_free(self) -> bool:
        """Whether it charges nothing at all."""
        return not any(price.rate for tiers in self.prices for price in tiers)

    @property
    def is_tiered(self) -> bool:
        """Whether any period has more than one price."""
        return any(len(tiers) > 1 for tiers in self.prices)

    def periods(self, names: Sequence[str]) -> tuple[RatePeriod, ...]:
        """Return what each period charges."""
        return self._periods(names, [[Tier(price.up_to, price.rate) for price in tiers] for tiers in self.prices])

    def sold(self, names: Sequence[str]) -> tuple[RatePeriod, ...]:
        """Return what each period pays for exported energy."""
        return self._periods(
            names, [[Tier(price.up_to, price.sell or Decimal(0)) for price in tiers] for tiers in self.prices]
        )

    def _periods(self, names: Sequence[str], tiers: list[list[Tier]]) -> tuple[RatePeriod, ...]:
        return tuple(RatePeriod(name, tuple(rows)) for name, rows in zip(names, tiers, strict=True))


def number(given: object) -> Decimal | None:
    """Return the finite number that was given, as a number or its text; None where it is none."""
    if given is None or isinstance(given, bool):
        return None
    try:
        found = Decimal(str(given))
    except InvalidOperation:
        return None
    return found if found.is_finite() and abs(found) <= _LARGEST else None


def read_prices(rate: Mapping[str, Any], member: str, remarks: Remarks) -> tuple[tuple[Price, ...], ...]:
    """Read a list of periods, each a list of tiers; empty where any of it cannot be charged by."""
    given = rate[member]
    if not isinstance(given, list) or not given:
        remarks.fault(member, "A list of periods, each a list of tiers, is needed.")
        return ()
    before = _faults(remarks)
    periods = tuple(_tiers(tiers, f"{member}[{index}]", remarks) for index, tiers in enumerate(given))
    return periods if _faults(remarks) == before else ()


def _faults(remarks: Remarks) -> int:
    return sum(1 for remark in remarks.found if remark.level == "fault")


def _tiers(given: object, path: str, remarks: Remarks) -> tuple[Price, ...]:
    if not isinstance(given, list) or not given:
        remarks.fault(path, "A list of tiers is needed, with one tier at the least.")
        return ()
    prices: list[Price] = []
    reached = Decimal(0)
    for index, item in enumerate(given):
        place = f"{path}[{index}]"
        if not isinstance(item, Mapping):
            remarks.fault(place, "An object with a rate is needed.")
            continue
        up_to = _limit(item, place, is_last=index == len(given) - 1, reached=reached, remarks=remarks)
        reached = reached if up_to is None else up_to
        prices.append(Price(up_to, _rate(item, place, remarks), _sell(item, place, remarks), str(item.get("unit", ""))))
    return tuple(prices)


def _limit(item: Mapping[str, Any], place: str, *, is_last: bool, reached: Decimal, remarks: Remarks) -> Decimal | None:
    given = item.get("max")
    if is_last:
        if given is not None:
            remarks.warn(f"{place}.max", f"The last tier ends at {given}: what lies above it has no price of its own.")
        return None
    limit = number(given)
    if limit is None:
        remarks.fault(f"{place}.max", "A tier that another one follows needs a number that it ends at.")
    elif limit <= reached:
        remarks.fault(f"{place}.max", f"It is {limit:f}, and must lie above {reached:f}.")
    return limit


def _rate(item: Mapping[str, Any], place: str, remarks: Remarks) -> Decimal:
    parts: dict[str, Decimal] = {}
    for member in ("rate", "adj"):
        if item.get(member) is None:
            continue
        found = number(item[member])
        if found is None:
            remarks.fault(f"{place}.{member}", f"{item[member]!r} is not a number.")
        else:
            parts[member] = found
    if "rate" not in parts and item.get("rate") is None:
        if "adj" in parts:
            remarks.warn(f"{place}.rate", "There is an adjustment without a rate: the adjustment alone is charged.")
        elif item.get("adj") is None:
            remarks.fault(f"{place}.rate", "There is no rate; a price that is missing is not a price of zero.")
    return sum(parts.values(), Decimal(0))


def _sell(item: Mapping[str, Any], place: str, remarks: Remarks) -> Decimal | None:
    if item.get("sell") is None:
        return None
    found = number(item["sell"])
    if found is None:
        remarks.fault(f"{place}.sell", f"{item['sell']!r} is not a number.")
    return found


def read_tables(
    rate: Mapping[str, Any], members: tuple[str, str], periods: int, structure: str, remarks: Remarks
) -> tuple[Table | None, Table | None]:
    """Read the tables of weekdays and weekends; both None where one period needs none, or where they are unsound."""
    weekday, weekend = members
    missing = [member for member in members if rate.get(member) is None]
    if len(missing) == 2:
        if periods > 1:
            remarks.fault(weekday, f"{periods} periods need a table that says when each of them applies.")
        return None, None
    if missing:
        other = weekend if missing[0] == weekday else weekday
        remarks.warn(missing[0], f"It is missing: {other} is taken for all days.")
    sources = {member: member if rate.get(member) is not None else members[members[0] == member] for member in members}
    before = _faults(remarks)
    tables = {member: _table(rate[member], member, periods, remarks) for member in dict.fromkeys(sources.values())}
    if _faults(remarks) != before:
        return None, None
    both = tables[sources[weekday]], tables[sources[weekend]]
    _say_unused({hour for table in both for row in table for hour in row}, periods, structure, remarks)
    return both


def read_months(rate: Mapping[str, Any], member: str, periods: int, structure: str, remarks: Remarks) -> Table | None:
    """Read the period of each month as a table; None where one period needs none, or where they are unsound."""
    given = rate.get(member)
    if given is None:
        if periods > 1:
            remarks.fault(member, f"{periods} periods need the one of each month.")
        return None
    if not isinstance(given, list) or len(given) != MONTHS:
        remarks.fault(member, f"{MONTHS} numbers of periods are needed, one a month; {_length(given)}.")
        return None
    if not _are_periods([given], member, periods, remarks, flat=True):
        return None
    _say_unused(set(given), periods, structure, remarks)
    return tuple((period,) * HOURS for period in given) if periods > 1 else None


def _table(rows: object, member: str, periods: int, remarks: Remarks) -> Table:
    if not isinstance(rows, list) or len(rows) != MONTHS:
        remarks.fault(member, f"{MONTHS} rows are needed, one a month; {_length(rows)}.")
        return ()
    sound = True
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != HOURS:
            remarks.fault(f"{member}[{index}]", f"{HOURS} numbers of periods are needed, one an hour; {_length(row)}.")
            sound = False
    if not sound or not _are_periods(rows, member, periods, remarks):
        return ()
    return tuple(tuple(row) for row in rows)


def _length(given: object) -> str:
    return f"there are {len(given)}" if isinstance(given, list) else "there is no list"


def _are_periods(
    rows: Sequence[Sequence[Any]], member: str, periods: int, remarks: Remarks, *, flat: bool = False
) -> bool:
    wrong: dict[str, list[str]] = {}
    for month, row in enumerate(rows):
        for place, period in enumerate(row):
            if type(period) is not int or not 0 <= period < periods:
                path = f"{member}[{place}]" if flat else f"{member}[{month}][{place}]"
                wrong.setdefault(repr(period), []).append(path)
    for period, paths in wrong.items():
        more = f", and at {len(paths) - 1} more places" if len(paths) > 1 else ""
        known = f"they go from 0 to {periods - 1}" if periods > 1 else "there is only 0"
        remarks.fault(paths[0], f"Period {period} has no prices: {known}{more}.")
    return not wrong


def _say_unused(used: set[int], periods: int, structure: str, remarks: Remarks) -> None:
    for period in sorted(set(range(periods)) - used):
        remarks.warn(f"{structure}[{period}]", f"Period {period} has prices and no hour or month: it is never charged.")


def period_names(given: object, count: int, remarks: Remarks) -> tuple[str, ...]:
    """Return a name for each period: those of ``energytoulabels``, else made up from the numbers."""
    if count == 1 and not given:
        return ("",)
    made_up = tuple(f"Period {index}" for index in range(count))
    if given is None:
        remarks.note("energytoulabels", f"The {count} periods have no names: they are called by their numbers.")
        return made_up
    if not isinstance(given, list) or len(given) != count:
        remarks.warn("energytoulabels", f"{count} names are needed, one a period; {_length(given)}. None is used.")
        return made_up
    names = [_name(label) for label in given]
    for index, name in enumerate(names):
        if not name:
            remarks.note(f"energytoulabels[{index}]", "The name is empty: the period is called by its number.")
        elif name in names[:index]:
            remarks.warn(f"energytoulabels[{index}]", f"{name!r} is also the name of period {names.index(name)}.")
            names[index] = f"{name[: _LONGEST_NAME - 5]} ({index})"
    return tuple(name or other for name, other in zip(names, made_up, strict=True))


def _name(label: object) -> str:
    return " ".join(str(label).split())[:_LONGEST_NAME] if isinstance(label, str) else ""
