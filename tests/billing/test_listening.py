from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from billing.models import Bill
from billing.services.bills import draft_bill, issue_bill
from billing.services.listening import CONSUMER
from billing.services.runs import process_run, start_month
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth
from meters.models import DomainEvent, EventDelivery
from meters.services.chain import move_out
from meters.services.deliveries import deliver_events
from meters.services.outbox import NewEvent, publish
from tests.factories import BindingFactory, since

FEBRUARY = YearMonth(2023, 2)
NOW = datetime(2023, 4, 2, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
KIND = DomainEvent.Kind
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tariff():
    load_singapore_tariff()


@pytest.fixture
def binding():
    return BindingFactory()


def day(month, day):
    return datetime(2023, month, day, tzinfo=UTC)


def draft(binding, month=FEBRUARY):
    return draft_bill(account_id=binding.account_id, month=month, actor=PORTAL, now=NOW)


def happen(binding, start, end, kind=KIND.READING_SUPERSEDED, **data):
    publish([NewEvent(kind, binding.service_point_id, start=start, end=end, data=data)], now=LATER)
    deliver_events(now=LATER)
    return EventDelivery.objects.filter(consumer=CONSUMER, handled_at=LATER).count()


def actions(bill):
    trail = AuditEntry.objects.filter(object_id=str(bill.pk), action__in=["bill.rated_anew", "bill.touched"])
    return list(trail.values_list("action", flat=True))


class TestDraft:
    @pytest.mark.parametrize("kind", [KIND.READING_SUPERSEDED, KIND.GAP_CLOSED, KIND.CHAIN_CHANGED])
    def test_is_rated_anew_when_its_energy_moves(self, binding, meters, kind):
        bill = draft(binding)
        meters.daily_kwh[binding.account_id] = Decimal(11)

        handled = happen(binding, day(2, 10), day(2, 11), kind)

        bill.refresh_from_db()
        assert handled == 1
        assert (bill.consumption_kwh, bill.as_of) == (308, LATER)
        assert actions(bill) == ["bill.rated_anew"]

    def test_stays_in_its_run(self, binding, meters):
        meters.daily_kwh[binding.account_id] = None
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        process_run(run_id=run.pk, now=NOW)
        meters.daily_kwh[binding.account_id] = Decimal(10)

        happen(binding, day(2, 10), day(2, 11), KIND.GAP_CLOSED)

        bill = Bill.objects.get()
        assert (bill.run_id, bill.status, bill.held_because, bill.consumption_kwh) == (run.pk, "draft", "", 280)

    def test_is_left_alone_when_another_month_moves(self, binding, meters):
        bill = draft(binding)

        happen(binding, day(3, 10), day(3, 11))

        bill.refresh_from_db()
        assert bill.as_of == NOW
        assert actions(bill) == []

    def test_is_left_alone_when_another_place_moves(self, binding, meters):
        bill = draft(binding)

        happen(BindingFactory(), day(2, 10), day(2, 11))

        assert actions(bill) == []

    def test_is_left_alone_by_what_happened_after_its_account_had_left(self, meters):
        left = BindingFactory(valid=since(day(1, 1), day(2, 15)))
        bill, march = draft(left), draft(left, FEBRUARY.next())

        happen(left, day(2, 10), day(3, 20))

        assert (actions(bill), actions(march)) == (["bill.rated_anew"], [])

    def test_is_made_of_less_once_its_account_moved_out(self, binding, meters):
        bill = draft(binding)

        move_out(account=binding.account, service_point=binding.service_point, at=day(2, 10), actor=PORTAL, now=LATER)
        deliver_events(now=LATER)

        bill.refresh_from_db()
        assert bill.consumption_kwh < 100


class TestIssuedBill:
    def test_is_left_alone_and_marked_for_a_manager(self, binding, meters):
        bill = issue_bill(bill_id=draft(binding).pk, actor=PORTAL, now=NOW)
        meters.daily_kwh[binding.account_id] = Decimal(11)

        happen(binding, day(2, 10), day(2, 11))

        bill.refresh_from_db()
        assert (bill.consumption_kwh, bill.as_of, bill.month) == (280, NOW, date(2023, 2, 1))
        entry = AuditEntry.objects.get(action="bill.touched", object_id=str(bill.pk))
        assert (entry.detail["because"], entry.detail["start"]) == ("reading_superseded", "2023-02-10T00:00:00Z")

    def test_is_not_marked_twice(self, binding, meters):
        bill = issue_bill(bill_id=draft(binding).pk, actor=PORTAL, now=NOW)
        happen(binding, day(2, 10), day(2, 11))

        deliver_events(now=LATER)

        assert actions(bill) == ["bill.touched"]
        assert EventDelivery.objects.filter(handled_at=None).count() == 0


class TestEventWithoutAnEnd:
    def test_touches_every_bill_after_it(self, binding, meters):
        february, march = draft(binding), draft(binding, FEBRUARY.next())

        happen(binding, day(3, 1), None, KIND.CHAIN_CHANGED)

        assert (actions(february), actions(march)) == ([], ["bill.rated_anew"])
