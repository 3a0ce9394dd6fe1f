"""A bill from real readings: nothing stands in for the meters."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from billing.models import Bill
from billing.selectors.bills import bill_document, bill_with_lines, last_month_bill
from billing.services.runs import process_run, start_month
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import ManagerFactory, supplied_register

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
BOUNDARIES = (
    ("2025-02-01T00:00:00+08:00", "1000.0"),
    ("2025-02-01T08:00:00+08:00", "1004.2"),
    ("2025-03-01T00:00:00+08:00", "1450.5"),
    ("2025-03-01T08:00:00+08:00", "1452.9"),
)


def read(register, *reads):
    offered = [OfferedReading(register.meter.serial, stamp, value) for stamp, value in reads]
    report = receive_readings(readings=offered, actor=PORTAL, now=NOW)
    assert report.stored == len(reads)


def run_february():
    run = start_month(month=YearMonth(2025, 2), actor=PORTAL, now=NOW)
    return process_run(run_id=run.pk, now=NOW)


class TestMonthOfReadings:
    def test_becomes_a_bill_to_the_cent(self):
        load_singapore_tariff()
        register = supplied_register()
        read(register, *BOUNDARIES)

        run_february()

        bill = Bill.objects.get()
        assert (bill.status, bill.consumption_kwh) == ("issued", Decimal("450.5"))
        assert (bill.subtotal, bill.tax, bill.total) == (Decimal("126.68"), Decimal("11.40"), Decimal("138.08"))
        reads = bill.lines.get(kind="energy").reads
        assert [(used["time"], Decimal(used["value"])) for used in reads] == [
            ("2025-01-31T16:00:00+00:00", 1000),
            ("2025-02-28T16:00:00+00:00", Decimal("1450.5")),
        ]
        assert {used["serial"] for used in reads} == {register.meter.serial}

    def test_is_held_while_its_end_is_missing_and_billed_once_it_came(self):
        load_singapore_tariff()
        register = supplied_register()
        read(register, *BOUNDARIES[:2])
        run_february()
        assert Bill.objects.get().held_because == "incomplete_energy"
        read(register, *BOUNDARIES[2:])

        run_february()

        assert Bill.objects.get().total == Decimal("138.08")

    def test_agrees_with_what_the_account_used(self):
        register = supplied_register()
        read(register, *BOUNDARIES)
        account = register.meter.installations.get().service_point.bindings.get().account

        answer = last_month_bill(account=account, now=NOW)

        assert (answer.consumption_kwh, answer.status) == (Decimal("450.5"), "not_issued")

    def test_has_a_document_with_a_blank_for_each_day_that_is_not_known(self):
        load_singapore_tariff()
        read(supplied_register(), *BOUNDARIES)
        run_february()
        bill = bill_with_lines(user=ManagerFactory(), bill_id=Bill.objects.get().pk)

        document = bill_document(bill, now=NOW)

        assert (document.first_day.isoformat(), document.last_day.isoformat()) == ("2025-02-01", "2025-02-28")
        assert [day.energy_kwh for day in document.daily_use] == [None] * 28
        assert document.reads[0].time.isoformat() == "2025-02-01T00:00:00+08:00"


class TestChunk:
    def test_asks_as_often_for_many_accounts_as_for_few(self):
        load_singapore_tariff()
        read(supplied_register(), *BOUNDARIES)
        with CaptureQueriesContext(connection) as few:
            run_february()
        assert Bill.objects.get().status == "issued"
        connection.cursor().execute("TRUNCATE billing_billrun, billing_bill, billing_billnumberseries CASCADE")
        for _ in range(15):
            read(supplied_register(), *BOUNDARIES)

        with CaptureQueriesContext(connection) as many:
            run_february()

        assert Bill.objects.filter(status="issued").count() == 16
        assert len(many) == len(few)
