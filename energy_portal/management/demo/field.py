"""The demo's field work: agents with work of today, and what came in from the street, all by the services."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, cast
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db import transaction

from accounts.actors import Actor
from accounts.models import User
from energy_portal.management.demo.cast import HALF_HOUR, Cast, Household
from energy_portal.management.demo.drawings import meter_drawing
from energy_portal.management.demo.places import between, offset, spot_of
from energy_portal.shared.clock import local_day
from energy_portal.shared.geo import Spot
from field_ops.models import Agent, Assignment, Submission
from field_ops.services import agents, assignments, deciding, notices, proposals, rounds, shifts, submissions, uploads
from meters.models import Meter, Region
from meters.services.regions import hold_regions, place_meters, set_managers

_AGENTS = {
    "agent": ("Tampines", ("Bedok",)),
    "agent, west": ("Clementi", ("Toa Payoh",)),
    "agent, north": ("Punggol", ("Ang Mo Kio",)),
}
_MANAGED = {"manager, east": ("Tampines", "Bedok")}
_ROUND_REGION = "Tampines"
_ROUND_SINCE, _LATE_SINCE = timedelta(days=3), timedelta(days=4)
_MORNING, _ON_SHIFT = timedelta(hours=5), timedelta(hours=3)
_STEP = timedelta(minutes=5)
_ACCURACY_M = 6.0
_BLURRED = "The last two digits are in the shade: please take the photo again, from the front."


class _Visit(NamedTuple):
    """What happens at a meter: how long ago (min), what is odd about it, and what a manager made of it."""

    minutes_ago: int
    manager: str = ""
    off_m: float = 0.0
    beyond_kwh: int = 0
    obstacle: str = ""
    notes: str = ""


# In order; a demo of few households sees the first ones only, and leaves half of its work undone.
_VISITS = (
    _Visit(150),
    _Visit(141, manager="approve"),
    _Visit(128, manager="send back"),
    _Visit(117, off_m=1_900.0),
    _Visit(96, manager="approve", beyond_kwh=900, notes="The display was hard to see."),
    _Visit(83, obstacle="dog", notes="Nobody came to the gate."),
    _Visit(61),
    _Visit(47),
    _Visit(24, obstacle="damaged", notes="The glass is broken."),
)


@dataclass(frozen=True)
class _Field:
    """Whom and what the field work of a load has to do with."""

    cast: Cast
    users: dict[str, User]
    now: datetime

    @property
    def manager(self) -> Actor:
        return Actor(user=self.users["manager"])

    def end_of_day(self, *, days: int) -> datetime:
        """Return the end of a local day, some days from now."""
        day = (self.now + timedelta(days=days)).astimezone(self.cast.zone).date()
        return local_day(day, self.cast.zone).end


def load_field_work(*, cast: Cast, users: dict[str, User], now: datetime) -> int:
    """Place the meters, give out work, and let half of it be visited; return how many assignments there are.

    :param users: by their title.
    """
    field = _Field(cast, users, now)
    homes = _place(field)
    team = _team(field)
    _give_out(field, team, homes)
    walked = _visit(field, {household.serial: household for household in cast.households})
    _walk(field, team, walked)
    return Assignment.objects.count()


@transaction.atomic
def _place(field: _Field) -> dict[str, list[Meter]]:
    """Put meters where their households live; return those in service by the name of their region."""
    hold_regions()
    placed = []
    for household in field.cast.households:
        spot = spot_of(household)
        for meter in Meter.objects.filter(serial__startswith=household.serial):
            meter.latitude, meter.longitude = spot.latitude, spot.longitude
            meter.save(update_fields=("latitude", "longitude", "updated_at"))
            placed.append(meter.pk)
    place_meters(placed)
    homes: dict[str, list[Meter]] = {name: [] for name in Region.objects.values_list("name", flat=True)}
    rows = Meter.objects.filter(pk__in=placed, status=Meter.Status.ACTIVE).select_related("region")
    for meter in rows.order_by("serial"):
        homes[meter.region.name].append(meter)
    return homes


def _team(field: _Field) -> dict[str, Agent]:
    """Let agents and managers work in their regions."""
    regions = {region.name: region for region in Region.objects.all()}
    admin = Actor(user=field.users["admin"])
    for title, names in _MANAGED.items():
        for name in names:
            managers = [field.users[title].pk]
            set_managers(region_id=regions[name].pk, user_ids=managers, actor=admin, now=field.now)
    return {
        title: agents.create_agent(
            user_id=field.users[title].pk,
            region_id=regions[name].pk,
            max_load=20,
            location_id=f"DEPOT-{name.upper()}",
            actor=field.manager,
            now=field.now - _LATE_SINCE,
        )
        for title, (name, _) in _AGENTS.items()
    }


def _give_out(field: _Field, team: dict[str, Agent], homes: dict[str, list[Meter]]) -> None:
    """Give out what a round brings, what a proposal brings, and what a manager chooses, one of it long ago."""
    _make_round(field, team["agent"])
    for title, (own, others) in _AGENTS.items():
        agent = team[title]
        if own != _ROUND_REGION:
            _confirm_proposal(field, agent, homes[own])
        for name in others:
            _assign(field, agent, homes[name])
        # They have seen what they are to do; what comes of it later is news.
        notices.mark_seen(agent_id=agent.pk, up_to=_newest(agent), now=field.now - _ON_SHIFT)
    assignments.mark_overdue(now=field.now)


def _newest(agent: Agent) -> int:
    return max(agent.notices.values_list("pk", flat=True), default=0)


def _make_round(field: _Field, agent: Agent) -> None:
    since = field.now - _ROUND_SINCE
    values = {
        "name": f"{_ROUND_REGION}, every two months",
        "region": agent.region,
        "agent": agent,
        "every_months": 2,
        "next_on": since.astimezone(field.cast.zone).date(),
        "days_to_finish": 7,
    }
    rounds.save_round(round_id=None, values=values, actor=field.manager, now=since)
    rounds.make_rounds(now=since)


def _confirm_proposal(field: _Field, agent: Agent, meters: Sequence[Meter]) -> None:
    made = field.now - _MORNING
    proposal = proposals.propose(
        meter_ids=[meter.pk for meter in meters], agent_ids=[agent.pk], actor=field.manager, now=made
    )
    lines = [
        proposals.Chosen(meter.pk, way.agent.pk, place)
        for way in proposal.ways
        for place, meter in enumerate(way.meters)
    ]
    proposals.confirm(lines=lines, due_at=field.end_of_day(days=1), actor=field.manager, now=made)


def _assign(field: _Field, agent: Agent, meters: Sequence[Meter]) -> None:
    """Give an agent meters for today; where there are several the last one was due the day before."""
    today, late = (meters[:-1], meters[-1:]) if len(meters) > 1 else (meters, ())
    if late:
        _assign_these(field, agent, late, made=field.now - _LATE_SINCE, due_at=field.end_of_day(days=-1))
    if today:
        _assign_these(field, agent, today, made=field.now - _MORNING, due_at=field.end_of_day(days=0))


def _assign_these(field: _Field, agent: Agent, meters: Sequence[Meter], *, made: datetime, due_at: datetime) -> None:
    assignments.assign(
        meter_ids=[meter.pk for meter in meters],
        agent_id=agent.pk,
        due_at=due_at,
        actor=field.manager,
        now=made,
        priorities={meters[0].pk: Meter.Priority.HIGH},
    )


@dataclass(frozen=True)
class _Seen:
    """Where an agent was, and when."""

    agent_id: UUID
    at: datetime
    spot: Spot


def _visit(field: _Field, households: dict[str, Household]) -> list[_Seen]:
    """Let agents visit the first half of their work; return where they were."""
    rows = Assignment.objects.open().exclude(status=Assignment.Status.OVERDUE).select_related("agent__user", "meter")
    # A meter that was exchanged shows what its household's dial did not.
    waiting = [each for each in rows.order_by("sequence", "meter__serial") if each.meter.serial in households]
    walked = []
    for visit, assignment in zip(_VISITS, waiting[: (len(waiting) + 1) // 2], strict=False):
        at = field.now - timedelta(minutes=visit.minutes_ago)
        household = households[assignment.meter.serial]
        _bring(field, visit, assignment, household, at)
        walked.append(_Seen(assignment.agent_id, at, spot_of(household)))
    return walked


def _bring(field: _Field, visit: _Visit, assignment: Assignment, household: Household, at: datetime) -> None:
    """Send what an agent read, or what was in the way, with its drawing; a manager decides on some of it."""
    user = cast("Agent", assignment.agent).user
    here = offset(spot_of(household), north_m=visit.off_m + 4)
    shown = _shown(field.cast, household, at)
    is_read = not visit.obstacle
    draft = submissions.Draft(
        id=uuid5(NAMESPACE_URL, f"demo:{household.serial}"),
        assignment_id=assignment.pk,
        outcome=Submission.Outcome.READ if is_read else Submission.Outcome.COULD_NOT_READ,
        obstacle=visit.obstacle,
        read_at=at,
        value=shown + visit.beyond_kwh if is_read else None,
        serial_given=household.serial,
        serial_scanned=True,
        latitude=here.latitude,
        longitude=here.longitude,
        accuracy_m=_ACCURACY_M,
        notes=visit.notes,
    )
    came = at + timedelta(minutes=1)
    submission = submissions.submit(draft=draft, user=user, now=came)
    drawing = meter_drawing(serial=household.serial, value=shown, taken_at=at.astimezone(field.cast.zone))
    uploads.begin(
        submission_id=submission.pk,
        size_bytes=len(drawing),
        sha256=hashlib.sha256(drawing).hexdigest(),
        user=user,
        now=came,
    )
    uploads.add_piece(submission_id=submission.pk, offset=0, piece=drawing, user=user, now=came)
    _decide(field, visit, submission, came + timedelta(minutes=4))


def _decide(field: _Field, visit: _Visit, submission: Submission, at: datetime) -> None:
    request_id = submission.approval.pk
    if visit.manager == "approve":
        deciding.approve(request_id=request_id, actor=field.manager, now=at)
    elif visit.manager == "send back":
        deciding.send_back(request_id=request_id, notes=_BLURRED, actor=field.manager, now=at)


def _shown(cast: Cast, household: Household, at: datetime) -> Decimal:
    """Return what a dial shows between two marks, kWh."""
    mark, rest = divmod(at - cast.marks[0], HALF_HOUR)
    before, after = household.shown(mark), household.shown(min(mark + 1, len(cast.marks) - 1))
    return (before + (after - before) * Decimal(rest / HALF_HOUR)).quantize(Decimal("0.001"))


def _walk(field: _Field, team: dict[str, Agent], walked: Sequence[_Seen]) -> None:
    """Let those who visited be on shift since the morning, where they went; one of them has a break."""
    begun = field.now - _ON_SHIFT
    for title, agent in team.items():
        mine = [seen for seen in walked if seen.agent_id == agent.pk]
        if not mine and title != "agent":
            continue
        shifts.start_shift(agent_id=agent.pk, now=begun)
        region = cast("Region", agent.region)
        depot = Spot(region.latitude, region.longitude)
        way = [_Seen(agent.pk, begun, depot), *mine]
        shifts.record_positions(agent_id=agent.pk, fixes=list(_fixes(way, field.now)), now=field.now)
        if title == "agent, north":
            agents.set_status(agent_id=agent.pk, status=Agent.Status.ON_BREAK, now=field.now)


def _fixes(way: Sequence[_Seen], now: datetime) -> Iterator[shifts.Fix]:
    """Yield a position every few minutes on the straight ways between places, the last one held until now."""
    at = way[0].at
    while at <= now:
        before = [seen for seen in way if seen.at <= at][-1]
        after = next((seen for seen in way if seen.at > at), None)
        spot = before.spot
        if after is not None:
            spot = between(before.spot, after.spot, (at - before.at) / (after.at - before.at))
        yield shifts.Fix(at, spot.latitude, spot.longitude, _ACCURACY_M)
        at += _STEP
