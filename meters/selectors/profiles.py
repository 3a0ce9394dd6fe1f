"""Registers' half-hours as arrays, with what the rules compare them with. Six queries, however many registers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import numpy as np
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q

from energy_portal.shared.clock import zone
from meters.consumption import ESTIMATES
from meters.detectors import HALF_HOUR_SECONDS, Bools, Floats, Profiles, local_marks
from meters.models import Binding, ChainEvent, Installation, Register, RegisterReading, ServicePoint
from meters.store.archive import archived_readings

_MICRO = 1_000_000
_HALF_HOURS_A_DAY = 48
_HALF_HOURS_A_WEEK = 336
# Clocks change by an hour, and the half-hours before a mark tell where a run begins.
_AROUND_A_WEEK = 6
_HALF_HOUR = timedelta(seconds=HALF_HOUR_SECONDS)


@dataclass(frozen=True, slots=True)
class Look:
    """Which marks are asked about, both included, how many half-hours before them are needed, and of which weeks."""

    low: datetime
    high: datetime
    before: int = 1
    weeks: int = 0


class Offered(NamedTuple):
    """A value that would stand at an instant of a register."""

    register_id: int
    time: datetime
    value: Decimal


@dataclass(frozen=True)
class ProfileGroup:
    """Registers to which the same rules apply, on the same clock; row by row those of the profiles."""

    commodity: str
    service_class: str
    registers: tuple[Register, ...]
    profiles: Profiles

    def instant(self, column: int) -> datetime:
        """Return the mark of a column."""
        return datetime.fromtimestamp(int(self.profiles.marks[column]) * HALF_HOUR_SECONDS, UTC)

    def since(self, instant: datetime) -> "ProfileGroup":
        """Return the same from an instant on."""
        column = max(_mark(instant) - int(self.profiles.marks[0]), 0)
        return replace(self, profiles=self.profiles.since(column))

    def columns(self, low: datetime, high: datetime) -> slice:
        """Return the columns from one instant to another, both included."""
        first = int(self.profiles.marks[0])
        return slice(max(_mark(low) - first, 0), max(_mark(high) - first + 1, 0))


def profile_groups(register_ids: Iterable[int], look: Look, offered: Sequence[Offered] = ()) -> list[ProfileGroup]:
    """Return the profiles of registers whose meters hang or hung somewhere during a look and its past.

    In the caller's transaction; what is archived of that past counts like what is not.

    :param offered: values that are taken as if they stood already.
    """
    loaded = _Loaded(set(register_ids), look, offered)
    groups: dict[tuple[str, str, str], list[Register]] = defaultdict(list)
    for register in loaded.asked:
        if stays := loaded.stays.get(register.meter_id):
            place = stays[-1].place
            groups[place.commodity, place.service_class, place.premises.zone].append(register)
    return [loaded.group(*key, members) for key, members in sorted(groups.items())]


def with_interval_registers(register_ids: Iterable[int]) -> dict[int, int]:
    """Return the interval registers beside dials, by their ids, each with the id of its dial. One query."""
    dials = Q(meter__registers__in=set(register_ids), meter__registers__kind=Register.Kind.CUMULATIVE)
    beside = Register.objects.filter(dials, kind=Register.Kind.INTERVAL).order_by()
    return dict(beside.values_list("pk", "meter__registers"))


class _Stay(NamedTuple):
    """A meter at a place, in columns."""

    place: ServicePoint
    columns: slice


class _Loaded:
    """All that a look needs, read once."""

    def __init__(self, register_ids: set[int], look: Look, offered: Sequence[Offered]) -> None:
        self._look = look
        self._base = _mark(look.low) - max(look.before + 1, look.weeks * _HALF_HOURS_A_WEEK + _AROUND_A_WEEK)
        self._size = _mark(look.high) - self._base + 1
        found = Register.objects.filter(meter__registers__in=register_ids).distinct().order_by("pk")
        registers = list(found.select_related("meter"))
        self.asked = [register for register in registers if register.pk in register_ids]
        # One row a register, those of dials beside interval registers included.
        self._rows = {register.pk: row for row, register in enumerate(registers)}
        self._dials = _dials_beside(registers)
        self.stays = self._find_stays()
        self._supplied = self._find_supplied()
        self._factors = self._find_factors(registers)
        self._values = self._blank()
        self._ahead = self._blank()
        self._estimated = np.zeros(self._values.shape, dtype=np.bool_)
        self._read()
        for register_id, time, value in offered:
            self._lay(register_id, _mark(time), value)

    def group(self, commodity: str, service_class: str, zone_name: str, members: list[Register]) -> ProfileGroup:
        """Return some registers as a group."""
        rows = [self._rows[register.pk] for register in members]
        marks = self._base + np.arange(self._size, dtype=np.int64)
        dials = [self._dials.get(register.pk) for register in members]
        energies = [self._energy(register) for register in members]
        steps = [self._steps(register, energy) for register, energy in zip(members, energies, strict=True)]
        profiles = Profiles(
            energy=np.stack(energies),
            grown=np.stack([grown for grown, _ in steps]),
            span=np.stack([span for _, span in steps]),
            estimated=self._estimated[rows],
            supplied=np.stack([self._supply(register) for register in members]),
            installed=np.stack([self._hung(register) for register in members]),
            ahead_seconds=self._ahead[rows],
            capacity=np.array([self._capacity(register) for register in members]),
            dial=np.stack([self._dial(dial) for dial in dials]),
            dial_modulus=np.array([float(dial.modulus * dial.multiplier) if dial else np.nan for dial in dials]),
            rounding=np.array([_rounding(*pair) for pair in zip(members, dials, strict=True)]),
            marks=marks,
            local=local_marks(marks, zone(zone_name)),
            first=_mark(self._look.low) - self._base,
        )
        return ProfileGroup(commodity, service_class, tuple(members), profiles)

    def _blank(self) -> Floats:
        return np.full((len(self._rows), self._size), np.nan)

    def _instant(self, column: int) -> datetime:
        return datetime.fromtimestamp((self._base + column) * HALF_HOUR_SECONDS, UTC)

    def _columns(self, valid: DateTimeTZRange) -> slice:
        """Return the columns of the half-hours that lie wholly in a range."""
        low = -(-int(valid.lower.timestamp()) // HALF_HOUR_SECONDS) + 1 - self._base if valid.lower else 0
        high = _mark(valid.upper) + 1 - self._base if valid.upper else self._size
        return slice(min(max(low, 0), self._size), min(max(high, 0), self._size))

    def _range(self) -> DateTimeTZRange:
        return DateTimeTZRange(self._instant(-1), self._instant(self._size - 1), "[]")

    def _find_stays(self) -> dict[UUID, list[_Stay]]:
        meters = {register.meter_id for register in self.asked}
        rows = Installation.objects.filter(meter_id__in=meters, valid__overlap=self._range())
        stays: dict[UUID, list[_Stay]] = defaultdict(list)
        for row in rows.select_related("service_point__premises").order_by("valid"):
            stays[row.meter_id].append(_Stay(row.service_point, self._columns(row.valid)))
        return stays

    def _find_supplied(self) -> dict[UUID, Bools]:
        places = {stay.place.pk for stays in self.stays.values() for stay in stays}
        rows = Binding.objects.filter(
            service_point_id__in=places,
            service_point__status=ServicePoint.Status.ACTIVE,
            valid__overlap=self._range(),
        )
        supplied: dict[UUID, Bools] = defaultdict(lambda: np.zeros(self._size, dtype=np.bool_))
        for place, valid in rows.order_by().values_list("service_point_id", "valid"):
            supplied[place][self._columns(valid)] = True
        return supplied

    def _find_factors(self, registers: Sequence[Register]) -> dict[int, Floats]:
        """Return each register's multiplier over the columns."""
        factors = {register.pk: np.full(self._size, float(register.multiplier)) for register in registers}
        rows = ChainEvent.objects.filter(register_id__in=factors, multiplier__isnull=False).order_by("at")
        for register_id, at, multiplier in rows.values_list("register_id", "at", "multiplier"):
            column = min(max(_mark(at) + 1 - self._base, 0), self._size)
            factors[register_id][column:] = float(multiplier)
        return factors

    def _read(self) -> None:
        for register_id, time, value, quality, received_at in self._standing():
            if time.minute % 30 or time.second or time.microsecond:
                continue  # a read of the field: no half-hour ends there
            row, column = self._lay(register_id, _mark(time), value)
            if quality in ESTIMATES:
                self._estimated[row, column] = True
            else:
                self._ahead[row, column] = (time - received_at).total_seconds()

    def _standing(self) -> Iterator[tuple[int, datetime, Decimal, int, datetime]]:
        """Yield what stands in the database, and in the archive; the caller's transaction keeps either as it is."""
        ranges, times = self._asked_times(), Q()
        for each in ranges:
            times |= Q(time__range=each)
        fields = ("register_id", "time", "value", "quality", "received_at")
        rows = RegisterReading.objects.filter(times, register_id__in=self._rows).order_by()
        yield from rows.values_list(*fields).iterator(20_000)
        yield from archived_readings(self._rows, ranges, *fields[2:])

    def _asked_times(self) -> list[tuple[datetime, datetime]]:
        look = self._look
        recent = look.low - (look.before + 1) * _HALF_HOUR
        span = look.high - look.low
        if look.weeks == 0 or span > timedelta(days=5):
            earliest = min(recent, self._instant(0)) if look.weeks else recent
            return [(earliest, look.high)]
        times = [(recent, look.high)]
        for weeks in range(1, look.weeks + 1):
            back, around = timedelta(weeks=weeks), _AROUND_A_WEEK * _HALF_HOUR
            times.append((look.low - back - around, look.high - back + around))
        return times

    def _lay(self, register_id: int, mark: int, value: Decimal) -> tuple[int, int]:
        row, column = self._rows[register_id], mark - self._base
        # Counted in millionths a value is a whole number, so that equal steps of a dial are equal.
        self._values[row, column] = round(float(value) * _MICRO)
        return row, column

    def _energy(self, register: Register) -> Floats:
        row = self._rows[register.pk]
        known = np.where(self._estimated[row], np.nan, self._values[row])
        if register.kind == Register.Kind.CUMULATIVE:
            known = np.diff(known, prepend=np.nan)
            known = np.where(known < 0, known + float(register.modulus) * _MICRO, known)
        energy: Floats = np.where(self._hung(register), known * self._factors[register.pk] / _MICRO, np.nan)
        return energy

    def _steps(self, register: Register, energy: Floats) -> tuple[Floats, Floats]:
        """Return what each value tells since the one before it in its stay, and of how many half-hours."""
        span = np.ones(self._size)
        if register.kind != Register.Kind.CUMULATIVE:
            return energy, span
        row = self._rows[register.pk]
        known = np.where(self._estimated[row], np.nan, self._values[row])
        grown = np.full(self._size, np.nan)
        for stay in self.stays[register.meter_id]:
            # The mark at which the first half-hour starts belongs to the stay as well.
            marks = np.arange(max(stay.columns.start - 1, 0), stay.columns.stop)
            marks = marks[~np.isnan(known[marks])]
            turned = np.diff(known[marks])
            grown[marks[1:]] = np.where(turned < 0, turned + float(register.modulus) * _MICRO, turned)
            span[marks[1:]] = np.diff(marks)
        return grown * self._factors[register.pk] / _MICRO, span

    def _dial(self, dial: Register | None) -> Floats:
        if dial is None:
            return np.full(self._size, np.nan)
        row = self._rows[dial.pk]
        shown: Floats = np.where(self._estimated[row], np.nan, self._values[row]) * float(dial.multiplier) / _MICRO
        return shown

    def _hung(self, register: Register) -> Bools:
        hung = np.zeros(self._size, dtype=np.bool_)
        for stay in self.stays[register.meter_id]:
            hung[stay.columns] = True
        return hung

    def _supply(self, register: Register) -> Bools:
        supplied = np.zeros(self._size, dtype=np.bool_)
        for stay in self.stays[register.meter_id]:
            supplied[stay.columns] = self._supplied[stay.place.pk][stay.columns]
        return supplied

    def _capacity(self, register: Register) -> float:
        return float(self.stays[register.meter_id][-1].place.greatest_rate_per_hour) / 2


def _dials_beside(registers: Sequence[Register]) -> dict[int, Register]:
    """Return for each interval register the dial of the same meter that counts the same."""
    dials = {
        (register.meter_id, register.direction, register.unit): register
        for register in registers
        if register.kind == Register.Kind.CUMULATIVE
    }
    pairs: Iterator[tuple[int, Register | None]] = (
        (register.pk, dials.get((register.meter_id, register.direction, register.unit)))
        for register in registers
        if register.kind == Register.Kind.INTERVAL
    )
    return {key: dial for key, dial in pairs if dial is not None}


def _rounding(register: Register, dial: Register | None) -> float:
    """Return by how much a day's half-hours may differ from its dial, since each is rounded to its last digit."""
    if dial is None:
        return np.nan
    each = 0.5 * 10.0**-register.decimals * float(register.multiplier)
    return (_HALF_HOURS_A_DAY + 2) * each + 10.0**-dial.decimals * float(dial.multiplier)


def _mark(instant: datetime) -> int:
    return int(instant.timestamp()) // HALF_HOUR_SECONDS
