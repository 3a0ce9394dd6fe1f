"""Readings that somebody decided on: corrections, and estimates. The door for what is offered is ``readings``."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple, TypeVar

from django.db import transaction

from accounts.actors import Actor
from energy_portal.shared.clock import HALF_HOUR
from meters import store
from meters.consumption import ESTIMATES, QUALITY_LINEAR
from meters.models import Correction, ReadingException, Register, SupersededReading
from meters.selectors.archive import held_months, require_unarchived
from meters.selectors.rules import rule_book
from meters.series.partitions import ensure_partitions
from meters.services.judging import Estimates, Judge, Outcome, Standing, Stretch
from meters.services.openings import exceptions_of, rollover
from meters.services.recording import Changes, Entry, record
from meters.services.registry import Rules, Target, targets_of
from meters.services.screening import Candidate, earliest_accepted, latest_accepted
from meters.services.standing import standing_around
from meters.validation import History, Rank


@dataclass(frozen=True, slots=True)
class Change:
    """What is to stand at an instant of a register; no value means nothing."""

    register_id: int
    time: datetime
    value: Decimal | None
    quality: int
    raw_stamp: str | None = None
    source_id: int | None = None


@dataclass(frozen=True, slots=True)
class Replaced:
    """What stood at an instant of a register, and what stands now; None for nothing."""

    register_id: int
    time: datetime
    old_value: Decimal | None
    old_quality: int | None
    new_value: Decimal | None
    new_quality: int | None


class Estimate(NamedTuple):
    """An estimate of what a register would have shown."""

    register_id: int
    time: datetime
    value: Decimal
    quality: int


_Asked = TypeVar("_Asked", Change, Estimate)


@transaction.atomic
def replace_readings(
    *,
    changes: Sequence[Change],
    reason: SupersededReading.Reason,
    actor: Actor,
    now: datetime,
    correction: Correction | None = None,
) -> list[Replaced]:
    """Let other values stand than those that do, without judging them, and keep what stood.

    Where a true value comes or goes, the estimates of its stretch go too: they rest on it. What stands already is left
    alone and not returned. The audit is the caller's, who knows why.

    :param changes: one an instant of a register.
    :param actor: whose source a change comes from that names none.
    :raises InArchive: a month lies in the archive: it must be restored first.
    """
    asked = {(change.register_id, change.time): change for change in changes}
    require_unarchived(change.time for change in changes)
    states, targets, standing = _known(asked, Rules(rule_book()), now)
    found = Changes()
    turns: list[ReadingException] = []
    for register_id, mine in _by_register(asked.values()).items():
        _replace(mine, targets[register_id], standing[register_id], reason, found)
        turns += _turns(mine, targets[register_id], standing[register_id], now)
    ReadingException.objects.bulk_create(turns, ignore_conflicts=True)
    source_id = actor.source.pk if actor.source else None
    found.entries = [entry._replace(source_id=entry.source_id or source_id) for entry in found.entries]
    left = record(found, states=states, now=now, correction_id=correction.pk if correction else None)
    entered = {(entry.register_id, entry.time): (entry.value, entry.quality) for entry in found.entries}
    return [
        Replaced(*key, *left.get(key, (None, None)), *entered.get(key, (None, None)))
        for key in sorted(asked)
        if key in entered or key in left
    ]


def _replace(
    mine: Sequence[Change], target: Target, around: Standing, reason: SupersededReading.Reason, found: Changes
) -> None:
    """Add to ``found`` what becomes of one register."""
    reads = around.estimates | {known.time: known.value for known in around.true if known.rank is Rank.READ}
    is_dial = target.kind == Register.Kind.CUMULATIVE
    history = History(target.dial, around.true)
    estimates = Estimates(target.register_id, around.estimates, is_dial=is_dial)
    gone: dict[tuple[int, datetime], SupersededReading.Reason] = {}
    # What true values undo goes first: it no longer stands when an estimate is to come in its place.
    for change in sorted(mine, key=lambda change: not _is_true(change, around)):
        stood = None if change.time in estimates.gone else reads.get(change.time)
        if stood == change.value and (stood is None or around.qualities[change.time] == change.quality):
            continue
        if change.value is not None:
            found.entries.append(_entry(change, change.value))
        if _is_true(change, around):
            estimates.undo(history, change.time)
        if stood is not None:
            gone[change.register_id, change.time] = reason
            low, high = history.around(change.time) if is_dial else (change.time - HALF_HOUR, change.time)
            found.stretches.append(Stretch(change.register_id, low or change.time, high or change.time))
    found.drop(target.register_id, estimates)
    found.gone |= gone


def _turns(mine: Sequence[Change], target: Target, around: Standing, now: datetime) -> Iterator[ReadingException]:
    """Yield a note of each turn that a dial makes now, for consumption to find."""
    if target.kind != Register.Kind.CUMULATIVE:
        return
    history = History(target.dial, around.true)
    for change in mine:
        history.drop(change.time)
    for change in mine:
        if change.value is None:
            continue
        turned = history.fall(change.time, change.value)
        history.add(change.time, change.value)
        if turned is not None:
            yield rollover(register_id=target.register_id, time=turned, value=change.value, source=None, now=now)


def _is_true(change: Change, around: Standing) -> bool:
    """Tell whether a true value comes or goes."""
    comes = change.value is not None and change.quality not in ESTIMATES
    return comes or around.qualities.get(change.time, QUALITY_LINEAR) not in ESTIMATES


def _entry(change: Change, value: Decimal) -> Entry:
    return Entry(change.register_id, change.time, value, change.quality, change.source_id, change.raw_stamp)


@transaction.atomic
def enter_estimates(*, estimates: Sequence[Estimate], actor: Actor, now: datetime) -> int:
    """Let estimates stand where nothing true does, and return how many came in.

    One that stood there gives way to another value. Of a dial only what lies between its neighbours is taken, so that
    an estimate made before a true value came does no harm. None enters a month that lies in the archive.
    """
    archived = held_months()
    asked = {(estimate.register_id, estimate.time): estimate for estimate in estimates if estimate.time not in archived}
    rules = Rules(rule_book())
    states, targets, standing = _known(asked, rules, now)
    source_id = actor.source.pk if actor.source else None
    changes = Changes()
    noted: list[ReadingException] = []
    for register_id, mine in _by_register(asked.values()).items():
        judge = Judge(targets[register_id], standing[register_id], rules)
        judge.judge([Candidate(0, *estimate, raw_stamp=None) for estimate in mine], {})
        for verdict in judge.verdicts:
            if verdict.outcome is Outcome.STORED:
                changes.entries.append(Entry(*verdict.candidate[1:5], source_id, None))
                noted += exceptions_of(verdict, source=actor.source, now=now)
        changes.drop(register_id, judge.estimates)
    ReadingException.objects.bulk_create(noted, ignore_conflicts=True)
    record(changes, states=states, now=now)
    return len(changes.entries)


def _by_register(asked: Iterable[_Asked]) -> dict[int, list[_Asked]]:
    """Group by register, each group in the order of time."""
    groups: dict[int, list[_Asked]] = {}
    for each in sorted(asked, key=attrgetter("register_id", "time")):
        groups.setdefault(each.register_id, []).append(each)
    return groups


def _known(
    asked: Iterable[tuple[int, datetime]], rules: Rules, now: datetime
) -> tuple[dict[int, store.State], dict[int, Target], dict[int, Standing]]:
    """Make room for readings, lock their registers, and return what is known of these around them."""
    instants: dict[int, list[datetime]] = {}
    for register_id, time in sorted(asked):
        instants.setdefault(register_id, []).append(time)
    times = [time for each in instants.values() for time in each]
    if times:
        floor, ceiling = min(earliest_accepted(now), *times), max(latest_accepted(now), *times)
        ensure_partitions(store.REGISTER_READINGS, set(times), floor=floor, ceiling=ceiling)
    store.add_states(instants)
    states = store.lock_states(instants)
    return states, targets_of(instants, rules=rules, now=now), standing_around(instants, states)
