"""A morning of an agent with an app of their own: the API and its tokens alone, from the first call to the last."""

import hashlib
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.actors import Actor
from accounts.services.users import suspend_user
from field_ops.models import Agent, AgentPosition, Photo, Submission
from field_ops.services import assignments
from field_ops.services.agents import create_agent
from tests.factories import AdminFactory, ManagerFactory, MeterFactory, RegionFactory, supplied_register
from tests.field_ops.factories import AgentUserFactory
from tests.field_ops.photo_files import jpeg

NOW = datetime(2025, 3, 10, 1, tzinfo=UTC)
PASSWORD = "a-long-enough-password"
PIECE = "application/offset+octet-stream"
HERE = {"latitude": 1.3001, "longitude": 103.8, "accuracy_m": 6}
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def now(time_machine, settings, tmp_path):
    settings.UPLOAD_DIR = tmp_path / "media"
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def agent() -> Agent:
    """An agent to whom a manager gave two meters."""
    region, user, manager = RegionFactory(), AgentUserFactory(), Actor(user=ManagerFactory())
    made = create_agent(user_id=user.pk, region_id=region.pk, max_load=20, location_id="", actor=manager, now=NOW)
    meters = [MeterFactory(latitude=1.3 + n / 1_000, longitude=103.8, region=region) for n in range(2)]
    for meter in meters:
        supplied_register(meter=meter)
    keys = [meter.pk for meter in meters]
    assignments.assign(meter_ids=keys, agent_id=made.pk, due_at=None, actor=manager, now=NOW)
    return made


class App:
    """A native app: it knows its tokens, and what the API answers."""

    def __init__(self, user) -> None:
        self.client = APIClient()
        self.tokens: dict[str, str] = {}
        self.renew("auth/token", {"email": user.email, "password": PASSWORD})

    def renew(self, path, body):
        self.tokens = self.call("post", path, body, status=200)

    def call(self, method, path, body=None, *, status, **headers):
        if self.tokens:
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {self.tokens['access']}")
        options = {"format": "json"} if headers.get("content_type") is None else {}
        answer = getattr(self.client, method)(f"/api/v1/{path}", body, **options, **headers)
        assert answer.status_code == status, answer.content
        return answer if method == "head" else answer.json()

    def submit(self, assignment, *, status=201, **changes):
        body = {
            "id": str(uuid.uuid4()),
            "assignment_id": assignment["id"],
            "outcome": "read",
            "value": "1234.5",
            "serial_given": assignment["meter"]["meter_id"],
            "read_at": NOW.isoformat(),
            **HERE,
            **changes,
        }
        return self.call("post", "submissions", body, status=status)

    def send_piece(self, submission_id, offset, piece, *, status=200):
        path = f"submissions/{submission_id}/photo"
        headers = {"HTTP_UPLOAD_OFFSET": str(offset), "content_type": PIECE}
        return self.call("patch", path, piece, status=status, **headers)


def begin(app, submission_id, photo):
    body = {"size": len(photo), "sha256": hashlib.sha256(photo).hexdigest()}
    return app.call("post", f"submissions/{submission_id}/photo", body, status=200)


@pytest.fixture
def app(agent) -> App:
    return App(agent.user)


class TestMorning:
    def test_begins_with_the_walk_and_a_shift(self, app, agent):
        walk = app.call("get", "assignments", status=200)["results"]
        assert [each["sequence"] for each in sorted(walk, key=lambda each: each["sequence"])] == [1, 2]
        position = {"at": NOW.isoformat(), **HERE}
        assert app.call("post", "agents/me/location", position, status=409)["code"] == "not_on_shift"

        app.call("post", "agents/me/shift", {"on": True}, status=200)
        later = {**position, "at": (NOW + timedelta(minutes=1)).isoformat()}
        first = app.call("post", "agents/me/location", position, status=200)
        both = app.call("post", "agents/me/location", [position, later], status=200)

        assert (first["stored"], both["received"], both["stored"]) == (1, 2, 1)
        assert AgentPosition.objects.filter(shift__agent=agent).count() == 2
        assert app.call("get", "agents/me", status=200)["status"] == "available"

    def test_sends_a_photo_in_pieces_through_a_bad_connection(self, app):
        assignment = app.call("get", "assignments", status=200)["results"][0]
        app.call("post", f"assignments/{assignment['id']}/start", {}, status=200)
        sent = app.submit(assignment)
        assert sent["status"] == "receiving"
        photo = jpeg()
        a_third = len(photo) // 3 + 1

        assert begin(app, sent["id"], photo)["received"] == 0
        app.send_piece(sent["id"], 0, photo[:a_third])
        assert app.send_piece(sent["id"], 0, photo[:a_third])["received"] == a_third
        refused = app.send_piece(sent["id"], 2 * a_third, photo[2 * a_third :], status=409)
        assert (refused["code"], refused["received"]) == ("wrong_offset", a_third)
        # The app was closed meanwhile, and asks where it was.
        resumed = app.call("head", f"submissions/{sent['id']}/photo", status=200)
        assert resumed["Upload-Offset"] == str(a_third) == str(begin(app, sent["id"], photo)["received"])
        app.send_piece(sent["id"], a_third, photo[a_third : 2 * a_third])
        assert app.send_piece(sent["id"], 2 * a_third, photo[2 * a_third :])["done"]
        assert app.send_piece(sent["id"], 2 * a_third, photo[2 * a_third :])["done"]

        assert Photo.objects.get().sha256 == hashlib.sha256(photo).hexdigest()
        assert app.call("get", f"submissions/{sent['id']}", status=200)["status"] == "in_review"
        assert app.call("get", f"assignments/{assignment['id']}", status=200)["is_in_review"]

    def test_does_again_what_was_sent_back(self, app, agent):
        assignment = app.call("get", "assignments", status=200)["results"][0]
        obstacle = {"outcome": "could_not_read", "obstacle": "no_access", "value": None, "expects_photo": False}
        first = app.submit(assignment, **obstacle)
        desk = App(ManagerFactory())
        waiting = desk.call("get", "approvals", status=200)["results"]
        assert [row["submission_id"] for row in waiting] == [first["id"]]
        desk.call("post", f"approvals/{waiting[0]['id']}/return", {"notes": "The guard lets you in."}, status=200)

        assert app.call("get", f"submissions/{first['id']}", status=200)["review_notes"] == "The guard lets you in."
        news = app.call("get", "agents/me/notices", status=200)["results"]
        assert "returned" in {notice["kind"] for notice in news}
        again = app.submit(assignment, expects_photo=False, follows=first["id"])

        assert (again["status"], Submission.objects.get(pk=again["id"]).follows_id) == (
            "in_review",
            uuid.UUID(first["id"]),
        )
        assert app.submit(assignment, status=409, expects_photo=False)["code"] == "in_review_already"
        agent.refresh_from_db()
        assert agent.current_load == 1


class TestTokens:
    def test_are_renewed_once_each(self, app):
        spent = app.tokens["refresh"]
        app.renew("auth/refresh", {"refresh": spent})
        assert app.tokens["refresh"] != spent
        app.call("get", "agents/me", status=200)

        app.call("post", "auth/refresh", {"refresh": spent}, status=401)

    def test_and_sessions_end_at_once_with_a_suspension(self, app, agent):
        page = Client()
        page.force_login(agent.user)
        assert page.get("/field/").status_code == 200

        suspend_user(user_id=agent.user_id, actor=Actor(user=AdminFactory()), now=NOW)

        app.call("get", "agents/me", status=401)
        app.call("post", "auth/refresh", {"refresh": app.tokens["refresh"]}, status=401)
        assert page.get("/field/").status_code == 302
        app.tokens = {}
        app.call("post", "auth/token", {"email": agent.user.email, "password": PASSWORD}, status=401)
