"""Why a bill differs from the month before, as a waterfall from its total to this one's."""

from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext

from billing.selectors.difference_words import SaidDifference, SaidPart

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Fall:
    """A row of a waterfall: a total, or what one cause adds to it; its bar in percent of the width."""

    name: str
    words: str
    amount: str
    kind: str
    left: float
    width: float


@dataclass(frozen=True)
class PriceRow:
    """What made a part of the price, and how much."""

    name: str
    words: str
    amount: str


def waterfall(said: SaidDifference, *, after: str, before: str, total: Decimal) -> list[Fall]:
    """Lay a difference out as steps from the bill before to this one; nothing where it is not told apart.

    The bars begin at the lowest of the totals on the way, so that small steps can be seen.

    :param after: what this bill is called.
    :param before: what the one before is called.
    """
    if not said.parts or said.amount is None:
        return []
    start = total - said.amount
    steps = [(start, start)]
    for part in said.parts:
        steps.append((steps[-1][1], steps[-1][1] + part.amount))
    lowest, highest = (float(pick(pick(step) for step in steps)) for pick in (min, max))
    room = max(highest - lowest, 0.01)

    def fall(name: str, words: str, amount: str, kind: str, ends: tuple[Decimal, Decimal]) -> Fall:
        left, right = sorted(100 * (float(end) - lowest) / room for end in ends)
        return Fall(name, words, amount, kind, left, right - left)

    falls = [fall(before, gettext("What it came to."), f"{start:,.2f}", "total", (start, start))]
    falls += [
        fall(part.name, part.words, signed(part.amount), _kind(part), step)
        for part, step in zip(said.parts, steps[1:], strict=True)
    ]
    return [*falls, fall(after, gettext("What this bill comes to."), f"{total:,.2f}", "total", (total, total))]


def price_rows(said: SaidDifference | None) -> list[PriceRow]:
    """Write what made the price as rows."""
    parts = said.price if said is not None else ()
    return [PriceRow(part.name, part.words, signed(part.amount)) for part in parts]


def signed(amount: Decimal) -> str:
    """Write an amount that is added with its sign."""
    if not amount:
        return f"{amount:,.2f}"
    return f"{'+' if amount > 0 else MINUS}{abs(amount):,.2f}"


def _kind(part: SaidPart) -> str:
    return "more" if part.amount > 0 else "less" if part.amount < 0 else "same"
