"""The one door for register readings.

Writers of one register are ordered by the lock on its state row: who holds it sees every reading that was ever
acknowledged for that register, and nobody adds another until they commit. So a value is judged against true
neighbours, whichever processes send what, in whichever order and however often.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter

from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from energy_portal.shared.errors import Invalid
from meters import store
from meters.consumption import ESTIMATES
from meters.models import ReadingException
from meters.rules import AT_THE_DOOR_WHEN_BLOCKING
from meters.series.errors import MissingPartition, RowsVanished
from meters.series.partitions import ensure_partitions
from meters.services.flagging import blocking_findings
from meters.services.judging import Judge, Outcome, Verdict
from meters.services.late_values import part_late
from meters.services.openings import exceptions_of
from meters.services.recording import Changes, Entry, record
from meters.services.screening import (
    Candidate,
    Catch,
    OfferedReading,
    Rejection,
    Screened,
    earliest_accepted,
    screen,
)
from meters.services.standing import standing_around
from meters.validation import plain

__all__ = ["BatchTooLarge", "OfferedReading", "ReadingReport", "Rejection", "receive_readings"]

_TRIES = 3
_ZERO = Decimal(0)


class BatchTooLarge(Invalid):
    """More rows than one batch may hold."""

    code = "batch_too_large"
    status = 413


@dataclass(frozen=True)
class ReadingReport:
    """What became of a batch: counts, and the indexes and reasons of the rows that did not simply enter.

    A quarantined value waits for a decision in an exception. ``estimates_replaced`` counts what gave way.
    """

    stored: int
    duplicates: int
    quarantined: tuple[Rejection, ...]
    conflicts: tuple[Rejection, ...]
    rejected: tuple[Rejection, ...]
    estimates_replaced: int = 0


def receive_readings(
    *, readings: Sequence[OfferedReading], actor: Actor, now: datetime, overrides: frozenset[str] = frozenset()
) -> ReadingReport:
    """Store what is good of a batch in one transaction, and say what became of each row.

    A repeat is a duplicate and changes nothing; another value for an instant that has one is a conflict: the first
    stands, and an exception opens. A true value goes before an estimate, whichever came first, and undoes the
    estimates of the stretch that it divides. Of a batch's rows true ones are judged first, each kind in the order of
    time; a row that does not enter is nobody's neighbour. When this returns, what it counts as stored is on disk.

    :param overrides: rules that a person decided to let pass.
    :raises BatchTooLarge: more rows than a batch may hold.
    """
    if len(readings) > settings.READING_BATCH_LIMIT:
        raise BatchTooLarge(f"A batch holds at most {settings.READING_BATCH_LIMIT} readings.")
    screened = screen(readings, actor=actor, now=now, overrides=overrides)
    if not screened.candidates:
        return _report(screened.rejected, [])
    if lacking := [target.register_id for target in screened.targets.values() if target.lacks_state]:
        with transaction.atomic():
            store.add_states(lacking)
    for remaining in reversed(range(_TRIES)):
        entering, late = part_late(screened.candidates)
        parted = replace(screened, candidates=entering)
        _make_room(parted, now)
        try:
            return _write(parted, late, actor, now)
        except (MissingPartition, RowsVanished):
            # The archive took a partition away between the look and the write: look again.
            if not remaining:
                raise
    raise AssertionError("unreachable")


def _make_room(screened: Screened, now: datetime) -> None:
    ensure_partitions(
        store.REGISTER_READINGS,
        {candidate.time for candidate in screened.candidates},
        floor=earliest_accepted(now),
        ceiling=max(target.latest for target in screened.targets.values()),
    )


@transaction.atomic
def _write(screened: Screened, late: Sequence[Verdict], actor: Actor, now: datetime) -> ReadingReport:
    states = store.lock_states(screened.targets)
    judges = _judge(screened, states)
    verdicts = [*late, *(verdict for judge in judges.values() for verdict in judge.verdicts)]
    _open_exceptions(verdicts, actor, now)
    source_id = actor.source.pk if actor.source else None
    changes = Changes([_entry(each.candidate, source_id) for each in verdicts if each.outcome is Outcome.STORED])
    for register_id, judge in judges.items():
        changes.drop(register_id, judge.estimates)
    record(changes, states=states, now=now)
    return _report(screened.rejected, verdicts, estimates_replaced=len(changes.gone))


def _entry(row: Candidate, source_id: int | None) -> Entry:
    return Entry(row.register_id, row.time, row.value, row.quality, source_id, row.raw_stamp)


def _judge(screened: Screened, states: Mapping[int, store.State]) -> dict[int, Judge]:
    groups: dict[int, list[Candidate]] = {}
    for row in sorted(screened.candidates, key=attrgetter("register_id", "time", "place")):
        groups.setdefault(row.register_id, []).append(row)
    standing = standing_around(
        {register_id: [row.time for row in rows] for register_id, rows in groups.items()}, states
    )
    findings = _findings(screened)
    judges: dict[int, Judge] = {}
    for register_id, rows in groups.items():
        judge = judges[register_id] = Judge(screened.targets[register_id], standing[register_id], screened.rules)
        judge.judge(rows, findings)
    return judges


def _findings(screened: Screened) -> dict[int, tuple[Catch, ...]]:
    """Return, by place, what the rules that look at profiles hold back; where managers set none to, nothing is asked.

    An estimate is judged by what stands, not by what is usual: it was made from that.
    """
    rules = screened.rules
    if not rules.book.blocks(AT_THE_DOOR_WHEN_BLOCKING):
        return {}
    candidates = [row for row in screened.candidates if row.quality not in ESTIMATES]
    found = blocking_findings(candidates=candidates, book=rules.book)
    return {
        each.place: (Catch(each.code, each.severity, each.detail),)
        for each in found
        if each.code not in rules.overrides
    }


def _open_exceptions(verdicts: Iterable[Verdict], actor: Actor, now: datetime) -> None:
    """Open an exception, or note one, for what rules caught: once each, however often a row is sent."""
    found = [exception for verdict in verdicts for exception in exceptions_of(verdict, source=actor.source, now=now)]
    found.sort(key=lambda exception: (exception.register_id, exception.time, exception.code, exception.offered_value))
    ReadingException.objects.bulk_create(found, ignore_conflicts=True)


def _report(
    rejected: Iterable[Rejection], verdicts: Sequence[Verdict], *, estimates_replaced: int = 0
) -> ReadingReport:
    by_outcome: dict[Outcome, list[Verdict]] = {outcome: [] for outcome in Outcome}
    for verdict in verdicts:
        by_outcome[verdict.outcome].append(verdict)
    refused, waiting = (
        [Rejection(each.candidate.place, each.catches[0].code, each.catches[0].detail) for each in by_outcome[outcome]]
        for outcome in (Outcome.REJECTED, Outcome.QUARANTINED)
    )
    conflicts = [
        Rejection(
            each.candidate.place,
            "conflict",
            f"{plain(each.candidate.value)} was offered where {plain(each.standing or _ZERO)} stands.",
        )
        for each in by_outcome[Outcome.CONFLICT]
    ]
    return ReadingReport(
        stored=len(by_outcome[Outcome.STORED]),
        duplicates=len(by_outcome[Outcome.DUPLICATE]),
        quarantined=_sorted(waiting),
        conflicts=_sorted(conflicts),
        rejected=_sorted([*rejected, *refused]),
        estimates_replaced=estimates_replaced,
    )


def _sorted(rejections: Iterable[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejections, key=attrgetter("index")))
