"""What agents bring arrives once, from whom it should, and as it was read."""

import uuid
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from django.db import connection

from energy_portal.shared.errors import DomainError
from field_ops.models import ApprovalRequest, Assignment, Submission
from field_ops.services import deciding
from field_ops.services.submissions import Draft, submit
from tests.factories import ManagerFactory, RegisterFactory
from tests.field_ops.factories import THEN, AgentFactory, AssignmentFactory

NOW = THEN + timedelta(minutes=10)


@pytest.fixture
def assignment():
    made = AssignmentFactory(status="in_progress")
    RegisterFactory(meter=made.meter)
    return made


def draft_of(assignment, **changes):
    draft = Draft(
        id=uuid.uuid4(),
        assignment_id=assignment.pk,
        outcome="read",
        value="1234.5",
        read_at=THEN,
        expects_photo=False,
    )
    return replace(draft, **changes)


def send(draft, assignment, now=NOW):
    return submit(draft=draft, user=assignment.agent.user, now=now)


def refusal(draft, user, now=NOW):
    with pytest.raises(DomainError) as caught:
        submit(draft=draft, user=user, now=now)
    return caught.value.code


@pytest.mark.django_db
class TestSubmit:
    def test_keeps_what_was_read_and_brings_it_before_those_who_decide(self, assignment):
        sent = send(draft_of(assignment, serial_given=" SG-1 ", notes="Behind the door."), assignment)

        sent.refresh_from_db()
        assert (sent.status, sent.value, sent.register.code) == ("in_review", Decimal("1234.5"), "1.8.0")
        assert (sent.serial_given, sent.received_at, sent.approval.status) == ("SG-1", NOW, "pending")
        assignment.refresh_from_db()
        assert assignment.is_in_review

    def test_waits_for_the_photo_that_is_to_come(self, assignment):
        sent = send(draft_of(assignment, expects_photo=True), assignment)

        assert sent.status == "receiving"
        assert not ApprovalRequest.objects.exists()

    def test_answers_a_repeat_with_what_it_made_before(self, assignment):
        draft = draft_of(assignment)
        first = send(draft, assignment)

        again = send(draft, assignment, now=NOW + timedelta(days=3))

        assert (again, again.received_at) == (first, NOW)
        assert ApprovalRequest.objects.count() == 1

    def test_refuses_another_body_under_the_same_id(self, assignment):
        draft = draft_of(assignment)
        send(draft, assignment)

        assert refusal(replace(draft, value="1234.6"), assignment.agent.user) == "submission_differs"
        assert refusal(draft, AgentFactory().user) == "submission_differs"

    def test_is_only_for_the_agent_of_the_assignment(self, assignment):
        assert refusal(draft_of(assignment), AgentFactory().user) == "no_such_assignment"
        assert refusal(draft_of(assignment, assignment_id=uuid.uuid4()), assignment.agent.user) == "no_such_assignment"
        assert refusal(draft_of(assignment), ManagerFactory()) == "not_an_agent"

    @pytest.mark.parametrize("status", ["completed", "cancelled"])
    def test_is_refused_once_the_assignment_is_closed(self, assignment, status):
        done = {"completed_at": THEN} if status == "completed" else {}
        Assignment.objects.filter(pk=assignment.pk).update(status=status, **done)

        assert refusal(draft_of(assignment), assignment.agent.user) == "assignment_closed"

    @pytest.mark.parametrize("expects_photo", [True, False])
    def test_is_refused_while_another_is_under_way(self, assignment, expects_photo):
        send(draft_of(assignment, expects_photo=expects_photo), assignment)

        assert refusal(draft_of(assignment), assignment.agent.user) == "in_review_already"

    def test_follows_the_one_that_was_sent_back(self, assignment, manager):
        first = send(draft_of(assignment), assignment)
        deciding.send_back(request_id=first.approval.pk, notes="Blurred.", actor=manager, now=NOW)

        wrong = refusal(draft_of(assignment, follows=uuid.uuid4()), assignment.agent.user)
        second = send(draft_of(assignment, value="1243.5", follows=first.pk), assignment)

        assert wrong == "follows_another"
        assert (second.follows, second.status) == (first, "in_review")
        first.refresh_from_db()
        assert (first.status, first.value) == ("returned", Decimal("1234.5"))

    def test_follows_it_also_where_the_device_does_not_know(self, assignment, manager):
        first = send(draft_of(assignment), assignment)
        deciding.send_back(request_id=first.approval.pk, notes="Blurred.", actor=manager, now=NOW)

        assert send(draft_of(assignment), assignment).follows == first

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"read_at": NOW + timedelta(hours=1)}, "in_future"),
            ({"read_at": NOW - timedelta(days=365 * 30)}, "too_old"),
            ({"value": "1000000"}, "exceeds_register"),
            ({"value": "-1"}, "negative"),
            ({"value": "1.2345"}, "too_many_decimals"),
            ({"value": "abc"}, "not_a_number"),
            ({"value": "NaN"}, "not_a_number"),
            ({"value": None}, "value_missing"),
            ({"obstacle": "dog"}, "value_missing"),
            ({"outcome": "could_not_read"}, "obstacle_missing"),
            ({"outcome": "could_not_read", "value": None}, "obstacle_missing"),
            ({"outcome": "stolen"}, "unknown_outcome"),
            ({"register_code": "9.9.9"}, "unknown_register"),
            ({"latitude": 1.3}, "bad_position"),
            ({"latitude": 91.0, "longitude": 0.0}, "bad_position"),
            ({"latitude": float("nan"), "longitude": 0.0}, "bad_position"),
            ({"latitude": 1.3, "longitude": 103.8, "accuracy_m": -1.0}, "bad_position"),
            ({"latitude": 1.3, "longitude": 103.8, "accuracy_m": float("inf")}, "bad_position"),
            ({"notes": "\x00"}, "malformed"),
            ({"notes": "x" * 2_001}, "too_long"),
        ],
    )
    def test_refuses_what_cannot_be(self, assignment, changes, code):
        assert refusal(draft_of(assignment, **changes), assignment.agent.user) == code
        assert not Submission.objects.exists()

    def test_takes_an_implausible_value_as_evidence(self, assignment):
        assert send(draft_of(assignment, value="999999.999"), assignment).status == "in_review"

    def test_takes_an_obstacle_without_a_value(self, assignment):
        sent = send(draft_of(assignment, outcome="could_not_read", value=None, obstacle="dog"), assignment)

        assert (sent.status, sent.value, sent.register) == ("in_review", None, None)


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_make_one_submission_of_one_id(self, assignment):
        draft, barrier, answers = draft_of(assignment), Barrier(10), []

        def deliver(other):
            barrier.wait()
            try:
                answers.append(send(other, assignment).pk)
            except DomainError as error:
                answers.append(error.code)
            finally:
                connection.close()

        drafts = [draft] * 9 + [replace(draft, notes="Another body.")]
        threads = [Thread(target=deliver, args=(each,)) for each in drafts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        kept = Submission.objects.get()
        same, other = str(draft.id), "submission_differs"
        expected = [same] + [other] * 9 if kept.notes else [same] * 9 + [other]
        assert sorted(map(str, answers)) == sorted(expected)
        assert kept.approval.status == "pending"
