"""Agents by the API: what each role may, and what a phone tells."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from accounts.services.users import suspend_user
from field_ops.models import Agent, AgentPosition
from field_ops.services.shifts import Fix, record_positions, start_shift
from meters.models import RegionManager
from tests.factories import AdminFactory, ManagerFactory, RegionFactory, UserFactory
from tests.field_ops.factories import AgentFactory, AgentUserFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 3, 10, 4, tzinfo=UTC)
AGENTS, ME = "/api/v1/agents", "/api/v1/agents/me"
HERE = {"at": NOW.isoformat(), "latitude": 1.35, "longitude": 103.8, "accuracy_m": 7.5}


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def admin():
    return client_of(AdminFactory())


@pytest.fixture
def agent():
    return AgentFactory()


@pytest.fixture
def phone(agent):
    return client_of(agent.user)


def post(client, path, body):
    answer = client.post(f"{ME}/{path}", body, format="json")
    return answer.status_code, answer.json()


def names(answer):
    return [each["name"] for each in answer.json()["results"]]


class TestList:
    def test_shows_each_the_agents_they_work_with(self, admin, agent):
        other, manager = AgentFactory(), ManagerFactory()
        RegionManager.objects.create(region=other.region, user=manager)

        assert set(names(admin.get(AGENTS))) == {agent.user.name, other.user.name}
        assert names(client_of(manager).get(AGENTS)) == [other.user.name]
        assert names(client_of(agent.user).get(AGENTS)) == [agent.user.name]
        assert client_of(manager).get(f"{AGENTS}/{agent.pk}").status_code == 404

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.OPERATOR])
    def test_is_not_for_others(self, role):
        assert client_of(UserFactory(role=role)).get(AGENTS).status_code == 403
        assert client_of(scopes=[Scope.QUERIES]).get(AGENTS).status_code == 403
        assert client_of().get(AGENTS).status_code == 401

    def test_narrows_down(self, admin, agent):
        busy = AgentFactory(status="busy", region=RegionFactory(name="South"))
        start_shift(agent_id=agent.pk, now=NOW)
        wanted = {
            "status": ("busy", busy),
            "region": ("South", busy),
            "region_id": (busy.region_id, busy),
            "on_shift": ("true", agent),
        }

        for name, (value, found) in wanted.items():
            assert names(admin.get(AGENTS, {name: value})) == [found.user.name], name

    def test_comes_nearest_first_around_a_place(self, admin, agent):
        for each, longitude in ((agent, 103.802), (AgentFactory(), 103.801), (AgentFactory(), 105)):
            start_shift(agent_id=each.pk, now=NOW)
            record_positions(agent_id=each.pk, fixes=[Fix(NOW, 1.35, longitude)], now=NOW)

        found = admin.get(AGENTS, {"near": "1.35,103.8"}).json()["results"]

        assert [round(each["distance_m"]) for each in found] == [111, 223]
        assert found[1]["id"] == str(agent.pk)

    def test_costs_the_same_however_many(self, admin):
        def cost(query):
            with CaptureQueriesContext(connection) as queries:
                assert admin.get(AGENTS, query).status_code == 200
            return len(queries)

        AgentFactory.create_batch(3, latitude=1.35, longitude=103.8)
        few = [cost(query) for query in ({}, {"near": "1.35,103.8"})]
        AgentFactory.create_batch(27, latitude=1.35, longitude=103.8)

        assert [cost(query) for query in ({}, {"near": "1.35,103.8"})] == few

    def test_comes_in_pages(self, admin):
        for name in ("Bo", "Ann", "Cy"):
            AgentFactory(user__name=name)

        first = admin.get(AGENTS, {"page_size": 2})

        assert [names(first), names(admin.get(first.json()["next"]))] == [["Ann", "Bo"], ["Cy"]]


class TestCreateAndChange:
    def test_let_a_login_take_work(self, admin):
        user, region = AgentUserFactory(), RegionFactory()

        made = admin.post(AGENTS, {"user_id": user.pk, "region_id": region.pk, "max_load": 5}, format="json")

        assert made.status_code == 201, made.content
        assert admin.get(made["Location"]).json() == made.json()
        assert (made.json()["region"], made.json()["max_load"], made.json()["status"]) == (region.name, 5, "offline")

    def test_refuse_whose_login_is_no_agents_or_has_one(self, admin, agent):
        answers = [admin.post(AGENTS, {"user_id": user}, format="json") for user in (uuid4(), agent.user_id)]

        assert [(each.status_code, each.json()["code"]) for each in answers] == [
            (422, "not_an_agents_login"),
            (409, "agent_exists"),
        ]

    def test_change_what_is_named(self, admin, agent):
        changed = admin.patch(f"{AGENTS}/{agent.pk}", {"max_load": 1}, format="json").json()

        assert (changed["max_load"], changed["region_id"]) == (1, str(agent.region_id))

    def test_stay_within_a_manager_s_regions(self, agent):
        manager, other = ManagerFactory(), AgentFactory()
        RegionManager.objects.create(region=agent.region, user=manager)
        client = client_of(manager)

        answers = [
            client.patch(f"{AGENTS}/{agent.pk}", {"region_id": other.region_id}, format="json"),
            client.patch(f"{AGENTS}/{agent.pk}", {"region_id": None}, format="json"),
            client.patch(f"{AGENTS}/{other.pk}", {"max_load": 1}, format="json"),
            client.post(AGENTS, {"user_id": AgentUserFactory().pk}, format="json"),
        ]

        assert [(each.status_code, each.json()["code"]) for each in answers] == [
            (404, "no_such_region"),
            (422, "region_needed"),
            (404, "no_such_agent"),
            (422, "region_needed"),
        ]

    def test_are_not_for_agents(self, agent, phone):
        assert phone.patch(f"{AGENTS}/{agent.pk}", {"max_load": 1}, format="json").status_code == 403
        assert phone.post(AGENTS, {}, format="json").status_code == 403


class TestMe:
    def test_is_the_agent_who_asks(self, agent, phone):
        assert phone.get(ME).json()["id"] == str(agent.pk)

    @pytest.mark.parametrize("path", ["shift", "status", "location"])
    def test_is_for_agents_alone(self, path):
        for client in (client_of(AdminFactory()), client_of(AgentUserFactory())):
            bodies = {"shift": {"on": True}, "status": {"status": "busy"}, "location": HERE}
            assert post(client, path, bodies[path])[0] == 403
            assert client.get(ME).json()["code"] == "not_an_agent"
        assert client_of().post(f"{ME}/{path}").status_code == 401

    def test_goes_on_and_off_shift(self, phone):
        assert [post(phone, "shift", {"on": on})[1]["is_on_shift"] for on in (True, True, False, False)] == [
            True,
            True,
            False,
            False,
        ]
        assert post(phone, "shift", {})[0] == 400

    def test_says_what_one_does_on_shift(self, phone):
        off = post(phone, "status", {"status": "busy"})
        post(phone, "shift", {"on": True})

        on = post(phone, "status", {"status": "on_break"})

        assert (off[0], off[1]["code"], on[0], on[1]["status"]) == (409, "not_on_shift", 200, "on_break")
        assert post(phone, "status", {"status": "offline"})[0] == 400

    def test_tells_where_one_is_once_or_often(self, agent, phone):
        off = post(phone, "location", HERE)
        post(phone, "shift", {"on": True})
        later = {**HERE, "at": (NOW + timedelta(minutes=1)).isoformat(), "accuracy_m": None}

        told = [post(phone, "location", body) for body in (HERE, [HERE, later], [])]

        assert (off[0], off[1]["code"]) == (409, "not_on_shift")
        assert [body for _, body in told] == [{"received": n, "stored": new} for n, new in ((1, 1), (2, 1), (0, 0))]
        assert Agent.objects.get(pk=agent.pk).located_at == NOW + timedelta(minutes=1)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"latitude": 90.1},
            {"longitude": -181},
            {"latitude": "NaN"},
            {"accuracy_m": -1},
            {"accuracy_m": "inf"},
            {"at": "noon"},
            {"latitude": None},
        ],
    )
    def test_refuses_what_is_nowhere(self, phone, wrong):
        post(phone, "shift", {"on": True})

        status, body = post(phone, "location", [HERE, {**HERE, **wrong}])

        assert (status, body["errors"][0]["index"]) == (400, 1)
        assert not AgentPosition.objects.exists()

    def test_takes_so_many_positions_at_once(self, phone):
        post(phone, "shift", {"on": True})

        assert post(phone, "location", [HERE] * 501)[0] == 400

    def test_is_shut_to_who_is_suspended(self, agent):
        token = APIClient().post(
            "/api/v1/auth/token", {"email": agent.user.email, "password": "a-long-enough-password"}, format="json"
        )
        by_token, by_session = APIClient(HTTP_AUTHORIZATION=f"Bearer {token.json()['access']}"), Client()
        by_session.force_login(agent.user)
        before = [client.get(ME).status_code for client in (by_token, by_session)]

        suspend_user(user_id=agent.user_id, actor=PORTAL, now=NOW)

        assert before == [200, 200]
        assert [client.get(ME).status_code for client in (by_token, by_session)] == [401, 401]
