"""Archive what was issued long ago: it stays to be read, and is not corrected any more."""

from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.actors import PORTAL
from accounts.models import CustomerAccount
from accounts.services import audit
from billing import workflow
from billing.models import Bill, Correction, Dispute
from energy_portal.shared.clock import YearMonth, zone

CHUNK_ACCOUNTS = 200


def archive_bills(*, now: datetime, chunk_accounts: int = CHUNK_ACCOUNTS) -> int:
    """Archive bills and credit notes of months older than ``BILL_ARCHIVE_MONTHS``; return how many.

    What a correction or a dispute is open about waits for the decision. A chunk of accounts is a transaction, so that
    a stop loses nothing and a repeat goes on.
    """
    before = _oldest_kept(now)
    archived = 0
    cursor: str | None = ""
    while cursor is not None:
        count, cursor = _archive_chunk(before, cursor, now, chunk_accounts)
        archived += count
    return archived


@transaction.atomic
def _archive_chunk(before: YearMonth, after: str, now: datetime, size: int) -> tuple[int, str | None]:
    """Archive what is due of the next accounts; return how many, and the last account's number, None at the end."""
    concerned = CustomerAccount.objects.filter(Exists(_due(before).filter(account=OuterRef("pk"))), number__gt=after)
    accounts = list(concerned.order_by("number").select_for_update(of=("self",), no_key=True)[:size])
    rows = _due(before).filter(account__in=accounts).order_by("pk")
    bills = list(rows.select_for_update(of=("self",)))
    for bill in bills:
        workflow.require_transition(bill, Bill.Status.ARCHIVED)
    if bills:
        Bill.objects.filter(pk__in=[bill.pk for bill in bills]).update(status=Bill.Status.ARCHIVED)
        audit.record_all(action="bill.archived", objects=bills, actor=PORTAL, now=now)
    return len(bills), accounts[-1].number if len(accounts) == size else None


def _due(before: YearMonth) -> QuerySet[Bill]:
    corrected = Correction.objects.filter(original=OuterRef("pk"), status=Correction.Status.OPEN)
    disputed = Dispute.objects.filter(bill=OuterRef("pk"), status__in=Dispute.OPEN)
    old = Bill.objects.filter(status=Bill.Status.ISSUED, month__lt=before.first_day)
    return old.filter(~Exists(corrected), ~Exists(disputed))


def _oldest_kept(now: datetime) -> YearMonth:
    month = YearMonth.of(now, zone(settings.SITE_ZONE))
    for _ in range(settings.BILL_ARCHIVE_MONTHS):
        month = month.previous()
    return month
