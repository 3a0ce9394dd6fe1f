"""The statements of the door for register readings, whole columns at a time. Every write is sorted by its key."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from meters.series.columns import EPOCH, held
from meters.series.wire import binary_cursor, packed
from meters.store.registers import REGISTER_READINGS

Int64s = NDArray[np.int64]
Revision = tuple[int, int | None]
FoundRegister = tuple[str, str | None, int, str, int]

UNKNOWN_TIME = int(np.iinfo(np.int64).min)
"""Before every instant: stands where no reading is known."""

# What is between two traits; no serial, unit, zone or class holds it.
SEPARATOR = "\x1f"
_REGISTERS = """
    SELECT meter.serial, register.code, coalesce(register.id, 0), concat(
        meter.status, %(between)s, register.kind, %(between)s, register.unit, %(between)s, register.digits, %(between)s,
        register.multiplier, %(between)s, premises.zone, %(between)s, point.greatest_rate_per_hour, %(between)s,
        coalesce(point.commodity, meter.type), %(between)s, point.service_class
    ), upper(placed.valid), placed.service_point_id IS NOT NULL
    FROM meters_meter AS meter
    LEFT JOIN meters_register AS register ON register.meter_id = meter.id
    LEFT JOIN {placed} AS placed ON placed.meter_id = meter.id AND upper_inf(placed.valid) = {hanging}
    LEFT JOIN meters_servicepoint AS point ON point.id = placed.service_point_id
    LEFT JOIN accounts_premises AS premises ON premises.id = point.premises_id
    WHERE meter.serial = ANY(%(serials)s::text[])
"""
_HANGING = _REGISTERS.format(placed="meters_installation", hanging="true")
_TAKEN_DOWN = _REGISTERS.format(
    placed="""LATERAL (
        SELECT * FROM meters_installation WHERE meter_id = meter.id ORDER BY valid DESC LIMIT 1
    )""",
    hanging="false",
)
_FORGET_CHANGES = """
    DELETE FROM meters_registrychange
    WHERE changed_at < %s AND id < (SELECT max(id) FROM meters_registrychange)
"""
_LOCK_STATES = """
    WITH locked AS MATERIALIZED (
        SELECT register_id, last_time, last_value, estimated_from FROM meters_registerstate
        WHERE register_id = ANY(%b::int4[]) ORDER BY register_id FOR UPDATE
    )
    SELECT coalesce(array_agg(register_id), '{}'), coalesce(array_agg(coalesce(last_time, '-infinity')), '{}'),
           coalesce(array_agg((coalesce(last_value, -1) * 1000000)::int8), '{}'),
           coalesce(array_agg(coalesce(estimated_from, '-infinity')), '{}')
    FROM locked
"""
# The keys are named twice: a join alone may be planned as a scan of all states.
_ADVANCE_STATES = """
    UPDATE meters_registerstate AS state SET last_time = newer.time, last_value = newer.value
    FROM unnest(%b::int4[], %b::timestamptz[], %b::numeric[]) AS newer (register_id, time, value)
    WHERE state.register_id = newer.register_id AND state.register_id = ANY(%b::int4[])
      AND (state.last_time IS NULL OR state.last_time <= newer.time)
"""
_LOG_WORK = """
    INSERT INTO meters_readingwork (purpose, register_ids, low, high, logged_at)
    SELECT purpose, %b::int4[], %b, %b, %b FROM unnest(%b::text[]) AS purpose
"""


class State(NamedTuple):
    """A register's newest true reading, and the instant of its earliest estimate; None where there is none."""

    last_time: datetime | None
    last_value: Decimal | None
    estimated_from: datetime | None


@dataclass(frozen=True)
class States:
    """The locked states of n registers, in the order of their ids.

    ``last_times`` and ``estimated_from`` are µs since 2000, ``UNKNOWN_TIME`` where there is none; ``last_values`` are
    millionths, negative where there is none.
    """

    register_ids: Int64s
    last_times: Int64s
    last_values: Int64s
    estimated_from: Int64s

    def of(self, register_ids: Iterable[int]) -> dict[int, State]:
        """Return the states of some registers one by one."""
        found: dict[int, State] = {}
        for register_id in register_ids:
            place = int(np.searchsorted(self.register_ids, register_id))
            last = instant(int(self.last_times[place]))
            amount = None if last is None else amount_of(int(self.last_values[place]))
            found[register_id] = State(last, amount, instant(int(self.estimated_from[place])))
        return found


def registry_revision() -> Revision:
    """Return what changes with every committed change of meters, registers, and of where they hang. One row.

    Changes that commit out of their order change the count; the log is short, see ``forget_registry_changes``.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), max(id) FROM meters_registrychange")
        found: Revision = cursor.fetchone()
        return found


def forget_registry_changes(before: datetime) -> int:
    """Drop old changes but for the newest, so that no state of the log comes back; return how many went."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_CHANGES, [before])
        gone: int = cursor.rowcount
        return gone


def place() -> tuple[object, ...]:
    """Name the database that is talked to."""
    settings = connection.settings_dict
    return settings["HOST"], settings["PORT"], settings["NAME"]


def find_registers(serials: Sequence[str]) -> list[FoundRegister]:
    """Return (serial, code, id, traits, when it was taken down) of the registers of meters.

    A meter without a register is included with no code. One query, and another for meters that hang nowhere now.

    Traits are texts between SEPARATOR: status, kind, unit, digits, multiplier, zone, rate, commodity, service class;
    empty where unknown. When a meter was taken down is in µs since 2000, ``UNKNOWN_TIME`` where it was not.
    Served by meter.serial's unique index and the foreign keys' indexes.
    """
    rows = _registers(_HANGING, serials)
    elsewhere = dict.fromkeys(serial for serial, *_, is_placed in rows if not is_placed)
    if elsewhere:
        rows = [row for row in rows if row[-1]] + _registers(_TAKEN_DOWN, list(elsewhere))
    return [
        (serial, code, register_id, traits, UNKNOWN_TIME if removed_at is None else micros(removed_at))
        for serial, code, register_id, traits, removed_at, _ in rows
    ]


def _registers(statement: str, serials: Sequence[str]) -> list[tuple[str, str | None, int, str, datetime | None, bool]]:
    together = "".join(serials)
    if "\\" in together or '"' in together:
        serials = [serial.replace("\\", "\\\\").replace('"', '\\"') for serial in serials]
    quoted = '{"' + '","'.join(sorted(serials)) + '"}' if serials else "{}"
    with connection.cursor() as cursor:
        cursor.execute(statement, {"between": SEPARATOR, "serials": quoted})
        return list(cursor.fetchall())


def lock_states(register_ids: Int64s) -> States:
    """Lock the state rows of registers in the order of their ids; those that have none are left out.

    Whoever writes a register's readings holds this lock, so that what is read under it is all there is.
    """
    ids = packed(REGISTER_READINGS.owner.kind, held(np.unique(register_ids)))
    with binary_cursor(connection) as cursor:
        cursor.execute(_LOCK_STATES, [ids], binary=True)
        row = cursor.fetchone()
    if row is None:
        raise AssertionError("An aggregate has one row.")
    return States(*row)


def advance_states(register_ids: Int64s, times: Int64s, values: Int64s) -> None:
    """Note readings, one a register, sorted by id, in the state rows, which the caller has locked.

    Where something newer stands, it stays. One descent of the key a register; the rows stay where they are on their
    pages (heap-only updates).
    """
    spec = REGISTER_READINGS
    ids = packed(spec.owner.kind, held(register_ids))
    columns = (packed(spec.time.kind, held(times)), packed(spec.columns["value"].kind, held(values)))
    with binary_cursor(connection) as cursor:
        cursor.execute(_ADVANCE_STATES, [ids, *columns, ids])


def log_work(purposes: Sequence[str], register_ids: Int64s, *, low: datetime, high: datetime, now: datetime) -> None:
    """Note, once a purpose, that readings of registers, sorted by id, were written between two instants."""
    ids = packed(REGISTER_READINGS.owner.kind, held(register_ids))
    with binary_cursor(connection) as cursor:
        cursor.execute(_LOG_WORK, [ids, low, high, now, list(map(str, purposes))])


def micros(instant: datetime) -> int:
    """Return an instant as the series hold it: µs since 2000."""
    return int(REGISTER_READINGS.time.kind.read([instant]).data[0])


def instant(time: int) -> datetime | None:
    """Return a time of the series, µs since 2000, as an instant in UTC; None for ``UNKNOWN_TIME``."""
    return None if time == UNKNOWN_TIME else EPOCH + timedelta(microseconds=time)


def amount_of(millionths: int) -> Decimal:
    """Return a value of the series as a Decimal."""
    return Decimal(millionths).scaleb(-6)
