"""Those who give out, take and finish work at the same time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from accounts.actors import PORTAL, Actor
from energy_portal.shared.errors import DomainError
from field_ops.models import Agent, Assignment
from field_ops.services import assignments, proposals
from field_ops.services.proposals import Chosen
from tests.factories import ManagerFactory, MeterFactory
from tests.field_ops.factories import THEN, AgentFactory

pytestmark = pytest.mark.django_db(transaction=True)

DUE = THEN + timedelta(days=3)


def at_once(*acts):
    """Run acts in threads that start together; returns what they return, or the domain's refusals."""
    barrier = Barrier(len(acts))

    def run(act):
        try:
            barrier.wait()
            return act()
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def loads_are_true():
    return all(
        agent.current_load == Assignment.objects.open().filter(agent=agent, is_in_review=False).count()
        for agent in Agent.objects.all()
    )


def test_meters_that_two_managers_give_out_at_once_go_to_one_each():
    agents = AgentFactory.create_batch(2)
    managers = [Actor(user=ManagerFactory()) for _ in range(2)]
    meters = [meter.pk for meter in MeterFactory.create_batch(12)]
    lines = [
        [Chosen(meter, agents[(place + turn) % 2].pk, place) for place, meter in enumerate(meters)] for turn in range(2)
    ]
    lines[1].reverse()

    made = at_once(
        *(
            lambda turn=turn: proposals.confirm(lines=lines[turn], due_at=DUE, actor=managers[turn], now=THEN)
            for turn in range(2)
        )
    )

    assert sum(len(each.made) for each in made) == Assignment.objects.count() == 12
    assert sum(len(each.skipped) for each in made) == 12
    assert loads_are_true()


def test_different_agents_may_be_given_the_same_meters_in_any_order_without_a_deadlock():
    agents = AgentFactory.create_batch(4)
    meters = [meter.pk for meter in MeterFactory.create_batch(10)]

    made = at_once(
        *(
            lambda agent=agent, way=way: assignments.assign(
                meter_ids=meters[::way], agent_id=agent.pk, due_at=DUE, actor=PORTAL, now=THEN
            )
            for agent, way in zip(agents, (1, -1, 1, -1), strict=True)
        )
    )

    assert sum(len(each.made) for each in made) == Assignment.objects.count() == 10
    assert loads_are_true()


def test_nobody_is_given_more_than_they_can_take_by_managers_at_once():
    agent = AgentFactory(max_load=5)
    shares = [[meter.pk for meter in MeterFactory.create_batch(2)] for _ in range(4)]

    made = at_once(
        *(
            lambda share=share: assignments.assign(
                meter_ids=share, agent_id=agent.pk, due_at=DUE, actor=PORTAL, now=THEN
            )
            for share in shares
        )
    )

    assert sorted(getattr(each, "code", "made") for each in made) == ["agent_full"] * 2 + ["made"] * 2
    agent.refresh_from_db()
    assert agent.current_load == 4


def test_what_is_reassigned_cancelled_and_started_at_once_ends_in_one_state_with_true_loads():
    one, other = AgentFactory.create_batch(2)
    meters = [meter.pk for meter in MeterFactory.create_batch(6)]
    made = assignments.assign(meter_ids=meters, agent_id=one.pk, due_at=DUE, actor=PORTAL, now=THEN).made
    keys = [each.pk for each in made]

    at_once(
        lambda: assignments.reassign(assignment_ids=keys, agent_id=other.pk, reason="Ill.", actor=PORTAL, now=THEN),
        lambda: assignments.cancel(assignment_ids=keys[::-2], reason="Closed.", actor=PORTAL, now=THEN),
        lambda: [assignments.start(assignment_id=key, actor=Actor(user=one.user), now=THEN) for key in keys],
        lambda: assignments.mark_overdue(now=DUE),
    )

    assert Assignment.objects.filter(status="cancelled").count() == 3
    assert loads_are_true()
