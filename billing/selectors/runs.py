"""Whom a month's run still has to bill, and how far it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Avg, Count, Exists, OuterRef, Q, QuerySet, Sum

from accounts.models import CustomerAccount
from billing.models import Bill, BillRun, Hold
from energy_portal.shared.clock import YearMonth, local_month, zone
from meters.models import Binding

STANDING = (Bill.Status.ISSUED, Bill.Status.ARCHIVED)
UNDER_WAY = (BillRun.Status.QUEUED, BillRun.Status.RUNNING)


@dataclass(frozen=True)
class RunCounts:
    """Accounts that a month's run concerns."""

    supplied: int
    billed: int


@dataclass(frozen=True)
class BillSum:
    """Bills of one status and currency that are not held: how many, their energy, kWh, their total, what is estimated.

    ``estimated_share`` is the mean of theirs, 0 to 1.
    """

    status: Bill.Status
    currency: str
    bills: int
    energy_kwh: Decimal | None
    total: Decimal | None
    estimated_share: Decimal


@dataclass(frozen=True)
class HeldBills:
    """Drafts that are held for one reason."""

    reason: Hold
    bills: int


@dataclass(frozen=True)
class RunTotals:
    """What a run made: bills that are whole, and drafts that are held."""

    sums: tuple[BillSum, ...]
    holds: tuple[HeldBills, ...]


def account_zones() -> list[str]:
    """List the zones that accounts live in."""
    return list(CustomerAccount.objects.order_by("zone").values_list("zone", flat=True).distinct())


def supplied_accounts(*, month: YearMonth, zones: Iterable[str], now: datetime) -> QuerySet[CustomerAccount]:
    """Filter the accounts that are bound to a service point in a month, each by its own zone's month.

    Zones in which the month is not over are left out.
    """
    condition = Q(pk__in=[])
    for name in zones:
        period = local_month(month, zone(name))
        if period.end <= now:
            bound = Binding.objects.filter(account=OuterRef("pk"), valid__overlap=(period.start, period.end))
            condition |= Q(zone=name) & Q(Exists(bound))
    return CustomerAccount.objects.filter(condition)


def due_accounts(
    *, month: YearMonth, zones: Iterable[str], after: str, now: datetime, upto: str | None = None
) -> QuerySet[CustomerAccount]:
    """Order by number the supplied accounts beyond ``after`` that have no issued bill of the month.

    :param upto: the last number wanted; all unless told.
    """
    issued = Bill.objects.filter(
        account=OuterRef("pk"), month=month.first_day, kind=Bill.Kind.BILL, status__in=STANDING
    )
    supplied = supplied_accounts(month=month, zones=zones, now=now)
    due = supplied.filter(~Exists(issued), number__gt=after).order_by("number")
    return due if upto is None else due.filter(number__lte=upto)


def run_counts(*, month: YearMonth, now: datetime) -> RunCounts:
    """Count the accounts that are supplied in a month, and those of them that have an issued bill."""
    issued = Bill.objects.filter(
        account=OuterRef("pk"), month=month.first_day, kind=Bill.Kind.BILL, status__in=STANDING
    )
    supplied = supplied_accounts(month=month, zones=account_zones(), now=now)
    return RunCounts(supplied=supplied.count(), billed=supplied.filter(Exists(issued)).count())


def run_totals(run: BillRun) -> RunTotals:
    """Add up the bills that a run made, those that are void left out. One query, of the index on the run."""
    bills = Bill.objects.filter(run=run).exclude(status=Bill.Status.VOID).order_by()
    sums, holds = [], []
    grouped = bills.values("status", "currency", "held_because").annotate(
        bills=Count("pk"), energy_kwh=Sum("consumption_kwh"), total=Sum("total"), estimated=Avg("estimated_share")
    )
    for group in grouped.order_by("status", "currency", "held_because"):
        if group["held_because"]:
            holds.append(HeldBills(Hold(group["held_because"]), group["bills"]))
        else:
            sums.append(
                BillSum(
                    Bill.Status(group["status"]),
                    group["currency"],
                    group["bills"],
                    group["energy_kwh"],
                    group["total"],
                    group["estimated"].quantize(Decimal("0.0001")),
                )
            )
    return RunTotals(tuple(sums), tuple(holds))


def stalled_runs() -> list[BillRun]:
    """Return the runs under way whose chunks nobody holds: their processes died, or wait to begin.

    Within a transaction, which then holds those chunks.
    """
    stalled = []
    for run in BillRun.objects.filter(status__in=UNDER_WAY).order_by("month"):
        undone = run.chunks.filter(done_at=None)
        if undone.count() == len(undone.select_for_update(skip_locked=True, no_key=True)):
            stalled.append(run)
    return stalled


def run_with_starter(run_id: UUID) -> BillRun:
    """Fetch a run with whoever started it.

    :raises BillRun.DoesNotExist: there is none.
    """
    return BillRun.objects.select_related("started_by").get(pk=run_id)
