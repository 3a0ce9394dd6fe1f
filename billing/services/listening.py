"""What bills do when something happens to readings: drafts are rated anew, issued ones get proposals."""

from collections import defaultdict
from datetime import datetime
from uuid import UUID

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actors import PORTAL
from accounts.models import CustomerAccount
from accounts.services import audit
from billing.models import Bill
from billing.selectors.evidence import of_event
from billing.services import corrections, drafting
from meters.models import Binding, DomainEvent
from meters.selectors.flows import as_period

CONSUMER = "billing"
KINDS = frozenset(
    {DomainEvent.Kind.READING_SUPERSEDED, DomainEvent.Kind.GAP_CLOSED, DomainEvent.Kind.CHAIN_CHANGED},
)
_Status = Bill.Status


def hear(event: DomainEvent, now: datetime) -> None:
    """Rate the drafts anew that an event's stretch touches, and propose to correct issued bills that would differ.

    An issued bill never changes: its audit trail tells that what it rests on has moved, and what came of it. One that
    is archived is only noted.
    """
    if event.service_point_id is None:
        return
    stretch = DateTimeTZRange(event.start, event.end)
    supplied = _supplied(event, stretch)
    # Accounts in the order of their numbers, then bills by their keys: the order of every writer of bills.
    accounts = CustomerAccount.objects.filter(pk__in=supplied).order_by("number")
    locked = list(accounts.select_for_update(of=("self",), no_key=True))
    bills = Bill.objects.bills().filter(account__in=locked, period__overlap=stretch).exclude(status=_Status.VOID)
    touched = [
        bill
        for bill in bills.select_related("account").order_by("pk").select_for_update(of=("self",))
        if any(as_period(bill.period).intersect(as_period(valid)) for valid in supplied[bill.account_id])
    ]
    drafts = [bill for bill in touched if bill.status == _Status.DRAFT]
    for bill in drafting.redraft(drafts=drafts, accounts=locked, now=now):
        _note("bill.rated_anew", bill, event, now)
    _propose([bill for bill in touched if bill.status == _Status.ISSUED], event, now)
    for bill in touched:
        if bill.status == _Status.ARCHIVED:
            _note("bill.touched", bill, event, now, outcome="archived")


def _supplied(event: DomainEvent, stretch: DateTimeTZRange) -> dict[UUID, list[DateTimeTZRange]]:
    """Return who is supplied there during a stretch, and when; whoever moved in or out by the event, at any time."""
    found: dict[UUID, list[DateTimeTZRange]] = defaultdict(list)
    bindings = Binding.objects.filter(service_point=event.service_point_id, valid__overlap=stretch)
    for account_id, valid in bindings.values_list("account_id", "valid"):
        found[account_id].append(valid)
    if moved := event.data.get("account_id"):
        found[UUID(moved)].append(DateTimeTZRange(None, None))
    return found


def _propose(bills: list[Bill], event: DomainEvent, now: datetime) -> None:
    evidence = {bill.pk: of_event(event, bill, now=now) for bill in bills}
    for found in corrections.propose_all(bills=bills, evidence=evidence, actor=PORTAL, now=now):
        correction = str(found.correction.pk) if found.correction else None
        _note("bill.touched", found.bill, event, now, outcome=found.verdict, correction=correction)


def _note(action: str, bill: Bill, event: DomainEvent, now: datetime, **more: object) -> None:
    audit.record(
        action=action,
        obj=bill,
        actor=PORTAL,
        now=now,
        event=event.pk,
        because=event.kind,
        start=event.start,
        end=event.end,
        **more,
    )
