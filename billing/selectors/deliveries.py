"""Mails about bills: which are due, and to whom they go."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import NotificationKind
from accounts.selectors.notifications import addresses_told
from billing.models import Bill, BillDelivery

_Status = BillDelivery.Status


def due_deliveries(now: datetime) -> QuerySet[BillDelivery]:
    """Return the mails that may be sent now, those that wait longest first."""
    due: QuerySet[BillDelivery] = BillDelivery.objects.filter(status=_Status.QUEUED, next_attempt_at__lte=now)
    return due.order_by("next_attempt_at", "pk")


def addresses_of(bills: Collection[Bill], *, now: datetime) -> dict[UUID, set[str]]:
    """Return the addresses, in small letters, to which news of bills goes, by the bills' keys, in six queries.

    What takes a bill back or stands in for one is news of a correction.
    """
    found: dict[UUID, set[str]] = {}
    for kind, own in (
        (NotificationKind.BILL_ISSUED, [bill for bill in bills if bill.corrects_id is None]),
        (NotificationKind.CORRECTION, [bill for bill in bills if bill.corrects_id is not None]),
    ):
        told = addresses_told({bill.account for bill in own}, kind, now=now) if own else {}
        found |= {bill.pk: told[bill.account_id] for bill in own}
    return found
