"""Submissions and approvals over HTTP."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import Actor
from field_ops.models import ApprovalRequest, Decision
from field_ops.selectors.approvals import counters_for, decidable_by, may_decide, queue_for
from field_ops.services import deciding
from meters.models import RegionManager, RegisterReading
from tests.factories import AdminFactory, ManagerFactory, RegisterFactory, UserFactory
from tests.field_ops.factories import THEN, AgentFactory, ApprovalRequestFactory, AssignmentFactory, SubmissionFactory
from tests.meters.helpers import client_of

NOW = THEN + timedelta(hours=1)
SUBMISSIONS, APPROVALS = "/api/v1/submissions", "/api/v1/approvals"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def desk(manager):
    return client_of(manager.user)


def queries(client, path):
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


class TestSubmissions:
    def body(self, assignment, **changes):
        return {
            "id": str(uuid.uuid4()),
            "assignment_id": str(assignment.pk),
            "outcome": "read",
            "value": "1234.5",
            "read_at": THEN.isoformat(),
            "latitude": 1.3,
            "longitude": 103.8,
            "accuracy_m": 5,
            "expects_photo": False,
            **changes,
        }

    def test_arrive_once(self, time_machine):
        assignment = AssignmentFactory()
        RegisterFactory(meter=assignment.meter)
        phone, body = client_of(assignment.agent.user), self.body(assignment)

        first = phone.post(SUBMISSIONS, body, format="json")
        time_machine.move_to(NOW + timedelta(minutes=1), tick=False)
        again = phone.post(SUBMISSIONS, body, format="json")
        other = phone.post(SUBMISSIONS, {**body, "value": "1234.6"}, format="json")

        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
        assert first.json() == again.json()
        assert (first.json()["value"], first.json()["status"], first.json()["verified"]) == (1234.5, "in_review", False)
        assert other.json()["code"] == "submission_differs"

    def test_say_what_is_wrong_with_them(self):
        assignment = AssignmentFactory()
        RegisterFactory(meter=assignment.meter)
        phone = client_of(assignment.agent.user)

        refused = phone.post(SUBMISSIONS, self.body(assignment, value="1000000"), format="json")
        malformed = phone.post(SUBMISSIONS, self.body(assignment, read_at="soon"), format="json")

        assert (refused.status_code, refused.json()["code"]) == (422, "exceeds_register")
        assert malformed.status_code == 400
        assert malformed.json()["errors"][0]["field"] == "read_at"

    def test_are_seen_by_their_agent_and_by_managers_of_their_region(self):
        mine, other = SubmissionFactory(), SubmissionFactory()
        regional = ManagerFactory()
        RegionManager.objects.create(region=mine.meter.region, user=regional)

        for viewer in (mine.agent.user, regional):
            client = client_of(viewer)
            assert [row["id"] for row in client.get(SUBMISSIONS).json()["results"]] == [str(mine.pk)]
            assert client.get(f"{SUBMISSIONS}/{other.pk}").status_code == 404
        assert client_of(UserFactory()).get(SUBMISSIONS).status_code == 403

    def test_tell_what_to_mend_once_they_are_sent_back(self, manager):
        request = ApprovalRequestFactory()
        client = client_of(request.agent.user)
        assert client.get(f"{SUBMISSIONS}/{request.submission_id}").json()["review_notes"] == ""

        deciding.send_back(request_id=request.pk, notes="Blurred.", actor=manager, now=NOW)

        shown = client.get(f"{SUBMISSIONS}/{request.submission_id}").json()
        assert (shown["status"], shown["review_notes"]) == ("returned", "Blurred.")
        assert "risk" not in shown

    def test_cost_the_same_queries_however_many(self, desk):
        ApprovalRequestFactory.create_batch(3)
        few = queries(desk, SUBMISSIONS)
        ApprovalRequestFactory.create_batch(27)

        assert queries(desk, SUBMISSIONS) == few


class TestApprovals:
    def test_list_what_waits_the_longest_first(self, desk, manager):
        late, early = ApprovalRequestFactory(submitted_at=NOW), ApprovalRequestFactory()
        done = ApprovalRequestFactory()
        deciding.approve(request_id=done.pk, actor=manager, now=NOW)

        listed = desk.get(f"{APPROVALS}?waiting=true").json()["results"]

        assert [row["id"] for row in listed] == [str(early.pk), str(late.pk)]
        assert all(row["may_decide"] for row in listed)
        assert len(desk.get(APPROVALS).json()["results"]) == 3
        assert len(desk.get(f"{APPROVALS}?waiting=false").json()["results"]) == 1

    def test_come_in_pages(self, desk):
        ApprovalRequestFactory.create_batch(5)

        first = desk.get(f"{APPROVALS}?page_size=3").json()
        second = desk.get(first["next"]).json()

        seen = [row["id"] for row in first["results"] + second["results"]]
        assert len(set(seen)) == 5
        assert second["next"] is None

    def test_cost_the_same_queries_however_many(self, desk):
        ApprovalRequestFactory.create_batch(3)
        few = queries(desk, APPROVALS)
        ApprovalRequestFactory.create_batch(27)

        assert queries(desk, APPROVALS) == few

    def test_show_one_with_its_evidence_and_the_history_of_its_meter(self, desk, manager):
        before = ApprovalRequestFactory(submission__value="1200")
        deciding.approve(request_id=before.pk, notes="Fine.", actor=manager, now=NOW)
        request = ApprovalRequestFactory(
            submission__assignment__meter=before.meter,
            submission__assignment__agent=AgentFactory(region=before.meter.region),
            submission__register=before.submission.register,
            evidence={"age": {"seconds": 5}},
        )

        shown = desk.get(f"{APPROVALS}/{request.pk}").json()

        assert shown["evidence"] == {"age": {"seconds": 5}}
        assert shown["submission"]["id"] == str(request.submission_id)
        assert shown["decisions"] == []
        assert [(each["verdict"], each["by"], each["notes"]) for each in shown["history"]] == [
            ("approved", "Mei", "Fine.")
        ]

    def test_are_approved_with_a_value_beside_the_agents(self, desk):
        request = ApprovalRequestFactory()

        answer = desk.post(f"{APPROVALS}/{request.pk}/approve", {"value": "1235.5", "notes": ""}, format="json")

        assert (answer.status_code, answer.json()["status"], answer.json()["value"]) == (200, "approved", 1234.5)
        assert answer.json()["decisions"][0]["value"] == 1235.5
        assert RegisterReading.objects.get().value == 1235.5

    @pytest.mark.parametrize(("verb", "status"), [("reject", "rejected"), ("return", "returned")])
    def test_are_rejected_or_sent_back_with_a_reason(self, desk, verb, status):
        request = ApprovalRequestFactory()

        assert desk.post(f"{APPROVALS}/{request.pk}/{verb}", {}, format="json").json()["code"] == "reason_missing"
        done = desk.post(f"{APPROVALS}/{request.pk}/{verb}", {"notes": "Blurred."}, format="json").json()

        assert (done["status"], done["reviewer"], done["may_decide"]) == (status, "Mei", False)

    def test_tell_who_was_faster(self, desk, manager):
        request = ApprovalRequestFactory()
        deciding.approve(request_id=request.pk, actor=manager, now=THEN)

        answer = client_of(ManagerFactory()).post(f"{APPROVALS}/{request.pk}/approve", {}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "already_decided")
        assert (answer.json()["by"], answer.json()["at"]) == ("Mei", THEN.isoformat())

    def test_are_approved_together(self, desk):
        low, high = ApprovalRequestFactory(), ApprovalRequestFactory(risk="high", levels_needed=2)

        body = {"ids": [str(low.pk), str(high.pk)]}
        done = desk.post(f"{APPROVALS}/bulk-approve", body, format="json").json()

        assert done["approved"] == [str(low.pk)]
        assert [(each["id"], each["code"]) for each in done["refused"]] == [(str(high.pk), "not_low_risk")]

    def test_are_none_of_the_agents_business(self):
        request = ApprovalRequestFactory()
        phone = client_of(request.agent.user)

        assert phone.get(APPROVALS).status_code == 403
        assert phone.post(f"{APPROVALS}/{request.pk}/approve", {}, format="json").status_code == 403
        assert not Decision.objects.exists()


class TestWhoDecides:
    def test_is_told_alike_one_by_one_and_of_all(self, manager, admin):
        own = AgentFactory(user=ManagerFactory())
        requests = [
            ApprovalRequestFactory(),
            ApprovalRequestFactory(risk="high", levels_needed=2),
            ApprovalRequestFactory(risk="high", levels_needed=2),
            ApprovalRequestFactory(submission__assignment__agent=own),
            ApprovalRequestFactory(),
        ]
        deciding.approve(request_id=requests[1].pk, actor=manager, now=NOW)
        deciding.approve(request_id=requests[2].pk, actor=admin, now=NOW)
        deciding.reject(request_id=requests[4].pk, notes="No.", actor=manager, now=NOW)
        regional = ManagerFactory()
        RegionManager.objects.create(region=requests[0].meter.region, user=regional)
        people = [manager.user, admin.user, AdminFactory(), own.user, regional, requests[0].agent.user]

        for user in people:
            queue = queue_for(user)
            decidable = set(decidable_by(queue, user))
            assert decidable == {request for request in queue if may_decide(request, user)}
            assert counters_for(user)["mine"] == len(decidable)
        assert [len(decidable_by(queue_for(user), user)) for user in people] == [2, 3, 4, 1, 1, 0]
        assert counters_for(admin.user) == {"waiting": 4, "high": 2, "mine": 3, "second_level": 2}

    def test_needs_one_query_to_count(self, manager, django_assert_num_queries):
        ApprovalRequestFactory.create_batch(3)

        with django_assert_num_queries(1):
            assert counters_for(manager.user)["waiting"] == 3

    def test_leaves_out_who_is_suspended(self, manager):
        request = ApprovalRequestFactory()
        manager.user.status = "suspended"
        manager.user.save()

        with pytest.raises(Exception, match="no such request"):
            deciding.approve(request_id=request.pk, actor=Actor(user=manager.user), now=NOW)
        assert ApprovalRequest.objects.get().status == "pending"
