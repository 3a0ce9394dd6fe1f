"""What rating comes to: lines that say what they are for, and their sums."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.rating.supplies import Supply
from billing.rating.terms import Component
from billing.rating.versions import TaxRate, Version

TAX = "tax"
NOTHING = Decimal("0.00")


@dataclass(frozen=True, eq=False)
class Line:
    """A quantity at a rate over ``[start, end)``, rounded to the cent.

    ``kind`` is a component's kind, or ``tax``. ``tax`` is the rate that a charge is taxed by, or a tax line of.
    Of an export credit the rate is positive and the amount negative. A charge of demand is its quantity times its rate
    times ``detail["share"]``, the share of the month.
    """

    kind: str
    component: Component | None
    version: Version | None
    tax: TaxRate | None
    supply: Supply | None
    start: datetime
    end: datetime
    quantity: Decimal
    unit: str
    rate: Decimal
    amount: Decimal
    detail: dict[str, Any] = field(default_factory=dict)
    reads: tuple[Any, ...] = ()


@dataclass(frozen=True, eq=False)
class Rating:
    """Lines, charges first and then taxes, and what they come to: ``total`` is ``subtotal`` plus ``tax``."""

    lines: tuple[Line, ...]
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    currency: str

    @property
    def charges(self) -> tuple[Line, ...]:
        """The lines before tax, credits among them."""
        return tuple(line for line in self.lines if line.kind != TAX)

    @property
    def taxes(self) -> tuple[Line, ...]:
        """The lines of tax."""
        return tuple(line for line in self.lines if line.kind == TAX)
