"""The quarters of batteries, rolled up as they close, and anew where data came late; each time from the readings.

A closed span is logged in the transaction that moves the mark past it, and rolled up in a later one: what was written
without a look at the new mark is visible to that, what is written after it is logged by its writer. So no reading is
lost, whoever dies in between, and no writer waits for a rollup.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction

from energy_portal.shared.clock import as_utc
from meters.batteries.models import Battery, QuarterMark, TouchedQuarters
from meters.batteries.quantities import System
from meters.batteries.rollup import LOOK_BACK_US, QUARTER_US, Ints, Quarter, Told, Windows, quarters
from meters.batteries.store import READINGS
from meters.batteries.store import quarters as store
from meters.batteries.store.quarters import BATTERY_QUARTERS
from meters.series.columns import EPOCH, micros_of
from meters.series.partitions import ensure_partitions, list_partitions
from meters.store.archive import holds_rows

GRACE = timedelta(minutes=2)
QUARTER = timedelta(microseconds=QUARTER_US)
MOST_ENTRIES = 1_000
# Quarters of batteries in one transaction: some ten seconds of work where everybody tells something every second.
MOST_QUARTERS = 4_000
_READ_AT_ONCE = 100
_DAY = timedelta(days=1)
_REACH = timedelta(microseconds=LOOK_BACK_US)


@dataclass(frozen=True)
class _Piece:
    """Quarters ``[start, end)`` of some batteries, of one day (UTC), and what is left of their entry of the log."""

    entry: TouchedQuarters
    battery_ids: tuple[int, ...]
    start: datetime
    end: datetime
    until: datetime

    @property
    def size(self) -> int:
        return len(self.battery_ids) * ((self.end - self.start) // QUARTER)


@transaction.atomic
def close_quarters(*, now: datetime) -> int:
    """Move the mark past the quarters that closed, and log them to be rolled up; return how many they are.

    A quarter closes ``GRACE`` after its end; the first is that of the earliest month that holds readings. What stood
    before the first close is logged like what came late, so that no past however long goes before the present. Writers
    wait while this runs, which is for some statements and only where a quarter closed.
    """
    until = _floor(now - GRACE)
    known = QuarterMark.objects.filter(pk=1).values_list("until", flat=True).first()
    if known is not None and known >= until:
        return 0
    store.lock_mark()
    mark, _ = QuarterMark.objects.get_or_create(pk=1)
    reached = mark.until or _first_month()
    if reached is None or reached >= until:
        return 0
    concerned = [] if mark.until else list(_everyone())
    TouchedQuarters.objects.create(low=reached, high=until, battery_ids=concerned, logged_at=now)
    mark.until = until
    mark.save(update_fields=("until",))
    return (until - reached) // QUARTER


@transaction.atomic
def roll_up_next() -> int:
    """Roll up a part of the closed span that waits, otherwise a batch of what late data touched.

    One process at a time, the others do nothing; what a batch does not reach stays in the log. Memory is bounded: the
    rows of ``_READ_AT_ONCE`` quarters.

    :returns: how many entries of the log were worked off or shortened; none when nothing waits.
    """
    if not store.take_turn():
        return 0
    mark = QuarterMark.objects.filter(pk=1).values_list("until", flat=True).first()
    if mark is None:
        return 0
    pieces = _pieces(mark)
    for (start, end), battery_ids in _together(pieces).items():
        _roll_up(np.array(sorted(battery_ids), np.int64), start, end)
    lasts = {piece.entry.pk: piece for piece in pieces}
    left = [piece for piece in lasts.values() if piece.end < piece.until]
    TouchedQuarters.objects.filter(pk__in=lasts.keys() - {piece.entry.pk for piece in left}).delete()
    for piece in left:
        piece.entry.low = piece.end
    TouchedQuarters.objects.bulk_update([piece.entry for piece in left], ("low",))
    return len(lasts)


def _first_month() -> datetime | None:
    held = (each.start for system in System for each in list_partitions(READINGS[system]) if holds_rows(each.name))
    return min(held, default=None)


def _pieces(mark: datetime) -> list[_Piece]:
    """Return the pieces of the earliest entries of the log, in their order, as many as a batch takes, at least one."""
    whole = TouchedQuarters.objects.filter(battery_ids=[]).order_by("low", "id").first()
    if whole is not None:
        return list(_cut(whole, _everyone(), until=whole.high, room=MOST_QUARTERS))
    taken: list[_Piece] = []
    room = MOST_QUARTERS
    for entry in TouchedQuarters.objects.order_by("id")[:MOST_ENTRIES]:
        if taken and room <= 0:
            break
        until = min(_floor(entry.high + _REACH) + QUARTER, mark)
        pieces = list(_cut(entry, tuple(entry.battery_ids), until=until, room=room))
        room -= sum(piece.size for piece in pieces)
        taken += pieces
    return taken


def _everyone() -> tuple[int, ...]:
    return tuple(Battery.objects.order_by("pk").values_list("pk", flat=True))


def _cut(entry: TouchedQuarters, battery_ids: tuple[int, ...], *, until: datetime, room: int) -> Iterator[_Piece]:
    """Yield an entry's days, one after the other, as far as there is room; one piece at least, which may be empty."""
    start = _floor(entry.low)
    while True:
        most = max(1, room // max(1, len(battery_ids))) * QUARTER
        end = max(start, min(until, start.replace(hour=0, minute=0) + _DAY, start + most))
        piece = _Piece(entry, battery_ids, start, end, until)
        yield piece
        room -= piece.size
        start = end
        if end >= until or room <= 0:
            return


def _together(pieces: list[_Piece]) -> dict[tuple[datetime, datetime], set[int]]:
    """Return batteries by the quarters of theirs that pieces touch: from the first to the last one of each day."""
    spans: dict[tuple[int, datetime], tuple[datetime, datetime]] = {}
    for piece in pieces:
        day = piece.start.replace(hour=0, minute=0)
        for battery in piece.battery_ids:
            low, high = spans.get((battery, day), (piece.start, piece.end))
            spans[battery, day] = min(low, piece.start), max(high, piece.end)
    together: dict[tuple[datetime, datetime], set[int]] = defaultdict(set)
    for (battery, _), span in spans.items():
        if span[0] < span[1]:
            together[span].add(battery)
    return together


def _roll_up(battery_ids: Ints, start: datetime, end: datetime) -> None:
    ensure_partitions(BATTERY_QUARTERS, [start], floor=start, ceiling=start)
    windows = _windows(battery_ids)
    at_once = max(1, _READ_AT_ONCE // ((end - start) // QUARTER))
    for place in range(0, battery_ids.size, at_once):
        some = battery_ids[place : place + at_once]
        bms = store.told_between(System.BMS, some, start, end)
        pcs = store.told_between(System.PCS, some, start, end)
        store.put_quarters(list(_rolled(some, bms, pcs, windows, start, end)))


def _rolled(
    battery_ids: Ints,
    bms: dict[int, Told],
    pcs: dict[int, Told],
    windows: dict[int, Windows],
    start: datetime,
    end: datetime,
) -> Iterator[tuple[int, int, Quarter]]:
    for battery in battery_ids.tolist():
        span = {"start": micros_of(start), "end": micros_of(end)}
        for first, quarter in quarters(bms[battery], pcs[battery], windows[battery], **span):
            yield battery, first, quarter


def _windows(battery_ids: Ints) -> dict[int, Windows]:
    return {
        battery.pk: Windows(
            soc=(battery.soc_low_percent, battery.soc_high_percent),
            cell_voltage=(battery.cell_voltage_low_v, battery.cell_voltage_high_v),
            cell_temp=(battery.cell_temp_low_c, battery.cell_temp_high_c),
        )
        for battery in Battery.objects.filter(pk__in=battery_ids.tolist())
    }


def _floor(instant: datetime) -> datetime:
    instant = as_utc(instant)
    return instant - (instant - EPOCH) % QUARTER
