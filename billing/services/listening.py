"""What bills do when something happens to readings: drafts are rated anew, issued bills are left alone and marked."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actors import PORTAL
from accounts.models import CustomerAccount
from accounts.services import audit
from billing.models import Bill, BillRun
from billing.services import drafting
from energy_portal.shared.clock import YearMonth
from meters.models import Binding, DomainEvent

CONSUMER = "billing"
KINDS = frozenset(
    {DomainEvent.Kind.READING_SUPERSEDED, DomainEvent.Kind.GAP_CLOSED, DomainEvent.Kind.CHAIN_CHANGED},
)
_Status = Bill.Status


def hear(event: DomainEvent, now: datetime) -> None:
    """Rate the drafts anew that an event's stretch touches, and note the touch on bills that are issued.

    An issued bill never changes: its audit trail tells a manager that what it rests on has moved.
    """
    if event.service_point_id is None:
        return
    stretch = DateTimeTZRange(event.start, event.end)
    supplied = _supplied(event, stretch)
    # Accounts in the order of their numbers, then bills by their keys: the order of every writer of bills.
    accounts = CustomerAccount.objects.filter(pk__in=supplied).order_by("number")
    locked = list(accounts.select_for_update(of=("self",), no_key=True))
    bills = Bill.objects.filter(account__in=locked, period__overlap=stretch).exclude(status=_Status.VOID)
    touched = [
        bill
        for bill in bills.order_by("pk").select_for_update()
        if any(_meet(bill.period, valid) for valid in supplied[bill.account_id])
    ]
    _rate_anew([bill for bill in touched if bill.status == _Status.DRAFT], locked, event, now)
    for bill in touched:
        if bill.status != _Status.DRAFT:
            _note("bill.touched", bill, event, now)


def _supplied(event: DomainEvent, stretch: DateTimeTZRange) -> dict[UUID, list[DateTimeTZRange]]:
    """Return who is supplied there during a stretch, and when; whoever moved in or out by the event, at any time."""
    found: dict[UUID, list[DateTimeTZRange]] = defaultdict(list)
    bindings = Binding.objects.filter(service_point=event.service_point_id, valid__overlap=stretch)
    for account_id, valid in bindings.values_list("account_id", "valid"):
        found[account_id].append(valid)
    if moved := event.data.get("account_id"):
        found[UUID(moved)].append(DateTimeTZRange(None, None))
    return found


def _meet(one: DateTimeTZRange, other: DateTimeTZRange) -> bool:
    return (one.lower is None or other.upper is None or one.lower < other.upper) and (
        other.lower is None or one.upper is None or other.lower < one.upper
    )


def _rate_anew(drafts: list[Bill], accounts: list[CustomerAccount], event: DomainEvent, now: datetime) -> None:
    groups: dict[tuple[YearMonth, UUID | None], set[UUID]] = defaultdict(set)
    for bill in drafts:
        groups[YearMonth.of(bill.month), bill.run_id].add(bill.account_id)
    runs = BillRun.objects.in_bulk([run_id for _, run_id in groups if run_id])
    for (month, run_id), wanted in groups.items():
        chosen = [account for account in accounts if account.pk in wanted]
        run = runs[run_id] if run_id else None
        for bill in drafting.draft_bills(accounts=chosen, month=month, run=run, now=now):
            _note("bill.rated_anew", bill, event, now)


def _note(action: str, bill: Bill, event: DomainEvent, now: datetime) -> None:
    audit.record(
        action=action,
        obj=bill,
        actor=PORTAL,
        now=now,
        event=event.pk,
        because=event.kind,
        start=event.start,
        end=event.end,
    )
