"""Shifts, and where agents are during them: positions are taken on shift alone, and forgotten after a stated time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from accounts.services import audit
from energy_portal.shared.errors import Invalid, ItemError
from field_ops.models import Agent, AgentPosition, Shift
from field_ops.services.agents import NotOnShift, locked_agent, put_status
from field_ops.services.news import AGENTS_GROUP, tell

MOST_FIXES = 500
_AHEAD = timedelta(minutes=5)
_FORGOTTEN_AT_ONCE = 10_000


class NoFixOfThisShift(Invalid):
    """None of the positions that were sent is of the shift that goes on."""

    code = "not_of_this_shift"


class TooManyFixes(Invalid):
    """More positions than one call may bring."""

    code = "too_many_positions"


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a phone was: degrees, WGS84; ``accuracy_m`` is the radius that it vouches for, None where it says none."""

    at: datetime
    latitude: float
    longitude: float
    accuracy_m: float | None = None


@transaction.atomic
def start_shift(*, agent_id: UUID, now: datetime) -> Shift:
    """Begin an agent's work: they are available, and their position may be taken. Who is on shift stays as they are.

    :raises NoSuchAgent: there is no such agent.
    """
    agent = locked_agent(agent_id)
    shift = _open_shift(agent)
    if shift is None:
        shift = Shift.objects.create(agent=agent, started_at=now)
        put_status(agent, Agent.Status.AVAILABLE)
        audit.record(action="shift.started", obj=shift, actor=Actor(user=agent.user), now=now)
    return shift


@transaction.atomic
def end_shift(*, agent_id: UUID, now: datetime) -> Shift | None:
    """End an agent's work: they are offline, and no position is taken. Return None where they were on no shift.

    :raises NoSuchAgent: there is no such agent.
    """
    agent = locked_agent(agent_id)
    shift = _open_shift(agent)
    if shift is not None:
        shift.ended_at = max(now, shift.started_at)
        shift.save(update_fields=["ended_at"])
        put_status(agent, Agent.Status.OFFLINE)
        audit.record(action="shift.ended", obj=shift, actor=Actor(user=agent.user), now=now)
    return shift


@transaction.atomic
def record_positions(*, agent_id: UUID, fixes: Sequence[Fix], now: datetime) -> int:
    """Keep where an agent was during the shift that goes on; return how many positions are new.

    What is sent twice is kept once. Positions of before the shift, or more than 5 min ahead of the clock, are not
    kept. The agent's last known position moves only forward in time.

    :raises NoSuchAgent: there is no such agent.
    :raises NotOnShift: they are on no shift.
    :raises NoFixOfThisShift: every position is of before the shift, or ahead of the clock.
    :raises TooManyFixes: more than ``MOST_FIXES``.
    """
    if len(fixes) > MOST_FIXES:
        raise TooManyFixes(f"At most {MOST_FIXES} positions come at once.")
    agent = locked_agent(agent_id)
    shift = _open_shift(agent)
    if shift is None:
        raise NotOnShift("Positions are taken on shift alone.")
    refused = list(_refused(fixes, shift, now))
    if fixes and len(refused) == len(fixes):
        raise NoFixOfThisShift("No position is of this shift.", errors=refused)
    outside = {error.index for error in refused}
    kept = {fix.at: fix for number, fix in enumerate(fixes) if number not in outside}
    standing = shift.positions.filter(at__in=kept).values_list("at", flat=True)
    new = [kept[at] for at in sorted(kept.keys() - set(standing))]
    AgentPosition.objects.bulk_create(
        AgentPosition(shift=shift, at=fix.at, latitude=fix.latitude, longitude=fix.longitude, accuracy_m=fix.accuracy_m)
        for fix in new
    )
    if new and (agent.located_at is None or new[-1].at > agent.located_at):
        _locate(agent, new[-1])
    return len(new)


def forget_positions(*, now: datetime) -> int:
    """Forget positions that are older than AGENT_POSITION_DAYS, last known ones too; return how many went.

    Some at a time, each in a transaction of its own, so that nobody waits for long.
    """
    cutoff = now - timedelta(days=settings.AGENT_POSITION_DAYS)
    old = AgentPosition.objects.filter(at__lt=cutoff).order_by("at").values("pk")
    forgotten = 0
    while gone := AgentPosition.objects.filter(pk__in=old[:_FORGOTTEN_AT_ONCE]).delete()[0]:
        forgotten += gone
    Agent.objects.filter(located_at__lt=cutoff).update(latitude=None, longitude=None, accuracy_m=None, located_at=None)
    return forgotten


def _open_shift(agent: Agent) -> Shift | None:
    shift: Shift | None = Shift.objects.filter(agent=agent, ended_at=None).first()
    return shift


def _refused(fixes: Sequence[Fix], shift: Shift, now: datetime) -> Iterator[ItemError]:
    for number, fix in enumerate(fixes):
        if fix.at < shift.started_at:
            yield ItemError("before_shift", "It is of before the shift.", index=number)
        elif fix.at > now + _AHEAD:
            yield ItemError("in_future", "It is ahead of the clock.", index=number)


def _locate(agent: Agent, fix: Fix) -> None:
    agent.latitude, agent.longitude = fix.latitude, fix.longitude
    agent.accuracy_m, agent.located_at = fix.accuracy_m, fix.at
    agent.save(update_fields=["latitude", "longitude", "accuracy_m", "located_at", "updated_at"])
    tell(AGENTS_GROUP)
