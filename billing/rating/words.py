"""What a component's terms say, in plain words; nothing that is priced is left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TypeAlias

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

_DASH = "\u2013"

# Gives a message in the language of whoever reads it.
Translate: TypeAlias = Callable[[str], str]


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


def in_words(kind: Kind | str, terms: Terms, currency: str, *, gettext: Translate = str) -> Words:
    """Say what terms charge or credit.

    :param currency: such as SGD.
    :param gettext: the reader's language; English as it stands.
    """
    match terms:
        case FixedTerms(amount, per):
            return Words(_per_time(per, gettext) % {"amount": f"{money(amount)} {currency}"})
        case MinimumTerms(amount, per):
            least = gettext("at least %(charge)s, before tax")
            return Words(least % {"charge": _per_time(per, gettext) % {"amount": f"{money(amount)} {currency}"}})
        case EnergyTerms() | DemandTerms():
            return _by_hours(Kind(kind), terms, currency, gettext)


def _per_time(per: Per, gettext: Translate) -> str:
    if per is Per.DAY:
        return gettext("%(amount)s a day of supply")
    return gettext("%(amount)s a month of supply")


def _by_hours(kind: Kind, terms: EnergyTerms | DemandTerms, currency: str, gettext: Translate) -> Words:
    unit = "kW" if isinstance(terms, DemandTerms) else "kWh"
    periods = [period for period in terms.periods if _has_hours(terms, period)]
    earned = gettext(" for exported energy") if kind is Kind.EXPORT else ""
    if isinstance(terms, DemandTerms):
        earned = gettext(" of the highest half-hour of each month")
    if len(periods) == 1:
        named = f" ({periods[0].name})" if periods[0].name else ""
        when = when_in_words(terms, terms.periods.index(periods[0]), gettext=gettext)
        return Words(f"{price_in_words(periods[0], terms, currency, gettext=gettext)}{earned}, {when}{named}")
    prices = [tier.rate for period in periods for tier in period.tiers]
    span = gettext("%(least)s to %(most)s %(currency)s a %(unit)s") % {
        "least": money(min(prices)),
        "most": money(max(prices)),
        "currency": currency,
        "unit": unit,
    }
    return Words(
        gettext("%(prices)s, in %(count)s periods") % {"prices": span + earned, "count": len(periods)},
        tuple(
            PeriodWords(
                period.name or gettext("Period %(number)s") % {"number": index},
                price_in_words(period, terms, currency, gettext=gettext),
                when_in_words(terms, index, gettext=gettext),
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


def price_in_words(
    period: RatePeriod, terms: EnergyTerms | DemandTerms, currency: str, *, gettext: Translate = str
) -> str:
    """Say what a period's tiers cost, such as "0.10 SGD a kWh up to 200 kWh of the billing period, 0.20 beyond"."""
    unit = "kW" if isinstance(terms, DemandTerms) else "kWh"
    first, *more = period.tiers
    said = {"price": f"{money(first.rate)} {currency}", "unit": unit}
    if first.up_to is None:
        return gettext("%(price)s a %(unit)s") % said
    text = _first_step(terms, gettext) % {**said, "limit": _plain(first.up_to)}
    for tier in more:
        if tier.up_to is None:
            text += gettext(", %(price)s beyond") % {"price": money(tier.rate)}
        else:
            text += gettext(", %(price)s up to %(limit)s") % {"price": money(tier.rate), "limit": _plain(tier.up_to)}
    return text


def _first_step(terms: EnergyTerms | DemandTerms, gettext: Translate) -> str:
    if isinstance(terms, DemandTerms):
        return gettext("%(price)s a %(unit)s up to %(limit)s %(unit)s")
    if terms.tiers_per is Per.DAY:
        return gettext("%(price)s a %(unit)s up to %(limit)s %(unit)s of a day")
    return gettext("%(price)s a %(unit)s up to %(limit)s %(unit)s of the billing period")


def when_in_words(terms: EnergyTerms | DemandTerms, period: int, *, gettext: Translate = str) -> str:
    """Say when a period applies, such as "June to September: Monday to Friday 16:00 to 21:00"; empty for never."""
    if terms.weekday is None or terms.weekend is None:
        return gettext("at all times") if period == 0 else ""
    days = [_days_in_words(terms.weekday[month], terms.weekend[month], period, gettext) for month in range(MONTHS)]
    parts = []
    for said in dict.fromkeys(said for said in days if said):
        months = [month for month in range(MONTHS) if days[month] == said]
        if len(months) == MONTHS:
            return said
        named = {"months": _months_in_words(months, gettext), "days": said}
        parts.append(gettext("%(months)s: %(days)s") % named)
    return "; ".join(parts)


def _has_hours(terms: EnergyTerms | DemandTerms, period: RatePeriod) -> bool:
    if terms.weekday is None or terms.weekend is None:
        return True
    index = next(place for place, other in enumerate(terms.periods) if other is period)
    tables: tuple[Table, Table] = (terms.weekday, terms.weekend)
    return any(index in row for table in tables for row in table)


def _days_in_words(weekday: Sequence[int], weekend: Sequence[int], period: int, gettext: Translate) -> str:
    if set(weekday) == set(weekend) == {period}:
        return gettext("at all times")
    on_weekdays, on_weekends = (_hours_in_words(row, period, gettext) for row in (weekday, weekend))
    if on_weekdays == on_weekends:
        return _at(gettext("every day"), on_weekdays)
    named = ((gettext("Monday to Friday"), on_weekdays), (gettext("Saturday and Sunday"), on_weekends))
    return ", ".join(_at(name, hours) for name, hours in named if hours)


def _at(days: str, hours: str) -> str:
    return f"{days} {hours}" if hours else ""


def _hours_in_words(row: Sequence[int], period: int, gettext: Translate) -> str:
    hours = [hour for hour in range(HOURS) if row[hour] == period]
    if len(hours) == HOURS:
        return gettext("all day")
    runs = [f"{first:02}:00{_DASH}{(last + 1) % HOURS or HOURS:02}:00" for first, last in _runs(hours, HOURS)]
    return gettext(" and ").join(runs)


def _months_in_words(months: Sequence[int], gettext: Translate) -> str:
    names = (
        gettext("January"), gettext("February"), gettext("March"), gettext("April"), gettext("May"), gettext("June"),
        gettext("July"), gettext("August"), gettext("September"), gettext("October"), gettext("November"),
        gettext("December"),
    )  # fmt: skip
    return ", ".join(
        names[first]
        if first == last
        else gettext("%(first)s to %(last)s") % {"first": names[first], "last": names[last]}
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
