"""Estimate what is missing: by itself where readings left a gap or a register fell silent, and by hand.

Registers are locked while their gaps are estimated, so that nothing true comes in between. Today is never invented:
a register that fell silent is estimated up to the end of the last day of its place, unless somebody asks for more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from accounts.actors import PORTAL, Actor
from accounts.services import audit
from energy_portal.shared.errors import Invalid, NotFound
from meters import store
from meters.models import Meter, ReadingWork, Register
from meters.selectors.estimates import GapEstimate, estimates_of
from meters.selectors.gaps import (
    Gap,
    Horizon,
    Silent,
    gaps_in,
    joined,
    last_ended_day,
    last_ended_mark,
    silent_registers,
)
from meters.selectors.rules import RuleBook, rule_book
from meters.services.entering import Estimate, enter_estimates
from meters.services.gaps import SHORTEST, is_silent, is_watched, note_gaps
from meters.services.screening import earliest_accepted
from meters.store.gaps import REACH, holes_in

ROUNDS_A_CALL = 200
_WORK_A_ROUND = 5
_SILENT_A_TRANSACTION = 50


class NothingToEstimate(Invalid):
    """A stretch that cannot be asked for."""

    code = "nothing_to_estimate"


@dataclass(frozen=True)
class EstimateReport:
    """What came of an estimation: how many estimates entered, and what became of each gap."""

    register: Register
    entered: int
    gaps: tuple[GapEstimate, ...]


class NoSuchRegister(NotFound):
    """A meter has no register of that code."""

    code = "no_such_register"


@transaction.atomic
def estimate_meter(
    *, meter: Meter, start: datetime, end: datetime, actor: Actor, now: datetime, code: str | None = None
) -> list[EstimateReport]:
    """Estimate what is missing of a meter's registers, or of the one of a code; see :func:`estimate_stretch`.

    :raises NoSuchRegister: the meter has none, or none of that code.
    :raises NothingToEstimate: see :func:`estimate_stretch`.
    """
    registers = meter.registers.order_by("pk")
    chosen = list(registers if code is None else registers.filter(code=code))
    if not chosen:
        raise NoSuchRegister(f"The meter {meter} has no register {code or 'at all'}.")
    _lock({register.pk for register in chosen})
    return [estimate_stretch(register=register, start=start, end=end, actor=actor, now=now) for register in chosen]


@transaction.atomic
def estimate_stretch(
    *, register: Register, start: datetime, end: datetime, actor: Actor, now: datetime
) -> EstimateReport:
    """Estimate what is missing of a register from one instant to another, both included, up to the last half-hour.

    Where estimates stand already they are made anew. Nothing true is touched.

    :raises NothingToEstimate: it ends before it starts, has not begun, is too long or too long ago.
    """
    _require_askable(start, end, now)
    ended = last_ended_mark(now)

    def horizon(site: ZoneInfo) -> datetime:
        return min(end, ended(site))

    window = store.Window(register.pk, start, end)
    _lock([register.pk])
    found = [_cut(each, start, end) for each in estimates_of(gaps_in([window], horizon=horizon))]
    entered = _enter(found, actor, now)
    audit.record(
        action="register.estimated",
        obj=register,
        actor=actor,
        now=now,
        start=start.isoformat(),
        end=end.isoformat(),
        entered=entered,
        refused=sorted({each.refusal.code for each in found if each.refusal}),
    )
    return EstimateReport(register, entered, tuple(found))


def _require_askable(start: datetime, end: datetime, now: datetime) -> None:
    if not start <= end or start >= now:
        raise NothingToEstimate("A stretch ends after it starts, and has begun.")
    if start < earliest_accepted(now):
        raise NothingToEstimate(f"Readings are taken back to {earliest_accepted(now).isoformat()}.")
    if end - start > REACH:
        raise NothingToEstimate(f"At most {REACH.days} days are estimated at once.")


def estimate_pending(*, now: datetime, rounds: int = ROUNDS_A_CALL) -> int:
    """Estimate what writes of readings left missing, then the days that ended of registers that fell silent.

    Several workers may do so at once. What cannot be estimated is left missing.

    :param rounds: how many transactions of logged work to do at most.
    :returns: how many estimates entered.
    """
    book = rule_book()
    entered = 0
    for _ in range(rounds):
        done, count = _work_off(book, now)
        entered += count
        if not done:
            break
    horizon = last_ended_day(now)
    silent = [
        each
        for each in silent_registers(before=now - SHORTEST)
        if each.newest < horizon(each.zone) and is_silent(each, book, now) and now - each.since <= REACH
    ]
    for start in range(0, len(silent), _SILENT_A_TRANSACTION):
        entered += _estimate_tails(silent[start : start + _SILENT_A_TRANSACTION], book, now)
    return entered


@transaction.atomic
def _work_off(book: RuleBook, now: datetime) -> tuple[bool, int]:
    """Do some of the logged work; tell whether there was any, and how many estimates entered."""
    logged = ReadingWork.objects.filter(purpose=ReadingWork.Purpose.ESTIMATION).order_by("id")
    work = list(logged.select_for_update(skip_locked=True)[:_WORK_A_ROUND])
    windows = joined(
        store.Window(register_id, each.low, each.high) for each in work for register_id in each.register_ids
    )
    entered = _settle(holes_in(windows), book, now, tails=False)
    ReadingWork.objects.filter(pk__in=[each.pk for each in work]).delete()
    return bool(work), entered


@transaction.atomic
def _estimate_tails(silent: Sequence[Silent], book: RuleBook, now: datetime) -> int:
    windows = [store.Window(each.register_id, each.since, now) for each in silent]
    return _settle(windows, book, now, tails=True)


def _settle(windows: Sequence[store.Window], book: RuleBook, now: datetime, *, tails: bool) -> int:
    """Note the gaps that meet windows, and estimate those that lack estimates; ``tails``: also those without an end.

    First they are looked for without a lock, since few windows hold one.
    """
    if not windows:
        return 0
    windows = joined(windows)
    horizon = last_ended_day(now)
    gaps = _wanted(windows, book, horizon, tails=tails)
    if not gaps:
        return 0
    _lock({gap.register_id for gap in gaps})
    # Both the exceptions and the estimates may tell of something: all of its locks are taken in one order.
    store.lock_outbox({gap.hung.service_point_id for gap in gaps})
    again = joined(store.Window(gap.register_id, gap.start, gap.until) for gap in gaps)
    gaps = _wanted(again, book, horizon, tails=tails)
    note_gaps(gaps=gaps, book=book, now=now)
    return _enter(estimates_of([gap for gap in gaps if gap.missing]), PORTAL, now)


def _wanted(windows: Sequence[store.Window], book: RuleBook, horizon: Horizon, *, tails: bool) -> list[Gap]:
    return [
        gap
        for gap in gaps_in(windows, horizon=horizon)
        if (tails or gap.end is not None) and is_watched(book, gap.hung.commodity, gap.hung.service_class)
    ]


def _cut(found: GapEstimate, start: datetime, end: datetime) -> GapEstimate:
    """Keep the estimates of a stretch; the half-hour of an interval register that ends at its start lies before it."""
    inside = tuple(
        each
        for each in found.estimates
        if start <= each.time <= end and (found.gap.hung.is_dial or each.time > start or start == end)
    )
    return GapEstimate(found.gap, inside, found.refusal)


def _enter(found: Sequence[GapEstimate], actor: Actor, now: datetime) -> int:
    estimates = [
        Estimate(each.gap.register_id, estimated.time, estimated.value, int(estimated.method))
        for each in found
        for estimated in each.estimates
    ]
    return enter_estimates(estimates=estimates, actor=actor, now=now) if estimates else 0


def _lock(register_ids: Sequence[int] | set[int]) -> None:
    store.add_states(register_ids)
    store.lock_states(register_ids)
