"""Mail about bills: one a bill and address, whatever happens meanwhile."""

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from accounts.actors import PORTAL
from accounts.models import AuditEntry, NotificationChoice
from billing.models import Bill, BillDelivery
from billing.services import deliveries, drafting
from billing.services.bills import issue_bill
from billing.services.deliveries import NotIssued, resend, send_due
from energy_portal.shared.clock import YearMonth
from tests.factories import AccountAccessFactory, CustomerAccountFactory, ManagerFactory, singapore_bill

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 3, 2, 1, tzinfo=UTC)
FEBRUARY = date(2025, 2, 1)
LATER = timedelta(minutes=5)


def issued(number="A-1", email="mei@example.org", **account):
    made = CustomerAccountFactory(number=number, email=email, **account)
    return singapore_bill(account=made, first_day=FEBRUARY, issued_at=NOW)


def send(at=NOW, most=100):
    return send_due(now=at, most=most)


def only():
    return BillDelivery.objects.get()


@pytest.fixture
def refusing(monkeypatch):
    """Have the mail server answer with the errors that a test puts in, one a mail, None where it takes it."""
    errors = []
    real = EmailBackend.send_messages

    def answer(backend, messages):
        if errors and (error := errors.pop(0)) is not None:
            raise error
        return real(backend, messages)

    monkeypatch.setattr(EmailBackend, "send_messages", answer)
    return errors


class TestIssue:
    def test_queues_one_mail_in_its_own_transaction(self):
        issued()

        assert (only().status, only().queued_at, only().attempts) == ("queued", NOW, 0)

    def test_takes_the_mail_back_with_the_bill(self):
        draft = singapore_bill(account=CustomerAccountFactory(), first_day=FEBRUARY)

        with transaction.atomic():
            issue_bill(bill_id=draft.pk, actor=PORTAL, now=NOW)
            assert only().bill_id == draft.pk
            transaction.set_rollback(True)

        assert not BillDelivery.objects.exists()

    def test_queues_nothing_where_mail_is_off(self, settings):
        settings.BILL_MAIL = False
        issued()

        assert send() == 0
        assert (only().status, mail.outbox) == ("unwanted", [])


class TestMail:
    def test_says_what_is_owed_by_when_and_where_to_look(self):
        account = CustomerAccountFactory(email="mei@example.org", owner_name="Tan & Söhne")
        bill = singapore_bill(account=account, first_day=FEBRUARY)
        Bill.objects.filter(pk=bill.pk).update(due_on=date(2025, 3, 23))
        bill = issue_bill(bill_id=bill.pk, actor=PORTAL, now=NOW)

        send()

        (message,) = mail.outbox
        assert message.to == ["mei@example.org"]
        assert message.subject == "Your bill for February 2025: SGD 96.47, to be paid by 23 Mar 2025"
        html = message.alternatives[0].content
        for text in (message.body, html):
            assert "SGD 96.47" in text
            assert "23 March 2025" in text
            assert bill.number in text
            assert f"/bills/{bill.pk}" in text
        assert "Hello Tan & Söhne," in message.body
        assert "Hello Tan &amp; Söhne," in html

    def test_carries_the_document(self):
        bill = issued()

        send()

        ((name, content, kind),) = mail.outbox[0].attachments
        assert (name, kind) == (f"bill-{bill.number}.pdf", "application/pdf")
        assert bill.number in PdfReader(BytesIO(content)).pages[0].extract_text()

    def test_leaves_the_document_out_where_it_shall_not_leave_the_house(self, settings):
        settings.BILL_MAIL_PDF = False
        issued()

        send()

        assert mail.outbox[0].attachments == []
        assert "attached" not in mail.outbox[0].body

    def test_is_told_as_a_correction_where_it_stands_in_for_another(self):
        first = issued()
        Bill.objects.filter(pk=first.pk).update(status="void")
        second = singapore_bill(account=first.account, first_day=FEBRUARY, kwh="300.00")
        second.corrects = first
        second.save()
        with transaction.atomic():
            drafting.issue_drafts(bills=[second], month=YearMonth.of(FEBRUARY), now=NOW)

        send()

        (message,) = mail.outbox
        assert message.subject.startswith("Your corrected bill for February 2025")
        assert f"It stands in for bill {first.number}" in message.body


class TestSendDue:
    def test_notes_what_was_sent_and_never_sends_it_again(self):
        issued()

        assert [send(), send(), send(NOW + timedelta(days=1))] == [1, 0, 0]

        assert len(mail.outbox) == 1
        assert (only().status, only().sent_at, only().sent_to) == ("sent", NOW, ["mei@example.org"])

    def test_goes_to_those_who_want_it_and_to_nobody_else(self):
        bill = issued()
        access = AccountAccessFactory(account=bill.account, user__email=bill.account.email, right="administer")
        NotificationChoice.objects.create(user=access.user, kind="bill_issued", wanted=False)

        send()

        assert (only().status, mail.outbox) == ("unwanted", [])

    def test_notes_that_there_is_no_address(self):
        issued(email="")

        assert send() == 0
        assert (only().status, mail.outbox) == ("no_address", [])

    def test_does_not_mail_a_bill_that_was_withdrawn_meanwhile(self):
        bill = issued()
        Bill.objects.filter(pk=bill.pk).update(status="void")

        send()

        assert (only().status, mail.outbox) == ("unwanted", [])

    def test_sends_no_more_than_its_share(self):
        for number in range(5):
            issued(number=f"A-{number}", email=f"{number}@example.org")

        assert [send(most=2), send(most=2), send(most=2)] == [2, 2, 1]
        assert len({message.to[0] for message in mail.outbox}) == 5

    def test_tries_again_after_pauses_that_double(self, refusing):
        issued()
        refusing += [SMTPRecipientsRefused({}), SMTPDataError(451, b"later"), None]

        assert send() == 0
        assert send(NOW + LATER - timedelta(seconds=1)) == 0
        assert only().attempts == 1
        assert send(NOW + LATER) == 0
        assert send(NOW + 2 * LATER) == 0
        assert "later" in only().error
        assert send(NOW + 3 * LATER) == 1
        assert (only().status, only().attempts, only().error) == ("sent", 3, "")

    def test_gives_up_after_a_day_of_attempts(self, refusing):
        issued()
        refusing += [SMTPRecipientsRefused({})] * 20

        at = NOW
        for _ in range(20):
            send(at)
            at += timedelta(hours=6)

        assert (only().status, only().attempts, mail.outbox) == ("failed", 10, [])

    def test_goes_on_with_the_others_where_one_is_refused(self, refusing):
        for number in range(3):
            issued(number=f"A-{number}", email=f"{number}@example.org")
        refusing += [None, SMTPRecipientsRefused({}), None]

        assert send() == 2
        assert BillDelivery.objects.filter(status="queued").count() == 1

    def test_leaves_the_rest_alone_where_the_server_is_gone(self, refusing):
        for number in range(3):
            issued(number=f"A-{number}", email=f"{number}@example.org")
        refusing += [None, SMTPServerDisconnected("gone")]

        assert send() == 1
        assert sorted(BillDelivery.objects.values_list("status", "attempts")) == [
            ("queued", 0),
            ("queued", 1),
            ("sent", 1),
        ]
        assert send() == 1
        assert send(NOW + LATER) == 1

    def test_takes_nothing_up_while_the_server_does_not_answer(self, monkeypatch):
        issued()

        def refuse(backend):
            raise ConnectionRefusedError

        monkeypatch.setattr(EmailBackend, "open", refuse)

        assert send() == 0
        assert (only().status, only().attempts) == ("queued", 0)

    def test_leaves_to_a_worker_what_it_has_taken_up(self, monkeypatch):
        issued()
        monkeypatch.setattr(deliveries, "_send_all", lambda taken, connection, now: ())
        send()
        monkeypatch.undo()

        assert send(NOW + timedelta(minutes=14)) == 0
        assert send(NOW + timedelta(minutes=15)) == 1

    def test_repeats_after_a_crash_only_whom_it_did_not_note(self, monkeypatch):
        issued()
        monkeypatch.setattr(
            deliveries, "addresses_of", lambda bills, now: {bills[0].pk: {"a@example.org", "b@example.org"}}
        )
        BillDelivery.objects.update(sent_to=["a@example.org"])

        send()

        assert [message.to for message in mail.outbox] == [["b@example.org"]]
        assert only().sent_to == ["a@example.org", "b@example.org"]

    def test_names_a_mail_that_is_sent_twice_by_a_crash_alike(self):
        issued()
        send()
        BillDelivery.objects.update(status="queued", sent_to=[], sent_at=None, next_attempt_at=NOW)
        send()

        first, second = (message.extra_headers["Message-ID"] for message in mail.outbox)
        assert first == second

    def test_is_too_late_after_a_week(self):
        issued()

        send(NOW + timedelta(days=8))

        assert (only().status, mail.outbox) == ("failed", [])

    def test_keeps_the_others_where_a_document_cannot_be_made(self, monkeypatch):
        for number in range(2):
            issued(number=f"A-{number}", email=f"{number}@example.org")
        real, broken = deliveries.bill_document, ["A-0"]

        def gather(bill, *, now):
            if bill.account.number in broken:
                raise ValueError("no such font")
            return real(bill, now=now)

        monkeypatch.setattr(deliveries, "bill_document", gather)

        assert send() == 1
        assert "no such font" in BillDelivery.objects.get(status="queued").error

    def test_finds_many_in_as_many_queries_as_one(self, settings):
        issued(number="A-0")
        with CaptureQueriesContext(connection) as one:
            taken = deliveries._take_up(NOW, 50)
        assert len(taken) == 1
        for number in range(1, 4):
            issued(number=f"A-{number}")
        with CaptureQueriesContext(connection) as many:
            taken = deliveries._take_up(NOW, 50)

        assert len(taken) == 3
        assert len(many) == len(one)


class TestResend:
    def test_sends_again_what_was_sent_as_a_mail_of_its_own(self):
        issued()
        send()

        resend(delivery_id=only().pk, actor=PORTAL, now=NOW + LATER)
        send(NOW + LATER)

        assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 2
        assert AuditEntry.objects.filter(action="bill.mail_queued").count() == 1

    def test_refuses_a_bill_that_was_withdrawn(self):
        bill = issued()
        Bill.objects.filter(pk=bill.pk).update(status="void")

        with pytest.raises(NotIssued):
            resend(delivery_id=only().pk, actor=PORTAL, now=NOW)


class TestAdmin:
    @pytest.fixture
    def desk(self, client):
        client.force_login(ManagerFactory())
        return client

    LIST = reverse("admin:billing_billdelivery_changelist")

    def test_lists_what_became_of_each(self, desk):
        bill = issued()
        send()

        page = desk.get(self.LIST, {"q": bill.number}).content.decode()

        assert bill.number in page
        assert "mei@example.org" in page

    def test_asks_as_often_however_many_there_are(self, desk):
        issued(number="A-0")
        desk.get(self.LIST)
        with CaptureQueriesContext(connection) as few:
            desk.get(self.LIST)
        for number in range(1, 4):
            issued(number=f"A-{number}")

        with CaptureQueriesContext(connection) as many:
            desk.get(self.LIST)

        assert len(many) == len(few)

    def test_sends_selected_ones_again(self, desk):
        issued()
        send()

        desk.post(self.LIST, {"action": "send_selected_again", "_selected_action": [only().pk]})

        assert only().status == "queued"

    def test_sends_one_again_from_its_page(self, desk):
        issued()
        send()

        desk.get(reverse("admin:billing_billdelivery_send_again", args=(only().pk,)), follow=True)

        assert only().status == "queued"
