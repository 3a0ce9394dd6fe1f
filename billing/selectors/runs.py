"""Whom a month's run still has to bill, and how far it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import CustomerAccount
from billing.models import Bill, BillRun
from energy_portal.shared.clock import YearMonth, local_month, zone
from meters.models import Binding

STANDING = (Bill.Status.ISSUED, Bill.Status.ARCHIVED)


@dataclass(frozen=True)
class RunCounts:
    """Accounts that a month's run concerns."""

    supplied: int
    billed: int


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


def due_accounts(*, month: YearMonth, zones: Iterable[str], after: str, now: datetime) -> QuerySet[CustomerAccount]:
    """Order by number the supplied accounts beyond ``after`` that have no issued bill of the month."""
    issued = Bill.objects.filter(account=OuterRef("pk"), month=month.first_day, status__in=STANDING)
    supplied = supplied_accounts(month=month, zones=zones, now=now)
    return supplied.filter(~Exists(issued), number__gt=after).order_by("number")


def run_counts(*, month: YearMonth, now: datetime) -> RunCounts:
    """Count the accounts that are supplied in a month, and those of them that have an issued bill."""
    issued = Bill.objects.filter(account=OuterRef("pk"), month=month.first_day, status__in=STANDING)
    supplied = supplied_accounts(month=month, zones=account_zones(), now=now)
    return RunCounts(supplied=supplied.count(), billed=supplied.filter(Exists(issued)).count())


def run_with_starter(run_id: UUID) -> BillRun:
    """Fetch a run with whoever started it.

    :raises BillRun.DoesNotExist: there is none.
    """
    return BillRun.objects.select_related("started_by").get(pk=run_id)
