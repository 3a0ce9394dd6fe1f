"""What stays connected: work, positions and the queue of approvals as they are now."""

from typing import Any

from accounts.consumers import NOT_ALLOWED, Refusal, StateConsumer
from accounts.models import User
from accounts.roles import STAFF_ROLES
from field_ops.models import Agent, Assignment, Submission
from field_ops.selectors.agents import NotAnAgent, agent_of, agents_now
from field_ops.selectors.approvals import counters_for
from field_ops.selectors.notices import unseen
from field_ops.services.news import AGENTS_GROUP, APPROVALS_GROUP, work_group


class ApprovalsConsumer(StateConsumer):
    """How many submissions wait for a manager's decision."""

    def groups_of(self, user: User) -> list[str]:
        """Return the group of the queue, for managers and admins."""
        return [_for_staff(user, APPROVALS_GROUP)]

    def state_of(self, user: User) -> dict[str, Any]:
        """Return the counters of what they may see."""
        return {"type": "approvals", **counters_for(user)}


class AgentsConsumer(StateConsumer):
    """Where the agents on shift are, and how much each has to do."""

    def groups_of(self, user: User) -> list[str]:
        """Return the group of agents, for managers and admins."""
        return [_for_staff(user, AGENTS_GROUP)]

    def state_of(self, user: User) -> dict[str, Any]:
        """Return the agents on shift whom they may see."""
        return {"type": "agents", "agents": [_row(agent) for agent in agents_now(user)]}


class WorkConsumer(StateConsumer):
    """What an agent has to do, and to hear of."""

    def groups_of(self, user: User) -> list[str]:
        """Return the group of an agent's own pages."""
        return [work_group(_agent(user).pk)]

    def state_of(self, user: User) -> dict[str, Any]:
        """Return how much there is."""
        work = Assignment.objects.visible_to(user).open()
        returned = Submission.objects.visible_to(user).filter(
            status=Submission.Status.RETURNED, followed_by=None, assignment__in=work
        )
        return {
            "type": "work",
            "unseen": unseen(_agent(user)),
            "open": work.filter(is_in_review=False).count(),
            "returned": returned.count(),
        }


def _agent(user: User) -> Agent:
    try:
        return agent_of(user)
    except NotAnAgent:
        raise Refusal(NOT_ALLOWED) from None


def _for_staff(user: User, group: str) -> str:
    if user.role not in STAFF_ROLES:
        raise Refusal(NOT_ALLOWED)
    return group


def _row(agent: Agent) -> dict[str, Any]:
    return {
        "id": str(agent.pk),
        "name": agent.user.name,
        "status": agent.status,
        "latitude": agent.latitude,
        "longitude": agent.longitude,
        "accuracy_m": agent.accuracy_m,
        "located_at": None if agent.located_at is None else agent.located_at.isoformat(),
        "load": agent.current_load,
        "max_load": agent.max_load,
    }
