"""What every change of assignments shares: locks in one order, the steps they take, and the loads of their agents.

Agents are locked before their assignments, each by their keys, so that two who change the same work never wait for
each other for ever.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Unavailable
from field_ops.models import Agent, Assignment, AssignmentStep
from field_ops.services.news import AGENTS_GROUP, tell, work_group

_ATTEMPTS = 5
_A_BATCH = 1_000


class _Moved(Exception):
    """Somebody gave an assignment to another agent between the two locks."""


@dataclass(frozen=True)
class Act:
    """What becomes of assignments, by whom, when and why."""

    name: str
    actor: Actor
    now: datetime
    reason: str = ""


def lock_agents(agent_ids: Iterable[UUID | None]) -> dict[UUID, Agent]:
    """Lock agents in the order of their keys; returns those that exist."""
    wanted = {key for key in agent_ids if key is not None}
    rows = Agent.objects.filter(pk__in=wanted).select_related("user").order_by("pk")
    return {agent.pk: agent for agent in rows.select_for_update(of=("self",), no_key=True)}


def lock_assignments(
    assignment_ids: Collection[UUID], *, also: Collection[UUID] = ()
) -> tuple[list[Assignment], dict[UUID, Agent]]:
    """Lock the agents of assignments and some others, then the assignments; returns these as they are now.

    :param also: further agents.
    :raises Unavailable: they went from hand to hand all the while.
    """
    for _ in range(_ATTEMPTS):
        try:
            # What a rolled back savepoint locked is free again, so the next attempt starts with agents too.
            with transaction.atomic():
                return _lock(assignment_ids, also)
        except _Moved:
            continue
    raise Unavailable("The work is being given out right now.")


def _lock(assignment_ids: Collection[UUID], also: Collection[UUID]) -> tuple[list[Assignment], dict[UUID, Agent]]:
    rows = Assignment.objects.filter(pk__in=assignment_ids).order_by("pk")
    agents = lock_agents([*also, *rows.values_list("agent_id", flat=True)])
    locked = list(rows.select_related("meter").select_for_update(of=("self",), no_key=True))
    for assignment in locked:
        if assignment.agent_id is None:
            continue
        if assignment.agent_id not in agents:
            raise _Moved
        assignment.agent = agents[assignment.agent_id]
    return locked, agents


def note(assignments: Sequence[Assignment], act: Act) -> None:
    """Write a step of each assignment, and who took it, in the transaction that changed them."""
    AssignmentStep.objects.bulk_create(
        (
            AssignmentStep(
                assignment=each,
                act=act.name,
                agent_id=each.agent_id,
                by=act.actor.user,
                at=act.now,
                reason=act.reason,
            )
            for each in assignments
        ),
        batch_size=_A_BATCH,
    )
    audit.record_all(
        action=f"assignment.{act.name}",
        objects=assignments,
        actor=act.actor,
        now=act.now,
        **({"reason": act.reason} if act.reason else {}),
    )


def count_loads(agents: Iterable[Agent]) -> None:
    """Write the loads of agents as their assignments have them, and tell pages; the caller holds the agents' locks."""
    touched = {agent.pk: agent for agent in agents}
    if not touched:
        return
    rows = Assignment.objects.open().filter(agent__in=touched, is_in_review=False).order_by()
    loads = dict(rows.values_list("agent").annotate(load=Count("pk")))
    for agent in touched.values():
        agent.current_load = loads.get(agent.pk, 0)
    Agent.objects.bulk_update(touched.values(), ("current_load",))
    tell(AGENTS_GROUP, *map(work_group, touched))
