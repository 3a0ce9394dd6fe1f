"""A reading behind an issued bill turns out wrong: its bill is corrected, and the customer follows it."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from accounts.actors import PORTAL
from billing.models import Bill, Correction
from billing.services.runs import process_run, start_month
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import HALF_HOUR, YearMonth
from meters.services.corrections import correct_reading
from meters.services.deliveries import deliver_events
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import AccountAccessFactory, ManagerFactory, supplied_register

SGT = ZoneInfo("Asia/Singapore")
FEBRUARY = YearMonth(2025, 2)
FIRST, END = datetime(2025, 2, 1, tzinfo=SGT), datetime(2025, 3, 1, tzinfo=SGT)
NOW = datetime(2025, 3, 3, 9, tzinfo=SGT)

pytestmark = pytest.mark.django_db


@pytest.fixture
def register():
    """A meter that read 0.25 kWh each half-hour of February: 336 kWh."""
    load_singapore_tariff()
    made = supplied_register()
    marks = [FIRST + n * HALF_HOUR for n in range(28 * 48 + 3)]
    shown = [OfferedReading(made.meter.serial, mark, 100 + n * Decimal("0.25")) for n, mark in enumerate(marks)]
    assert receive_readings(readings=shown, actor=PORTAL, now=NOW).stored == len(shown)
    return made


def run_february(now):
    run = start_month(month=FEBRUARY, actor=PORTAL, now=now)
    process_run(run_id=run.pk, now=now)


class TestReadingThatWasWrong:
    def test_ends_in_a_credit_note_and_a_new_bill_that_add_up(self, register, client, time_machine):
        time_machine.move_to(NOW, tick=False)
        run_february(NOW)
        bill = Bill.objects.get()
        assert (bill.status, bill.consumption_kwh, bill.total) == ("issued", 336, Decimal("102.98"))

        later = NOW + timedelta(hours=1)
        correct_reading(
            register=register,
            time=END,
            value=Decimal("435.9"),
            reason="Read off the photo.",
            actor=PORTAL,
            now=later,
        )
        deliver_events(now=later)

        correction = Correction.objects.get()
        (reading,) = correction.evidence[0]["readings"]
        assert (reading["serial"], reading["old"], reading["new"]) == (register.meter.serial, "436", "435.9")
        assert (correction.new_kwh, correction.difference) == (Decimal("335.9"), Decimal("-0.02"))
        run_february(later)
        assert Bill.objects.count() == 3

        client.force_login(ManagerFactory())
        approve = reverse("admin:billing_correction_approve", args=(correction.pk,))
        assert "102.98 becomes 102.96 SGD" in client.get(approve).content.decode()
        client.post(approve, {"revision": correction.revision, "note": ""})

        self.sees_what_became_of_it(client, bill)

    def sees_what_became_of_it(self, client, bill):
        """Follow the withdrawn bill to its credit note and the new bill, as the customer would."""
        client.force_login(AccountAccessFactory(account=bill.account).user)
        assert client.get(reverse("billing:bills")).content.decode().count("February 2025") == 3
        shown = client.get(reverse("billing:bill", args=(bill.pk,))).content.decode()
        documents = {each.kind: each for each in Bill.objects.filter(status="issued")}
        note, new = documents["credit_note"], documents["bill"]
        for each in (note, new):
            assert f'<a href="{reverse("billing:bill", args=(each.pk,))}">{each.number}</a>' in shown
            assert client.get(reverse("billing:bill", args=(each.pk,))).status_code == 200
            assert client.get(reverse("billing:bill_pdf", args=(each.pk,))).status_code == 200
        assert "was 436 and became 435.9" in shown
        assert (note.number, new.number) == ("CN-202502-000001", "202502-000002")
        assert bill.total + note.total == 0
        assert bill.total + note.total + new.total == Decimal("102.96")
        assert all(sum(line.amount for line in each.lines.all()) == each.total for each in (note, new))
