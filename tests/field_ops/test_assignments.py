"""Giving out work, taking it back, and moving it on."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from field_ops.models import AgentNotice, Assignment, AssignmentStep
from field_ops.selectors.agents import NoSuchAgent
from field_ops.selectors.assignments import NotAManager
from field_ops.services import assignments
from field_ops.services.handing import AgentFull, DueInThePast, Line, Order, hand_out
from field_ops.workflow import TRANSITIONS, CannotMove, InReview, NotInReview
from meters.models import Meter, RegionManager
from meters.services.exceptions import NoReason
from tests.factories import AdminFactory, ManagerFactory, MeterFactory, RegionFactory
from tests.field_ops.factories import THEN, AgentFactory, AssignmentFactory

pytestmark = pytest.mark.django_db

DUE = THEN + timedelta(days=3)
Status = Assignment.Status


@pytest.fixture
def manager():
    return Actor(user=ManagerFactory())


@pytest.fixture
def agent():
    return AgentFactory()


def some_meters(count, **fields):
    return [meter.pk for meter in MeterFactory.create_batch(count, **fields)]


def give(agent, meter_ids, actor=PORTAL, **more):
    return assignments.assign(
        meter_ids=meter_ids, agent_id=agent.pk if agent else None, due_at=DUE, actor=actor, now=THEN, **more
    )


def work_of(agent, **fields):
    """Give an agent a meter, and let it stand as told."""
    made = give(agent, some_meters(1)).made[0]
    Assignment.objects.filter(pk=made.pk).update(**fields)
    made.refresh_from_db()
    return made


def load_of(agent):
    agent.refresh_from_db()
    return agent.current_load


def codes(skipped):
    return [each.code for each in skipped]


class TestAssign:
    def test_gives_meters_in_their_order_behind_what_the_agent_has(self, agent, manager):
        give(agent, some_meters(2))
        meters = some_meters(2)

        made = give(agent, meters, manager).made

        assert [(each.meter_id, each.sequence) for each in made] == [(meters[0], 3), (meters[1], 4)]
        assert {(each.status, each.due_at, each.assigned_at, each.assigned_by) for each in made} == {
            ("pending", DUE, THEN, manager.user)
        }
        assert load_of(agent) == 4

    def test_keeps_a_step_and_an_audit_entry_each_and_one_notice(self, agent, manager):
        give(agent, some_meters(3), manager)

        steps = AssignmentStep.objects.values_list("act", "agent", "by")
        assert list(steps) == [("assigned", agent.pk, manager.user.pk)] * 3
        assert AuditEntry.objects.filter(action="assignment.assigned", user=manager.user).count() == 3
        assert AgentNotice.objects.get().text.startswith("3 meters to read by 2025-03-13 10:00")

    def test_takes_priority_and_time_from_the_meter_unless_told(self, agent):
        usual = MeterFactory(priority="high", estimated_time=25)
        urgent = MeterFactory(priority="low")

        made = give(agent, [usual.pk, urgent.pk], priorities={urgent.pk: "critical"}).made

        assert [(each.priority, each.estimated_time) for each in made] == [("high", 25), ("critical", 10)]

    def test_leaves_the_usual_days_where_no_due_date_is_given(self, agent):
        made = assignments.assign(meter_ids=some_meters(1), agent_id=agent.pk, due_at=None, actor=PORTAL, now=THEN)

        assert made.made[0].due_at == THEN + timedelta(days=settings.FIELD_DUE_DAYS)

    def test_opens_work_for_nobody_yet(self):
        made = give(None, some_meters(2)).made

        assert [(each.agent, each.assigned_at) for each in made] == [(None, None)] * 2
        assert set(AssignmentStep.objects.values_list("act", flat=True)) == {"opened"}
        assert not AgentNotice.objects.exists()

    def test_skips_what_is_open_out_of_service_or_unknown(self, agent):
        taken, gone, good, unknown = *some_meters(1), *some_meters(1, status="out_of_service"), *some_meters(1), uuid4()
        give(AgentFactory(), [taken])

        made = give(agent, [taken, gone, unknown, good, good])

        assert [each.meter_id for each in made.made] == [good]
        assert {each.meter_id: each.code for each in made.skipped} == {
            taken: "assignment_open",
            gone: "meter_not_in_service",
            unknown: "no_such_meter",
        }
        assert load_of(agent) == 1

    def test_takes_up_what_waits_for_somebody(self, agent, manager):
        waiting = give(None, some_meters(1)).made[0]
        Assignment.objects.update(status=Status.OVERDUE)

        made = give(agent, [waiting.meter_id], manager).made

        assert made == (waiting,)
        waiting.refresh_from_db()
        assert (waiting.agent, waiting.status, waiting.assigned_by) == (agent, "pending", manager.user)
        assert load_of(agent) == 1

    def test_refuses_more_than_an_agent_can_take_and_gives_nothing(self, agent):
        type(agent).objects.update(max_load=2)

        with pytest.raises(AgentFull) as refused:
            give(agent, some_meters(3))

        assert refused.value.extra["agent"] == {
            "id": str(agent.pk),
            "name": agent.user.name,
            "load": 0,
            "max_load": 2,
        }
        assert not Assignment.objects.exists()

    def test_gives_more_than_an_agent_can_take_when_told_to(self, agent):
        type(agent).objects.update(max_load=2)

        give(agent, some_meters(3), beyond_max_load=True)

        assert load_of(agent) == 3

    def test_refuses_a_due_date_that_is_past(self, agent):
        with pytest.raises(DueInThePast):
            assignments.assign(meter_ids=some_meters(1), agent_id=agent.pk, due_at=THEN, actor=PORTAL, now=THEN)

    def test_refuses_an_agent_who_may_not_log_in(self):
        suspended = AgentFactory(user__status="suspended")

        with pytest.raises(assignments.AgentNotActive):
            give(suspended, some_meters(1))

    def test_keeps_managers_to_their_regions(self, agent, manager):
        RegionManager.objects.create(region=agent.region, user=manager.user)
        inside, outside = MeterFactory(region=agent.region), MeterFactory(region=RegionFactory())

        made = give(agent, [inside.pk, outside.pk], manager)

        assert [each.meter_id for each in made.made] == [inside.pk]
        assert codes(made.skipped) == ["no_such_meter"]
        with pytest.raises(NoSuchAgent):
            give(AgentFactory(), [inside.pk], manager)

    def test_is_for_managers_and_admins_alone(self, agent):
        give(agent, some_meters(1), Actor(user=AdminFactory()))

        with pytest.raises(NotAManager):
            give(agent, some_meters(1), Actor(user=agent.user))


class TestHandOut:
    def test_keeps_what_matters_most_where_there_is_no_room_for_all(self):
        agent = AgentFactory(max_load=2)
        lines = [
            Line(MeterFactory(priority=priority).pk, agent.pk) for priority in ("low", "critical", "medium", "high")
        ]

        made = hand_out(lines=lines, order=Order(DUE, PORTAL, THEN, Assignment.Origin.PROPOSAL))

        assert [each.priority for each in made.made] == ["critical", "high"]
        assert codes(made.skipped) == ["agent_full"] * 2
        assert load_of(agent) == 2


class TestReassign:
    def test_moves_work_and_loads_and_tells_both(self, agent, manager):
        other = AgentFactory()
        work = work_of(agent, status=Status.IN_PROGRESS, started_at=THEN)

        changed = assignments.reassign(
            assignment_ids=[work.pk], agent_id=other.pk, reason="Ill.", actor=manager, now=THEN
        )

        work.refresh_from_db()
        assert changed.changed == (work,)
        assert (work.agent, work.status, work.started_at, work.closing_reason) == (other, "pending", None, "Ill.")
        assert (load_of(agent), load_of(other)) == (0, 1)
        kinds = AgentNotice.objects.order_by("id").values_list("agent", "kind")
        assert list(kinds)[1:] == [(agent.pk, "cancelled"), (other.pk, "assigned")]

    def test_takes_work_back_until_somebody_is_found(self, agent, manager):
        work = work_of(agent)

        assignments.reassign(assignment_ids=[work.pk], agent_id=None, reason="Ill.", actor=manager, now=THEN)

        work.refresh_from_db()
        assert (work.agent, work.sequence, load_of(agent)) == (None, 0, 0)
        assert work.steps.last().act == "taken_back"

    def test_leaves_what_is_overdue_overdue(self, agent, manager):
        work = work_of(agent, status=Status.OVERDUE)

        assignments.reassign(
            assignment_ids=[work.pk], agent_id=AgentFactory().pk, reason="Ill.", actor=manager, now=THEN
        )

        work.refresh_from_db()
        assert work.status == Status.OVERDUE

    def test_refuses_what_is_in_review_closed_or_with_them_already(self, agent, manager):
        other = AgentFactory()
        reviewed = work_of(agent, is_in_review=True)
        closed = work_of(agent, status=Status.CANCELLED)
        theirs = work_of(other)
        wanted = [reviewed.pk, closed.pk, theirs.pk, uuid4()]

        changed = assignments.reassign(assignment_ids=wanted, agent_id=other.pk, reason="Ill.", actor=manager, now=THEN)

        assert not changed.changed
        assert {each.assignment_id: each.code for each in changed.refused} == dict(
            zip(
                wanted,
                ("assignment_in_review", "assignment_cannot_move", "same_agent", "no_such_assignment"),
                strict=True,
            )
        )

    def test_refuses_more_than_the_other_can_take(self, agent, manager):
        full = AgentFactory(max_load=0)
        work = work_of(agent)

        with pytest.raises(AgentFull):
            assignments.reassign(assignment_ids=[work.pk], agent_id=full.pk, reason="Ill.", actor=manager, now=THEN)

        assert load_of(agent) == 1

    def test_needs_a_reason(self, agent, manager):
        with pytest.raises(NoReason):
            assignments.reassign(assignment_ids=[work_of(agent).pk], agent_id=None, reason=" ", actor=manager, now=THEN)


class TestCancel:
    def test_closes_work_with_its_reason_and_tells_its_agent_once(self, agent, manager):
        works = [work_of(agent) for _ in range(2)]

        assignments.cancel(assignment_ids=[work.pk for work in works], reason="Street closed.", actor=manager, now=THEN)

        closed = Assignment.objects.values_list("status", "closing_reason")
        assert set(closed) == {("cancelled", "Street closed.")}
        assert load_of(agent) == 0
        notice = AgentNotice.objects.get(kind="cancelled")
        assert notice.text == "2 meters cancelled: Street closed."

    def test_refuses_somebody_elses_region_as_unknown(self, agent, manager):
        RegionManager.objects.create(region=RegionFactory(), user=manager.user)
        work = work_of(agent)

        changed = assignments.cancel(assignment_ids=[work.pk], reason="So.", actor=manager, now=THEN)

        assert codes(changed.refused) == ["no_such_assignment"]

    def test_needs_a_reason_and_a_manager(self, agent, manager):
        work = work_of(agent)

        with pytest.raises(NoReason):
            assignments.cancel(assignment_ids=[work.pk], reason="", actor=manager, now=THEN)
        with pytest.raises(NotAManager):
            assignments.cancel(assignment_ids=[work.pk], reason="So.", actor=Actor(user=agent.user), now=THEN)


class TestStart:
    def test_notes_when_its_agent_began_once(self, agent):
        work, mine = work_of(agent), Actor(user=agent.user)

        for minutes in (0, 5):
            assignments.start(assignment_id=work.pk, actor=mine, now=THEN + timedelta(minutes=minutes))

        work.refresh_from_db()
        assert (work.status, work.started_at) == ("in_progress", THEN)
        assert work.steps.filter(act="started").count() == 1

    def test_leaves_what_is_overdue_overdue(self, agent):
        work = work_of(agent, status=Status.OVERDUE)

        started = assignments.start(assignment_id=work.pk, actor=Actor(user=agent.user), now=THEN)

        assert (started.status, started.started_at) == ("overdue", THEN)

    def test_refuses_others(self, agent, manager):
        work = work_of(agent)

        with pytest.raises(assignments.NotYours):
            assignments.start(assignment_id=work.pk, actor=manager, now=THEN)
        with pytest.raises(assignments.NoSuchAssignment):
            assignments.start(assignment_id=work.pk, actor=Actor(user=AgentFactory().user), now=THEN)

    def test_refuses_what_is_closed(self, agent):
        work = work_of(agent, status=Status.CANCELLED)

        with pytest.raises(CannotMove):
            assignments.start(assignment_id=work.pk, actor=Actor(user=agent.user), now=THEN)


class TestReview:
    def locked(self, agent, **fields):
        return assignments.lock_work(work_of(agent, **fields).pk)

    def test_takes_what_is_in_review_from_the_load(self, agent):
        work = assignments.put_in_review(self.locked(agent), now=THEN)

        assert (work.status, work.is_in_review, work.started_at, load_of(agent)) == ("in_progress", True, THEN, 0)
        assert work.steps.last().by == agent.user

    @pytest.mark.parametrize("status", ["in_progress", "overdue"])
    def test_brings_work_back_to_its_agent(self, agent, manager, status):
        work = self.locked(agent, status=status, is_in_review=True)

        assignments.bring_back(work, reason="Blurred.", actor=manager, now=THEN)

        work.refresh_from_db()
        assert (work.status, work.is_in_review, load_of(agent)) == (status, False, 1)
        assert AgentNotice.objects.get(kind="returned").text.endswith("sent back: Blurred.")

    @pytest.mark.parametrize("status", ["in_progress", "overdue"])
    def test_completes_what_was_approved(self, agent, manager, status):
        work = self.locked(agent, status=status, is_in_review=True)

        assignments.complete(work, notes="Fine.", actor=manager, now=THEN)

        work.refresh_from_db()
        assert (work.status, work.completed_at, work.completion_notes) == ("completed", THEN, "Fine.")
        assert load_of(agent) == 0

    def test_closes_what_was_rejected_with_its_reason(self, agent, manager):
        work = self.locked(agent, status="in_progress", is_in_review=True)

        assignments.give_up(work, reason="Another house.", actor=manager, now=THEN)

        work.refresh_from_db()
        assert (work.status, work.closing_reason, work.is_in_review) == ("cancelled", "Another house.", False)

    def test_refuses_what_is_not_in_review_and_a_second_review(self, agent, manager):
        with pytest.raises(NotInReview):
            assignments.complete(self.locked(agent), notes="", actor=manager, now=THEN)
        with pytest.raises(InReview):
            assignments.put_in_review(self.locked(agent, status="in_progress", is_in_review=True), now=THEN)
        with pytest.raises(CannotMove):
            assignments.put_in_review(self.locked(agent, status="cancelled"), now=THEN)

    def test_says_that_there_is_none(self):
        with pytest.raises(assignments.NoSuchAssignment):
            assignments.lock_work(uuid4())


class TestMarkOverdue:
    def test_marks_what_is_past_its_due_date_once(self, agent):
        late, waiting = work_of(agent), give(None, some_meters(1)).made[0]
        in_review, later = work_of(agent, is_in_review=True), work_of(agent, due_at=DUE + timedelta(seconds=1))

        assert assignments.mark_overdue(now=DUE) == 2
        assert assignments.mark_overdue(now=DUE) == 0

        statuses = dict(Assignment.objects.values_list("pk", "status"))
        assert {statuses[each.pk] for each in (late, waiting)} == {"overdue"}
        assert {statuses[each.pk] for each in (in_review, later)} == {"pending"}
        assert late.steps.last().act == "overdue"
        assert load_of(agent) == 2


class TestTransitions:
    def test_lead_nowhere_from_what_is_closed(self):
        assert {state for state, onward in TRANSITIONS.items() if not onward} == {Status.COMPLETED, Status.CANCELLED}
        assert set(TRANSITIONS) == set(Status)


def test_loads_are_true_whatever_the_factories_made(agent):
    AssignmentFactory(agent=agent, meter=MeterFactory(status=Meter.Status.ACTIVE))

    give(agent, some_meters(1))

    assert load_of(agent) == 2
