"""Writing down what was decided of registers whose states are locked: one place for all who write readings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import numpy as np
from django.db import connection

from meters import store
from meters.consumption import ESTIMATES
from meters.models import DomainEvent, SupersededReading
from meters.series import writer
from meters.series.columns import EPOCH, Values, held
from meters.services import outbox
from meters.services.judging import Estimates, Stretch
from meters.services.sifting import Columns
from meters.services.worklog import log_work

Key = tuple[int, datetime]
_DAY_MICROS = 86_400 * 10**6


class Entry(NamedTuple):
    """A reading that enters."""

    register_id: int
    time: datetime
    value: Decimal
    quality: int
    source_id: int | None
    raw_stamp: str | None


@dataclass
class Changes:
    """What is to be written.

    :ivar usual: readings that are all newer than their registers' newest, in the order of register and time, and the
        source that they come from.
    :ivar entries: readings for instants that hold none, once those of ``gone`` have left.
    :ivar gone: readings that leave, by (register, time), and why.
    :ivar stretches: where known energy moves by it.
    """

    entries: list[Entry] = field(default_factory=list)
    gone: dict[Key, SupersededReading.Reason] = field(default_factory=dict)
    stretches: list[Stretch] = field(default_factory=list)
    usual: Columns | None = None
    source_id: int | None = None

    def drop(self, register_id: int, estimates: Estimates) -> None:
        """Let a register's estimates go that have to."""
        self.gone |= {(register_id, time): why for time, why in estimates.gone.items()}
        self.stretches += estimates.stretches


def record(
    changes: Changes,
    *,
    states: Mapping[int, store.State],
    now: datetime,
    correction_id: UUID | None = None,
) -> dict[Key, tuple[Decimal, int]]:
    """Write changes in the caller's transaction, with all that follows from them; publishing is its last act.

    :param states: of all registers that change but for the usual ones, locked.
    :returns: what left, by its key: value and quality.
    :raises MissingPartition: a time's month has no partition.
    """
    left = store.supersede(changes.gone, now=now, correction_id=correction_id)
    result = writer.write(store.REGISTER_READINGS, _columns(changes.entries, now), connection)
    if any(outcome is not writer.Outcome.STORED for outcome in result.outcomes):
        raise AssertionError("A reading stands that nobody knew of, although its register's state is locked.")
    if changes.usual is not None and changes.usual.size:
        _append(changes.usual, changes.source_id, now)
    _note_states(changes, left, states)
    _log(changes, now)
    _publish(changes.stretches, left, now)
    return left


def _append(rows: Columns, source_id: int | None, now: datetime) -> None:
    """Add what is newer than all that stands, with what follows from it."""
    columns: dict[str, Values] = {
        "register_id": held(rows.register_ids),
        "time": held(rows.times),
        "value": held(rows.values),
        "quality": held(rows.qualities),
        "received_at": held(np.full(rows.size, store.door.micros(now))),
    }
    if source_id is not None:
        columns["source_id"] = held(np.full(rows.size, source_id))
    if (rows.stamps != np.array(None)).any():
        columns["raw_stamp"] = rows.stamps
    writer.copy_in(store.REGISTER_READINGS, columns, connection)
    starts = rows.starts()
    ends = np.append(starts[1:], rows.size) - 1
    store.door.advance_states(rows.register_ids[ends], rows.times[ends], rows.values[ends])
    lows, highs = rows.times[starts], rows.times[ends]
    # A day's number since 2000 has far fewer than 32 bits.
    spans = (lows // _DAY_MICROS << 32) + highs // _DAY_MICROS
    for span in np.unique(spans).tolist():
        mine = spans == span
        low, high = (EPOCH + timedelta(microseconds=int(end)) for end in (lows[mine].min(), highs[mine].max()))
        log_work(register_ids=rows.register_ids[starts[mine]], low=low, high=high, now=now)


def _columns(entries: Sequence[Entry], now: datetime) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {name: [getattr(entry, name) for entry in entries] for name in Entry._fields}
    columns["received_at"] = [now] * len(entries)
    return columns


def _note_states(changes: Changes, left: Mapping[Key, tuple[Decimal, int]], states: Mapping[int, store.State]) -> None:
    newest: dict[int, tuple[datetime, Decimal]] = {}
    earliest: dict[int, datetime] = {}
    for register_id, time, value, quality, *_ in changes.entries:
        if quality in ESTIMATES:
            earliest[register_id] = min(earliest.get(register_id, time), time)
        elif register_id not in newest or time > newest[register_id][0]:
            newest[register_id] = time, value
    store.advance_states((register_id, *reading) for register_id, reading in newest.items())
    # A true reading that left may have been the newest.
    bereft = {register_id for (register_id, _), (_, quality) in left.items() if quality not in ESTIMATES}
    store.refresh_states(bereft)
    store.advance_states(store.archive.newest_archived(bereft))
    for register_id in {*earliest, *(register_id for register_id, _ in left)}:
        bounds = [time for time in (earliest.get(register_id), states[register_id].estimated_from) if time is not None]
        if bounds:
            earliest[register_id] = min(bounds)
    store.refresh_estimated(earliest)


def _log(changes: Changes, now: datetime) -> None:
    """Log work by the days that it spans, so that one late reading does not make all others' work as long."""
    spans: dict[int, tuple[datetime, datetime]] = {}
    for register_id, time in (*((entry.register_id, entry.time) for entry in changes.entries), *changes.gone):
        low, high = spans.get(register_id, (time, time))
        spans[register_id] = min(low, time), max(high, time)
    groups: dict[tuple[date, date], list[int]] = {}
    for register_id, (low, high) in spans.items():
        groups.setdefault((low.date(), high.date()), []).append(register_id)
    for register_ids in groups.values():
        lows, highs = zip(*(spans[register_id] for register_id in register_ids), strict=True)
        log_work(register_ids=register_ids, low=min(lows), high=max(highs), now=now)


def _publish(stretches: Sequence[Stretch], left: Mapping[Key, tuple[Decimal, int]], now: datetime) -> None:
    if not left:
        return
    moved = sorted(set(stretches))
    places = store.places_of([(stretch.register_id, stretch.end) for stretch in moved])
    outbox.publish(
        (
            outbox.NewEvent(
                DomainEvent.Kind.READING_SUPERSEDED,
                service_point_id=place,
                register_id=stretch.register_id,
                start=stretch.start,
                end=stretch.end,
            )
            for stretch, place in zip(moved, places, strict=True)
        ),
        now=now,
    )
