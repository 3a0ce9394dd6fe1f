"""Field work over the API: assignments, proposals, rounds and notices."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Role
from field_ops.models import AgentNotice, Assignment, Round
from field_ops.services.assignments import assign
from meters.models import RegionManager
from tests.factories import AdminFactory, ManagerFactory, MeterFactory, RegionFactory, RegisterFactory, UserFactory
from tests.field_ops.factories import AgentFactory, AssignmentFactory, RoundFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 3, 10, 2, tzinfo=UTC)
ASSIGNMENTS = "/api/v1/assignments"
PROPOSALS = f"{ASSIGNMENTS}/proposals"
ROUNDS = "/api/v1/rounds"
NOTICES = "/api/v1/agents/me/notices"


@pytest.fixture(autouse=True)
def now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def region():
    return RegionFactory()


@pytest.fixture
def manager(region):
    user = ManagerFactory()
    RegionManager.objects.create(region=region, user=user)
    return user


@pytest.fixture
def desk(manager):
    return client_of(manager)


@pytest.fixture
def agent(region):
    return AgentFactory(region=region)


def meters_in(region, count, **fields):
    place = {"latitude": region.latitude, "longitude": region.longitude}
    return [MeterFactory(region=region, **place, **fields) for _ in range(count)]


def serials(meters):
    return [meter.serial for meter in meters]


def post(client, path, **body):
    return client.post(path, body, format="json")


class TestList:
    def test_shows_each_role_what_is_theirs(self, desk, agent):
        mine, other = AssignmentFactory(agent=agent), AssignmentFactory()

        def seen_by(client):
            return {row["id"] for row in client.get(ASSIGNMENTS).json()["results"]}

        assert seen_by(desk) == seen_by(client_of(agent.user)) == {str(mine.pk)}
        assert seen_by(client_of(AdminFactory())) == {str(mine.pk), str(other.pk)}
        assert client_of(UserFactory()).get(ASSIGNMENTS).status_code == 403
        assert client_of(UserFactory(role=Role.OPERATOR)).get(ASSIGNMENTS).status_code == 403
        assert client_of().get(ASSIGNMENTS).status_code == 401

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("status=overdue", {"late"}),
            ("overdue=true", {"late"}),
            ("overdue=false", {"todo", "done", "waiting"}),
            ("open=true", {"todo", "late", "waiting"}),
            ("open=false", {"done"}),
            ("unassigned=true", {"waiting"}),
            ("origin=gap", {"waiting"}),
            ("agent={agent}", {"todo", "late", "done"}),
            ("region={region}", {"todo", "late", "done", "waiting"}),
            ("region={nowhere}", set()),
            ("meter={serial}", {"todo"}),
            ("due_before=2025-03-12T00:00:00Z", {"late"}),
        ],
    )
    def test_filters(self, desk, agent, region, query, expected):
        made = {
            "todo": AssignmentFactory(agent=agent, due_at=NOW + timedelta(days=5)),
            "late": AssignmentFactory(agent=agent, due_at=NOW - timedelta(days=1), status="overdue"),
            "done": AssignmentFactory(agent=agent, status="cancelled"),
            "waiting": AssignmentFactory(agent=None, meter=meters_in(region, 1)[0], origin="gap"),
        }
        names = {str(each.pk): name for name, each in made.items()}
        asked = query.format(agent=agent.pk, region=region.pk, nowhere=uuid4(), serial=made["todo"].meter.serial)

        answer = desk.get(f"{ASSIGNMENTS}?{asked}")

        assert {names[row["id"]] for row in answer.json()["results"]} == expected

    def test_asks_as_much_for_many_as_for_few(self, desk, agent):
        counts = []
        for count in (3, 27):
            for _ in range(count):
                RegisterFactory(meter=AssignmentFactory(agent=agent).meter)
            with CaptureQueriesContext(connection) as queries:
                rows = desk.get(ASSIGNMENTS).json()["results"]
            counts.append((len(rows), len(queries)))

        assert [rows for rows, _ in counts] == [3, 30]
        assert counts[0][1] == counts[1][1]


class TestCreate:
    def test_gives_meters_out_and_says_what_is_skipped(self, desk, agent, region, manager):
        first, second, taken = meters_in(region, 3)
        AssignmentFactory(agent=agent, meter=taken)

        answer = post(
            desk,
            ASSIGNMENTS,
            meters=[second.serial, "SG-NONE", taken.serial, first.serial],
            agent_id=str(agent.pk),
            priority="high",
        )

        assert answer.status_code == 201
        body = answer.json()
        made = [(row["meter"]["meter_id"], row["agent"], row["priority"], row["assigned_by"]) for row in body["made"]]
        assert made == [(each.serial, agent.user.name, "high", manager.name) for each in (second, first)]
        assert {row["meter_id"]: row["code"] for row in body["skipped"]} == {
            taken.serial: "assignment_open",
            "SG-NONE": "no_such_meter",
        }

    def test_does_so_once_a_key(self, desk, agent, region):
        body = {"meters": serials(meters_in(region, 2)), "agent_id": str(agent.pk)}

        answers = [
            desk.post(ASSIGNMENTS, body, format="json", headers={"Idempotency-Key": "monday"}).json() for _ in range(2)
        ]

        assert answers[0] == answers[1]
        assert len(answers[1]["made"]) == 2

    def test_names_the_agent_who_has_no_room(self, desk, region):
        full = AgentFactory(region=region, max_load=1)

        answer = post(desk, ASSIGNMENTS, meters=serials(meters_in(region, 2)), agent_id=str(full.pk))

        assert answer.status_code == 409
        assert (answer.json()["code"], answer.json()["agent"]["id"]) == ("agent_full", str(full.pk))

    def test_is_not_for_agents(self, agent, region):
        answer = post(client_of(agent.user), ASSIGNMENTS, meters=serials(meters_in(region, 1)))

        assert (answer.status_code, answer.json()["code"]) == (403, "missing_role")


class TestOne:
    @pytest.fixture
    def work(self, agent, region):
        (meter,) = meters_in(region, 1)
        RegisterFactory(meter=meter, code="1.8.0")
        return str(assign(meter_ids=[meter.pk], agent_id=agent.pk, due_at=None, actor=PORTAL, now=NOW).made[0].pk)

    def test_shows_it_with_its_steps(self, desk, work):
        body = desk.get(f"{ASSIGNMENTS}/{work}").json()

        assert [step["act"] for step in body["steps"]] == ["assigned"]
        assert [register["code"] for register in body["meter"]["registers"]] == ["1.8.0"]

    def test_hides_it_from_others(self, work):
        elsewhere = RegionManager.objects.create(region=RegionFactory(), user=ManagerFactory())
        for user in (AgentFactory().user, elsewhere.user):
            answer = client_of(user).get(f"{ASSIGNMENTS}/{work}")
            assert (answer.status_code, answer.json()["code"]) == (404, "no_such_assignment")

    def test_is_started_by_its_agent(self, agent, desk, work):
        assert post(client_of(agent.user), f"{ASSIGNMENTS}/{work}/start").json()["status"] == "in_progress"
        assert post(desk, f"{ASSIGNMENTS}/{work}/start").status_code == 403

    def test_is_cancelled_once_with_a_reason(self, desk, work):
        path = f"{ASSIGNMENTS}/{work}/cancel"

        assert post(desk, path).status_code == 400
        body = post(desk, path, reason="Closed.").json()
        assert (body["status"], body["closing_reason"]) == ("cancelled", "Closed.")
        again = post(desk, path, reason="Closed.")
        assert (again.status_code, again.json()["code"]) == (409, "assignment_cannot_move")

    def test_is_given_to_another_agent(self, desk, region, work):
        other = AgentFactory(region=region)

        body = post(desk, f"{ASSIGNMENTS}/{work}/reassign", agent_id=str(other.pk), reason="Ill.").json()

        assert body["agent_id"] == str(other.pk)
        assert [(step["act"], step["reason"]) for step in body["steps"]][1] == ("reassigned", "Ill.")


class TestProposals:
    def test_are_made_looked_at_and_confirmed(self, desk, agent, region):
        meters = meters_in(region, 2)
        (gone,) = meters_in(region, 1, status="out_of_service")

        proposed = post(desk, PROPOSALS, meters=[*serials(meters), gone.serial, "SG-NONE"], agents=[str(agent.pk)])

        (way,) = proposed.json()["ways"]
        assert (way["agent_id"], way["load"]) == (str(agent.pk), 2)
        assert {row["meter_id"]: row["reason"] for row in proposed.json()["left"]} == {
            gone.serial: "meter_not_in_service",
            "SG-NONE": "no_such_meter",
        }
        assert not Assignment.objects.exists()
        lines = [
            {"meter_id": stop["meter_id"], "agent_id": way["agent_id"], "sequence": place}
            for place, stop in enumerate(way["meters"])
        ]
        AssignmentFactory(agent=AgentFactory(region=region), meter=meters[0])
        confirmed = post(desk, f"{PROPOSALS}/confirm", lines=lines)
        assert confirmed.status_code == 201
        assert [row["meter"]["meter_id"] for row in confirmed.json()["made"]] == [meters[1].serial]
        assert [row["code"] for row in confirmed.json()["skipped"]] == ["assignment_open"]

    def test_take_a_region(self, desk, agent, region):
        meters_in(region, 3)

        body = post(desk, PROPOSALS, region_id=str(region.pk)).json()

        assert [len(way["meters"]) for way in body["ways"]] == [3]

    def test_need_a_question_and_a_manager(self, desk, agent):
        answer = post(desk, PROPOSALS)
        assert (answer.status_code, answer.json()["code"]) == (422, "wrong_question")
        assert post(client_of(agent.user), PROPOSALS).status_code == 403
        assert post(client_of(agent.user), f"{PROPOSALS}/confirm").status_code == 403


class TestRounds:
    def test_are_entered_changed_and_shown(self, desk, agent, region):
        meters = meters_in(region, 2)
        body = {"name": "North", "region_id": str(region.pk), "next_on": "2025-03-31", "agent_id": str(agent.pk)}

        made = post(desk, ROUNDS, **body, stops=serials(meters[::-1]))
        changed = desk.patch(made.headers["Location"], {"every_months": 3}, format="json")

        assert made.status_code == 201
        assert made.json()["stops"] == serials(meters[::-1])
        assert (changed.json()["every_months"], changed.json()["agent"]) == (3, agent.user.name)
        assert desk.get(made.headers["Location"]).json() == changed.json()
        assert [row["stop_count"] for row in desk.get(ROUNDS).json()["results"]] == [2]

    def test_are_those_of_a_managers_regions(self, desk, agent, region):
        mine, other = RoundFactory(region=region), RoundFactory()

        assert [row["name"] for row in desk.get(ROUNDS).json()["results"]] == [mine.name]
        assert desk.get(f"{ROUNDS}/{other.pk}").status_code == 404
        assert desk.patch(f"{ROUNDS}/{other.pk}", {"is_active": False}, format="json").status_code == 404
        assert client_of(agent.user).get(ROUNDS).status_code == 403

    def test_refuse_what_is_wrong(self, desk, region):
        body = {"name": "North", "region_id": str(region.pk), "next_on": "2025-03-31"}

        for wrong, code in (
            ({"stops": ["SG-NONE"]}, "wrong_round"),
            ({"region_id": str(RegionFactory().pk)}, "wrong_round"),
            ({"agent_id": str(AgentFactory().pk)}, "wrong_round"),
            ({"region_id": str(uuid4())}, "invalid"),
        ):
            answer = post(desk, ROUNDS, **{**body, **wrong})
            assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert not Round.objects.exists()

    def test_ask_as_much_for_many_as_for_few(self, desk, region):
        counts = []
        for count in (3, 27):
            RoundFactory.create_batch(count, region=region)
            with CaptureQueriesContext(connection) as queries:
                desk.get(ROUNDS)
            counts.append(len(queries))

        assert counts[0] == counts[1]


class TestNotices:
    def test_are_an_agents_own_until_seen(self, agent):
        phone = client_of(agent.user)
        for who in (agent, agent, AgentFactory()):
            AgentNotice.objects.create(
                agent=who, kind="assigned", assignment=AssignmentFactory(agent=who), text="To read.", created_at=NOW
            )
        newest, first = phone.get(NOTICES).json()["results"]

        answer = post(phone, f"{NOTICES}/seen", up_to=first["id"])

        assert answer.json() == {"seen": 1, "unseen": 1}
        assert [row["id"] for row in phone.get(f"{NOTICES}?unseen=true").json()["results"]] == [newest["id"]]

    def test_are_for_agents_alone(self, desk):
        assert desk.get(NOTICES).status_code == 403
        answer = post(client_of(UserFactory(role=Role.AGENT)), f"{NOTICES}/seen", up_to=1)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_an_agent")

    def test_ask_as_much_for_many_as_for_few(self, agent):
        counts = []
        for count in (3, 27):
            for _ in range(count):
                AgentNotice.objects.create(
                    agent=agent, kind="assigned", assignment=AssignmentFactory(agent=agent), text=".", created_at=NOW
                )
            with CaptureQueriesContext(connection) as queries:
                client_of(agent.user).get(NOTICES)
            counts.append(len(queries))

        assert counts[0] == counts[1]
