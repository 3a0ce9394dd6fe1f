"""A meter falls silent before the month ends: its bill is estimated, and marked when the truth comes."""

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from billing.models import Bill
from billing.services.runs import process_run, start_month
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import HALF_HOUR, YearMonth
from meters.models import ReadingException
from meters.services.deliveries import deliver_events
from meters.services.estimating import estimate_pending
from meters.services.gaps import open_gaps
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import supplied_register

SGT = ZoneInfo("Asia/Singapore")
FEBRUARY = YearMonth(2025, 2)
FIRST = datetime(2025, 2, 1, tzinfo=SGT)
SILENT_SINCE = datetime(2025, 2, 27, 12, tzinfo=SGT)
NOW = datetime(2025, 3, 3, 9, tzinfo=SGT)
LATER = NOW + timedelta(hours=2)

pytestmark = pytest.mark.django_db


def send(register, start, end, now):
    """Let a meter report a quarter of a kWh each half-hour since February began."""
    rows = []
    mark = start
    while mark <= end:
        shown = 100 + (mark - FIRST) // HALF_HOUR * Decimal("0.25")
        rows.append(OfferedReading(register.meter.serial, mark, shown))
        mark += HALF_HOUR
    assert receive_readings(readings=rows, actor=PORTAL, now=now).stored == len(rows)


def run_february(now):
    run = start_month(month=FEBRUARY, actor=PORTAL, now=now)
    process_run(run_id=run.pk, now=now)
    return Bill.objects.get()


def watch(now):
    open_gaps(now=now)
    estimate_pending(now=now)
    deliver_events(now=now)


class TestMonthWhoseEndIsMissing:
    def test_is_billed_by_estimates_and_marked_when_the_truth_comes(self):
        load_singapore_tariff()
        register = supplied_register()
        send(register, FIRST, SILENT_SINCE, NOW)
        assert run_february(NOW).held_because == "incomplete_energy"

        watch(NOW)
        bill = run_february(NOW)

        assert (bill.status, bill.consumption_kwh) == ("issued", 28 * 48 * Decimal("0.25"))
        assert 0 < bill.estimated_share < Decimal("0.1")
        assert ReadingException.objects.get(code="gap").status == "open"

        send(register, SILENT_SINCE + HALF_HOUR, NOW, LATER)
        watch(LATER)

        assert ReadingException.objects.get(code="gap").status == "accepted"
        assert AuditEntry.objects.filter(action="bill.touched", object_id=str(bill.pk)).exists()
        bill.refresh_from_db()
        assert 0 < bill.estimated_share < Decimal("0.1")

    def test_has_its_draft_rated_anew_when_data_close_the_gap(self):
        load_singapore_tariff()
        register = supplied_register()
        send(register, FIRST, SILENT_SINCE, NOW)
        open_gaps(now=NOW)
        bill = run_february(NOW)
        assert (bill.status, bill.held_because) == ("draft", "incomplete_energy")

        send(register, SILENT_SINCE + HALF_HOUR, NOW, LATER)
        watch(LATER)

        bill.refresh_from_db()
        assert (bill.held_because, bill.estimated_share) == ("", 0)
