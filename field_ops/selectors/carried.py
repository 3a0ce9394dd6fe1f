"""What an agent's phone carries along: their work, the news about it, and what became of what they sent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery

from field_ops.models import Agent, AgentNotice, Assignment, Shift, Submission
from meters.models import Register, RegisterReading

SUBMISSIONS_CARRIED = 60
NOTICES_CARRIED = 30
_LOOK_BACK = timedelta(days=100)
_SLACK = timedelta(days=45)
_HIGHEST_MULTIPLE = 3
_LEAST_SLACK = Decimal(20)
_DAY = timedelta(days=1)

Bounds = tuple[Decimal, Decimal]


@dataclass(frozen=True)
class Dial:
    """A register as it is read by hand; ``plausible`` are ranges (both ends in it), empty where nothing is known."""

    code: str
    unit: str
    digits: int
    decimals: int
    plausible: tuple[Bounds, ...]


@dataclass(frozen=True)
class Task:
    """An open assignment with the dials of its meter, and the submission that was sent back, if one was."""

    assignment: Assignment
    dials: tuple[Dial, ...]
    returned: Submission | None


@dataclass(frozen=True)
class Carried:
    """All of it as it stood at ``as_of``."""

    agent: Agent
    is_on_shift: bool
    tasks: tuple[Task, ...]
    notices: tuple[AgentNotice, ...]
    submissions: tuple[Submission, ...]
    as_of: datetime


def carried_by(agent: Agent, *, now: datetime) -> Carried:
    """Return what an agent's phone should know. Six queries, whatever there is to do."""
    assignments = list(
        Assignment.objects.filter(agent=agent).open().select_related("meter").order_by("sequence", "due_at", "id")
    )
    submissions = tuple(
        Submission.objects.filter(agent=agent)
        .select_related("meter", "register", "approval")
        .order_by("-received_at", "id")[:SUBMISSIONS_CARRIED]
    )
    dials = _dials([assignment.meter_id for assignment in assignments], now=now)
    returned = _returned([assignment.pk for assignment in assignments])
    return Carried(
        agent=agent,
        is_on_shift=Shift.objects.filter(agent=agent, ended_at=None).exists(),
        tasks=tuple(
            Task(assignment, dials.get(assignment.meter_id, ()), returned.get(assignment.pk))
            for assignment in assignments
        ),
        notices=tuple(AgentNotice.objects.filter(agent=agent, seen_at=None)[:NOTICES_CARRIED]),
        submissions=submissions,
        as_of=now,
    )


def plausible_ranges(
    *, last: Decimal, a_day: Decimal, days: Decimal, modulus: Decimal
) -> tuple[tuple[Decimal, Decimal], ...]:
    """Say what a dial may well show, so coarsely that nobody can tell from it what it showed before.

    Below the last value there is room for a month and a half of use, above it for three times what is expected and
    as much room; both ends are then rounded outwards, to a power of ten of about that room.

    :param a_day: what it has grown a day.
    :param days: since the last value.
    :returns: one range, or two where the dial may have turned over.
    """
    slack = max(a_day * Decimal(_SLACK / _DAY), _LEAST_SLACK)
    grain = Decimal(10) ** (slack.adjusted())
    low = ((last - slack) / grain).to_integral_value(ROUND_FLOOR) * grain
    high = ((last + _HIGHEST_MULTIPLE * a_day * days + slack) / grain).to_integral_value(ROUND_CEILING) * grain
    if high - low >= modulus:
        return ()
    if high > modulus:
        return (max(low, Decimal(0)), modulus), (Decimal(0), high - modulus)
    return ((max(low, Decimal(0)), high),)


def _dials(meter_ids: Iterable[UUID], *, now: datetime) -> dict[UUID, tuple[Dial, ...]]:
    """Return the dials of meters, each with what it may well show by now."""
    found: dict[UUID, tuple[Dial, ...]] = {}
    registers = _with_growth(Register.objects.filter(meter__in=list(meter_ids)))
    for register in registers.filter(kind=Register.Kind.CUMULATIVE).order_by("meter", "code"):
        dial = Dial(register.code, register.unit, register.digits, register.decimals, _plausible(register, now))
        found[register.meter_id] = (*found.get(register.meter_id, ()), dial)
    return found


def _with_growth(registers: QuerySet[Any]) -> QuerySet[Any]:
    """Add the newest reading, and the first of the hundred days before it: one seek in the key of readings each."""
    earlier = RegisterReading.objects.filter(
        register=OuterRef("pk"), time__gte=OuterRef("state__last_time") - _LOOK_BACK
    ).order_by("time")
    known: QuerySet[Any] = registers.annotate(
        last_time=F("state__last_time"),
        last_value=F("state__last_value"),
        first_time=Subquery(earlier.values("time")[:1]),
        first_value=Subquery(earlier.values("value")[:1]),
    )
    return known


def _plausible(register: Any, now: datetime) -> tuple[Bounds, ...]:
    """Judge by the last hundred days; without a day of them there is nothing to judge by."""
    if register.last_time is None or register.first_time is None:
        return ()
    span = register.last_time - register.first_time
    if span < _DAY:
        return ()
    grown = (register.last_value - register.first_value) % register.modulus
    return plausible_ranges(
        last=register.last_value,
        a_day=grown / Decimal(span / _DAY),
        days=Decimal(max(now - register.last_time, timedelta()) / _DAY),
        modulus=register.modulus,
    )


def _returned(assignment_ids: Sequence[UUID]) -> dict[UUID, Submission]:
    """Return, of each assignment, the submission that was sent back and that none has followed yet."""
    rows = Submission.objects.filter(
        assignment__in=assignment_ids, status=Submission.Status.RETURNED, followed_by=None
    ).select_related("approval")
    return {row.assignment_id: row for row in rows.order_by("received_at")}
