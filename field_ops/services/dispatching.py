"""Single jobs that somebody or something asks for: they go to the nearest agent with room, or wait for one."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.actors import PORTAL, Actor
from energy_portal.shared.errors import Conflict, NotFound
from field_ops.models import Agent, Assignment
from field_ops.selectors.assignments import meters_to_read
from field_ops.services.assignments import assign
from field_ops.services.handing import AgentFull, Made
from field_ops.services.proposals import plan_for
from meters.models import DomainEvent, Meter


class NoSuchException(NotFound):
    """There is no such exception, or not for the one who asks."""

    code = "no_such_exception"


class NobodySent(Conflict):
    """No agent can be sent there now; the answer's code says why."""

    code = "nobody_sent"


@transaction.atomic
def send_agent(
    *,
    exception_id: UUID,
    actor: Actor,
    now: datetime,
    agent_id: UUID | None = None,
    due_at: datetime | None = None,
) -> Assignment:
    """Have the meter of a reading exception read by hand.

    :param agent_id: None for the nearest of the region with room; where there is none the work waits.
    :param due_at: None for the usual days from now.
    :raises NoSuchException: none, or not in the actor's regions.
    :raises NobodySent: somebody has the meter already, or it is out of service.
    :raises AgentFull: the agent named has no room.
    :raises NotAManager: the actor may send nobody.
    """
    meters = meters_to_read(actor.user).filter(registers__exceptions=exception_id)
    meter = meters.first()
    if meter is None:
        raise NoSuchException("There is no such exception.")
    made = dispatch(
        meter=meter, origin=Assignment.Origin.EXCEPTION, actor=actor, now=now, agent_id=agent_id, due_at=due_at
    )
    if not made.made:
        raise NobodySent(made.skipped[0].detail, code=made.skipped[0].code)
    return made.made[0]


@transaction.atomic
def dispatch(
    *,
    meter: Meter,
    origin: Assignment.Origin,
    now: datetime,
    actor: Actor = PORTAL,
    event: DomainEvent | None = None,
    agent_id: UUID | None = None,
    due_at: datetime | None = None,
) -> Made:
    """Give a meter to an agent, or, where none is named, to the nearest of its region with room, or to nobody yet.

    :raises AgentFull: the agent named has no room.
    """
    chosen = agent_id or _nearest(meter)
    while True:
        try:
            return assign(
                meter_ids=[meter.pk],
                agent_id=chosen,
                due_at=due_at,
                actor=actor,
                now=now,
                origin=origin,
                event=event,
            )
        except AgentFull:
            if agent_id is not None:
                raise
            # Others were faster in giving them work.
            chosen = _nearest(meter)


def _nearest(meter: Meter) -> UUID | None:
    if meter.region_id is None:
        return None
    plan, _ = plan_for([meter], Agent.objects.filter(region=meter.region_id))
    return plan.walks[0].agent if plan.walks else None
