"""The one door for register readings.

Writers of one register are ordered by the lock on its state row: who holds it sees every reading that was ever
acknowledged for that register, and nobody adds another until they commit. So a value is judged against true
neighbours, whichever processes send what, in whichever order and however often.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter

import numpy as np
from django.conf import settings
from django.db import transaction

from accounts.actors import Actor
from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.errors import Invalid
from meters import store
from meters.consumption import ESTIMATES
from meters.models import ReadingException
from meters.rules import AT_THE_DOOR_WHEN_BLOCKING
from meters.selectors.archive import archived_months
from meters.series.columns import EPOCH
from meters.series.errors import MissingPartition, RowsVanished
from meters.series.partitions import ensure_partitions
from meters.services.flagging import blocking_findings
from meters.services.judging import Judge, Outcome, Verdict
from meters.services.late_values import part_late
from meters.services.offers import Offer, OfferedReading, Rejection
from meters.services.openings import exceptions_of
from meters.services.recording import Changes, Entry, record
from meters.services.registry import Bools, Catch, Registry, Rules, registry_of
from meters.services.screening import Candidate, Screened, earliest_accepted, screen
from meters.services.sifting import Columns
from meters.services.standing import standing_around
from meters.store.door import Int64s
from meters.validation import plain

__all__ = [
    "BatchTooLarge",
    "Offer",
    "OfferedReading",
    "ReadingReport",
    "Rejection",
    "receive_columns",
    "receive_readings",
    "receive_screened",
]

_TRIES = 3
_ZERO = Decimal(0)
_WELL_WITHIN = 0.999


class BatchTooLarge(Invalid):
    """More rows than one batch may hold."""

    code = "batch_too_large"
    status = 413


class _LacksStatesError(Exception):
    """Registers that never had a reading have no state to lock yet."""

    def __init__(self, register_ids: list[int]) -> None:
        super().__init__(register_ids)
        self.register_ids = register_ids


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
    """Store what is good of a batch in one transaction, and say what became of each row; see :func:`receive_columns`.

    :raises BatchTooLarge: more rows than a batch may hold.
    """
    return receive_columns(offer=Offer.of(readings), actor=actor, now=now, overrides=overrides)


def receive_columns(
    *,
    offer: Offer,
    actor: Actor,
    now: datetime,
    overrides: frozenset[str] = frozenset(),
) -> ReadingReport:
    """Store what is good of a batch in one transaction, and say what became of each row.

    A repeat is a duplicate and changes nothing; another value for an instant that has one is a conflict: the first
    stands, and an exception opens. A true value goes before an estimate, whichever came first, and undoes the
    estimates of the stretch that it divides. Of a batch's rows true ones are judged first, each kind in the order of
    time; a row that does not enter is nobody's neighbour. When this returns, what it counts as stored is on disk.

    :param overrides: rules that a person decided to let pass.
    :raises BatchTooLarge: more rows than a batch may hold.
    """
    if len(offer) > settings.READING_BATCH_LIMIT:
        raise BatchTooLarge(f"A batch holds at most {settings.READING_BATCH_LIMIT} readings.")
    serials = (serial for serial in offer.meter_ids if isinstance(serial, str))
    registry = registry_of(serials, now=now, overrides=overrides)
    return receive_screened(screened=screen(offer, actor=actor, now=now, registry=registry), actor=actor, now=now)


def receive_screened(*, screened: Screened, actor: Actor, now: datetime) -> ReadingReport:
    """Store what is good of a batch that was screened just now; see :func:`receive_columns`."""
    if not screened.columns.size and not screened.candidates:
        return _report(screened.rejected, [])
    for remaining in reversed(range(_TRIES)):
        parted, late = _kept_back(screened)
        _make_room(parted, now)
        try:
            return _write(parted, late, actor, now)
        except _LacksStatesError as lacking:
            with transaction.atomic():
                store.add_states(lacking.register_ids)
        except (MissingPartition, RowsVanished):
            # The archive took a partition away between the look and the write: look again.
            if not remaining:
                raise
    raise AssertionError("unreachable")


def _kept_back(screened: Screened) -> tuple[Screened, list[Verdict]]:
    """Part what cannot enter because its month lies in the archive, and judge it."""
    archived = archived_months()
    columns, candidates = screened.columns, list(screened.candidates)
    if archived and columns.size:
        times, inverse = np.unique(columns.times, return_inverse=True)
        lies = np.array([_instant(time) in archived for time in times.tolist()], dtype=np.bool_)[inverse]
        candidates += screened.as_candidates(columns.take(lies))
        columns = columns.take(~lies)
    if not archived or not candidates:
        return screened, []
    entering, late = part_late(candidates)
    return replace(screened, columns=columns, candidates=entering), late


def _instant(time: int) -> datetime:
    return EPOCH + timedelta(microseconds=time)


def _make_room(screened: Screened, now: datetime) -> None:
    times = [candidate.time for candidate in screened.candidates]
    times += [_instant(time) for time in np.unique(screened.columns.times).tolist()]
    if times:
        ensure_partitions(
            store.REGISTER_READINGS,
            set(times),
            floor=earliest_accepted(now),
            ceiling=max(times),
        )


@transaction.atomic
def _write(screened: Screened, late: Sequence[Verdict], actor: Actor, now: datetime) -> ReadingReport:
    register_ids = np.unique(
        np.append(screened.columns.register_ids, [candidate.register_id for candidate in screened.candidates])
    ).astype(np.int64)
    states = store.door.lock_states(register_ids)
    if states.register_ids.size < register_ids.size:
        raise _LacksStatesError(np.setdiff1d(register_ids, states.register_ids).tolist())
    usual, others = _part(screened, states)
    candidates = [*screened.candidates, *screened.as_candidates(others)]
    their_states = states.of({candidate.register_id for candidate in candidates})
    judges = _judge(candidates, screened, their_states)
    verdicts = [*late, *(verdict for judge in judges.values() for verdict in judge.verdicts)]
    _open_exceptions(verdicts, actor, now)
    source_id = actor.source.pk if actor.source else None
    changes = Changes(
        [_entry(each.candidate, source_id) for each in verdicts if each.outcome is Outcome.STORED],
        usual=usual,
        source_id=source_id,
    )
    for register_id, judge in judges.items():
        changes.drop(register_id, judge.estimates)
    record(changes, states=their_states, now=now)
    return _report(screened.rejected, verdicts, stored=usual.size, estimates_replaced=len(changes.gone))


def _part(screened: Screened, states: store.door.States) -> tuple[Columns, Columns]:
    """Part the rows of registers that only go on, each row newer than the one before and a dial's never less.

    Nothing stands where these rows come, no estimate is touched and no rule has anything to say, so that they need no
    look at their neighbours one by one: what :class:`Judge` would make of them is certain. Sorted by register and time.
    """
    rows = screened.columns.take(np.lexsort((screened.columns.times, screened.columns.register_ids)))
    if screened.rules.book.blocks(AT_THE_DOOR_WHEN_BLOCKING):
        return rows.take(np.zeros(0, dtype=np.int64)), rows
    starts = rows.starts()
    mine = np.searchsorted(states.register_ids, rows.register_ids[starts])
    times, values = np.roll(rows.times, 1), np.roll(rows.values, 1)
    times[starts], values[starts] = states.last_times[mine], states.last_values[mine]
    goes_on = (rows.times > times) & ((rows.values >= values) | ~rows.dials)
    goes_on &= ~np.isin(rows.qualities, list(ESTIMATES))
    goes_on &= _is_slow(rows, screened.registry, times, values)
    others = [candidate.register_id for candidate in screened.candidates]
    whole = np.logical_and.reduceat(goes_on, starts) if starts.size else np.zeros(0, dtype=np.bool_)
    whole &= (states.estimated_from[mine] == store.door.UNKNOWN_TIME) & ~np.isin(rows.register_ids[starts], others)
    usual = np.repeat(whole, np.diff(np.append(starts, rows.size)))
    return rows.take(usual), rows.take(~usual)


def _is_slow(rows: Columns, registry: Registry, times: Int64s, values: Int64s) -> Bools:
    """Tell of each row whether its dial turned well within what its connection carries since the value before.

    Floats are not exact here: what comes near the limit is looked at one by one.
    """
    half_hours = (rows.times.astype(np.float64) - times) / (HALF_HOUR // timedelta(microseconds=1))
    counted = rows.values.astype(np.float64) - values
    limits = registry.greatest()[registry.groups[rows.numbers]] * _WELL_WITHIN
    slow: Bools = (counted <= limits * half_hours) | ~rows.dials | (times == store.door.UNKNOWN_TIME)
    return slow


def _entry(row: Candidate, source_id: int | None) -> Entry:
    return Entry(row.register_id, row.time, row.value, row.quality, source_id, row.raw_stamp)


def _judge(candidates: Sequence[Candidate], screened: Screened, states: Mapping[int, store.State]) -> dict[int, Judge]:
    groups: dict[int, list[Candidate]] = {}
    for row in sorted(candidates, key=attrgetter("register_id", "time", "place")):
        groups.setdefault(row.register_id, []).append(row)
    if not groups:
        return {}
    standing = standing_around(
        {register_id: [row.time for row in rows] for register_id, rows in groups.items()}, states
    )
    findings = _findings(candidates, screened.rules)
    targets = screened.targets(groups)
    judges: dict[int, Judge] = {}
    for register_id, rows in groups.items():
        judge = judges[register_id] = Judge(targets[register_id], standing[register_id], screened.rules)
        judge.judge(rows, findings)
    return judges


def _findings(candidates: Sequence[Candidate], rules: Rules) -> dict[int, tuple[Catch, ...]]:
    """Return, by place, what the rules that look at profiles hold back.

    An estimate is judged by what stands, not by what is usual: it was made from that.
    """
    if not rules.book.blocks(AT_THE_DOOR_WHEN_BLOCKING):
        return {}
    true = [row for row in candidates if row.quality not in ESTIMATES]
    return {
        each.place: (Catch(each.code, each.severity, each.detail),)
        for each in blocking_findings(candidates=true, book=rules.book)
        if each.code not in rules.overrides
    }


def _open_exceptions(verdicts: Iterable[Verdict], actor: Actor, now: datetime) -> None:
    """Open an exception, or note one, for what rules caught: once each, however often a row is sent."""
    found = [exception for verdict in verdicts for exception in exceptions_of(verdict, source=actor.source, now=now)]
    found.sort(key=lambda exception: (exception.register_id, exception.time, exception.code, exception.offered_value))
    ReadingException.objects.bulk_create(found, ignore_conflicts=True)


def _report(
    rejected: Iterable[Rejection], verdicts: Sequence[Verdict], *, stored: int = 0, estimates_replaced: int = 0
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
        stored=stored + len(by_outcome[Outcome.STORED]),
        duplicates=len(by_outcome[Outcome.DUPLICATE]),
        quarantined=_sorted(waiting),
        conflicts=_sorted(conflicts),
        rejected=_sorted([*rejected, *refused]),
        estimates_replaced=estimates_replaced,
    )


def _sorted(rejections: Iterable[Rejection]) -> tuple[Rejection, ...]:
    return tuple(sorted(rejections, key=attrgetter("index")))
