"""The hand-written SQL of devices' states; each statement serves a whole batch, sorted by its key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from meters.selectors.alarm_bounds import AlarmBounds

PULSE_SECONDS = 5

_TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended('states of devices', 0))"
_OLDEST_WRITER = """
    SELECT min(xact_start) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()
"""
# Room for the devices of some seconds, so that nothing is sorted by way of the disk.
_TAKE_ROOM = "SET LOCAL work_mem = '64MB'"
# An array is compared from its front, so that the greatest (time, value) holds the newest value: no join, whose plan
# would hang on statistics that a partition of today does not have yet. What was heard before a device was called
# offline does not make it online again.
_ADVANCE = """
    WITH heard AS MATERIALIZED (
        SELECT device_id, time, date_part('epoch', time) AS at, received_at,
               power_w, temperature_c, voltage_v, current_a, switch
        FROM devices_devicesample
        WHERE received_at >= %(low)s AND received_at < %(high)s AND time >= %(since)s AND time < %(until)s
    ), newest AS MATERIALIZED (
        SELECT device_id, max(time) AS seen_at, max(received_at) AS heard_at,
               max(time) FILTER (WHERE power_w IS NOT NULL) AS power_at,
               (max(ARRAY[at, power_w]) FILTER (WHERE power_w IS NOT NULL))[2] AS power_w,
               max(time) FILTER (WHERE temperature_c IS NOT NULL) AS temperature_at,
               (max(ARRAY[at, temperature_c]) FILTER (WHERE temperature_c IS NOT NULL))[2] AS temperature_c,
               max(time) FILTER (WHERE switch IS NOT NULL) AS switch_at,
               (max(ARRAY[at, switch::int]) FILTER (WHERE switch IS NOT NULL))[2] > 0 AS switch,
               max(time) FILTER (WHERE voltage_v IS NOT NULL) AS voltage_at,
               (max(ARRAY[at, voltage_v]) FILTER (WHERE voltage_v IS NOT NULL))[2] AS voltage_v,
               max(time) FILTER (WHERE current_a IS NOT NULL) AS current_at,
               (max(ARRAY[at, current_a]) FILTER (WHERE current_a IS NOT NULL))[2] AS current_a
        FROM heard GROUP BY device_id ORDER BY device_id
    ), known AS MATERIALIZED (
        SELECT newest.*, device.device_id AS own_name, device.name, device.account_id, device.region_id
        FROM newest JOIN devices_device AS device ON device.id = newest.device_id AND device.status = 'active'
    ), changed AS (
        INSERT INTO devices_devicestate AS state (
            device_id, seen_at, heard_at, power_w, power_at, temperature_c, temperature_at, switch, switch_at,
            is_online, online_changed_at
        )
        SELECT device_id, seen_at, heard_at, power_w, power_at, temperature_c, temperature_at, switch, switch_at,
               heard_at >= %(silent_before)s, heard_at
        FROM known ORDER BY device_id
        ON CONFLICT (device_id) DO UPDATE SET
            seen_at = greatest(state.seen_at, excluded.seen_at),
            heard_at = greatest(state.heard_at, excluded.heard_at),
            power_w = CASE WHEN excluded.power_at > coalesce(state.power_at, '-infinity')
                THEN excluded.power_w ELSE state.power_w END,
            power_at = greatest(state.power_at, excluded.power_at),
            temperature_c = CASE WHEN excluded.temperature_at > coalesce(state.temperature_at, '-infinity')
                THEN excluded.temperature_c ELSE state.temperature_c END,
            temperature_at = greatest(state.temperature_at, excluded.temperature_at),
            switch = CASE WHEN excluded.switch_at > coalesce(state.switch_at, '-infinity')
                THEN excluded.switch ELSE state.switch END,
            switch_at = greatest(state.switch_at, excluded.switch_at),
            is_online = state.is_online
                OR excluded.is_online AND excluded.heard_at > coalesce(state.online_changed_at, '-infinity'),
            online_changed_at = CASE
                WHEN NOT state.is_online AND excluded.is_online
                    AND excluded.heard_at > coalesce(state.online_changed_at, '-infinity')
                THEN excluded.heard_at ELSE coalesce(state.online_changed_at, excluded.heard_at) END
        WHERE excluded.heard_at > coalesce(state.heard_at, '-infinity')
           OR excluded.seen_at > coalesce(state.seen_at, '-infinity')
           OR excluded.power_at > coalesce(state.power_at, '-infinity')
           OR excluded.temperature_at > coalesce(state.temperature_at, '-infinity')
           OR excluded.switch_at > coalesce(state.switch_at, '-infinity')
    )
    SELECT extract(epoch FROM received_at)::int8 / %(pulse_seconds)s AS pulse, count(*) AS samples,
           NULL::text, NULL::text, NULL::uuid, NULL::uuid, NULL::text, NULL::float8, NULL::timestamptz
    FROM heard GROUP BY 1
    UNION ALL
    SELECT NULL, NULL, own_name, coalesce(nullif(name, ''), own_name), account_id, region_id,
           told.quantity, told.value, told.at
    FROM known
    CROSS JOIN LATERAL (
        VALUES ('power_w', power_w, power_at), ('temperature_c', temperature_c, temperature_at),
               ('voltage_v', voltage_v, voltage_at), ('current_a', current_a, current_at)
    ) AS told (quantity, value, at)
    JOIN unnest(%(quantities)s::text[], %(above)s::float8[], %(below)s::float8[]) AS bound (quantity, above, below)
        ON bound.quantity = told.quantity
    WHERE told.value >= bound.above OR told.value <= bound.below
       OR told.at IS NOT NULL AND own_name IN (
           SELECT watch.subject FROM meters_alarmwatch AS watch JOIN meters_alarmrule AS rule ON rule.id = watch.rule_id
           WHERE rule.subject_kind = 'device'
       )
"""
_SILENCE = """
    WITH silent AS MATERIALIZED (
        SELECT device_id FROM devices_devicestate
        WHERE is_online AND heard_at < %(silent_before)s
        ORDER BY device_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    )
    UPDATE devices_devicestate AS state SET is_online = false, online_changed_at = %(now)s
    FROM silent WHERE state.device_id = silent.device_id
"""
_NOTE = """
    INSERT INTO devices_devicestate AS state (device_id, heard_at, is_online, online_changed_at)
    SELECT device.id, CASE WHEN told.online THEN %(now)s::timestamptz END, told.online, %(now)s
    FROM unnest(%(names)s::text[], %(online)s::bool[]) AS told (name, online)
    JOIN devices_device AS device ON device.device_id = told.name AND device.status = 'active'
    ORDER BY device.id
    ON CONFLICT (device_id) DO UPDATE SET
        heard_at = greatest(state.heard_at, excluded.heard_at),
        is_online = excluded.is_online,
        online_changed_at = CASE WHEN state.is_online AND excluded.is_online
            THEN state.online_changed_at ELSE excluded.online_changed_at END
"""


class Told(NamedTuple):
    """The newest value of a quantity that may matter to somebody; ``device`` is its own name for itself."""

    device: str
    label: str
    account_id: UUID | None
    region_id: UUID | None
    quantity: str
    value: float
    at: datetime


@dataclass(frozen=True)
class Heard:
    """What a stretch of receiving brought.

    :ivar told: values beyond the bounds that were asked for, or of devices that an alarm rule watches.
    :ivar pulse: samples by the number of the five seconds since 1970 in which they were received.
    """

    pulse: dict[int, int]
    told: list[Told]

    @property
    def samples(self) -> int:
        return sum(self.pulse.values())


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples received in ``[low, high)`` with times in ``[since, until)``."""

    low: datetime
    high: datetime
    since: datetime
    until: datetime


def take_turn() -> bool:
    """Tell whether this transaction is the one that brings states up to date, until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURN)
        return bool(cursor.fetchone()[0])


def oldest_writer() -> datetime | None:
    """Return when the oldest transaction began that may still commit rows; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_WRITER)
        began: datetime | None = cursor.fetchone()[0]
        return began


def advance(*, stretch: Stretch, silent_before: datetime, bounds: AlarmBounds) -> Heard:
    """Bring the states of all devices that were heard in a stretch up to date; again changes nothing.

    Served by the partitions' BRIN on ``received_at``, a descent of the state's key a device. Costs nothing for who was
    not heard.

    :param silent_before: what was last heard before it stays offline.
    :param bounds: which of the newest values to return.
    """
    quantities = sorted(bounds.above.keys() | bounds.below.keys())
    parameters: dict[str, Any] = {
        "low": stretch.low,
        "high": stretch.high,
        "since": stretch.since,
        "until": stretch.until,
        "silent_before": silent_before,
        "pulse_seconds": PULSE_SECONDS,
        "quantities": quantities,
        "above": [bounds.above.get(name) for name in quantities],
        "below": [bounds.below.get(name) for name in quantities],
    }
    pulse: dict[int, int] = {}
    told: list[Told] = []
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_ROOM)
        cursor.execute(_ADVANCE, parameters)
        for number, samples, *value in cursor.fetchall():
            if number is None:
                told.append(Told(*value))
            else:
                pulse[number] = samples
    return Heard(pulse, told)


def silence(*, silent_before: datetime, now: datetime, limit: int) -> int:
    """Call devices offline that were not heard since an instant, at most so many; return how many they were.

    One scan of the states, a quarter of a second for two million: an index would cost each of their updates more.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SILENCE, {"silent_before": silent_before, "now": now, "limit": limit})
        return int(cursor.rowcount)


def note(*, statuses: Sequence[tuple[str, bool]], now: datetime) -> int:
    """Write down who says to be online and who was said to be gone; return of how many devices that are in service.

    Served by the key of the devices' own names.

    :param statuses: each device once.
    """
    names, online = zip(*statuses, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, {"names": list(names), "online": list(online), "now": now})
        return int(cursor.rowcount)
