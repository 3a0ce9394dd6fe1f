"""One decision a level, by who may make it, kept for good; the last approval lets the value stand."""

import uuid
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.actors import Actor
from accounts.models import AuditEntry
from accounts.roles import Role
from energy_portal.shared.errors import DomainError
from field_ops.models import ApprovalRequest, Decision, Submission
from field_ops.services import deciding
from meters.models import DomainEvent, RegionManager, RegisterReading
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import InstallationFactory, ManagerFactory, RegionFactory
from tests.field_ops.factories import THEN, AgentFactory, ApprovalRequestFactory

NOW = THEN + timedelta(hours=1)


def waiting(*, levels=1, **more):
    risk = {1: "low", 2: "high"}[levels]
    return ApprovalRequestFactory(risk=risk, levels_needed=levels, **more)


def refusal(act, request, actor, **more):
    with pytest.raises(DomainError) as caught:
        act(request_id=request.pk, actor=actor, now=NOW, **more)
    return caught.value.code


def approve(request, actor, now=NOW, **more):
    return deciding.approve(request_id=request.pk, notes="", actor=actor, now=now, **more)


@pytest.mark.django_db
class TestApprove:
    def test_lets_the_value_stand_as_verified_and_completes_the_work(self, manager):
        request = waiting()

        done = approve(request, manager)

        reading = RegisterReading.objects.get(register=request.submission.register)
        assert (reading.time, reading.value, reading.quality) == (THEN, Decimal("1234.5"), 18)
        assert reading.source.name == "Field readings"
        request.submission.refresh_from_db()
        assignment = request.submission.assignment
        assignment.refresh_from_db()
        assert (done.status, done.reviewer, done.reviewed_at) == ("approved", manager.user, NOW)
        assert (request.submission.verified, assignment.status, assignment.completed_at) == (True, "completed", NOW)
        assert AuditEntry.objects.filter(action="approval.approved", user=manager.user).count() == 1

    def test_tells_the_apps_above(self, manager):
        request = waiting()
        place = InstallationFactory(meter=request.meter).service_point

        approve(request, manager)

        event = DomainEvent.objects.get(kind="reading_approved")
        assert (event.service_point, event.register, event.start) == (place, request.submission.register, THEN)
        assert event.data["submission"] == str(request.submission.pk)

    def test_keeps_an_instant_that_is_no_half_hour(self, manager):
        at = THEN + timedelta(minutes=7, seconds=13)
        request = waiting(submission__read_at=at)

        approve(request, manager)

        assert RegisterReading.objects.get(register=request.submission.register).time == at

    def test_lets_the_reviewers_value_stand_beside_the_agents(self, manager):
        request = waiting()

        approve(request, manager, value="1284.5")

        assert RegisterReading.objects.get().value == Decimal("1284.5")
        request.submission.refresh_from_db()
        assert request.submission.value == Decimal("1234.5")
        assert request.decisions.get().value == Decimal("1284.5")

    @pytest.mark.parametrize(("value", "code"), [("1000000", "exceeds_register"), ("x", "not_a_number")])
    def test_refuses_a_value_that_the_register_cannot_show(self, manager, value, code):
        assert refusal(deciding.approve, waiting(), manager, value=value) == code

    def test_needs_an_admin_after_a_manager_at_high_risk(self, manager, admin):
        request = waiting(levels=2)

        first = approve(request, manager, value="1300")
        assert (first.status, first.levels_done) == ("under_review", 1)
        assert not RegisterReading.objects.exists()

        assert approve(request, admin).status == "approved"
        assert RegisterReading.objects.get().value == Decimal(1300)
        assert list(request.decisions.values_list("level", "by")) == [(1, manager.user.pk), (2, admin.user.pk)]

    def test_is_refused_twice_to_one_person_and_at_the_second_level_to_managers(self, manager, admin):
        request = waiting(levels=2)
        approve(request, admin)

        assert refusal(deciding.approve, request, admin) == "decided_before"
        with pytest.raises(deciding.AlreadyDecided) as caught:
            approve(request, manager)
        assert caught.value.extra == {"by": "Ada", "at": NOW.isoformat(), "verdict": "approved"}

    def test_is_not_taken_for_the_next_level_where_a_page_means_the_first(self, manager, admin):
        request = waiting(levels=2)
        approve(request, manager, level=1)

        assert refusal(deciding.approve, request, admin, level=1) == "already_decided"
        assert approve(request, admin, level=2).status == "approved"

    def test_is_refused_on_ones_own(self):
        request = waiting()
        agent = request.agent.user
        agent.role = Role.ADMIN
        agent.save()

        assert refusal(deciding.approve, request, Actor(user=agent)) == "own_submission"

    def test_is_refused_to_agents_and_to_machines(self):
        request = waiting()

        assert refusal(deciding.approve, request, Actor(user=request.agent.user)) == "missing_role"
        assert refusal(deciding.approve, request, Actor(user=AgentFactory().user)) == "no_such_request"
        assert refusal(deciding.approve, request, Actor()) == "people_only"

    def test_knows_nothing_of_other_regions(self, manager):
        RegionManager.objects.create(region=RegionFactory(), user=manager.user)

        assert refusal(deciding.approve, waiting(), manager) == "no_such_request"

    def test_decides_nothing_where_the_door_refuses_the_value(self, manager):
        request = waiting()
        row = OfferedReading(request.meter.serial, THEN - timedelta(hours=1), "1240")
        receive_readings(readings=[row], actor=manager, now=NOW)

        assert refusal(deciding.approve, request, manager) == "regression"

        request.refresh_from_db()
        request.submission.refresh_from_db()
        assert (request.status, request.submission.status) == ("pending", "in_review")
        assert not Decision.objects.exists()
        assert RegisterReading.objects.count() == 1

    def test_says_that_another_value_stands_at_the_same_instant(self, manager):
        request = waiting()
        InstallationFactory(meter=request.meter)
        receive_readings(readings=[OfferedReading(request.meter.serial, THEN, "1200")], actor=manager, now=NOW)

        assert refusal(deciding.approve, request, manager) == "conflict"

    def test_closes_what_could_not_be_read_without_a_reading(self, manager):
        request = waiting(
            submission__outcome="could_not_read",
            submission__obstacle="dog",
            submission__value=None,
            submission__register=None,
        )

        assert refusal(deciding.approve, request, manager, value="1") == "no_value_expected"
        approve(request, manager)

        request.submission.assignment.refresh_from_db()
        assert request.submission.assignment.status == "completed"
        assert not RegisterReading.objects.exists()
        assert not DomainEvent.objects.filter(kind="reading_approved").exists()


@pytest.mark.django_db
class TestRejectAndSendBack:
    def test_reject_cancels_the_assignment_with_the_reason(self, manager):
        request = waiting()

        deciding.reject(request_id=request.pk, notes="Another house.", actor=manager, now=NOW)

        request.submission.assignment.refresh_from_db()
        request.submission.refresh_from_db()
        assert request.submission.status == "rejected"
        assert request.submission.assignment.status == "cancelled"
        assert request.submission.assignment.closing_reason == "Another house."
        assert not RegisterReading.objects.exists()

    def test_send_back_leaves_the_assignment_to_its_agent(self, manager):
        request = waiting()

        done = deciding.send_back(request_id=request.pk, notes="The photo is blurred.", actor=manager, now=NOW)

        request.submission.assignment.refresh_from_db()
        assert (done.status, done.review_notes) == ("returned", "The photo is blurred.")
        assert (request.submission.assignment.status, request.submission.assignment.is_in_review) == (
            "in_progress",
            False,
        )

    @pytest.mark.parametrize("act", [deciding.reject, deciding.send_back])
    def test_both_need_a_reason(self, manager, act):
        assert refusal(act, waiting(), manager, notes=" ") == "reason_missing"

    @pytest.mark.parametrize("act", [deciding.reject, deciding.send_back])
    def test_neither_follows_another_decision(self, manager, act):
        request = waiting()
        approve(request, manager)

        assert refusal(act, request, Actor(user=ManagerFactory()), notes="No.") == "already_decided"


@pytest.mark.django_db
class TestApproveLowRisk:
    def test_approves_what_needs_no_look_and_says_why_not_the_rest(self, manager):
        low, high, audited, done = waiting(), waiting(levels=2), waiting(is_audited=True), waiting()
        approve(done, Actor(user=ManagerFactory()))
        unknown = uuid.uuid4()

        asked = [low.pk, high.pk, audited.pk, done.pk, unknown, low.pk]
        bulk = deciding.approve_low_risk(request_ids=asked, actor=manager, now=NOW)

        assert bulk.approved == (low.pk,)
        assert {each.request_id: each.code for each in bulk.refused} == {
            high.pk: "not_low_risk",
            audited.pk: "chosen_for_audit",
            done.pk: "already_decided",
            unknown: "no_such_request",
        }
        assert low.decisions.get().in_bulk

    def test_has_an_end(self, manager):
        with pytest.raises(deciding.TooManyAtOnce):
            deciding.approve_low_risk(request_ids=[uuid.uuid4() for _ in range(501)], actor=manager, now=NOW)


@pytest.mark.django_db
class TestDecisions:
    def test_are_never_changed_deleted_or_emptied(self, manager):
        approve(waiting(), manager)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

        for statement in (
            "UPDATE field_ops_decision SET notes = 'x'",
            "DELETE FROM field_ops_decision",
            "TRUNCATE field_ops_decision",
        ):
            with (
                pytest.raises(IntegrityError, match="kept as they were made"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)
        assert Decision.objects.count() == 1


def at_once(acts):
    """Run acts in threads that start together; returns what each returned or raised."""
    barrier, answers = Barrier(len(acts)), [None] * len(acts)

    def run(place, act):
        barrier.wait()
        try:
            answers[place] = act()
        except DomainError as error:
            answers[place] = error
        finally:
            connection.close()

    threads = [Thread(target=run, args=each) for each in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_make_one_decision_a_level_of_each_of_many(self):
        requests = ApprovalRequestFactory.create_batch(20, submission__assignment__agent=AgentFactory())
        high = ApprovalRequestFactory.create_batch(
            4, risk="high", levels_needed=2, submission__assignment__agent=AgentFactory()
        )
        people = [Actor(user=user) for user in ManagerFactory.create_batch(10)]
        for person in people[7:]:
            person.user.role = Role.ADMIN
            person.user.save()

        def decide(actor):
            bulk = deciding.approve_low_risk(request_ids=[each.pk for each in requests], actor=actor, now=NOW)
            refused = [each.code for each in bulk.refused]
            for request in high:
                try:
                    approve(request, actor)
                except DomainError as error:
                    refused.append(error.code)
            return refused

        answers = at_once([lambda actor=actor: decide(actor) for actor in people])

        assert all(isinstance(answer, list) for answer in answers)
        assert {code for answer in answers for code in answer} <= {"already_decided"}
        assert Decision.objects.filter(request__in=requests).count() == 20
        assert set(ApprovalRequest.objects.filter(pk__in=[each.pk for each in requests]).values_list("status")) == {
            ("approved",)
        }
        assert list(Decision.objects.filter(request__in=high).values_list("level")) == [(1,), (2,)] * 4
        assert RegisterReading.objects.count() == 24
        assert Submission.objects.filter(status="approved").count() == 24

    def test_let_one_win_where_they_differ(self):
        request, one, other = waiting(), Actor(user=ManagerFactory()), Actor(user=ManagerFactory())

        answers = at_once(
            [
                lambda: approve(request, one),
                lambda: deciding.send_back(request_id=request.pk, notes="Blurred.", actor=other, now=NOW),
            ]
        )

        lost = next(answer for answer in answers if isinstance(answer, DomainError))
        won = request.decisions.get()
        assert (lost.code, lost.extra["by"], lost.extra["verdict"]) == ("already_decided", won.by.name, won.verdict)
