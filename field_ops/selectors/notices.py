"""What agents are told."""

from django.db.models import QuerySet

from accounts.models import User
from field_ops.models import Agent, AgentNotice


def unseen(agent: Agent) -> int:
    """Return how many notices an agent has not seen: the number on their badge."""
    return AgentNotice.objects.filter(agent=agent, seen_at=None).count()


def notices_of(user: User) -> QuerySet[AgentNotice]:
    """Return the notices of an agent, newest first."""
    rows: QuerySet[AgentNotice] = AgentNotice.objects.filter(agent__user=user)
    return rows.select_related("assignment__meter").order_by("-id")
