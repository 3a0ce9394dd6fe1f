"""The closed loop: readings that stay away send an agent, readings that come call them off."""

from datetime import timedelta

import pytest
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from accounts.actors import PORTAL, Actor
from field_ops.models import Assignment
from field_ops.services import assignments, dispatching
from field_ops.services.handing import AgentFull
from field_ops.services.listening import hear
from meters.models import DomainEvent, EventDelivery, Installation, ReadingException, RegionManager, RuleCode
from meters.services.deliveries import deliver_events
from meters.services.outbox import NewEvent, publish
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import ManagerFactory, RegionFactory, supplied_register
from tests.field_ops.factories import THEN, AgentFactory

pytestmark = pytest.mark.django_db

Kind = DomainEvent.Kind


@pytest.fixture
def register():
    found = supplied_register()
    found.meter.region = RegionFactory()
    found.meter.save()
    return found


def place_of(register):
    return Installation.objects.get(meter=register.meter).service_point_id


def event_of(register, kind=Kind.GAP_OPENED):
    return DomainEvent.objects.create(
        kind=kind,
        register=register,
        service_point_id=place_of(register),
        start=THEN - timedelta(days=2),
        end=THEN,
        recorded_at=THEN,
    )


def read_at(register, time):
    offered = OfferedReading(register.meter.serial, time, 100 + time.day)
    assert receive_readings(readings=[offered], actor=PORTAL, now=THEN).stored == 1


def exception_of(register, code=RuleCode.GAP, status="open"):
    return ReadingException.objects.create(
        register=register, code=code, time=THEN - timedelta(days=2), opened_at=THEN, status=status
    )


class TestHear:
    @pytest.mark.parametrize(("kind", "origin"), [(Kind.GAP_OPENED, "gap"), (Kind.ESTIMATION_PROLONGED, "estimation")])
    def test_opens_work_for_nobody_yet_where_there_is_no_agent(self, register, kind, origin):
        event = event_of(register, kind)

        hear(event, THEN)

        made = Assignment.objects.get()
        assert (made.meter, made.agent, made.origin, made.event) == (register.meter, None, origin, event)

    @pytest.mark.parametrize("kind", [Kind.GAP_OPENED, Kind.ESTIMATION_PROLONGED])
    def test_sends_nobody_where_the_meter_reports_again(self, register, kind):
        read_at(register, THEN - timedelta(days=2))
        hear(event_of(register, kind), THEN)
        assert Assignment.objects.count() == 1
        Assignment.objects.all().delete()
        read_at(register, THEN - timedelta(days=1))

        hear(event_of(register, kind), THEN)

        assert not Assignment.objects.exists()

    def test_sends_the_nearest_agent_of_the_region_with_room(self, register):
        region = register.meter.region
        type(register.meter).objects.update(latitude=region.latitude, longitude=region.longitude)
        spot = {"latitude": region.latitude, "longitude": region.longitude}
        AgentFactory(region=region, **spot, max_load=0)
        AgentFactory(region=region, latitude=region.latitude + 0.1, longitude=region.longitude)
        near = AgentFactory(region=region, latitude=region.latitude + 0.01, longitude=region.longitude)

        hear(event_of(register), THEN)

        assert Assignment.objects.get().agent == near

    def test_does_so_once_an_event_and_once_a_meter(self, register):
        event = event_of(register)
        hear(event, THEN)
        hear(event_of(register, Kind.ESTIMATION_PROLONGED), THEN)
        assert Assignment.objects.count() == 1
        assignments.cancel(assignment_ids=[Assignment.objects.get().pk], reason="Not now.", actor=PORTAL, now=THEN)

        hear(event, THEN)

        assert Assignment.objects.count() == 1

    def test_sends_nobody_to_a_meter_that_hangs_there_no_more(self, register):
        event = event_of(register)
        Installation.objects.update(valid=DateTimeTZRange(THEN - timedelta(days=9), THEN - timedelta(days=1)))

        hear(event, THEN)

        assert not Assignment.objects.exists()

    def test_calls_off_what_nobody_began_when_readings_came(self, register):
        agent = AgentFactory(region=register.meter.region)
        hear(event_of(register), THEN)

        hear(event_of(register, Kind.GAP_CLOSED), THEN)

        called_off = Assignment.objects.get()
        assert (called_off.status, called_off.closing_reason) == ("cancelled", "Readings came.")
        agent.refresh_from_db()
        assert agent.current_load == 0

    def test_goes_on_with_what_somebody_began(self, register):
        hear(event_of(register), THEN)
        Assignment.objects.update(status="in_progress", started_at=THEN)

        hear(event_of(register, Kind.GAP_CLOSED), THEN)

        assert Assignment.objects.get().status == "in_progress"

    def test_goes_on_while_other_readings_are_missing(self, register):
        hear(event_of(register), THEN)
        exception_of(register, code=RuleCode.PROLONGED_ESTIMATION)

        hear(event_of(register, Kind.GAP_CLOSED), THEN)

        assert Assignment.objects.get().status == "pending"

    def test_leaves_what_somebody_ordered_by_hand(self, register):
        assignments.assign(meter_ids=[register.meter_id], agent_id=None, due_at=None, actor=PORTAL, now=THEN)

        hear(event_of(register, Kind.GAP_CLOSED), THEN)

        assert Assignment.objects.get().status == "pending"


def test_events_of_the_outbox_arrive(register):
    publish([NewEvent(Kind.GAP_OPENED, place_of(register), register.pk, THEN - timedelta(days=2), THEN)], now=THEN)

    deliver_events(now=THEN)

    assert Assignment.objects.get().meter == register.meter
    assert not EventDelivery.objects.filter(handled_at=None).exists()


class TestSendAgent:
    def test_opens_work_for_the_meter_of_an_exception(self, register):
        agent = AgentFactory(region=register.meter.region)
        manager = Actor(user=ManagerFactory())

        made = dispatching.send_agent(exception_id=exception_of(register).pk, actor=manager, now=THEN)

        assert (made.meter, made.agent, made.origin, made.assigned_by) == (
            register.meter,
            agent,
            "exception",
            manager.user,
        )

    def test_refuses_what_somebody_is_to_read_already(self, register):
        agent, exception = AgentFactory(region=register.meter.region), exception_of(register)
        dispatching.send_agent(exception_id=exception.pk, actor=PORTAL, now=THEN)

        with pytest.raises(dispatching.NobodySent) as refused:
            dispatching.send_agent(exception_id=exception.pk, actor=PORTAL, now=THEN, agent_id=agent.pk)

        assert refused.value.code == "assignment_open"

    def test_refuses_an_agent_without_room(self, register):
        full = AgentFactory(max_load=0)

        with pytest.raises(AgentFull):
            dispatching.send_agent(exception_id=exception_of(register).pk, actor=PORTAL, now=THEN, agent_id=full.pk)

    def test_keeps_managers_to_their_regions(self, register):
        manager = ManagerFactory()
        RegionManager.objects.create(region=RegionFactory(), user=manager)

        with pytest.raises(dispatching.NoSuchException):
            dispatching.send_agent(exception_id=exception_of(register).pk, actor=Actor(user=manager), now=THEN)
