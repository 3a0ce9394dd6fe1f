"""What a component's terms say, in plain words; nothing that is priced is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from billing.rating.terms import (
    HOURS,
    MONTHS,
    DemandTerms,
    EnergyTerms,
    FixedTerms,
    Kind,
    MinimumTerms,
    Per,
    RatePeriod,
    Table,
    Terms,
)

_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip
_DASH = "\u2013"
_EVERY_DAY, _WEEKDAYS, _WEEKENDS = "every day", "Monday to Friday", "Saturday and Sunday"
_AT_ALL_TIMES = "at all times"


@dataclass(frozen=True)
class PeriodWords:
    """A period's name, its price, and when it applies; ``when`` is empty for a period that has no hour."""

    name: str
    price: str
    when: str


@dataclass(frozen=True)
class Words:
    """A component in one sentence, and each of its periods where it has more than one."""

    summary: str
    periods: tuple[PeriodWords, ...] = ()


def in_words(kind: Kind | str, terms: Terms, currency: str) -> Words:
    """Say what terms charge or credit.

    :param currency: such as SGD.
    """
    match terms:
        case FixedTerms(amount, per):
            return Words(f"{money(amount)} {currency} a {per} of supply")
        case MinimumTerms(amount, per):
            return Words(f"at least {money(amount)} {currency} a {per} of supply, before tax")
        case EnergyTerms(tiers_per=tiers_per):
            counted = "day" if tiers_per is Per.DAY else "billing period"
            unit, tier_unit = "kWh", f"kWh of a {counted}" if tiers_per is Per.DAY else "kWh of the billing period"
        case DemandTerms():
            unit, tier_unit = "kW", "kW"
    periods = [period for period in terms.periods if _has_hours(terms, period)]
    earned = " for exported energy" if Kind(kind) is Kind.EXPORT else ""
    if isinstance(terms, DemandTerms):
        earned = " of the highest half-hour of each month"
    if len(periods) == 1:
        named = f" ({periods[0].name})" if periods[0].name else ""
        when = when_in_words(terms, terms.periods.index(periods[0]))
        price = price_in_words(periods[0], currency, unit, tier_unit)
        return Words(f"{price}{earned}, {when}{named}")
    prices = [tier.rate for period in periods for tier in period.tiers]
    span = f"{money(min(prices))} to {money(max(prices))} {currency} a {unit}{earned}"
    return Words(
        f"{span}, in {len(periods)} periods",
        tuple(
            PeriodWords(
                period.name or f"Period {index}",
                price_in_words(period, currency, unit, tier_unit),
                when_in_words(terms, index),
            )
            for index, period in enumerate(terms.periods)
        ),
    )


def money(amount: Decimal) -> str:
    """Write an amount or a unit price with the digits that it has, two at the least."""
    text = f"{amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    whole, _, cents = text.partition(".")
    return f"{whole}.{cents:0<2}"


def price_in_words(period: RatePeriod, currency: str, unit: str, tier_unit: str) -> str:
    """Say what a period's tiers cost, such as "0.10 SGD a kWh up to 200 kWh of the billing period, 0.20 beyond"."""
    first, *more = period.tiers
    text = f"{money(first.rate)} {currency} a {unit}"
    if first.up_to is None:
        return text
    text += f" up to {_plain(first.up_to)} {tier_unit}"
    for tier in more:
        text += f", {money(tier.rate)} " + ("beyond" if tier.up_to is None else f"up to {_plain(tier.up_to)}")
    return text


def when_in_words(terms: EnergyTerms | DemandTerms, period: int) -> str:
    """Say when a period applies, such as "June to September: Monday to Friday 16:00 to 21:00"; empty for never."""
    if terms.weekday is None or terms.weekend is None:
        return _AT_ALL_TIMES if period == 0 else ""
    days = [_days_in_words(terms.weekday[month], terms.weekend[month], period) for month in range(MONTHS)]
    parts = []
    for said in dict.fromkeys(said for said in days if said):
        months = [month for month in range(MONTHS) if days[month] == said]
        if len(months) == MONTHS:
            return said
        parts.append(f"{_months_in_words(months)}: {said}")
    return "; ".join(parts)


def _has_hours(terms: EnergyTerms | DemandTerms, period: RatePeriod) -> bool:
    if terms.weekday is None or terms.weekend is None:
        return True
    index = next(place for place, other in enumerate(terms.periods) if other is period)
    tables: tuple[Table, Table] = (terms.weekday, terms.weekend)
    return any(index in row for table in tables for row in table)


def _days_in_words(weekday: Sequence[int], weekend: Sequence[int], period: int) -> str:
    on_weekdays, on_weekends = _hours_in_words(weekday, period), _hours_in_words(weekend, period)
    if on_weekdays == on_weekends:
        return _at(_EVERY_DAY, on_weekdays) if on_weekdays != "all day" else _AT_ALL_TIMES
    both = [_at(name, hours) for name, hours in ((_WEEKDAYS, on_weekdays), (_WEEKENDS, on_weekends)) if hours]
    return ", ".join(both)


def _at(days: str, hours: str) -> str:
    return f"{days} {hours}" if hours else ""


def _hours_in_words(row: Sequence[int], period: int) -> str:
    hours = [hour for hour in range(HOURS) if row[hour] == period]
    if len(hours) == HOURS:
        return "all day"
    runs = _runs(hours, HOURS)
    return " and ".join(f"{first:02}:00{_DASH}{(last + 1) % HOURS or HOURS:02}:00" for first, last in runs)


def _months_in_words(months: Sequence[int]) -> str:
    return ", ".join(
        _MONTH_NAMES[first] if first == last else f"{_MONTH_NAMES[first]} to {_MONTH_NAMES[last]}"
        for first, last in _runs(months, MONTHS)
    )


def _runs(numbers: Sequence[int], modulus: int) -> list[tuple[int, int]]:
    """Return stretches of neighbours; one over the end of the circle is one, and comes last."""
    runs: list[tuple[int, int]] = []
    for _, group in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        stretch = [number for _, number in group]
        runs.append((stretch[0], stretch[-1]))
    if len(runs) > 1 and runs[0][0] == 0 and runs[-1][1] == modulus - 1:
        (_, end), *middle, (start, _) = runs
        runs = [*middle, (start, end)]
    return runs


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
