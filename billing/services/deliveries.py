"""Mail about bills: queued in the transaction of their issue, sent by workers a few at a time.

A delivery that is noted as sent is never sent again by itself. Between a mail's leaving and the note of it lies an
instant in which a crash has the mail sent a second time, with the same Message-ID: a mail may come twice, and none is
lost. Each address that got its mail is noted at once, so that a failure at one does not repeat the others.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPServerDisconnected
from uuid import UUID

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F

from accounts.actors import Actor
from accounts.services import audit
from billing.models import Bill, BillDelivery
from billing.selectors.bills import bill_document, bills_with_lines
from billing.selectors.deliveries import addresses_of, due_deliveries
from billing.services.mailing import BillMail
from energy_portal.shared.errors import Conflict

logger = logging.getLogger(__name__)

_AT_ONCE = 50
# Nobody else touches a mail that a worker has taken up; a worker that died is followed by another one after it.
_LEASE = timedelta(minutes=15)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
_MOST_ATTEMPTS = 10
_STALE = timedelta(days=7)
_ERROR_LENGTH = 500

_Status = BillDelivery.Status


class NotIssued(Conflict):
    """Only what is issued and stands is mailed."""

    code = "bill_not_issued"


class _ServerGone(Exception):
    """The mail server does not answer: what is left waits for the next run."""


def queue_deliveries(*, bills: Sequence[Bill], now: datetime) -> None:
    """Have bills mailed that are issued in the running transaction; where mail is off, note that nobody wants it."""
    status = _Status.QUEUED if settings.BILL_MAIL else _Status.UNWANTED
    BillDelivery.objects.bulk_create(
        BillDelivery(bill=bill, status=status, queued_at=now, next_attempt_at=now) for bill in bills
    )


def send_due(*, now: datetime, most: int) -> int:
    """Send the mails that are due, at most so many; returns how many deliveries are sent now.

    Several workers may do so at once: each takes up deliveries that no other has. Where the mail server does not
    answer, nothing is taken up; where nothing is due, it is not asked.
    """
    _give_up_stale(now)
    if not due_deliveries(now).exists():
        return 0
    connection = get_connection()
    sent = 0
    try:
        connection.open()
        while most > 0 and (taken := _take_up(now, min(most, _AT_ONCE))):
            most -= len(taken)
            for is_sent in _send_all(taken, connection, now):
                sent += is_sent
    except (_ServerGone, OSError, SMTPException) as error:
        logger.warning("The mail server does not answer: %s", error)
    finally:
        connection.close()
    return sent


@transaction.atomic
def resend(*, delivery_id: int, actor: Actor, now: datetime) -> BillDelivery:
    """Queue a mail anew, whatever became of it; everybody who is to be told gets it.

    :raises BillDelivery.DoesNotExist: there is no such mail.
    :raises NotIssued: its bill was withdrawn.
    """
    delivery: BillDelivery = (
        BillDelivery.objects.select_for_update(of=("self",)).select_related("bill").get(pk=delivery_id)
    )
    if delivery.bill.status not in {Bill.Status.ISSUED, Bill.Status.ARCHIVED}:
        raise NotIssued(f"{delivery.bill} is {delivery.bill.status}: it is not mailed.")
    delivery.status, delivery.error, delivery.sent_to, delivery.sent_at = _Status.QUEUED, "", [], None
    delivery.attempts, delivery.queued_at, delivery.next_attempt_at = 0, now, now
    delivery.save()
    audit.record(action="bill.mail_queued", obj=delivery.bill, actor=actor, now=now, number=delivery.bill.number)
    return delivery


def leave_unsent(*, run_id: UUID) -> int:
    """Have nobody mailed about the bills of a run, as when a past year is billed again; returns how many mails."""
    waiting = BillDelivery.objects.filter(bill__run=run_id, status=_Status.QUEUED)
    return waiting.update(status=_Status.UNWANTED)


def _give_up_stale(now: datetime) -> None:
    stale = BillDelivery.objects.filter(status=_Status.QUEUED, next_attempt_at__lte=now, queued_at__lt=now - _STALE)
    stale.update(status=_Status.FAILED, error="It was not sent within seven days: send it again if it is still news.")


@transaction.atomic
def _take_up(now: datetime, most: int) -> list[BillDelivery]:
    locked = due_deliveries(now).select_for_update(skip_locked=True, of=("self",))
    taken = list(locked[:most])
    BillDelivery.objects.filter(pk__in=[delivery.pk for delivery in taken]).update(
        attempts=F("attempts") + 1, next_attempt_at=now + _LEASE
    )
    bills = {bill.pk: bill for bill in bills_with_lines([delivery.bill_id for delivery in taken])}
    for delivery in taken:
        delivery.attempts += 1
        delivery.bill = bills[delivery.bill_id]
    return taken


def _send_all(taken: Sequence[BillDelivery], connection: BaseEmailBackend, now: datetime) -> Iterator[bool]:
    addresses = addresses_of([delivery.bill for delivery in taken], now=now)
    for place, delivery in enumerate(taken):
        try:
            yield _send(delivery, addresses[delivery.bill_id], connection, now)
        except _ServerGone:
            _give_back(taken[place + 1 :], now)
            raise


def _send(delivery: BillDelivery, addresses: set[str], connection: BaseEmailBackend, now: datetime) -> bool:
    """Send one delivery to whoever did not get it yet; tell whether it is sent now."""
    if delivery.bill.status == Bill.Status.VOID:
        _note(delivery, status=_Status.UNWANTED, error="It was withdrawn before it was sent.")
        return False
    if not addresses:
        declined = bool(delivery.bill.account.email)
        _note(delivery, status=_Status.UNWANTED if declined else _Status.NO_ADDRESS, error="")
        return False
    try:
        mail = BillMail(delivery, bill_document(delivery.bill, now=now))
        for address in sorted(addresses.difference(delivery.sent_to)):
            mail.message_to(address, connection).send()
            delivery.sent_to.append(address)
            _note(delivery, sent_to=delivery.sent_to)
    except SMTPRecipientsRefused as error:
        _put_off(delivery, error, now)
        return False
    except (SMTPServerDisconnected, OSError) as error:
        _put_off(delivery, error, now)
        raise _ServerGone(str(error)) from error
    except Exception as error:
        # One bill that cannot be told must not keep the others.
        logger.exception("The mail about %s could not be made or sent", delivery.bill)
        _put_off(delivery, error, now)
        return False
    _note(delivery, status=_Status.SENT, sent_at=now, error="")
    return True


def _put_off(delivery: BillDelivery, error: Exception, now: datetime) -> None:
    """Try again after a pause that doubles, or give up."""
    told = f"{type(error).__name__}: {error}"[:_ERROR_LENGTH]
    logger.warning("The mail about %s could not be sent: %s", delivery.bill, told)
    if delivery.attempts >= _MOST_ATTEMPTS:
        _note(delivery, status=_Status.FAILED, error=told)
        return
    pause = min(_FIRST_PAUSE * 2 ** (delivery.attempts - 1), _LONGEST_PAUSE)
    _note(delivery, next_attempt_at=now + pause, error=told)


def _give_back(deliveries: Sequence[BillDelivery], now: datetime) -> None:
    rest = BillDelivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries], status=_Status.QUEUED)
    rest.update(attempts=F("attempts") - 1, next_attempt_at=now)


def _note(delivery: BillDelivery, **changes: object) -> None:
    BillDelivery.objects.filter(pk=delivery.pk, status=_Status.QUEUED).update(**changes)
