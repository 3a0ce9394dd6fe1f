"""The mail about a bill: what it says, and the document that goes with it."""

from datetime import datetime
from decimal import Decimal
from hashlib import sha256

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.text import slugify
from django.utils.translation import gettext as _

from billing.documents import BillDocument, bill_pdf
from billing.documents.text import day_in_words, money
from billing.models import Bill, BillDelivery

_PDF = "application/pdf"


class BillMail:
    """The mail about one bill, made once for all who get it."""

    def __init__(self, delivery: BillDelivery, document: BillDocument) -> None:
        bill = delivery.bill
        self._delivery = delivery
        self._subject = _subject(bill, document)
        context = {
            "bill": bill,
            "document": document,
            "month": date_format(bill.month, "F Y"),
            "amount": _amount(document),
            "is_owed": not document.is_credit_note and document.total is not None and document.total > 0,
            "has_document": settings.BILL_MAIL_PDF,
            "link": settings.PORTAL_URL + reverse("billing:bill", args=(bill.pk,)),
        }
        self._text = render_to_string("billing/mail/bill.txt", context)
        self._html = render_to_string("billing/mail/bill.html", context)
        self._pdf = bill_pdf(document) if settings.BILL_MAIL_PDF else None
        self._file_name = f"bill-{slugify(document.number or '')}.pdf"

    def message_to(self, address: str, connection: BaseEmailBackend) -> EmailMultiAlternatives:
        """Return the mail to one address; sent again after a crash it has the same Message-ID."""
        message = EmailMultiAlternatives(
            self._subject,
            self._text,
            settings.DEFAULT_FROM_EMAIL,
            [address],
            headers={"Message-ID": _message_id(self._delivery, address)},
            connection=connection,
        )
        message.attach_alternative(self._html, "text/html")
        if self._pdf is not None:
            message.attach(self._file_name, self._pdf, _PDF)
        return message


def _subject(bill: Bill, document: BillDocument) -> str:
    words = {
        "month": date_format(bill.month, "F Y"),
        "amount": _amount(document),
        "number": document.corrects or "",
        "day": day_in_words(document.due_on) if document.due_on else "",
    }
    if document.is_credit_note:
        return _("Credit note for %(month)s: %(amount)s") % words
    if document.corrects:
        return _("Your corrected bill for %(month)s: %(amount)s") % words
    if document.due_on:
        return _("Your bill for %(month)s: %(amount)s, to be paid by %(day)s") % words
    return _("Your bill for %(month)s: %(amount)s") % words


def _amount(document: BillDocument) -> str:
    total = document.total or Decimal(0)
    return f"{document.currency} {money(-total if document.is_credit_note else total)}"


def _message_id(delivery: BillDelivery, address: str) -> str:
    """Name a mail so that a second copy of it, though not one that somebody asked for, is known as such."""
    queued: datetime = delivery.queued_at
    key = sha256(f"{delivery.bill_id} {queued.isoformat()} {address}".encode()).hexdigest()[:32]
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("> ") or "localhost"
    return f"<bill-{key}@{domain}>"
