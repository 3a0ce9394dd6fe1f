"""Proposals of who reads what, and their confirmation."""

from datetime import timedelta
from uuid import uuid4

import pytest

from accounts.actors import Actor
from field_ops.models import Assignment, AssignmentStep
from field_ops.services import assignments, proposals
from field_ops.services.proposals import Chosen
from meters.models import RegionManager
from tests.factories import ManagerFactory, MeterFactory, RegionFactory
from tests.field_ops.factories import THEN, AgentFactory

pytestmark = pytest.mark.django_db

DUE = THEN + timedelta(days=3)


@pytest.fixture
def region():
    return RegionFactory()


@pytest.fixture
def manager(region):
    user = ManagerFactory()
    RegionManager.objects.create(region=region, user=user)
    return Actor(user=user)


def meters_in(region, count, **fields):
    return [
        MeterFactory(region=region, latitude=region.latitude + n / 1000, longitude=region.longitude, **fields)
        for n in range(count)
    ]


def give(agent, *meters, actor):
    return assignments.assign(
        meter_ids=[meter.pk for meter in meters],
        agent_id=agent.pk if agent else None,
        due_at=DUE,
        actor=actor,
        now=THEN,
    )


def reasons(proposal):
    return {each.meter_id: each.reason for each in proposal.left}


class TestPropose:
    def test_proposes_what_nobody_has_in_a_region_and_writes_nothing(self, region, manager):
        agent = AgentFactory(region=region)
        taken, waiting, free, _gone = *meters_in(region, 3), *meters_in(region, 1, status="inactive")
        give(agent, taken, actor=manager)
        give(None, waiting, actor=manager)
        steps = AssignmentStep.objects.count()

        proposal = proposals.propose(region_id=region.pk, actor=manager, now=THEN)

        (way,) = proposal.ways
        assert (way.agent, way.meters, way.load) == (agent, (waiting, free), 3)
        assert not proposal.left
        assert (Assignment.objects.count(), AssignmentStep.objects.count()) == (2, steps)

    def test_proposes_only_what_waits_when_told_to(self, region, manager):
        AgentFactory(region=region)
        waiting, _free = meters_in(region, 2)
        give(None, waiting, actor=manager)

        proposal = proposals.propose(region_id=region.pk, waiting_only=True, actor=manager, now=THEN)

        assert [way.meters for way in proposal.ways] == [(waiting,)]

    def test_says_why_meters_are_left(self, region, manager):
        agent = AgentFactory(region=region, max_load=2)
        taken, low, high = *meters_in(region, 1), *meters_in(region, 1), *meters_in(region, 1, priority="high")
        (gone,) = meters_in(region, 1, status="out_of_service")
        elsewhere = MeterFactory(region=RegionFactory())
        give(agent, taken, actor=manager)

        proposal = proposals.propose(
            meter_ids=[each.pk for each in (taken, low, high, gone, elsewhere)], actor=manager, now=THEN
        )

        assert [way.meters for way in proposal.ways] == [(high,)]
        assert reasons(proposal) == {
            taken.pk: "assignment_open",
            low.pk: "no_room",
            gone.pk: "meter_not_in_service",
            elsewhere.pk: "no_such_meter",
        }

    def test_thinks_of_those_named_who_may_log_in(self, region, manager):
        named, _other = AgentFactory(region=region), AgentFactory(region=region)
        away = AgentFactory(region=region, user__status="suspended")
        meters_in(region, 4)

        proposal = proposals.propose(region_id=region.pk, agent_ids=[named.pk, away.pk], actor=manager, now=THEN)

        assert [way.agent for way in proposal.ways] == [named]

    def test_asks_for_meters_or_a_region(self, region, manager):
        for asked in ({}, {"meter_ids": [], "region_id": region.pk}, {"meter_ids": [uuid4()] * 10_001}):
            with pytest.raises(proposals.WrongQuestion):
                proposals.propose(**asked, actor=manager, now=THEN)

    def test_asks_as_little_for_many_as_for_few(self, region, manager, django_assert_num_queries):
        for count in (3, 30):
            meters_in(region, count)
            AgentFactory.create_batch(count, region=region)
            with django_assert_num_queries(5):
                proposals.propose(region_id=region.pk, actor=manager, now=THEN)


class TestConfirm:
    def test_gives_everybody_their_way(self, region, manager):
        one, other = AgentFactory(region=region), AgentFactory(region=region)
        first, second, third = meters_in(region, 3)
        lines = [Chosen(second.pk, one.pk, 2), Chosen(third.pk, other.pk, 1), Chosen(first.pk, one.pk, 1)]

        made = proposals.confirm(lines=lines, due_at=DUE, actor=manager, now=THEN)

        assert not made.skipped
        ways = Assignment.objects.order_by("sequence").values_list("agent", "meter", "sequence", "origin")
        assert set(ways) == {
            (one.pk, first.pk, 1, "proposal"),
            (one.pk, second.pk, 2, "proposal"),
            (other.pk, third.pk, 1, "proposal"),
        }
        one.refresh_from_db()
        assert one.current_load == 2

    def test_reports_what_changed_meanwhile_and_gives_out_the_rest(self, region, manager):
        full, active = AgentFactory(region=region, max_load=1), AgentFactory(region=region)
        gone = AgentFactory(region=region, user__status="suspended")
        taken, beyond, lost, good, last = meters_in(region, 5)
        give(active, taken, actor=manager)
        give(full, last, actor=manager)
        lines = [
            Chosen(taken.pk, active.pk),
            Chosen(beyond.pk, full.pk),
            Chosen(lost.pk, gone.pk),
            Chosen(good.pk, active.pk),
        ]

        made = proposals.confirm(lines=lines, due_at=DUE, actor=manager, now=THEN)

        assert [each.meter for each in made.made] == [good]
        assert {each.meter_id: each.code for each in made.skipped} == {
            taken.pk: "assignment_open",
            beyond.pk: "agent_full",
            lost.pk: "agent_not_active",
        }
