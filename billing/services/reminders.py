"""Remind of bills that are overdue: once a bill and level, never of one that is disputed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Max
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.actors import PORTAL
from accounts.models import CustomerAccount, NotificationKind
from accounts.selectors.notifications import addresses_told
from accounts.services import audit
from billing import store
from billing.models import Bill, Dispute, Reminder
from billing.selectors.balance import Standing, account_balances, bill_standing
from energy_portal.shared.jobs import enqueue_on_commit

CHUNK_ACCOUNTS = 500
SEND_TASK = "billing.tasks.send_reminder"
_Status = Reminder.Status


def remind_overdue(*, now: datetime) -> int:
    """Write the reminders that have become due and have each mailed; return how many were written.

    A bill that is found late goes straight to the level that it has reached. Reminders that were written before and
    not sent are asked for again. Several processes may do this at once.
    """
    for reminder_id in Reminder.objects.filter(status=_Status.QUEUED).values_list("pk", flat=True):
        enqueue_on_commit(SEND_TASK, reminder_id=reminder_id)
    debtors = sorted(store.debtors())
    chunks = (debtors[start : start + CHUNK_ACCOUNTS] for start in range(0, len(debtors), CHUNK_ACCOUNTS))
    return sum(_remind(chunk, now) for chunk in chunks)


def send_reminder(*, reminder_id: UUID, now: datetime) -> Reminder | None:
    """Mail a reminder, unless the bill was paid or disputed in the meantime.

    :returns: None where it was dealt with before, or somebody else is at it.
    :raises OSError: the mail server does not answer; the reminder waits for another try.
    """
    with transaction.atomic():
        waiting = Reminder.objects.filter(status=_Status.QUEUED).select_for_update(of=("self",), skip_locked=True)
        reminder: Reminder | None = waiting.select_related("bill__account").filter(pk=reminder_id).first()
        if reminder is None:
            return None
        standing = bill_standing([reminder.bill], now=now).get(reminder.bill_id)
        account = reminder.bill.account
        addresses = sorted(addresses_told([account], NotificationKind.REMINDER, now=now)[account.pk])
        if standing is None or standing.standing != Standing.OVERDUE or _disputed([reminder.bill_id]):
            reminder.status = _Status.DROPPED
        elif not addresses:
            reminder.status = _Status.UNADDRESSED
        else:
            reminder.open_amount = standing.open_amount
            # Last in the transaction, under the lock: it is told once, but where the commit itself fails.
            _mail(reminder, addresses)
            reminder.status, reminder.sent_at, reminder.sent_to = _Status.SENT, now, ", ".join(addresses)
        reminder.save(update_fields=("status", "open_amount", "sent_at", "sent_to"))
        audit.record(action=f"reminder.{reminder.status}", obj=reminder, actor=PORTAL, now=now, level=reminder.level)
    return reminder


def level_of(days_overdue: int) -> int:
    """Return the level that a bill has reached so many days after its due day; 0 for none yet."""
    return sum(days_overdue >= days for days in settings.REMINDER_DAYS)


@transaction.atomic
def _remind(account_ids: Sequence[UUID], now: datetime) -> int:
    accounts = list(CustomerAccount.objects.filter(pk__in=account_ids))
    balances = account_balances(accounts=accounts, now=now)
    overdue = [
        (balance, bill, level)
        for balance in balances.values()
        for bill in balance.open_bills
        if bill.standing == Standing.OVERDUE and (level := level_of((balance.today - bill.due_on).days))
    ]
    bill_ids = [bill.bill_id for _, bill, _ in overdue]
    disputed, told = _disputed(bill_ids), _levels_told(bill_ids)
    wanted = [
        Reminder(
            bill_id=bill.bill_id,
            account_id=balance.account_id,
            level=level,
            open_amount=bill.open_amount,
            currency=bill.currency,
            due_on=bill.due_on,
            created_at=now,
        )
        for balance, bill, level in overdue
        if bill.bill_id not in disputed and told.get(bill.bill_id, 0) < level
    ]
    Reminder.objects.bulk_create(wanted, ignore_conflicts=True)
    # Another process may have written some of them first.
    written = Reminder.objects.filter(pk__in=[reminder.pk for reminder in wanted]).values_list("pk", flat=True)
    for reminder_id in written:
        enqueue_on_commit(SEND_TASK, reminder_id=reminder_id)
    return len(written)


def _levels_told(bill_ids: Sequence[UUID]) -> dict[UUID, int]:
    told = Reminder.objects.filter(bill__in=bill_ids).order_by().values_list("bill")
    return dict(told.annotate(Max("level")))


def _disputed(bill_ids: Sequence[UUID]) -> set[UUID]:
    disputes = Dispute.objects.filter(bill__in=bill_ids, status__in=Dispute.OPEN)
    return set(disputes.order_by().values_list("bill", flat=True))


def _mail(reminder: Reminder, addresses: Sequence[str]) -> None:
    bill: Bill = reminder.bill
    context = {
        "reminder": reminder,
        "bill": bill,
        "account": bill.account,
        "link": settings.PORTAL_URL + reverse("billing:payments"),
        "issuer": settings.BILL_ISSUER_NAME,
        "contact": settings.BILL_ISSUER_CONTACT,
        "is_last": reminder.level >= len(settings.REMINDER_DAYS),
    }
    body = render_to_string("billing/mail/reminder.txt", context)
    subject = f"Reminder: bill {bill.number} was due on {reminder.due_on:%-d %B %Y}"
    send_mail(subject, body, settings.DEFAULT_FROM_EMAIL, list(addresses))
