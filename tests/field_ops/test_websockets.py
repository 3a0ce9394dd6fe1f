"""Open pages hear of field work."""

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts import consumers
from accounts.roles import Role
from field_ops.models import AgentNotice
from field_ops.services.news import work_group
from field_ops.services.shifts import Fix, record_positions, start_shift
from field_ops.tasks import tell
from meters.models import RegionManager
from tests.factories import AdminFactory, ManagerFactory, UserFactory
from tests.field_ops.factories import AgentFactory, ApprovalRequestFactory, AssignmentFactory
from tests.meters.sockets import listen_at

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    monkeypatch.setattr(consumers, "SHORTEST_PAUSE_SECONDS", 0.01)
    # It closes the connection, and with it the transaction that the test lives in.
    monkeypatch.setattr("channels.db.close_old_connections", lambda: None)


def first_of(path, user):
    heard = []

    async def scenario(socket):
        heard.append(await socket.receive_json())

    listen_at(path, user, scenario)
    return heard[0]


class TestTheQueueOfApprovals:
    def test_counts_what_a_manager_may_see(self):
        low, high = ApprovalRequestFactory(), ApprovalRequestFactory(risk="high", levels_needed=2)
        manager = ManagerFactory()
        RegionManager.objects.create(region=high.meter.region, user=manager)

        assert first_of("/ws/approvals/", manager) == {
            "type": "approvals",
            "waiting": 1,
            "high": 1,
            "mine": 1,
            "second_level": 0,
        }
        assert first_of("/ws/approvals/", AdminFactory())["waiting"] == len({low, high})


class TestTheAgentsOnShift:
    def test_are_shown_where_they_are(self):
        agent, _ = AgentFactory.create_batch(2)
        now = timezone.now()
        start_shift(agent_id=agent.pk, now=now)
        record_positions(agent_id=agent.pk, fixes=[Fix(now, 1.3, 103.8, 5.0)], now=now)

        [shown] = first_of("/ws/agents/", ManagerFactory())["agents"]

        assert (shown["name"], shown["latitude"], shown["status"]) == (agent.user.name, 1.3, "available")


class TestWork:
    def test_is_told_again_when_something_is_new(self):
        agent = AgentFactory()

        def give():
            assignment = AssignmentFactory(agent=agent)
            AgentNotice.objects.create(
                agent=agent, kind="assigned", assignment=assignment, text="Read it.", created_at=timezone.now()
            )
            tell(groups=[work_group(agent.pk)])

        async def scenario(socket):
            assert await socket.receive_json() == {"type": "work", "unseen": 0, "open": 0, "returned": 0}
            await sync_to_async(give)()
            assert await socket.receive_json() == {"type": "work", "unseen": 1, "open": 1, "returned": 0}

        listen_at("/ws/work/", agent.user, scenario)


class TestWhoMayListen:
    @pytest.mark.parametrize(
        ("path", "role", "code"),
        [
            ("/ws/approvals/", Role.AGENT, 4403),
            ("/ws/approvals/", Role.CUSTOMER, 4403),
            ("/ws/agents/", Role.OPERATOR, 4403),
            ("/ws/work/", Role.MANAGER, 4403),
            ("/ws/work/", Role.AGENT, 4403),
            ("/ws/work/", None, 4401),
        ],
    )
    def test_is_told_why_not(self, path, role, code):
        async def scenario(socket):
            assert await socket.receive_close() == code

        listen_at(path, UserFactory(role=role) if role else None, scenario)
