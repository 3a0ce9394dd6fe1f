"""A bill that explains itself: each line in words, and why it differs from the month before."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.db.models import Q

from accounts.models import User
from billing.explaining import Billed, Charge, explain_difference
from billing.models import Bill, BillLine
from billing.rating.calendar import days_between
from billing.selectors.bills import bills_visible_to, with_lines
from billing.selectors.difference_words import SaidDifference, say_difference
from billing.selectors.explain_words import LineWords, words_of
from energy_portal.shared.clock import YearMonth, zone
from energy_portal.shared.errors import NotFound

_MICRO = Decimal("0.000001")
# What half-hours stand behind: the rest follows from days, or from other lines.
METERED = frozenset({BillLine.Kind.ENERGY, BillLine.Kind.EXPORT, BillLine.Kind.DEMAND})


class NoSuchLine(NotFound):
    """A bill has no line of that position."""

    code = "unknown_line"


@dataclass(frozen=True)
class ExplainedLine:
    """A line and what it says; ``opens`` where half-hours stand behind it."""

    line: BillLine
    words: LineWords
    opens: bool


class Relation(StrEnum):
    """How another bill or credit note belongs to one."""

    TAKES_BACK = "takes_back"
    STANDS_IN_FOR = "stands_in_for"
    TAKEN_BACK_BY = "taken_back_by"
    REPLACED_BY = "replaced_by"


@dataclass(frozen=True)
class RelatedBill:
    """Another bill or credit note, and how it belongs to the one that was asked about."""

    relation: Relation
    bill: Bill


@dataclass(frozen=True)
class ExplainedBill:
    """A bill, its lines in their order, and why it differs from the one before; None of what has no amounts."""

    bill: Bill
    lines: tuple[ExplainedLine, ...]
    difference: SaidDifference | None


def explain_bill(*, bill: Bill, user: User | None) -> ExplainedBill:
    """Put a bill into words, beside the one before as far as its reader may see that. Three queries.

    :param bill: with its lines, as :func:`billing.selectors.bills.bill_with_lines` returns it.
    :param user: None for a data source.
    """
    return ExplainedBill(bill, explained_lines(bill), why_different(bill=bill, user=user))


def explained_lines(bill: Bill) -> tuple[ExplainedLine, ...]:
    """Put each line of a bill into words."""
    site = zone(bill.account.zone)
    return tuple(
        ExplainedLine(
            line=line,
            words=words_of(line, bill=bill, site=site),
            opens=bill.kind == Bill.Kind.BILL and line.kind in METERED and line.service_point_id is not None,
        )
        for line in bill.lines.all()
    )


def line_of(bill: Bill, position: int) -> ExplainedLine:
    """Return one line of a bill in words.

    :raises NoSuchLine: it has none at that position.
    """
    for explained in explained_lines(bill):
        if explained.line.position == position:
            return explained
    raise NoSuchLine(f"The bill has no line {position}.")


def why_different(*, bill: Bill, user: User | None) -> SaidDifference | None:
    """Explain how a bill differs from that of the month before; None of a credit note, and of what has no amounts.

    Of the month before that one counts which stands, as far as the reader may see it. Two queries.
    """
    if bill.kind != Bill.Kind.BILL or bill.total is None:
        return None
    bill_before = _bill_before(bill, user)
    before, after = billed(bill_before) if bill_before is not None else None, billed(bill)
    return say_difference(explain_difference(before, after), before=before, after=after, bill=bill_before)


def related_bills(*, bill: Bill, user: User | None) -> list[RelatedBill]:
    """List what a bill or note stands in for or takes back, and what does that with it, as far as one may see them.

    One query.
    """
    others = bills_visible_to(user).filter(Q(pk=bill.corrects_id) | Q(corrects=bill.pk)).exclude(status="draft")
    return [RelatedBill(_relation(bill, other), other) for other in others.order_by("issued_at", "number")]


def _relation(bill: Bill, other: Bill) -> Relation:
    if other.pk == bill.corrects_id:
        return Relation.TAKES_BACK if bill.kind == Bill.Kind.CREDIT_NOTE else Relation.STANDS_IN_FOR
    return Relation.TAKEN_BACK_BY if other.kind == Bill.Kind.CREDIT_NOTE else Relation.REPLACED_BY


def billed(bill: Bill) -> Billed:
    """Return a bill as far as it can be compared: its days are those in which its lines lie."""
    lines = list(bill.lines.all())
    kwh = bill.consumption_kwh or Decimal(0)
    estimated = (kwh * bill.estimated_share).quantize(_MICRO)
    return Billed(
        days=_days(lines, bill),
        measured_kwh=kwh - estimated,
        estimated_kwh=estimated,
        total=bill.total or Decimal(0),
        currency=bill.currency,
        charges=tuple(_charge(line) for line in lines),
    )


def _bill_before(bill: Bill, user: User | None) -> Bill | None:
    standing = bills_visible_to(user).filter(
        account_id=bill.account_id,
        month=YearMonth.of(bill.month).previous().first_day,
        kind=Bill.Kind.BILL,
        status__in=(Bill.Status.ISSUED, Bill.Status.ARCHIVED),
    )
    found: Bill | None = with_lines(standing).first()
    return found


def _days(lines: Iterable[BillLine], bill: Bill) -> Decimal:
    periods = [line.period for line in lines if line.kind != BillLine.Kind.TAX] or [bill.period]
    start, end = min(each.lower for each in periods), max(each.upper for each in periods)
    return days_between(start, end, zone(bill.account.zone))


def _charge(line: BillLine) -> Charge:
    detail = line.detail
    tier = f"{detail.get('tier_from', '')}-{detail.get('tier_up_to') or ''}" if detail.get("tiers", 1) > 1 else ""
    return Charge(
        kind=line.kind,
        name=line.component.name if line.component is not None else "",
        quantity=line.quantity,
        amount=line.amount,
        hours=str(detail.get("period_name", "")),
        tier=tier,
    )
