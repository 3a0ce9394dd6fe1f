"""Two ratings of a month side by side: what each line was and would be, and whether anything differs at all."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from billing.models import Bill, BillLine

_NOTHING = Decimal("0.00")
_STORED = Decimal("0.000001")
Key = tuple[Any, ...]


def side_by_side(old: Sequence[BillLine], new: Sequence[BillLine]) -> list[dict[str, Any]]:
    """Pair the lines that charge for the same thing, in the order of the old bill, then what is new.

    :returns: rows ``{"what", "old", "new", "difference"}``, JSON-safe; a side is ``{"quantity", "unit", "rate",
        "amount"}``, or None where the line is not on that bill.
    """
    waiting: dict[Key, list[BillLine]] = defaultdict(list)
    for line in new:
        waiting[_thing(line)].append(line)
    rows = []
    for line in old:
        partners = waiting[_thing(line)]
        rows.append(_row(line, partners.pop(0) if partners else None))
    left = {id(line) for partners in waiting.values() for line in partners}
    return rows + [_row(None, line) for line in new if id(line) in left]


def outcome_of(bill: Bill | None, lines: Iterable[BillLine]) -> str:
    """Return a digest of what a bill charges, whatever its lines are called; None: nothing is owed."""
    charged = sorted(
        (line.kind, str(line.service_point_id), line.unit, *map(_plain, (line.quantity, line.rate, line.amount)))
        for line in lines
    )
    head = [] if bill is None else [bill.held_because, bill.currency, _plain(bill.consumption_kwh), _plain(bill.total)]
    return hashlib.sha256(json.dumps([head, charged]).encode()).hexdigest()


def _thing(line: BillLine) -> Key:
    """Return what a line charges for, which outlives revisions of its tariff."""
    return (
        line.kind,
        line.service_point_id,
        line.component.name if line.component else "",
        line.detail.get("period"),
        line.detail.get("tier"),
        line.tax_version.tax_id if line.tax_version else None,
        line.period.lower,
    )


def _row(old: BillLine | None, new: BillLine | None) -> dict[str, Any]:
    named = old or new
    difference = (new.amount if new else _NOTHING) - (old.amount if old else _NOTHING)
    return {
        "what": named.description if named else "",
        "old": _side(old),
        "new": _side(new),
        "difference": f"{difference:.2f}",
    }


def _side(line: BillLine | None) -> dict[str, str] | None:
    if line is None:
        return None
    return {
        "quantity": _plain(line.quantity),
        "unit": line.unit,
        "rate": _plain(line.rate),
        "amount": f"{line.amount:.2f}",
    }


def _plain(number: Decimal | None) -> str:
    """Write a number without trailing zeros, so that what was stored reads as what was computed."""
    if number is None:
        return ""
    written = f"{number.quantize(_STORED):f}"
    return written.rstrip("0").rstrip(".") if "." in written else written
