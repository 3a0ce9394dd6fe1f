"""Agents as somebody may see them."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef

from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.errors import Forbidden, NotFound
from energy_portal.shared.geo import Circle, Spot
from field_ops.models import Agent, Shift
from field_ops.querysets import AgentQuerySet
from meters.selectors.nearby import NearbyList

_MM = 1_000


class NotAnAgent(Forbidden):
    """Somebody who asks for an agent's own is no agent, or is shut out."""

    code = "not_an_agent"


class NoSuchAgent(NotFound):
    """There is no such agent, or not for the one who asks."""

    code = "no_such_agent"


@dataclass(frozen=True)
class NearAgent:
    """An agent, and how far their last known position is."""

    agent: Agent
    distance_m: float


def agent_of(user: User) -> Agent:
    """Return the agent that somebody is.

    :raises NotAnAgent: they are none, have another role by now, or are shut out.
    """
    if user.is_active and user.role == Role.AGENT:
        found: Agent | None = Agent.objects.select_related("user", "region").filter(user=user).first()
        if found is not None:
            return found
    raise NotAnAgent("This is for agents.")


def agents_for(user: User) -> AgentQuerySet:
    """Return the agents that somebody may see, each with whether they are on shift (``is_on_shift``)."""
    on_shift = Exists(Shift.objects.filter(agent=OuterRef("pk"), ended_at=None))
    rows: AgentQuerySet = Agent.objects.visible_to(user).select_related("user", "region").annotate(is_on_shift=on_shift)
    return rows


def agent_for(*, agent_id: UUID, user: User) -> Agent:
    """Return an agent that somebody may see.

    :raises NoSuchAgent: none, or not theirs.
    """
    found: Agent | None = agents_for(user).filter(pk=agent_id).first()
    if found is None:
        raise NoSuchAgent("There is no such agent.")
    return found


def agents_near(*, spot: Spot, radius_m: float, user: User, limit: int) -> list[NearAgent]:
    """Return the agents that were last seen nearest to a place, of those that somebody may see. Two queries."""
    found = NearbyList(agents_for(user), Circle(spot, radius_m)).page(limit=limit)
    return [NearAgent(agent, agent.distance_mm / _MM) for agent in found]


def agents_now(user: User) -> AgentQuerySet:
    """Return the agents on shift that somebody may see, by name; who is shut out is on none. One query."""
    return agents_for(user).filter(is_on_shift=True, user__status=User.Status.ACTIVE).order_by("user__name", "pk")
