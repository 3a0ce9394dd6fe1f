"""Why a bill differs from the one before, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from billing.explaining import Billed, Cause, Difference, Part, Unexplained
from billing.models import Bill
from billing.selectors.explain_words import number_in_words
from energy_portal.shared.units import round_half_up

_PRICE_PLACES = 4
_USE_PLACES = 2


@dataclass(frozen=True)
class SaidPart:
    """A part of a difference: its name, its amount, and what is behind it."""

    cause: Cause
    name: str
    words: str
    amount: Decimal


@dataclass(frozen=True)
class SaidDifference:
    """A difference in words; ``before`` is the bill that was compared, None where there is none.

    The parts add up to ``amount`` exactly, and ``price`` to the part of that name. Without parts ``words`` say why.
    """

    words: str
    amount: Decimal | None
    parts: tuple[SaidPart, ...]
    price: tuple[SaidPart, ...]
    reason: Unexplained | None
    before: Bill | None


def say_difference(
    difference: Difference, *, before: Billed | None, after: Billed, bill: Bill | None
) -> SaidDifference:
    """Put a difference into words.

    :param before: what was compared, with ``bill``, its bill; None where there was none.
    """
    parts = tuple(_said(difference.parts, before, after)) if before is not None else ()
    price = tuple(_said(difference.price, before, after)) if before is not None else ()
    return SaidDifference(_whole(difference, bill), difference.amount, parts, price, difference.reason, bill)


def _whole(difference: Difference, bill: Bill | None) -> str:
    if difference.reason is not None:
        return _REASONS[difference.reason]()
    amount = difference.amount or Decimal(0)
    if amount > 0:
        words = gettext("%(amount)s more than for %(month)s.")
    elif amount < 0:
        words = gettext("%(amount)s less than for %(month)s.")
    else:
        words = gettext("The same as for %(month)s.")
    month = date_format(bill.month, gettext("F Y")) if bill is not None else ""
    return words % {"amount": f"{abs(amount):,.2f}", "month": month}


_REASONS = {
    Unexplained.NO_BILL_BEFORE: lambda: gettext("There is no bill for the month before to compare with."),
    Unexplained.OTHER_CURRENCY: lambda: gettext("The bill for the month before is in another currency."),
    Unexplained.NO_ENERGY_BEFORE: lambda: gettext(
        "The bill for the month before has no energy that a price could be told from."
    ),
    Unexplained.NOTHING_CHARGED_BEFORE: lambda: gettext(
        "The bill for the month before charged nothing that a price could be told from."
    ),
}


def _said(parts: tuple[Part, ...], before: Billed, after: Billed) -> Iterator[SaidPart]:
    for part in parts:
        yield SaidPart(part.cause, _NAMES[part.cause](), _words(part, before, after), part.amount)


_NAMES = {
    Cause.DAYS: lambda: gettext("Days"),
    Cause.USE: lambda: gettext("Use"),
    Cause.ESTIMATES: lambda: gettext("Estimates"),
    Cause.EXPORT: lambda: gettext("Fed in"),
    Cause.PRICE: lambda: gettext("Price"),
    Cause.RATES: lambda: gettext("Rates"),
    Cause.MIX: lambda: gettext("Hours and steps"),
    Cause.ENERGY: lambda: gettext("Energy"),
    Cause.DEMAND: lambda: gettext("Demand"),
    Cause.FIXED: lambda: gettext("Fixed charges"),
    Cause.TAX: lambda: gettext("Tax"),
}


def _words(part: Part, before: Billed, after: Billed) -> str:
    match part.cause:
        case Cause.DAYS:
            return _days(before.days, after.days)
        case Cause.USE:
            words = gettext("%(now)s kWh a day were measured, %(then)s the month before.")
            then, now = (_daily(billed.measured_kwh, billed) for billed in (before, after))
        case Cause.ESTIMATES:
            words = gettext("%(now)s kWh a day were estimated, %(then)s the month before.")
            then, now = (_daily(billed.estimated_kwh, billed) for billed in (before, after))
        case Cause.EXPORT:
            words = gettext("What went out was credited with %(now)s, %(then)s the month before.")
            then, now = (f"{-_credited(billed):,.2f}" for billed in (before, after))
        case Cause.PRICE:
            words = gettext("A kWh came to %(now)s on the whole, %(then)s the month before.")
            then, now = _price(before), _price(after)
        case _:
            return _SHIFTS[part.cause][part.amount > 0]()
    return words % {"now": now, "then": then}


# What moved the price: said of less, and of more.
_SHIFTS = {
    Cause.RATES: (
        lambda: gettext("The same hours cost less a kWh."),
        lambda: gettext("The same hours cost more a kWh."),
    ),
    Cause.MIX: (
        lambda: gettext("More of the energy fell in cheaper hours or steps."),
        lambda: gettext("More of the energy fell in dearer hours or steps."),
    ),
    Cause.ENERGY: (
        lambda: gettext("The energy itself cost less a kWh."),
        lambda: gettext("The energy itself cost more a kWh."),
    ),
    Cause.DEMAND: (
        lambda: gettext("The highest half-hour weighs less on each kWh."),
        lambda: gettext("The highest half-hour weighs more on each kWh."),
    ),
    Cause.FIXED: (
        lambda: gettext("What is due whatever is used weighs less on each kWh."),
        lambda: gettext("What is due whatever is used weighs more on each kWh."),
    ),
    Cause.TAX: (
        lambda: gettext("The tax adds less to each kWh."),
        lambda: gettext("The tax adds more to each kWh."),
    ),
}


def _days(before: Decimal, after: Decimal) -> str:
    if before == after:
        return gettext("As many days as the month before.")
    words = ngettext(
        "%(now)s day, %(then)s the month before.", "%(now)s days, %(then)s the month before.", 1 if after == 1 else 2
    )
    return words % {"now": number_in_words(after), "then": number_in_words(before)}


def _daily(kwh: Decimal, billed: Billed) -> str:
    return f"{round_half_up(kwh / billed.days, _USE_PLACES):,f}"


def _credited(billed: Billed) -> Decimal:
    return sum((charge.amount for charge in billed.charges if charge.kind == "export"), Decimal(0))


def _price(billed: Billed) -> str:
    """Write what a kWh costs on the whole; nothing of no energy."""
    if not billed.kwh:
        return gettext("nothing that can be told")
    whole = (billed.total - _credited(billed)) / billed.kwh
    return f"{billed.currency} {round_half_up(whole, _PRICE_PLACES):,f}"
