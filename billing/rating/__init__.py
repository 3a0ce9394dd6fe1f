"""What energy costs: a tariff's terms, and priced lines from metered quantities. Pure; every amount is a Decimal."""

from billing.rating.engine import (
    NOTHING,
    EnergyLine,
    EnergyRate,
    NoRateInForce,
    NoTaxInForce,
    NotCut,
    Rating,
    RatingError,
    Stretch,
    TaxLine,
    TaxRate,
    cuts,
    rate,
)

__all__ = [
    "NOTHING",
    "EnergyLine",
    "EnergyRate",
    "NoRateInForce",
    "NoTaxInForce",
    "NotCut",
    "Rating",
    "RatingError",
    "Stretch",
    "TaxLine",
    "TaxRate",
    "cuts",
    "rate",
]
