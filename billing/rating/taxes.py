"""Tax on what was charged. Pure."""

from collections.abc import Sequence

from billing.rating.lines import NOTHING, TAX, Line
from billing.rating.versions import TaxRate
from energy_portal.shared.units import to_cents


def tax_lines(charges: Sequence[Line], currency: str) -> list[Line]:
    """Tax the sum of the rounded lines of each tax version."""
    taxed: dict[TaxRate, list[Line]] = {}
    for line in charges:
        if line.tax is not None:
            taxed.setdefault(line.tax, []).append(line)
    return [_tax_line(tax, taxed[tax], currency) for tax in sorted(taxed, key=lambda tax: (tax.start, tax.tax_code))]


def _tax_line(tax: TaxRate, lines: Sequence[Line], currency: str) -> Line:
    base = sum((line.amount for line in lines), NOTHING)
    return Line(
        kind=TAX,
        component=None,
        version=None,
        tax=tax,
        supply=None,
        start=min(line.start for line in lines),
        end=max(line.end for line in lines),
        quantity=base,
        unit=currency,
        rate=tax.rate,
        amount=to_cents(base * tax.rate),
    )
