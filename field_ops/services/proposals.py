"""Proposals of who reads what: made without writing anything, and confirmed as a manager left them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet, Sum

from accounts.actors import Actor
from accounts.models import User
from accounts.roles import Role
from energy_portal.shared.errors import Invalid
from field_ops.models import Agent, Assignment
from field_ops.proposing import Plan, Stop, Walker
from field_ops.proposing import propose as plan_of
from field_ops.selectors.assignments import agents_to_send, meters_to_read
from field_ops.services.handing import RANK, READABLE, Line, Made, Order, hand_out
from meters.models import Meter

MOST_METERS = 10_000
OPEN = "assignment_open"
NOT_IN_SERVICE = "meter_not_in_service"
UNKNOWN = "no_such_meter"


class WrongQuestion(Invalid):
    """A proposal is for meters, or for a region, and not for too many."""

    code = "wrong_question"


class Chosen(NamedTuple):
    """A meter that a manager wants to go to an agent, as the so-manieth of their way."""

    meter_id: UUID
    agent_id: UUID
    sequence: int = 0


@dataclass(frozen=True)
class Proposed:
    """An agent's way: its meters in order, its length, the minutes it takes, and their load with it."""

    agent: Agent
    meters: tuple[Meter, ...]
    length_m: float
    minutes: float

    @property
    def load(self) -> int:
        """What they would have to do."""
        return self.agent.current_load + len(self.meters)


@dataclass(frozen=True)
class LeftOver:
    """A meter that is proposed to nobody, and why; the meter is None where there is none for the one who asks."""

    meter_id: UUID
    meter: Meter | None
    reason: str


@dataclass(frozen=True)
class Proposal:
    """Who might take what, and what is left."""

    ways: tuple[Proposed, ...]
    left: tuple[LeftOver, ...]


def propose(
    *,
    actor: Actor,
    now: datetime,
    meter_ids: Sequence[UUID] | None = None,
    region_id: UUID | None = None,
    agent_ids: Collection[UUID] | None = None,
    waiting_only: bool = False,
) -> Proposal:
    """Propose who reads some meters, or those of a region that nobody has; nothing is written.

    :param agent_ids: whom to think of; None for everybody whom the actor may send.
    :param waiting_only: of a region only what has an assignment that waits for an agent.
    :raises WrongQuestion: not either meters or a region, or more than can be thought of at once.
    :raises NotAManager: the actor may give out nothing.
    """
    if (meter_ids is None) == (region_id is None):
        raise WrongQuestion("Name meters, or a region.")
    rows = meters_to_read(actor.user)
    if meter_ids is not None:
        rows = rows.filter(pk__in=meter_ids)
    else:
        rows = rows.filter(region=region_id, status__in=READABLE)
        taken = Assignment.objects.open().filter(agent__isnull=False).values("meter")
        rows = rows.exclude(pk__in=taken)
        if waiting_only:
            rows = rows.filter(pk__in=Assignment.objects.open().filter(agent=None).values("meter"))
    meters = {meter.pk: meter for meter in rows.order_by("serial")[: MOST_METERS + 1]}
    if max(len(meters), len(meter_ids or ())) > MOST_METERS:
        raise WrongQuestion(f"At most {MOST_METERS:,} meters at once.")
    asked = list(meters) if meter_ids is None else list(dict.fromkeys(meter_ids))
    unfit = _unfit(asked, meters)
    fit = [meters[key] for key in asked if key not in unfit]
    agents = agents_to_send(actor.user) if agent_ids is None else agents_to_send(actor.user).filter(pk__in=agent_ids)
    plan, team = plan_for(fit, agents)
    left = unfit | {key: reason.value for key, reason in plan.left}
    return Proposal(
        tuple(
            Proposed(team[walk.agent], tuple(meters[key] for key in walk.stops), walk.length_m, walk.minutes)
            for walk in plan.walks
        ),
        tuple(LeftOver(key, meters.get(key), left[key]) for key in asked if key in left),
    )


@transaction.atomic
def confirm(
    *,
    lines: Sequence[Chosen],
    due_at: datetime | None,
    actor: Actor,
    now: datetime,
    beyond_max_load: bool = False,
) -> Made:
    """Give out what a manager chose, in each agent's order; what changed meanwhile is reported and hinders nothing.

    :param due_at: None for the usual days from now.
    :raises WrongQuestion: more than can be given out at once.
    :raises DueInThePast: it would be overdue at once.
    :raises NotAManager: the actor may give out nothing.
    """
    if len(lines) > MOST_METERS:
        raise WrongQuestion(f"At most {MOST_METERS:,} meters at once.")
    ordered = sorted(lines, key=lambda line: (str(line.agent_id), line.sequence))
    return hand_out(
        lines=[Line(line.meter_id, line.agent_id) for line in ordered],
        order=Order(due_at, actor, now, Assignment.Origin.PROPOSAL, beyond_max_load=beyond_max_load),
    )


def plan_for(meters: Sequence[Meter], agents: QuerySet[Agent]) -> tuple[Plan, Mapping[UUID, Agent]]:
    """Plan who of some agents reads what, as they are now; returns the agents that were thought of, too."""
    at_work = agents.filter(user__role=Role.AGENT, user__status=User.Status.ACTIVE)
    team = {agent.pk: agent for agent in at_work.select_related("user", "region")}
    waiting = _waiting(meters)
    return plan_of([_stop(meter, waiting) for meter in meters], _walkers(team.values())), team


def _unfit(asked: Iterable[UUID], meters: Mapping[UUID, Meter]) -> dict[UUID, str]:
    taken = Assignment.objects.open().filter(agent__isnull=False, meter__in=meters)
    found = dict.fromkeys(taken.values_list("meter_id", flat=True), OPEN)
    for key in asked:
        if key not in meters:
            found[key] = UNKNOWN
        elif meters[key].status not in READABLE:
            found[key] = NOT_IN_SERVICE
    return found


def _waiting(meters: Sequence[Meter]) -> dict[UUID, Assignment]:
    rows = Assignment.objects.open().filter(agent=None, meter__in=meters)
    return {each.meter_id: each for each in rows}


def _stop(meter: Meter, waiting: Mapping[UUID, Assignment]) -> Stop:
    """Return a meter as it is to be read: what waits there already says by when, and how much it matters."""
    known = waiting.get(meter.pk)
    return Stop(
        key=meter.pk,
        latitude=meter.latitude,
        longitude=meter.longitude,
        rank=RANK[Meter.Priority(known.priority if known else meter.priority)],
        minutes=meter.estimated_time,
        due_at=known.due_at if known else None,
        region=meter.region_id,
    )


def _walkers(team: Collection[Agent]) -> list[Walker]:
    """Return agents as they are: where they were last seen, or else in the middle of their region."""
    rows = Assignment.objects.open().filter(agent__in=team, is_in_review=False).order_by()
    minutes = dict(rows.values_list("agent").annotate(total=Sum("estimated_time")))
    walkers = []
    for agent in team:
        place = agent if agent.latitude is not None or agent.region is None else agent.region
        walkers.append(
            Walker(
                key=agent.pk,
                latitude=place.latitude,
                longitude=place.longitude,
                load=agent.current_load,
                max_load=agent.max_load,
                minutes=minutes.get(agent.pk, 0),
                region=agent.region_id,
            )
        )
    return walkers
