"""Reminders of overdue bills: once a level, while there is something to remind of."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Dispute, Reminder
from billing.services import reminders
from billing.services.reminders import level_of, remind_overdue, send_reminder
from tests.factories import CustomerAccountFactory, PaymentFactory, singapore_bill

pytestmark = pytest.mark.django_db
ISSUED = datetime(2023, 3, 2, 4, tzinfo=UTC)
DUE = date(2023, 3, 23)


def days_overdue(days: int) -> datetime:
    """Return noon in Singapore so many days after the due day."""
    return datetime(2023, 3, 23, 4, tzinfo=UTC) + timedelta(days=days)


def dispute_of(bill) -> Dispute:
    return Dispute.objects.create(bill=bill, reason="too_high", text="No.", opened_at=ISSUED)


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Whom a worker was asked to write to."""
    found = []
    monkeypatch.setattr(reminders, "enqueue_on_commit", lambda task, **named: found.append(named["reminder_id"]))
    return found


@pytest.fixture
def bill():
    account = CustomerAccountFactory(number="A-1001", owner_name="Tan Mei", email="mei@example.org")
    return singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=ISSUED)


class TestLevelOf:
    @pytest.mark.parametrize(("days", "level"), [(0, 0), (4, 0), (5, 1), (14, 1), (15, 2), (30, 3), (300, 3)])
    def test_follows_the_settings_days(self, days, level):
        assert level_of(days) == level


class TestRemindOverdue:
    def test_writes_nothing_before_the_first_level(self, bill):
        assert remind_overdue(now=days_overdue(4)) == 0

    def test_writes_one_reminder_a_level_however_often_it_is_asked(self, bill, asked):
        written = [remind_overdue(now=days_overdue(days)) for days in (5, 5, 6, 15, 29, 30, 31, 90)]

        assert written == [1, 0, 0, 1, 0, 1, 0, 0]
        assert sorted(Reminder.objects.values_list("level", flat=True)) == [1, 2, 3]

    def test_goes_straight_to_the_level_that_a_bill_has_reached(self, bill):
        remind_overdue(now=days_overdue(20))
        remind_overdue(now=days_overdue(20))

        assert [reminder.level for reminder in Reminder.objects.all()] == [2]

    def test_leaves_paid_bills_alone(self, bill):
        PaymentFactory(account=bill.account, amount=bill.total)

        assert remind_overdue(now=days_overdue(30)) == 0

    def test_reminds_of_what_is_left_of_a_bill(self, bill):
        PaymentFactory(account=bill.account, amount="90.00")

        remind_overdue(now=days_overdue(5))

        assert Reminder.objects.get().open_amount == Decimal("6.47")

    def test_leaves_a_disputed_bill_alone_until_the_dispute_is_over(self, bill):
        dispute = dispute_of(bill)
        assert remind_overdue(now=days_overdue(30)) == 0

        Dispute.objects.filter(pk=dispute.pk).update(status="rejected", closed_at=days_overdue(30))

        assert remind_overdue(now=days_overdue(30)) == 1

    def test_asks_again_for_what_was_written_and_not_sent(self, bill, asked):
        remind_overdue(now=days_overdue(5))
        remind_overdue(now=days_overdue(6))

        assert asked == [Reminder.objects.get().pk] * 2

    def test_asks_as_often_for_many_accounts_as_for_one(self, bill):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                remind_overdue(now=days_overdue(5))
            return len(captured)

        one = queries()
        Reminder.objects.all().delete()
        for _ in range(3):
            singapore_bill(account=CustomerAccountFactory(), first_day=date(2023, 2, 1), issued_at=ISSUED)

        assert queries() == one
        assert Reminder.objects.count() == 4


class TestSendReminder:
    @pytest.fixture
    def reminder(self, bill):
        remind_overdue(now=days_overdue(5))
        return Reminder.objects.get()

    def test_mails_what_is_open_once(self, reminder):
        sent = [send_reminder(reminder_id=reminder.pk, now=days_overdue(5)) for _ in range(2)]

        (letter,) = mail.outbox
        assert (letter.to, sent[1]) == (["mei@example.org"], None)
        assert "202302-000001" in letter.subject
        assert "SGD 96.47 of it is still open" in letter.body
        assert "23 March 2023" in letter.body
        assert "/payments" in letter.body
        reminder.refresh_from_db()
        assert (reminder.status, reminder.sent_to) == ("sent", "mei@example.org")

    def test_says_when_it_is_the_last(self, bill):
        remind_overdue(now=days_overdue(30))

        send_reminder(reminder_id=Reminder.objects.get().pk, now=days_overdue(30))

        assert "last reminder" in mail.outbox[0].body

    def test_drops_a_reminder_of_what_was_paid_meanwhile(self, reminder):
        PaymentFactory(account=reminder.account, amount="96.47")

        assert send_reminder(reminder_id=reminder.pk, now=days_overdue(5)).status == "dropped"
        assert mail.outbox == []

    def test_drops_a_reminder_of_what_is_disputed_meanwhile(self, reminder):
        dispute_of(reminder.bill)

        assert send_reminder(reminder_id=reminder.pk, now=days_overdue(5)).status == "dropped"

    def test_says_when_there_is_nobody_to_write_to(self, reminder):
        type(reminder.account).objects.update(email="")

        assert send_reminder(reminder_id=reminder.pk, now=days_overdue(5)).status == "unaddressed"

    def test_waits_while_the_mail_server_does_not_answer(self, reminder, monkeypatch):
        def refuse(*_, **__):
            raise ConnectionRefusedError

        monkeypatch.setattr(reminders, "send_mail", refuse)
        with pytest.raises(ConnectionRefusedError):
            send_reminder(reminder_id=reminder.pk, now=days_overdue(5))

        reminder.refresh_from_db()
        assert reminder.status == "queued"
