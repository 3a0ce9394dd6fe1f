"""Give meters to agents, in one transaction: each meter once, no agent more than they can take.

Whoever comes second at a meter is told so. Rows that wait without an agent are locked first, new ones are written next,
in the order of their meters, and those that waited are changed last: so two who give out the same meters never wait for
each other for ever.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from accounts.actors import Actor
from accounts.roles import Role
from energy_portal.shared.clock import zone
from energy_portal.shared.errors import Conflict, Invalid
from field_ops.models import Agent, AgentNotice, Assignment, RoundRun
from field_ops.selectors.assignments import agents_to_send, meters_to_read
from field_ops.services.ledger import Act, count_loads, lock_agents, note
from field_ops.services.notices import notify
from meters.models import DomainEvent, Meter

READABLE = (Meter.Status.ACTIVE, Meter.Status.MAINTENANCE)
RANK = {priority: rank for rank, priority in enumerate(reversed(Meter.Priority.values))}
_A_BATCH = 1_000
_Status = Assignment.Status


class DueInThePast(Invalid):
    """Nothing can be done by then."""

    code = "due_in_the_past"


class AgentFull(Conflict):
    """An agent would have more to do than they can take."""

    code = "agent_full"


class Line(NamedTuple):
    """A meter for an agent, or, without one, for somebody yet to be found."""

    meter_id: UUID
    agent_id: UUID | None
    priority: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A meter that was not given out, and why."""

    meter_id: UUID
    agent_id: UUID | None
    code: str
    detail: str


@dataclass(frozen=True)
class Made:
    """What became of meters that were to be given out."""

    made: tuple[Assignment, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Order:
    """What all lines share; ``due_at`` None stands for the usual days.

    ``all_or_none`` refuses everything where an agent has no room for all that is to be theirs.
    """

    due_at: datetime | None
    actor: Actor
    now: datetime
    origin: Assignment.Origin
    round_run: RoundRun | None = None
    event: DomainEvent | None = None
    beyond_max_load: bool = False
    all_or_none: bool = False

    @property
    def due(self) -> datetime:
        """By when it is to be done."""
        return self.due_at or self.now + timedelta(days=settings.FIELD_DUE_DAYS)


@dataclass
class _Sheet:
    """Lines as they are looked at: those still good, and those that are not."""

    good: list[Line]
    skipped: list[Skipped] = field(default_factory=list)

    def drop(self, refusals: Mapping[UUID, tuple[str, str]]) -> None:
        """Move the lines of some meters to what is skipped, with code and detail."""
        for line in self.good:
            if line.meter_id in refusals:
                self.skipped.append(Skipped(line.meter_id, line.agent_id, *refusals[line.meter_id]))
        self.good = [line for line in self.good if line.meter_id not in refusals]


@transaction.atomic
def hand_out(*, lines: Sequence[Line], order: Order) -> Made:
    """Give out meters in the order of their lines, each agent's way; what cannot be is skipped with its reason.

    A meter whose assignment waits without an agent is taken from there. Where an agent has no room for all, the
    meters that matter most stay, in their order.

    :raises AgentFull: an agent has no room for all, and the order wants all or none.
    :raises DueInThePast: it would be overdue at once.
    :raises NotAManager: the actor may give out nothing.
    """
    if order.due <= order.now:
        raise DueInThePast("Work cannot be due in the past.")
    agents = lock_agents({line.agent_id for line in lines})
    first: dict[UUID, Line] = {}
    for line in lines:
        first.setdefault(line.meter_id, line)
    sheet = _Sheet(list(first.values()))
    meters = meters_to_read(order.actor.user).in_bulk([line.meter_id for line in sheet.good])
    _drop_unfit(sheet, meters, agents, order)
    waiting = _waiting(sheet)
    _drop_open(sheet, waiting)
    if not order.beyond_max_load:
        _drop_full(sheet, meters, agents, order)
    places = _places(sheet, agents)
    new = _new(sheet, meters, waiting, order)
    for each in new:
        each.sequence = places[each.meter_id]
    Assignment.objects.bulk_create(sorted(new, key=_by_meter), batch_size=_A_BATCH, ignore_conflicts=True)
    written = set(Assignment.objects.filter(pk__in=[each.pk for each in new]).values_list("pk", flat=True))
    sheet.drop({each.meter_id: _OPEN for each in new if each.pk not in written})
    taken = _take(sheet, waiting, places, order)
    made = {each.meter_id: each for each in (*taken, *(each for each in new if each.pk in written))}
    found = [made[line.meter_id] for line in sheet.good]
    for each in found:
        each.agent = agents.get(each.agent_id) if each.agent_id else None
    _tell_all(found, agents, order)
    return Made(tuple(found), tuple(sheet.skipped))


_OPEN = ("assignment_open", "It has an open assignment already.")


def _by_meter(assignment: Assignment) -> UUID:
    return assignment.meter_id


def _drop_unfit(sheet: _Sheet, meters: Mapping[UUID, Meter], agents: Mapping[UUID, Agent], order: Order) -> None:
    allowed = set(agents_to_send(order.actor.user).filter(pk__in=agents).values_list("pk", flat=True))
    refusals: dict[UUID, tuple[str, str]] = {}
    for meter_id, agent_id, _ in sheet.good:
        meter = meters.get(meter_id)
        if meter is None:
            refusals[meter_id] = ("no_such_meter", "There is no such meter.")
        elif meter.status not in READABLE:
            refusals[meter_id] = ("meter_not_in_service", f"The meter is {meter.get_status_display().lower()}.")
        elif agent_id is not None and agent_id not in allowed:
            refusals[meter_id] = ("no_such_agent", "There is no such agent.")
        elif agent_id is not None and not is_at_work(agents[agent_id]):
            refusals[meter_id] = ("agent_not_active", f"{agents[agent_id]} may not log in as an agent.")
    sheet.drop(refusals)


def is_at_work(agent: Agent) -> bool:
    """Tell whether an agent may be given work: their login is active, and an agent's."""
    return agent.user.is_active and agent.user.role == Role.AGENT


def _waiting(sheet: _Sheet) -> dict[UUID, Assignment]:
    """Lock what waits without an agent at the meters that are to have one."""
    wanted = [line.meter_id for line in sheet.good if line.agent_id is not None]
    rows = Assignment.objects.open().filter(meter__in=wanted, agent=None).order_by("pk")
    return {each.meter_id: each for each in rows.select_for_update(of=("self",), no_key=True)}


def _drop_open(sheet: _Sheet, waiting: Mapping[UUID, Assignment]) -> None:
    rows = Assignment.objects.open().filter(meter__in=[line.meter_id for line in sheet.good])
    taken = set(rows.values_list("meter_id", flat=True)) - waiting.keys()
    sheet.drop(dict.fromkeys(taken, _OPEN))


def _drop_full(sheet: _Sheet, meters: Mapping[UUID, Meter], agents: Mapping[UUID, Agent], order: Order) -> None:
    by_agent: dict[UUID, list[Line]] = defaultdict(list)
    for line in sheet.good:
        if line.agent_id is not None:
            by_agent[line.agent_id].append(line)
    refusals: dict[UUID, tuple[str, str]] = {}
    for agent_id, lines in by_agent.items():
        agent = agents[agent_id]
        if order.all_or_none:
            require_room(agent, len(lines))
        lines.sort(key=lambda line: RANK[line.priority or meters[line.meter_id].priority])
        beyond = lines[room_of(agent) :]
        detail = f"{agent} has room for {room_of(agent)} more."
        refusals |= {line.meter_id: ("agent_full", detail) for line in beyond}
    sheet.drop(refusals)


def room_of(agent: Agent) -> int:
    """Return how many more an agent can take."""
    return max(0, agent.max_load - agent.current_load)


def require_room(agent: Agent, count: int) -> None:
    """Refuse what an agent has no room for; the caller has locked their row.

    :raises AgentFull: it names the agent.
    """
    if count > room_of(agent):
        raise AgentFull(
            f"{agent} has {agent.current_load} of {agent.max_load} and no room for {count} more.",
            extra={
                "agent": {
                    "id": str(agent.pk),
                    "name": str(agent),
                    "load": agent.current_load,
                    "max_load": agent.max_load,
                }
            },
        )


def _new(
    sheet: _Sheet, meters: Mapping[UUID, Meter], waiting: Mapping[UUID, Assignment], order: Order
) -> list[Assignment]:
    return [
        Assignment(
            meter=meters[line.meter_id],
            agent_id=line.agent_id,
            origin=order.origin,
            round_run=order.round_run,
            event=order.event,
            priority=line.priority or meters[line.meter_id].priority,
            estimated_time=meters[line.meter_id].estimated_time,
            due_at=order.due,
            assigned_at=order.now if line.agent_id else None,
            assigned_by=order.actor.user if line.agent_id else None,
        )
        for line in sheet.good
        if line.meter_id not in waiting
    ]


def _take(
    sheet: _Sheet, waiting: Mapping[UUID, Assignment], places: Mapping[UUID, int], order: Order
) -> list[Assignment]:
    taken = []
    for line in sheet.good:
        assignment = waiting.get(line.meter_id)
        if assignment is None:
            continue
        assignment.agent_id, assignment.status = line.agent_id, _Status.PENDING
        assignment.sequence = places[line.meter_id]
        assignment.priority = line.priority or assignment.priority
        assignment.due_at, assignment.updated_at = order.due, order.now
        assignment.assigned_at, assignment.assigned_by = order.now, order.actor.user
        taken.append(assignment)
    Assignment.objects.bulk_update(
        taken,
        ("agent", "status", "sequence", "priority", "due_at", "assigned_at", "assigned_by", "updated_at"),
        batch_size=_A_BATCH,
    )
    return taken


def _places(sheet: _Sheet, agents: Mapping[UUID, Agent]) -> dict[UUID, int]:
    """Return each meter's place on its agent's way, behind what they have; 0 for those without an agent."""
    rows = Assignment.objects.open().filter(agent__in=agents).order_by()
    last = defaultdict(int, rows.values_list("agent").annotate(last=Max("sequence")))
    places = {}
    for line in sheet.good:
        if line.agent_id is not None:
            last[line.agent_id] += 1
        places[line.meter_id] = last[line.agent_id] if line.agent_id is not None else 0
    return places


def _tell_all(found: Sequence[Assignment], agents: Mapping[UUID, Agent], order: Order) -> None:
    by_agent: dict[UUID, list[Assignment]] = defaultdict(list)
    for assignment in found:
        if assignment.agent_id is not None:
            by_agent[assignment.agent_id].append(assignment)
    note([each for each in found if each.agent_id is not None], Act("assigned", order.actor, order.now))
    note([each for each in found if each.agent_id is None], Act("opened", order.actor, order.now))
    count_loads(agents[key] for key in by_agent)
    for agent_id, mine in by_agent.items():
        notify(
            agent_id=agent_id,
            kind=AgentNotice.Kind.ASSIGNED,
            assignment=mine[0],
            text=f"{how_many(mine)} to read by {local(order.due)}.",
            now=order.now,
        )


def how_many(assignments: Sequence[Assignment]) -> str:
    """Return how many meters, in words for a person; a single one by its serial number."""
    return assignments[0].meter.serial if len(assignments) == 1 else f"{len(assignments)} meters"


def local(instant: datetime) -> str:
    """Return an instant on the site's clock, for a person."""
    return f"{timezone.localtime(instant, zone(settings.SITE_ZONE)):%Y-%m-%d %H:%M}"
