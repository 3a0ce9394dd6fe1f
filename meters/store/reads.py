"""The hand-written SQL that reads readings: what stands now, or what stood at an instant of the past.

It lies in the database or in the archive; whoever asks here need not know.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from energy_portal.shared.clock import Period
from meters.models import ReadingException
from meters.store.archive import MONTHS, with_archived, with_files
from meters.store.arrays import array_text
from meters.store.registers import Window

# A sub-select with an order or a limit stays one descent of the key a window, whatever the statistics say. Windows lie
# apart, and of the ends of stays only those outside them are added, so that most rows need not be compared.
_WITHIN = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(%(registers)s::int4[], %(lows)s::timestamptz[], %(highs)s::timestamptz[])
            AS asked (register_id, low, high)
    ), stay AS MATERIALIZED (
        SELECT * FROM unnest(%(stay_registers)s::int4[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
            AS asked (register_id, low, high)
    )
    SELECT register_id, date_part('epoch', time), value, quality FROM (
        SELECT asked.register_id, reading.* FROM asked CROSS JOIN LATERAL (:rows: ORDER BY time) AS reading
        UNION ALL
        SELECT * FROM (
            SELECT asked.register_id, reading.*
            FROM stay AS asked CROSS JOIN LATERAL (:rows: ORDER BY time LIMIT 1) AS reading
            UNION
            SELECT asked.register_id, reading.*
            FROM stay AS asked CROSS JOIN LATERAL (:rows: ORDER BY time DESC LIMIT 1) AS reading
        ) AS edge
        WHERE NOT EXISTS (
            SELECT FROM asked WHERE register_id = edge.register_id AND edge.time BETWEEN low AND high
        )
        UNION ALL :months:
    ) AS found
    ORDER BY 1, 2
"""
_STANDING = """
        SELECT time, value, quality FROM meters_registerreading
        WHERE register_id = asked.register_id AND time BETWEEN asked.low AND asked.high
          AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
"""
# Rows that entered later are not there yet, and rows that were superseded later still are.
_STOOD = """
        SELECT time, value, quality FROM meters_registerreading
        WHERE register_id = asked.register_id AND time BETWEEN asked.low AND asked.high
          AND time BETWEEN %(lowest)s::timestamptz AND %(highest)s::timestamptz
          AND received_at <= %(as_of)s::timestamptz
        UNION ALL
        SELECT time, value, quality FROM meters_supersededreading
        WHERE register_id = asked.register_id AND time BETWEEN asked.low AND asked.high
          AND received_at <= %(as_of)s::timestamptz AND superseded_at > %(as_of)s::timestamptz
"""
# The exclusion constraints' indexes lead from a place or a meter to its stays; a class is a scan of its places.
_STAYS = """
    SELECT installation.id, installation.service_point_id, installation.meter_id, meter.serial, meter.type,
           lower(installation.valid), upper(installation.valid), point.calorific_value_mj_m3, point.volume_correction,
           register.id, register.code, register.digits, register.multiplier, register.kind, register.unit
    FROM meters_installation AS installation
    JOIN meters_servicepoint AS point ON point.id = installation.service_point_id
    JOIN meters_meter AS meter ON meter.id = installation.meter_id
    LEFT JOIN meters_register AS register ON register.meter_id = meter.id AND register.direction = %(direction)s
    WHERE installation.valid && tstzrange(%(start)s, %(end)s, '[]') AND :whose:
    ORDER BY installation.valid, installation.id, register.code
"""
_STAYS_OF_METERS = _STAYS.replace(":whose:", "installation.meter_id = ANY(%(ids)s::uuid[])")
_STAYS_AT_PLACES = _STAYS.replace(":whose:", "installation.service_point_id = ANY(%(ids)s::uuid[])")
_STAYS_OF_CLASS = _STAYS.replace(
    ":whose:",
    "point.commodity = %(commodity)s AND (%(of_class)s::text IS NULL OR point.service_class = %(of_class)s)",
)
# The index of installations by meter leads to the few of each.
_ZONES = """
    SELECT premises.zone FROM meters_installation AS installation
    JOIN meters_servicepoint AS point ON point.id = installation.service_point_id
    JOIN accounts_premises AS premises ON premises.id = point.premises_id
    WHERE installation.meter_id = ANY(%(ids)s::uuid[])
    ORDER BY installation.valid DESC
"""
_MARKS = """
    SELECT register_id, at, kind, value, multiplier, recorded_at FROM meters_chainevent
    WHERE register_id = ANY(%(registers)s::int4[]) AND (value IS NOT NULL OR multiplier IS NOT NULL)
    UNION ALL
    SELECT register_id, time, NULL, NULL, NULL, NULL FROM meters_readingexception
    WHERE register_id = ANY(%(registers)s::int4[]) AND code = %(rollover)s
      AND time BETWEEN %(low)s::timestamptz AND %(high)s::timestamptz
    UNION ALL
    SELECT register_id, estimated_from, NULL, NULL, NULL, NULL FROM meters_registerstate
    WHERE register_id = ANY(%(registers)s::int4[]) AND estimated_from <= %(high)s::timestamptz
    ORDER BY 2, 6
"""
_WITHIN_NOW = _WITHIN.replace(":rows:", _STANDING).replace(":months:", MONTHS)
_WITHIN_AS_OF = _WITHIN.replace(":rows:", _STOOD).replace(":months:", MONTHS)


class StayRow(NamedTuple):
    """A stay of a meter at a place with one of its registers that count a flow, None where it has none."""

    installation_id: UUID
    service_point_id: UUID
    meter_id: UUID
    serial: str
    type: str
    start: datetime | None
    end: datetime | None
    calorific_value_mj_m3: Decimal | None
    volume_correction: Decimal
    register_id: int | None
    code: str
    digits: int
    multiplier: Decimal
    kind: str
    unit: str


class MarkRow(NamedTuple):
    """What happened to a register at an instant: an event of its chain.

    Without a kind it is a roll-over, or where its estimates begin.
    """

    register_id: int
    at: datetime
    kind: str | None
    value: Decimal | None
    multiplier: Decimal | None
    recorded_at: datetime


def stays_of_meters(meter_ids: Iterable[UUID], period: Period, direction: str) -> list[StayRow]:
    """Return the stays of meters during a period, a row a register, in the order of time."""
    return _stays(_STAYS_OF_METERS, period, direction, ids=array_text(meter_ids))


def stays_at_places(service_point_ids: Iterable[UUID], period: Period, direction: str) -> list[StayRow]:
    """Return the stays of meters at service points during a period, a row a register, in the order of time."""
    return _stays(_STAYS_AT_PLACES, period, direction, ids=array_text(service_point_ids))


def stays_in_class(commodity: str, service_class: str | None, period: Period, direction: str) -> list[StayRow]:
    """Return the stays of meters at the places of a commodity, and of a class unless all, as the others do."""
    return _stays(_STAYS_OF_CLASS, period, direction, commodity=commodity, of_class=service_class)


def _stays(statement: str, period: Period, direction: str, **whose: Any) -> list[StayRow]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"start": period.start, "end": period.end, "direction": direction, **whose})
        return [StayRow._make(row) for row in cursor.fetchall()]


def zones_of_meters(meter_ids: Iterable[UUID]) -> list[str]:
    """Return the zones of the places where meters hang or hung, one a stay, that of the newest stay first."""
    with connection.cursor() as cursor:
        cursor.execute(_ZONES, {"ids": array_text(meter_ids)})
        return [zone for (zone,) in cursor.fetchall()]


def marks_of(register_ids: Iterable[int], low: datetime, high: datetime) -> list[MarkRow]:
    """Return what happened to registers, in the order of time.

    That is all events of their chains, where dials turned over between two instants, and where estimates begin before
    the second. Served by the indexes (register, at) and (register, time), and the states' key.
    """
    parameters: dict[str, Any] = {"registers": array_text(register_ids), "low": low, "high": high}
    parameters["rollover"] = ReadingException.ROLLOVER
    with connection.cursor() as cursor:
        cursor.execute(_MARKS, parameters)
        return [MarkRow._make(row) for row in cursor.fetchall()]


def readings_within(
    windows: Sequence[Window], stays: Sequence[Window], *, as_of: datetime | None = None
) -> list[tuple[int, datetime, Decimal, int]]:
    """Return (register, time, value, quality) of readings inside windows, and of the first and last of each stay.

    In the order of register and time, each once. Served by the partitions' keys: one descent a window and two a stay,
    in the partitions between the lowest and the highest bound; as known at an instant, as many more in the index
    (register, time) of what was superseded. Archived months cost some milliseconds each.

    :param as_of: when they stood; now unless told.
    :raises ArchiveDamaged: a file of the archive is missing or cannot be read.
    """
    if not windows and not stays:
        return []
    windows = _apart(windows)
    parameters: dict[str, Any] = {
        "registers": array_text(window.register_id for window in windows),
        "lows": array_text(window.low for window in windows),
        "highs": array_text(window.high for window in windows),
        "stay_registers": array_text(stay.register_id for stay in stays),
        "starts": array_text(stay.low for stay in stays),
        "ends": array_text(stay.high for stay in stays),
        "lowest": min(window.low for window in (*windows, *stays)),
        "highest": max(window.high for window in (*windows, *stays)),
    }
    statement = _WITHIN_NOW
    if as_of is not None:
        statement, parameters["as_of"] = _WITHIN_AS_OF, as_of

    at = datetime.fromtimestamp

    def read() -> list[tuple[int, datetime, Decimal, int]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            # Seconds become instants several times as fast as the driver reads an instant's text.
            rows = [(owner, at(seconds, UTC), value, quality) for owner, seconds, value, quality in cursor.fetchall()]
        return with_archived(rows, windows, stays, as_of=as_of)

    return with_files(read)


def _apart(windows: Iterable[Window]) -> list[Window]:
    """Join windows of a register that overlap, so that no reading lies in two."""
    apart: list[Window] = []
    for window in sorted(windows, key=attrgetter("register_id", "low")):
        last = apart[-1] if apart else None
        if last and last.register_id == window.register_id and window.low <= last.high:
            apart[-1] = Window(last.register_id, last.low, max(last.high, window.high))
        else:
            apart.append(window)
    return apart
