"""Rounds: work that comes back every few months and makes its assignments itself."""

import logging
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.actors import PORTAL, Actor
from accounts.services import audit
from accounts.services.checks import check_fields
from energy_portal.shared.clock import local_day, zone
from energy_portal.shared.errors import Conflict, Invalid
from field_ops.models import Agent, Assignment, Round, RoundRun, RoundStop
from field_ops.selectors.assignments import agents_to_send, meters_to_read, require_manager
from field_ops.selectors.rounds import NoSuchRound
from field_ops.services.handing import Line, Order, hand_out
from field_ops.services.proposals import plan_for
from meters.models import Meter

logger = logging.getLogger(__name__)

MONTHS_A_YEAR = 12
MOST_STOPS = 10_000


class RoundExists(Conflict):
    """Another round is called so."""

    code = "round_exists"


class MadeToday(Conflict):
    """A round is made once a day."""

    code = "round_made_today"


class WrongRound(Invalid):
    """A round has to do with a region, agents and meters that the one who enters it looks after."""

    code = "wrong_round"


@dataclass(frozen=True)
class RoundsMade:
    """How many rounds were due, and how many assignments they made; those that failed are tried again."""

    rounds: int = 0
    made: int = 0
    skipped: int = 0
    failed: int = 0


@transaction.atomic
def save_round(
    *,
    round_id: UUID | None,
    values: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    meter_ids: Sequence[UUID] | None = None,
) -> Round:
    """Enter or change a round.

    :param round_id: None for a new one.
    :param meter_ids: its own sequence of meters, empty for all of its region; None leaves them as they are.
    :raises NoSuchRound: none, or not in the actor's regions.
    :raises RoundExists: another is called so.
    :raises WrongRound: a region, an agent or a meter is not the actor's to send or to read.
    :raises NotAManager: the actor may plan nothing.
    :raises Invalid: a value breaks its field's rule.
    """
    require_manager(actor.user)
    saved = Round() if round_id is None else _locked(round_id, actor)
    for name, value in values.items():
        setattr(saved, name, value)
    if "next_on" in values:
        saved.day_of_month = saved.next_on.day
    check_fields(saved)
    try:
        with transaction.atomic():
            saved.save()
    except IntegrityError as error:
        raise RoundExists(f"A round is called {saved.name} already.") from error
    if meter_ids is not None:
        _put_stops(saved, meter_ids)
    _require_own(saved, actor)
    verb = "created" if round_id is None else "changed"
    fields = sorted([*values, *(["stops"] if meter_ids is not None else [])])
    audit.record(action=f"round.{verb}", obj=saved, actor=actor, now=now, fields=fields)
    return saved


def make_rounds(*, now: datetime) -> RoundsMade:
    """Make the assignments of all rounds that are due; each day of a round is made once, however often this runs."""
    today = now.astimezone(zone(settings.SITE_ZONE)).date()
    due = Round.objects.filter(is_active=True, next_on__lte=today).order_by("next_on", "pk")
    total = RoundsMade()
    for key in list(due.values_list("pk", flat=True)):
        try:
            run = _make(key, today, now)
        except Exception:
            # One round that fails must not keep the others from being walked.
            logger.exception("Round %s could not be made", key)
            total = RoundsMade(total.rounds, total.made, total.skipped, total.failed + 1)
            continue
        if run is not None:
            total = RoundsMade(total.rounds + 1, total.made + run.made, total.skipped + run.skipped, total.failed)
    return total


@transaction.atomic
def make_round_now(*, round_id: UUID, actor: Actor, now: datetime) -> RoundRun:
    """Make a round's assignments without waiting for its day, which stays.

    :raises NoSuchRound: none, or not in the actor's regions.
    :raises MadeToday: it was made today already.
    :raises NotAManager: the actor may give out nothing.
    """
    require_manager(actor.user)
    found = _locked(round_id, actor)
    today = now.astimezone(zone(settings.SITE_ZONE)).date()
    if found.runs.filter(on=today).exists():
        raise MadeToday("It was made today already.")
    return _run(found, today, actor, now)


def months_later(day: date, months: int, *, day_of_month: int) -> date:
    """Return the day of a month some months later; its last day where the month is shorter than that."""
    year, month = divmod(day.year * MONTHS_A_YEAR + day.month - 1 + months, MONTHS_A_YEAR)
    return date(year, month + 1, min(day_of_month, monthrange(year, month + 1)[1]))


@transaction.atomic
def _make(round_id: UUID, today: date, now: datetime) -> RoundRun | None:
    """Make one round, unless somebody is at it or was faster."""
    rows = Round.objects.select_for_update(skip_locked=True, of=("self",)).select_related("region", "agent")
    found = rows.filter(pk=round_id, is_active=True, next_on__lte=today).first()
    if found is None:
        return None
    run = RoundRun.objects.filter(round=found, on=found.next_on).first() or _run(found, found.next_on, PORTAL, now)
    _move_on(found, today)
    return run


def _run(found: Round, on: date, actor: Actor, now: datetime) -> RoundRun:
    """Give out a locked round's meters."""
    run = RoundRun.objects.create(round=found, on=on, made_at=now)
    stops = list(found.stops.order_by("position").values_list("meter_id", flat=True))
    made = hand_out(lines=_lines(found, stops), order=_order(found, run, actor, now))
    run.made, run.skipped = len(made.made), len(made.skipped)
    run.save(update_fields=("made", "skipped"))
    audit.record(action="round.made", obj=found, actor=actor, now=now, on=on, made=run.made, skipped=run.skipped)
    return run


def _lines(found: Round, stops: Sequence[UUID]) -> list[Line]:
    """Share a round's meters among its agent, or the agents of its region; what nobody has room for waits."""
    if stops:
        by_key = Meter.objects.in_bulk(stops)
        meters = [by_key[key] for key in stops]
    else:
        meters = list(Meter.objects.filter(region=found.region_id, status=Meter.Status.ACTIVE).order_by("serial"))
    agents = Agent.objects.filter(region=found.region_id)
    if found.agent_id is not None:
        agents = Agent.objects.filter(pk=found.agent_id)
    taken = set(Assignment.objects.open().filter(meter__in=meters, agent__isnull=False).values_list("meter", flat=True))
    plan, _ = plan_for([meter for meter in meters if meter.pk not in taken], agents)
    takers = {key: walk.agent for walk in plan.walks for key in walk.stops}
    if stops:
        return [Line(meter.pk, takers.get(meter.pk)) for meter in meters]
    on_the_way = [Line(key, walk.agent) for walk in plan.walks for key in walk.stops]
    return on_the_way + [Line(meter.pk, None) for meter in meters if meter.pk not in takers]


def _order(found: Round, run: RoundRun, actor: Actor, now: datetime) -> Order:
    site = zone(settings.SITE_ZONE)
    first = max(run.on, now.astimezone(site).date())
    due_at = local_day(first + timedelta(days=found.days_to_finish), site).end
    return Order(due_at, actor, now, Assignment.Origin.ROUND, round_run=run)


def _move_on(found: Round, today: date) -> None:
    """Set the next day, after today: what was missed meanwhile is not made several times."""
    wanted = found.day_of_month or found.next_on.day
    if months_later(found.next_on, 0, day_of_month=wanted) != found.next_on:
        # Somebody set another day without saying so.
        wanted = found.next_on.day
    while found.next_on <= today:
        found.next_on = months_later(found.next_on, found.every_months, day_of_month=wanted)
    found.day_of_month = wanted
    found.save(update_fields=("next_on", "day_of_month", "updated_at"))


def _locked(round_id: UUID, actor: Actor) -> Round:
    rows = Round.objects.all() if actor.user is None else Round.objects.visible_to(actor.user)
    found: Round | None = rows.select_for_update(of=("self",)).filter(pk=round_id).first()
    if found is None:
        raise NoSuchRound("There is no such round.")
    return found


def _put_stops(saved: Round, meter_ids: Sequence[UUID]) -> None:
    wanted = list(dict.fromkeys(meter_ids))
    if len(wanted) > MOST_STOPS:
        raise WrongRound(f"A round has at most {MOST_STOPS:,} stops.")
    saved.stops.all().delete()
    RoundStop.objects.bulk_create(
        (RoundStop(round=saved, position=place, meter_id=key) for place, key in enumerate(wanted, start=1)),
        batch_size=1_000,
    )


def _require_own(saved: Round, actor: Actor) -> None:
    if actor.user is not None and not Round.objects.visible_to(actor.user).filter(pk=saved.pk).exists():
        raise WrongRound("The region is not one of yours.")
    if saved.agent_id is not None and not agents_to_send(actor.user).filter(pk=saved.agent_id).exists():
        raise WrongRound("There is no such agent.")
    stops = saved.stops.values("meter")
    if meters_to_read(actor.user).filter(pk__in=stops).count() != stops.count():
        raise WrongRound("Some of the meters are not yours to have read.")
