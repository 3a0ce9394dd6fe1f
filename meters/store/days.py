"""The hand-written SQL of the days that are summed ahead (RegisterDay). Every write is sorted by its key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection

from meters.models import ReadingWork, RegisterDay
from meters.series.spec import SeriesSpec
from meters.store.arrays import array_text
from meters.store.registers import Window

REGISTER_DAYS = SeriesSpec.of(RegisterDay, owner="register", identity=("energy",))

_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('rollup of register days', 0))"
# No day is longer than 25 hours, so that the key (register, time) serves although the row's end is asked for, too.
_CLEAR = """
    DELETE FROM meters_registerday AS day
    USING unnest(%(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[])
        AS gone (register_id, low, high)
    WHERE day.register_id = gone.register_id AND day.time < gone.high AND day.until > gone.low
      AND day.time > gone.low - interval '2 days'
      AND day.time BETWEEN %(lowest)s::timestamptz - interval '2 days' AND %(highest)s::timestamptz
"""
_ADD = """
    INSERT INTO meters_registerday
        (register_id, time, until, energy, known_energy, estimated_energy, half_hours_known, quality, computed_at)
    SELECT *, %(now)s FROM unnest(
        %(registers)s::int4[], %(times)s::timestamptz[], %(untils)s::timestamptz[], %(energies)s::numeric[],
        %(known)s::numeric[], %(estimated)s::numeric[], %(counts)s::int2[], %(qualities)s::int2[]
    ) ORDER BY 1, 2
"""
# A day that a write may have touched is not to be trusted until it is summed anew: a line reaches two hours. Neither
# is one whose edge may lie on a line: its two sides do not add up to what both were estimated as.
_SUMS = """
    WITH stretch AS MATERIALIZED (
        SELECT * FROM unnest(
            %(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[], %(groups)s::int4[],
            %(scales)s::numeric[], %(kwh)s::numeric[]
        ) WITH ORDINALITY AS stretch (register_id, low, high, group_number, scale, kwh_a_unit, number)
    ), pending AS MATERIALIZED (
        SELECT register_id, low - interval '2 hours' AS low, high + interval '2 hours' AS high
        FROM meters_readingwork AS work CROSS JOIN LATERAL unnest(work.register_ids) AS register_id
        WHERE work.purpose = %(purpose)s AND work.register_ids && %(registers)s::int4[]
    ), day AS MATERIALIZED (
        SELECT stretch.number, stretch.group_number, day.time, day.until, day.energy * stretch.scale AS energy,
               day.estimated_energy * stretch.scale AS estimated, day.energy * stretch.kwh_a_unit AS kwh, day.quality,
               width_bucket(day.time, %(pieces)s::timestamptz[]) AS piece
        FROM stretch CROSS JOIN LATERAL (
            SELECT time, until, energy, estimated_energy, quality FROM meters_registerday
            WHERE register_id = stretch.register_id AND time >= stretch.low AND time < stretch.high
              AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
              AND until <= stretch.high AND energy IS NOT NULL AND quality NOT IN (9, 10, 12)
            ORDER BY time
        ) AS day
        WHERE NOT EXISTS (
            SELECT FROM pending
            WHERE pending.register_id = stretch.register_id AND pending.low < day.until AND pending.high >= day.time
        )
        AND day.until <= (%(piece_ends)s::timestamptz[])[width_bucket(day.time, %(pieces)s::timestamptz[])]
    ), held AS (
        SELECT number, sum(until - time) AS length, range_agg(tstzrange(time, until)) AS stretches
        FROM day GROUP BY number
    )
    SELECT group_number, piece, sum(energy), sum(estimated),
           CASE WHEN bool_and(kwh IS NOT NULL) THEN sum(kwh) END,
           (ARRAY[19, 18, 17, 0, 14, 11, 7, 8])
               [max(array_position(ARRAY[19, 18, 17, 0, 14, 11, 7, 8]::int2[], quality))],
           NULL::int8, NULL::tstzmultirange
    FROM day GROUP BY group_number, piece
    UNION ALL
    SELECT group_number, NULL, NULL, NULL, NULL, NULL, number,
           tstzmultirange(tstzrange(low, high)) - coalesce(held.stretches, '{}'::tstzmultirange)
    FROM stretch LEFT JOIN held USING (number)
    WHERE held.length IS DISTINCT FROM stretch.high - stretch.low
"""


class DayRow(NamedTuple):
    """A day of a register, cut to a stay, as it is stored."""

    register_id: int
    time: datetime
    until: datetime
    energy: Decimal | None
    known_energy: Decimal | None
    estimated_energy: Decimal
    half_hours_known: int
    quality: int | None


@dataclass(frozen=True, slots=True)
class DayStretch:
    """The stretch ``[low, high)`` of a register that counts in a group's sum.

    ``scale`` turns its unit into that of the sum, ``kwh_a_unit`` into kWh; None where nobody knows.
    """

    register_id: int
    low: datetime
    high: datetime
    group: int
    scale: Decimal
    kwh_a_unit: Decimal | None


class DaySum(NamedTuple):
    """What whole days of a group add up to in a piece: amount, what of it is estimated, kWh, least trusted quality."""

    group: int
    piece: int
    amount: Decimal
    estimated: Decimal
    kwh: Decimal | None
    quality: int | None


@dataclass(frozen=True)
class DaySums:
    """Sums of whole days by group and piece, and by the stretch's place what of it no day tells."""

    sums: list[DaySum]
    gaps: dict[int, list[tuple[datetime, datetime]]]


def take_turn() -> bool:
    """Tell whether this transaction is the one that sums days, until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN)
        return bool(cursor.fetchone()[0])


def replace_days(*, cleared: Sequence[Window], rows: Sequence[DayRow], now: datetime) -> None:
    """Put rows in the place of all that share time with what is cleared.

    Served by the partitions' keys: a descent a window and a row.
    """
    if not cleared:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _CLEAR,
            {
                "registers": array_text(window.register_id for window in cleared),
                "lows": array_text(window.low for window in cleared),
                "highs": array_text(window.high for window in cleared),
                "lowest": min(window.low for window in cleared),
                "highest": max(window.high for window in cleared),
            },
        )
        if not rows:
            return
        names = ("registers", "times", "untils", "energies", "known", "estimated", "counts", "qualities")
        columns = zip(names, zip(*rows, strict=True), strict=True)
        cursor.execute(_ADD, {"now": now} | {name: array_text(column) for name, column in columns})


def sums_of_days(stretches: Sequence[DayStretch], pieces: Sequence[tuple[datetime, datetime]]) -> DaySums:
    """Return what days that were summed ahead add up to, and what of the stretches they do not tell, in one snapshot.

    Only whole days count that lie within one piece. Served by the partitions' keys, a descent a stretch and partition;
    work that waits is searched for the stretches' registers.

    :param pieces: ``[start, end)`` each, in order, touching; one at least.
    """
    parameters: dict[str, Any] = {
        "registers": array_text(each.register_id for each in stretches),
        "lows": array_text(each.low for each in stretches),
        "highs": array_text(each.high for each in stretches),
        "groups": array_text(each.group for each in stretches),
        "scales": array_text(each.scale for each in stretches),
        "kwh": array_text(each.kwh_a_unit for each in stretches),
        "pieces": array_text(start for start, _ in pieces),
        "piece_ends": array_text(end for _, end in pieces),
        "lowest": min(each.low for each in stretches),
        "highest": max(each.high for each in stretches),
        "purpose": ReadingWork.Purpose.ROLLUP.value,
    }
    sums: list[DaySum] = []
    gaps: dict[int, list[tuple[datetime, datetime]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, parameters)
        for group, piece, amount, estimated, kwh, quality, number, lacking in cursor.fetchall():
            if number is None:
                sums.append(DaySum(group, piece - 1, amount, estimated, kwh, quality))
            else:
                gaps[number - 1] = [(each.lower, each.upper) for each in lacking]
    return DaySums(sums, gaps)
