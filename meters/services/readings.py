"""The one door for register readings.

Writers of one register are ordered by the lock on its state row: who holds it sees every reading that was ever
acknowledged for that register, and nobody adds another until they commit. So a value is judged against true
neighbours, whichever processes send what, in whichever order and however often.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple, cast

from django.conf import settings
from django.db import connection, transaction

from accounts.actors import Actor
from energy_portal.shared.errors import Invalid
from meters import store
from meters.models import ChainEvent, Quality, ReadingException
from meters.series import writer
from meters.series.errors import MissingPartition, RowsVanished
from meters.series.partitions import ensure_partitions
from meters.services.openings import conflict, rollover
from meters.services.screening import (
    Candidate,
    OfferedReading,
    Rejection,
    Screened,
    earliest_accepted,
    latest_accepted,
    screen,
)
from meters.validation import History, Known, Rank, Regression, Tail, plain, windows_of

__all__ = ["BatchTooLarge", "OfferedReading", "ReadingReport", "Rejection", "receive_readings"]

_TRIES = 3
_RANK_OF: dict[str, Rank] = {
    ChainEvent.Kind.INSTALLED: Rank.INSTALLED,
    ChainEvent.Kind.REMOVED: Rank.REMOVED,
}


class BatchTooLarge(Invalid):
    """More rows than one batch may hold."""

    code = "batch_too_large"
    status = 413


@dataclass(frozen=True)
class ReadingReport:
    """What became of a batch: counts, and the indexes and reasons of the rows that did not simply enter."""

    stored: int
    duplicates: int
    quarantined: tuple[Rejection, ...]
    conflicts: tuple[Rejection, ...]
    rejected: tuple[Rejection, ...]


class _Judged(NamedTuple):
    """A candidate that fits; ``turned`` is the instant of the value that a roll-over led to."""

    candidate: Candidate
    turned: datetime | None


def receive_readings(*, readings: Sequence[OfferedReading], actor: Actor, now: datetime) -> ReadingReport:
    """Store what is good of a batch in one transaction, and say what became of each row.

    A repeat is a duplicate and changes nothing; another value for an instant that has one is a conflict: the first
    stands, and an exception opens. Rows are judged in the order of time; a refused row is nobody's neighbour.
    When this returns, what it counts as stored is on disk.

    :raises BatchTooLarge: more rows than a batch may hold.
    """
    if len(readings) > settings.READING_BATCH_LIMIT:
        raise BatchTooLarge(f"A batch holds at most {settings.READING_BATCH_LIMIT} readings.")
    screened = screen(readings, actor=actor, now=now)
    if not screened.candidates:
        return _report(screened.rejected, [], [])
    if lacking := [target.register_id for target in screened.targets.values() if target.lacks_state]:
        with transaction.atomic():
            store.add_states(lacking)
    for remaining in reversed(range(_TRIES)):
        _make_room(screened, now)
        try:
            return _write(screened, actor, now)
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
        ceiling=latest_accepted(now),
    )


@transaction.atomic
def _write(screened: Screened, actor: Actor, now: datetime) -> ReadingReport:
    states = store.lock_states(screened.targets)
    rows = sorted(screened.candidates, key=attrgetter("register_id", "time", "place"))
    judged, refused = _judge(rows, screened, states)
    result = writer.write(store.REGISTER_READINGS, _columns(judged, actor), connection)
    stored = [each for each, outcome in zip(judged, result.outcomes, strict=True) if outcome is writer.Outcome.STORED]
    conflicts = [
        (judged[position].candidate, cast("Decimal", standing))
        for position, (standing,) in sorted(result.standing.items())
    ]
    _advance(stored)
    _open_exceptions(stored, conflicts, actor, now)
    return _report([*screened.rejected, *refused], judged, conflicts, stored=len(stored))


def _judge(
    rows: Sequence[Candidate], screened: Screened, states: dict[int, tuple[datetime | None, Decimal | None]]
) -> tuple[list[_Judged], list[Rejection]]:
    """Judge rows that are sorted by register and time."""
    groups: dict[int, list[Candidate]] = {}
    for row in rows:
        groups.setdefault(row.register_id, []).append(row)
    late = {
        register_id
        for register_id, group in groups.items()
        if (last_time := states[register_id][0]) is not None and group[0].time <= last_time
    }
    known = _known_around({register_id: groups[register_id] for register_id in late}, states)
    judged: list[_Judged] = []
    refused: list[Rejection] = []
    for register_id, group in groups.items():
        dial = screened.targets[register_id].dial
        last_time, last_value = states[register_id]
        history: History | Tail
        if register_id in late or last_time is None or last_value is None:
            history = History(dial, known.get(register_id, ()))
        else:
            history = Tail(dial, last_time, last_value)
        for candidate in group:
            try:
                judged.append(_Judged(candidate, history.judge(candidate.time, candidate.value)))
            except Regression as error:
                refused.append(Rejection(candidate.place, error.code, error.detail))
    return judged, refused


def _known_around(
    groups: dict[int, list[Candidate]], states: dict[int, tuple[datetime | None, Decimal | None]]
) -> dict[int, list[Known]]:
    """Return what registers showed around rows that are not all newer than their newest value. Two queries."""
    if not groups:
        return {}
    known: dict[int, list[Known]] = {register_id: [] for register_id in groups}
    windows: list[store.Window] = []
    for register_id, group in groups.items():
        last_time, _ = states[register_id]
        times = [candidate.time for candidate in group if last_time is not None and candidate.time <= last_time]
        windows += (store.Window(register_id, low, high) for low, high in windows_of(times))
    for register_id, time, value in store.readings_around(windows):
        known[register_id].append(Known(time, value))
    for register_id, at, kind, value in _event_reads(groups):
        known[register_id].append(Known(at, value, _RANK_OF.get(kind, Rank.FIELD)))
    return known


def _event_reads(register_ids: Iterable[int]) -> list[tuple[int, datetime, str, Decimal]]:
    events = ChainEvent.objects.filter(register_id__in=list(register_ids), value__isnull=False)
    return list(events.order_by().values_list("register_id", "at", "kind", "value"))


def _columns(judged: Sequence[_Judged], actor: Actor) -> dict[str, list[object]]:
    source_id = actor.source.pk if actor.source else None
    return {
        "register_id": [each.candidate.register_id for each in judged],
        "time": [each.candidate.time for each in judged],
        "value": [each.candidate.value for each in judged],
        "quality": [int(Quality.VALIDATED)] * len(judged),
        "source_id": [source_id] * len(judged),
        "raw_stamp": [each.candidate.raw_stamp for each in judged],
    }


def _advance(stored: Sequence[_Judged]) -> None:
    """Note each register's newest value; ``stored`` is in the order of register and time."""
    newest = {each.candidate.register_id: each.candidate for each in stored}
    store.advance_states((row.register_id, row.time, row.value) for row in newest.values())


def _open_exceptions(
    stored: Sequence[_Judged],
    conflicts: Sequence[tuple[Candidate, Decimal]],
    actor: Actor,
    now: datetime,
) -> None:
    """Open an exception a conflict, and note where dials turned over, once each however often a row is sent."""
    found = [
        conflict(
            register_id=row.register_id,
            time=row.time,
            offered=row.value,
            standing=standing,
            source=actor.source,
            now=now,
        )
        for row, standing in conflicts
    ]
    found += (
        rollover(
            register_id=each.candidate.register_id,
            time=each.turned,
            value=each.candidate.value,
            source=actor.source,
            now=now,
        )
        for each in stored
        if each.turned is not None
    )
    found.sort(key=lambda exception: (exception.register_id, exception.time, exception.code, exception.offered_value))
    ReadingException.objects.bulk_create(found, ignore_conflicts=True)


def _report(
    rejected: Iterable[Rejection],
    judged: Sequence[_Judged],
    conflicts: Sequence[tuple[Candidate, Decimal]],
    *,
    stored: int = 0,
) -> ReadingReport:
    return ReadingReport(
        stored=stored,
        duplicates=len(judged) - stored - len(conflicts),
        quarantined=(),
        conflicts=tuple(
            sorted(
                (
                    Rejection(row.place, "conflict", f"{plain(row.value)} was offered where {plain(standing)} stands.")
                    for row, standing in conflicts
                ),
                key=attrgetter("index"),
            )
        ),
        rejected=tuple(sorted(rejected, key=attrgetter("index"))),
    )
