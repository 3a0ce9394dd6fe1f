"""Tariff bands in words: which price holds when, for the legend, the chart and the table of a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.pages.chart import Row
from billing.rating.terms import Per
from billing.selectors.bands import BandPrice, TariffBands

# So many tints are told apart; what is dearer comes first.
TINTS = 4


@dataclass(frozen=True)
class PriceKey:
    """A price as the legend names it; ``tint`` is None where there is only one and nothing is tinted."""

    name: str
    words: str
    tint: int | None


def price_keys(found: TariffBands) -> list[PriceKey]:
    """List the prices of a day for its legend, dearest first."""
    return [
        PriceKey(price.name, price_words(price), min(price.rank, TINTS - 1) if found.changes else None)
        for price in found.prices
    ]


def price_words(price: BandPrice) -> str:
    """Say what a kilowatt-hour costs, tier by tier."""
    told: list[str] = []
    for up_to, rate in price.rates:
        amount = f"{price.currency} {_plain(rate)}"
        if up_to is None:
            told.append(_("then %(amount)s") % {"amount": amount} if told else amount)
        else:
            told.append(_("%(amount)s up to %(kwh)s kWh") % {"amount": amount, "kwh": _plain(up_to)})
    words = _("%(amounts)s a kWh") % {"amounts": ", ".join(told)}
    if len(price.rates) == 1:
        return words
    return words + (_(", counted each day") if price.tiers_per is Per.DAY else _(", counted each month"))


def chart_bands(found: TariffBands, rows: Sequence[Row]) -> list[dict[str, object]]:
    """Shape the bands as the chart's script reads them, from bar to bar; none where there is only one price."""
    if not found.changes:
        return []
    shaped = []
    for band in found.bands:
        inside = [index for index, row in enumerate(rows) if band.period.contains(row.slot.period.start)]
        if inside:
            tint = min(band.price.rank, TINTS - 1)
            shaped.append({"first": inside[0], "last": inside[-1], "tint": tint, "name": band.price.name})
    return shaped


def names_of(found: TariffBands, rows: Sequence[Row]) -> list[str]:
    """Name the price of each row; "" where none is known."""
    starts = {row.slot.period.start: index for index, row in enumerate(rows)}
    names = [""] * len(rows)
    for band in found.bands:
        for start, index in starts.items():
            if band.period.contains(start):
                names[index] = band.price.name
    return names


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
