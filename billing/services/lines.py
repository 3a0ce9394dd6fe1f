"""Rated lines as a bill keeps them, each with words that its payer understands."""

from collections.abc import Iterator
from typing import Any

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from billing.models import Bill, BillLine
from billing.rating import TAX, Line, Rating
from meters.selectors.quantities import ReadUsed

_LONGEST = 200


def lines_of(bill: Bill, rating: Rating) -> tuple[BillLine, ...]:
    """Make a bill's lines, in the order of the rating; service points are named where there are several."""
    places = {line.supply.service_point_id for line in rating.lines if line.supply}
    lines = tuple(_bill_line(bill, line, named=len(places) > 1) for line in rating.lines)
    for position, line in enumerate(lines, start=1):
        line.position = position
    return lines


def _bill_line(bill: Bill, line: Line, *, named: bool) -> BillLine:
    return BillLine(
        bill=bill,
        kind=line.kind,
        description=_description(line, named=named)[:_LONGEST],
        service_point_id=line.supply.service_point_id if line.supply else None,
        tariff_version_id=line.version.id if line.version else None,
        component_id=line.component.id if line.component else None,
        tax_version_id=line.tax.version_id if line.tax and line.kind == TAX else None,
        period=DateTimeTZRange(line.start, line.end),
        quantity=line.quantity,
        unit=line.unit,
        rate=line.rate,
        amount=line.amount,
        detail=line.detail,
        reads=[_read(read) for read in line.reads],
    )


def _description(line: Line, *, named: bool) -> str:
    """Say what a line is for: Electricity at SP-1, On-peak, first 200 kWh, 2023 Q1."""
    if line.component is None or line.version is None or line.supply is None:
        return line.tax.name if line.tax else ""
    place = f" at {line.supply.service_point_code}" if named else ""
    return ", ".join((f"{line.component.name}{place}", *_which(line), line.version.name))


def _which(line: Line) -> Iterator[str]:
    """Yield the names of a line's rate period and tier, where there are several."""
    if name := line.detail.get("period_name"):
        yield name
    if line.detail.get("tiers", 1) > 1:
        lower, upper = line.detail["tier_from"], line.detail["tier_up_to"]
        if upper is None:
            yield f"above {lower} {line.unit}"
        else:
            yield f"first {upper} {line.unit}" if lower == "0" else f"{lower} to {upper} {line.unit}"


def _read(read: ReadUsed) -> dict[str, Any]:
    return {
        "serial": read.serial,
        "register_code": read.register_code,
        "time": read.time.isoformat(),
        "value": f"{read.value:f}",
        "quality": read.quality,
        "role": read.role,
    }
