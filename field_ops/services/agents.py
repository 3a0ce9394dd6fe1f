"""Agents: who reads meters in the street, where, how much, and whether they can just now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.models import User
from accounts.roles import Role
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.errors import Conflict, Invalid
from field_ops.models import Agent, Shift
from field_ops.selectors.agents import NoSuchAgent
from field_ops.services.news import AGENTS_GROUP, tell
from meters.models import Region

CHANGEABLE = frozenset({"region_id", "max_load", "location_id"})
_ON_SHIFT = frozenset({Agent.Status.AVAILABLE, Agent.Status.BUSY, Agent.Status.ON_BREAK})


class NotAnAgentsLogin(Invalid):
    """A login is nobody's, or not of the role agent."""

    code = "not_an_agents_login"


class AgentExists(Conflict):
    """A login has its agent already."""

    code = "agent_exists"


class NotOnShift(Conflict):
    """Only who is on shift can do this."""

    code = "not_on_shift"


@transaction.atomic
def create_agent(
    *, user_id: UUID, region_id: UUID | None, max_load: int, location_id: str, actor: Actor, now: datetime
) -> Agent:
    """Let somebody with the role agent take work.

    :raises NotAnAgentsLogin: there is no such login, or it has another role.
    :raises AgentExists: it has an agent already.
    :raises Invalid: there is no such region, or a value breaks its field's rule.
    """
    user = User.objects.filter(pk=user_id, role=Role.AGENT).first()
    if user is None:
        raise NotAnAgentsLogin("An agent is somebody whose login has the role agent.")
    agent = Agent(user=user, region_id=region_id, max_load=max_load, location_id=location_id)
    _check(agent)
    try:
        with transaction.atomic():
            agent.save()
    except IntegrityError as error:
        raise AgentExists(f"{user.name} is an agent already.") from error
    audit.record(action="agent.created", obj=agent, actor=actor, now=now, user=user.pk, region=region_id)
    tell(AGENTS_GROUP)
    return agent


@transaction.atomic
def change_agent(*, agent_id: UUID, changes: Mapping[str, Any], actor: Actor, now: datetime) -> Agent:
    """Change where an agent works and how much they take; what they have stays with them.

    :param changes: by name: region_id, max_load, location_id.
    :raises NoSuchAgent: there is no such agent.
    :raises Invalid: a field that cannot be changed so, or a value that breaks its rule.
    """
    if unknown := sorted(changes.keys() - CHANGEABLE):
        raise Invalid(f"These cannot be changed: {', '.join(unknown)}.")
    agent = locked_agent(agent_id)
    before = {name: getattr(agent, name) for name in changes}
    for name, value in changes.items():
        setattr(agent, name, value)
    _check(agent)
    agent.save(update_fields=[*changes, "updated_at"])
    audit.record(action="agent.changed", obj=agent, actor=actor, now=now, before=before, after=dict(changes))
    tell(AGENTS_GROUP)
    return agent


@transaction.atomic
def set_status(*, agent_id: UUID, status: Agent.Status | str, now: datetime) -> Agent:
    """Say, during a shift, whether an agent is available, busy or on a break; offline is who is on no shift.

    :raises NoSuchAgent: there is no such agent.
    :raises NotOnShift: they are on no shift.
    :raises Invalid: another status.
    """
    if status not in _ON_SHIFT:
        raise Invalid("On shift one is available, busy or on_break; a shift's end makes one offline.")
    agent = locked_agent(agent_id)
    if not Shift.objects.filter(agent=agent, ended_at=None).exists():
        raise NotOnShift("Start a shift first.")
    if agent.status != status:
        before = agent.status
        put_status(agent, Agent.Status(status))
        actor = Actor(user=agent.user)
        audit.record(action="agent.status_set", obj=agent, actor=actor, now=now, before=before, after=agent.status)
    return agent


def put_status(agent: Agent, status: Agent.Status) -> None:
    """Write the status of an agent whose row is locked."""
    agent.status = status
    agent.save(update_fields=["status", "updated_at"])
    tell(AGENTS_GROUP)


def locked_agent(agent_id: UUID) -> Agent:
    """Lock an agent until the transaction ends; whoever locks several does so by key, and before their work.

    :raises NoSuchAgent: there is no such agent.
    """
    rows = Agent.objects.select_for_update(of=("self",)).select_related("user")
    agent: Agent | None = rows.filter(pk=agent_id).first()
    if agent is None:
        raise NoSuchAgent("There is no such agent.")
    return agent


def _check(agent: Agent) -> None:
    check_fields(agent, exclude={"user"})
    if agent.region_id is not None and not Region.objects.filter(pk=agent.region_id).exists():
        raise Invalid("There is no such region.", code="no_such_region")
