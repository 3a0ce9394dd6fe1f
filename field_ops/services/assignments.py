"""Give out work, take it back, and move it on; every step is kept with who, when and why.

What review does with an assignment happens in the review's own transaction, after ``lock_work``.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from accounts.actors import PORTAL, Actor
from energy_portal.shared.errors import Conflict, DomainError, Forbidden
from field_ops.models import Agent, AgentNotice, Assignment, RoundRun
from field_ops.selectors.agents import NoSuchAgent
from field_ops.selectors.assignments import NoSuchAssignment, agents_to_send, require_manager
from field_ops.services.handing import Line, Made, Order, hand_out, how_many, is_at_work, require_room
from field_ops.services.ledger import Act, count_loads, lock_agents, lock_assignments, note
from field_ops.services.news import AGENTS_GROUP, tell, work_group
from field_ops.services.notices import notify
from field_ops.workflow import require_free, require_in_review, require_open, require_transition
from meters.models import DomainEvent
from meters.services.exceptions import reason_of

_OVERDUE_A_CALL = 500
_A_BATCH = 1_000
_OF_A_MOVE = (
    "agent",
    "status",
    "started_at",
    "sequence",
    "assigned_at",
    "assigned_by",
    "closing_reason",
    "updated_at",
)
_Kind = AgentNotice.Kind
_Status = Assignment.Status


class AgentNotActive(Conflict):
    """An agent who may not log in can be given nothing."""

    code = "agent_not_active"


class NotYours(Forbidden):
    """Work is started by the agent who has it."""

    code = "not_your_assignment"


@dataclass(frozen=True)
class Refused:
    """An assignment that stayed as it was, and why."""

    assignment_id: UUID
    code: str
    detail: str


@dataclass(frozen=True)
class Changed:
    """What became of assignments that were to be changed."""

    changed: tuple[Assignment, ...]
    refused: tuple[Refused, ...]


@transaction.atomic
def assign(  # noqa: PLR0913
    *,
    meter_ids: Sequence[UUID],
    agent_id: UUID | None,
    due_at: datetime | None,
    actor: Actor,
    now: datetime,
    origin: Assignment.Origin = Assignment.Origin.MANUAL,
    priorities: Mapping[UUID, str] | None = None,
    round_run: RoundRun | None = None,
    event: DomainEvent | None = None,
    beyond_max_load: bool = False,
) -> Made:
    """Give meters to an agent, in the order of their way; without one, open work for somebody yet to be found.

    Meters that have an open assignment, or cannot be read, are skipped with their reason.

    :param due_at: None for the usual days from now.
    :param priorities: by meter, where they differ from the meter's own.
    :param beyond_max_load: give them all even if the agent then has more than they can take.
    :raises NoSuchAgent: none, or not for the actor.
    :raises AgentNotActive: they may not log in.
    :raises AgentFull: they have not enough room, and nothing is given to them.
    :raises DueInThePast: it would be overdue at once.
    :raises NotAManager: the actor may give out nothing.
    """
    if agent_id is not None:
        _require_fit(lock_agents([agent_id]).get(agent_id), actor)
    chosen = priorities or {}
    return hand_out(
        lines=[Line(meter_id, agent_id, chosen.get(meter_id)) for meter_id in meter_ids],
        order=Order(due_at, actor, now, origin, round_run, event, beyond_max_load, all_or_none=True),
    )


@transaction.atomic
def reassign(
    *,
    assignment_ids: Collection[UUID],
    agent_id: UUID | None,
    reason: str,
    actor: Actor,
    now: datetime,
    beyond_max_load: bool = False,
) -> Changed:
    """Give open work to another agent, or, without one, take it back until somebody is found.

    What is closed, in review or theirs already is refused, each with its reason.

    :raises NoReason: the reason says nothing.
    :raises NoSuchAgent: none, or not for the actor.
    :raises AgentNotActive: they may not log in.
    :raises AgentFull: they have not enough room, and nothing is given to them.
    :raises NotAManager: the actor may give out nothing.
    """
    act = Act("reassigned" if agent_id else "taken_back", actor, now, reason_of(reason))
    rows, agents, refused = _lock_free(assignment_ids, actor, also=[agent_id] if agent_id else [])
    chosen: Agent | None = None
    if agent_id is not None:
        chosen = _require_fit(agents.get(agent_id), actor)
    same = [each for each in rows if each.agent_id == agent_id]
    refused += [Refused(each.pk, "same_agent", "It is with them already.") for each in same]
    rows = [each for each in rows if each.agent_id != agent_id]
    if chosen is not None and not beyond_max_load:
        require_room(chosen, len(rows))
    _tell_former(rows, "no longer yours", act)
    _move_to(chosen, rows, act)
    count_loads(agents.values())
    if chosen is not None and rows:
        text = f"{how_many(rows)} to read, from another agent: {act.reason}"
        notify(agent_id=chosen.pk, kind=_Kind.ASSIGNED, assignment=rows[0], text=text, now=now)
    return Changed(tuple(rows), tuple(refused))


@transaction.atomic
def cancel(*, assignment_ids: Collection[UUID], reason: str, actor: Actor, now: datetime) -> Changed:
    """Cancel open work; what is closed or in review is refused, each with its reason.

    :raises NoReason: the reason says nothing.
    :raises NotAManager: the actor may cancel nothing.
    """
    act = Act("cancelled", actor, now, reason_of(reason))
    rows, agents, refused = _lock_free(assignment_ids, actor)
    for assignment in rows:
        require_transition(assignment, _Status.CANCELLED)
        assignment.status, assignment.closing_reason = _Status.CANCELLED, act.reason
    Assignment.objects.filter(pk__in=[each.pk for each in rows]).update(
        status=_Status.CANCELLED, closing_reason=act.reason, updated_at=now
    )
    note(rows, act)
    count_loads(agents.values())
    _tell_former(rows, "cancelled", act)
    return Changed(tuple(rows), tuple(refused))


@transaction.atomic
def start(*, assignment_id: UUID, actor: Actor, now: datetime) -> Assignment:
    """Note that its agent is at it; said again it changes nothing.

    :raises NoSuchAssignment: none, or not for the actor.
    :raises NotYours: somebody else has it.
    :raises CannotMove: it is closed.
    """
    user = actor.user
    if user is None or not Assignment.objects.visible_to(user).filter(pk=assignment_id).exists():
        raise NoSuchAssignment("There is no such assignment.")
    assignment = lock_work(assignment_id)
    if assignment.agent is None or assignment.agent.user_id != user.pk:
        raise NotYours("Only the agent who has it can start it.")
    require_open(assignment)
    if assignment.started_at is not None:
        return assignment
    return _move(assignment, _Status.IN_PROGRESS, Act("started", actor, now), started_at=now)


def lock_work(assignment_id: UUID) -> Assignment:
    """Lock an assignment in the caller's transaction, its agent first; returns it as it is now.

    :raises NoSuchAssignment: there is none.
    """
    rows, _ = lock_assignments([assignment_id])
    if not rows:
        raise NoSuchAssignment("There is no such assignment.")
    return rows[0]


@transaction.atomic
def put_in_review(assignment: Assignment, *, now: datetime) -> Assignment:
    """Note that what was brought for it is to be decided on: it is no load on its agent meanwhile.

    :raises CannotMove: it is closed.
    :raises InReview: something else that was brought for it is being decided on.
    """
    require_free(assignment)
    return _move(
        assignment,
        _Status.IN_PROGRESS,
        Act("submitted", Actor(user=assignment.agent.user) if assignment.agent else PORTAL, now),
        is_in_review=True,
        started_at=assignment.started_at or now,
    )


@transaction.atomic
def bring_back(assignment: Assignment, *, reason: str, actor: Actor, now: datetime) -> Assignment:
    """Send it back to its agent, who hears why.

    :raises NotInReview: nothing waits for a decision.
    :raises CannotMove: it is closed.
    """
    require_in_review(assignment)
    moved = _move(assignment, _Status.IN_PROGRESS, Act("returned", actor, now, reason), is_in_review=False)
    _tell(moved, _Kind.RETURNED, f"{moved.meter.serial} sent back: {reason}", now)
    return moved


@transaction.atomic
def complete(assignment: Assignment, *, notes: str, actor: Actor, now: datetime) -> Assignment:
    """Close it with what was brought for it approved.

    :raises NotInReview: nothing waits for a decision.
    :raises CannotMove: it is closed.
    """
    require_in_review(assignment)
    moved = _move(
        assignment,
        _Status.COMPLETED,
        Act("completed", actor, now, notes),
        is_in_review=False,
        completed_at=now,
        completion_notes=notes,
    )
    _tell(moved, _Kind.APPROVED, f"{moved.meter.serial} approved.", now)
    return moved


@transaction.atomic
def give_up(assignment: Assignment, *, reason: str, actor: Actor, now: datetime) -> Assignment:
    """Close it with what was brought for it rejected.

    :raises NotInReview: nothing waits for a decision.
    :raises CannotMove: it is closed.
    """
    require_in_review(assignment)
    moved = _move(
        assignment, _Status.CANCELLED, Act("rejected", actor, now, reason), is_in_review=False, closing_reason=reason
    )
    _tell(moved, _Kind.REJECTED, f"{moved.meter.serial} rejected: {reason}", now)
    return moved


@transaction.atomic
def mark_overdue(*, now: datetime) -> int:
    """Mark some of the work that is past its due date; returns how much, to be called again until it is none."""
    late = Assignment.objects.filter(
        status__in=(_Status.PENDING, _Status.IN_PROGRESS), is_in_review=False, due_at__lte=now
    )
    found = late.order_by("due_at").values_list("pk", flat=True)[:_OVERDUE_A_CALL]
    locked, agents = lock_assignments(list(found))
    moved = [each for each in locked if _is_late(each, now)]
    for assignment in moved:
        require_transition(assignment, _Status.OVERDUE)
    Assignment.objects.filter(pk__in=[each.pk for each in moved]).update(status=_Status.OVERDUE, updated_at=now)
    note(moved, Act("overdue", PORTAL, now))
    if moved:
        tell(AGENTS_GROUP, *map(work_group, agents))
    return len(moved)


def _is_late(assignment: Assignment, now: datetime) -> bool:
    return (
        assignment.status in {_Status.PENDING, _Status.IN_PROGRESS}
        and not assignment.is_in_review
        and assignment.due_at is not None
        and assignment.due_at <= now
    )


def _move(assignment: Assignment, target: Assignment.Status, act: Act, **changes: object) -> Assignment:
    """Take a step with a locked assignment; one that is overdue stays so until it is closed."""
    if target != assignment.status and not (target == _Status.IN_PROGRESS and assignment.status == _Status.OVERDUE):
        require_transition(assignment, target)
        assignment.status = target
    for name, value in changes.items():
        setattr(assignment, name, value)
    assignment.save()
    note([assignment], act)
    count_loads([assignment.agent] if assignment.agent else [])
    return assignment


def _tell(assignment: Assignment, kind: AgentNotice.Kind, text: str, now: datetime) -> None:
    if assignment.agent_id is not None:
        notify(agent_id=assignment.agent_id, kind=kind, assignment=assignment, text=text, now=now)


def _require_fit(agent: Agent | None, actor: Actor) -> Agent:
    if agent is None or not agents_to_send(actor.user).filter(pk=agent.pk).exists():
        raise NoSuchAgent("There is no such agent.")
    if not is_at_work(agent):
        raise AgentNotActive(f"{agent} may not log in as an agent.")
    return agent


def _lock_free(
    assignment_ids: Collection[UUID], actor: Actor, *, also: Collection[UUID] = ()
) -> tuple[list[Assignment], dict[UUID, Agent], list[Refused]]:
    """Lock assignments, and part them into those that may be changed, by their agents' ways, and those that may not."""
    require_manager(actor.user)
    rows = Assignment.objects.visible_to(actor.user) if actor.user else Assignment.objects.all()
    seen = set(rows.filter(pk__in=assignment_ids).values_list("pk", flat=True))
    unknown = [key for key in dict.fromkeys(assignment_ids) if key not in seen]
    refused = [Refused(key, NoSuchAssignment.code, "There is no such assignment.") for key in unknown]
    locked, agents = lock_assignments(seen, also=also)
    free = []
    for assignment in locked:
        try:
            require_free(assignment)
        except DomainError as error:
            refused.append(Refused(assignment.pk, error.code, error.detail))
        else:
            free.append(assignment)
    return sorted(free, key=lambda each: (str(each.agent_id), each.sequence)), agents, refused


def _move_to(chosen: Agent | None, rows: Sequence[Assignment], act: Act) -> None:
    """Put locked assignments at the end of an agent's way; who had them has not started them for the new one."""
    last = 0
    if chosen is not None:
        walk = Assignment.objects.open().filter(agent=chosen).aggregate(last=Max("sequence"))
        last = walk["last"] or 0
    for place, assignment in enumerate(rows, start=last + 1):
        if assignment.status == _Status.IN_PROGRESS:
            require_transition(assignment, _Status.PENDING)
            assignment.status = _Status.PENDING
        assignment.agent, assignment.started_at = chosen, None
        assignment.sequence = place if chosen else 0
        assignment.assigned_at = act.now if chosen else None
        assignment.assigned_by = act.actor.user if chosen else None
        assignment.closing_reason, assignment.updated_at = act.reason, act.now
    Assignment.objects.bulk_update(rows, _OF_A_MOVE, batch_size=_A_BATCH)
    note(rows, act)


def _tell_former(rows: Sequence[Assignment], what: str, act: Act) -> None:
    by_agent: dict[UUID, list[Assignment]] = defaultdict(list)
    for assignment in rows:
        if assignment.agent_id is not None:
            by_agent[assignment.agent_id].append(assignment)
    for agent_id, theirs in by_agent.items():
        notify(
            agent_id=agent_id,
            kind=_Kind.CANCELLED,
            assignment=theirs[0],
            text=f"{how_many(theirs)} {what}: {act.reason}",
            now=act.now,
        )
