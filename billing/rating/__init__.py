"""What energy costs: a tariff's terms, and priced lines from metered quantities. Pure; every amount is a Decimal."""

from billing.rating.calendar import Hours
from billing.rating.engine import rate
from billing.rating.lines import NOTHING, TAX, Line, Rating
from billing.rating.supplies import HalfHoursMissing, Stretch, Supply
from billing.rating.versions import (
    NoRateInForce,
    NoTaxInForce,
    NotCut,
    RatingError,
    TaxRate,
    TwoCurrencies,
    Version,
    cuts,
    needs_half_hours,
)

__all__ = [
    "NOTHING",
    "TAX",
    "HalfHoursMissing",
    "Hours",
    "Line",
    "NoRateInForce",
    "NoTaxInForce",
    "NotCut",
    "Rating",
    "RatingError",
    "Stretch",
    "Supply",
    "TaxRate",
    "TwoCurrencies",
    "Version",
    "cuts",
    "needs_half_hours",
    "rate",
]
