"""Mails about bills: which are due, and to whom they go."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import CustomerAccount
from billing.models import BillDelivery

_Status = BillDelivery.Status


def due_deliveries(now: datetime) -> QuerySet[BillDelivery]:
    """Return the mails that may be sent now, those that wait longest first."""
    due: QuerySet[BillDelivery] = BillDelivery.objects.filter(status=_Status.QUEUED, next_attempt_at__lte=now)
    return due.order_by("next_attempt_at", "pk")


def addresses_of(accounts: Collection[CustomerAccount]) -> dict[UUID, set[str]]:
    """Return the addresses, in small letters, to which news about the bills of accounts goes."""
    return {account.pk: {account.email.lower()} if account.email else set() for account in accounts}
