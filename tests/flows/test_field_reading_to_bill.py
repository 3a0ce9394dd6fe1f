"""A meter falls silent, its month is estimated, an agent is sent: the approved reading moves the draft bill."""

import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import PORTAL, Actor
from accounts.models import CustomerAccount
from billing.services import drafting
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import HALF_HOUR, YearMonth
from field_ops.models import Assignment
from field_ops.services import deciding
from field_ops.services.assignments import reassign
from field_ops.services.submissions import Draft, submit
from meters.models import RegisterReading, SupersededReading
from meters.services.deliveries import deliver_events
from meters.services.estimating import estimate_pending
from meters.services.gaps import open_gaps
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import AdminFactory, ManagerFactory, supplied_register
from tests.field_ops.factories import AgentFactory

SGT = ZoneInfo("Asia/Singapore")
FEBRUARY = YearMonth(2025, 2)
FIRST = datetime(2025, 2, 1, tzinfo=SGT)
SILENT_SINCE = datetime(2025, 2, 27, 12, tzinfo=SGT)
NOW = datetime(2025, 3, 3, 9, tzinfo=SGT)
VISITED = NOW + timedelta(hours=1, minutes=13)
DECIDED = NOW + timedelta(hours=3)

pytestmark = pytest.mark.django_db


def watch(now):
    open_gaps(now=now)
    estimate_pending(now=now)
    deliver_events(now=now)


def send_until_silent(register):
    """Let a meter report a quarter of a kWh each half-hour since February began."""
    count = (SILENT_SINCE - FIRST) // HALF_HOUR + 1
    rows = [
        OfferedReading(register.meter.serial, FIRST + n * HALF_HOUR, 100 + n * Decimal("0.25")) for n in range(count)
    ]
    assert receive_readings(readings=rows, actor=PORTAL, now=NOW).stored == count
    return rows[-1].value


def visit(register, value, manager):
    """Give the work that the gap opened by itself to an agent, who takes no photo: the risk is high."""
    agent, assignment = AgentFactory(), Assignment.objects.get(meter=register.meter)
    reassign(assignment_ids=[assignment.pk], agent_id=agent.pk, reason="Nearby.", actor=manager, now=NOW)
    draft = Draft(
        id=uuid.uuid4(),
        assignment_id=assignment.pk,
        outcome="read",
        value=value,
        read_at=VISITED,
        expects_photo=False,
    )
    return submit(draft=draft, user=agent.user, now=VISITED)


class TestApprovedReadingOfASilentMeter:
    def test_undoes_the_estimates_and_has_the_draft_rated_anew(self):
        load_singapore_tariff()
        register = supplied_register()
        last = send_until_silent(register)
        watch(NOW)
        (bill,) = drafting.draft_bills(accounts=CustomerAccount.objects.all(), month=FEBRUARY, run=None, now=NOW)
        assert (bill.held_because, bill.consumption_kwh) == ("", 28 * 48 * Decimal("0.25"))
        estimates = RegisterReading.objects.filter(register=register, time__gt=SILENT_SINCE)
        assert estimates.count() > 0

        # Twice what was estimated: half a kWh each half-hour since it fell silent.
        used = Decimal((VISITED - SILENT_SINCE) // timedelta(minutes=1)) / 30 * Decimal("0.5")
        manager, admin = Actor(user=ManagerFactory()), Actor(user=AdminFactory())
        sent = visit(register, (last + used).quantize(Decimal("0.001")), manager)
        for actor in (manager, admin):
            deciding.approve(request_id=sent.approval.pk, actor=actor, now=DECIDED)

        assert list(estimates.values_list("time", "quality")) == [(VISITED, 18)]
        assert SupersededReading.objects.filter(register=register, reason="true_data").exists()
        watch(DECIDED)
        watch(DECIDED)
        bill.refresh_from_db()
        silent_half_hours = (datetime(2025, 3, 1, tzinfo=SGT) - SILENT_SINCE) // HALF_HOUR
        expected = (28 * 48 - silent_half_hours) * Decimal("0.25") + silent_half_hours * Decimal("0.5")
        assert abs(bill.consumption_kwh - expected) < Decimal("0.5")
        sent.assignment.refresh_from_db()
        assert (sent.assignment.status, bill.status) == ("completed", "draft")
