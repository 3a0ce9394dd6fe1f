"""What counts where: which meter hung at a place when, and which of its registers count a flow there, in which unit."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from energy_portal.shared.clock import Period
from energy_portal.shared.clock import zone as zone_named
from energy_portal.shared.units import kwh_of_gas, kwh_of_gj
from meters import store
from meters.models import Installation, Register
from meters.models.places import Commodity
from meters.store.reads import StayRow

ALWAYS = Period(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
Direction = Register.Direction
Unit = Register.Unit
# OBIS: a dial's total, and a load profile's; of gas, water and heat the forward total.
_TOTALS = {
    Direction.IMPORT: {"1.8.0", "1.29.0", "7-0:3.0.0", "8-0:1.0.0", "6-0:1.0.0"},
    Direction.EXPORT: {"2.8.0", "2.29.0"},
}
# What of a commodity is counted: the first of these units that a meter has.
_UNITS: dict[str, tuple[Unit, ...]] = {
    Commodity.ELECTRIC: (Unit.KWH,),
    Commodity.WATER: (Unit.M3,),
    Commodity.GAS: (Unit.M3, Unit.KWH, Unit.GJ),
    Commodity.HEAT: (Unit.KWH, Unit.GJ),
}
_REGISTER = ("id", "code", "digits", "multiplier", "kind", "unit")
_ONE = Decimal(1)


@dataclass(frozen=True)
class CountedRegister:
    """A register that counts what a place takes in, or gives; ``scale`` makes its unit that of the sum."""

    register_id: int
    code: str
    modulus: Decimal
    multiplier: Decimal
    is_interval: bool = False
    unit: str = Unit.KWH
    scale: Decimal = _ONE


@dataclass(frozen=True)
class Stay:
    """A meter at a place: from when to when, which of its registers count, and the energy of a m³ there, kWh."""

    service_point_id: UUID
    meter_id: UUID
    serial: str
    period: Period
    registers: tuple[CountedRegister, ...]
    kwh_a_m3: Decimal | None = None

    def kwh_a_unit(self, unit: str) -> Decimal | None:
        """Return the energy of one of a unit here, kWh; None where it has none, or nobody knows how much."""
        match unit:
            case Unit.KWH:
                return _ONE
            case Unit.GJ:
                return kwh_of_gj(_ONE)
            case _:
                return self.kwh_a_m3


@dataclass(frozen=True)
class RegisterStay:
    """A register, alone in its stay at a place, and that place's zone."""

    register_id: int
    stay: Stay
    zone: ZoneInfo


def as_period(valid: DateTimeTZRange) -> Period:
    """Return a database range as a period; an open end lies at the end of the calendar."""
    return Period(valid.lower or ALWAYS.start, valid.upper or ALWAYS.end)


def stays_at(
    service_point_ids: Iterable[UUID], period: Period, *, direction: str = Direction.IMPORT
) -> dict[UUID, list[Stay]]:
    """Return the stays of meters at service points during a period, in the order of time. One query."""
    found: dict[UUID, list[Stay]] = defaultdict(list)
    for stay in _read(store.reads.stays_at_places(service_point_ids, period, direction), direction):
        found[stay.service_point_id].append(stay)
    return found


def stays_of(meter_ids: Iterable[UUID], period: Period, *, direction: str = Direction.IMPORT) -> dict[UUID, list[Stay]]:
    """Return the stays of meters, wherever they hung during a period, in the order of time. One query."""
    found: dict[UUID, list[Stay]] = defaultdict(list)
    for stay in _read(store.reads.stays_of_meters(meter_ids, period, direction), direction):
        found[stay.meter_id].append(stay)
    return found


def stays_of_class(
    commodity: str, service_class: str | None, period: Period, *, direction: str = Direction.IMPORT
) -> list[Stay]:
    """Return the stays of meters at all places of a commodity, and of a class unless all. One query."""
    return _read(store.reads.stays_in_class(commodity, service_class, period, direction), direction)


def stays_of_registers(register_ids: Iterable[int], period: Period) -> Iterator[RegisterStay]:
    """Yield the stays of registers, wherever they hung during a period, in the order of time. Two queries."""
    registers: dict[UUID, list[CountedRegister]] = defaultdict(list)
    rows = Register.objects.filter(pk__in=set(register_ids)).order_by("pk")
    for meter_id, *row in rows.values_list("meter_id", *_REGISTER):
        registers[meter_id].append(_register(*row))
    hung = Installation.objects.filter(
        meter_id__in=registers, valid__overlap=DateTimeTZRange(period.start, period.end, "[]")
    ).order_by("valid")
    for place_id, meter_id, serial, valid, zone_name in hung.values_list(
        "service_point_id", "meter_id", "meter__serial", "valid", "service_point__premises__zone"
    ):
        for register in registers[meter_id]:
            stay = Stay(place_id, meter_id, serial, as_period(valid), (register,))
            yield RegisterStay(register.register_id, stay, zone_named(zone_name))


def usual_unit(commodity: str) -> str:
    """Return the unit in which a commodity is counted where no register says otherwise."""
    return _UNITS.get(commodity, (Unit.KWH,))[0]


def in_one_unit(groups: Sequence[Sequence[Stay]], *, otherwise: str) -> tuple[str, list[Sequence[Stay]]]:
    """Return the unit of what several stays count together, and the stays, their registers scaled to it.

    It is their own where they share it, otherwise kWh; what cannot be made kWh is then not counted, and so unknown.

    :param otherwise: the unit where nothing counts.
    """
    units = {register.unit for stays in groups for stay in stays for register in stay.registers}
    if len(units) <= 1:
        return next(iter(units), otherwise), list(groups)
    return Unit.KWH, [[_in_kwh(stay) for stay in stays] for stays in groups]


def _in_kwh(stay: Stay) -> Stay:
    scaled = ((register, stay.kwh_a_unit(register.unit)) for register in stay.registers)
    return replace(
        stay, registers=tuple(replace(register, scale=scale) for register, scale in scaled if scale is not None)
    )


def _read(rows: Iterable[StayRow], direction: str) -> list[Stay]:
    """Return stays, each with the registers that count: dials before intervals, of one unit a meter.

    Of each kind the total where a meter has one, otherwise all that make it up.
    """
    stays = []
    for _, of_stay in groupby(rows, key=attrgetter("installation_id")):
        own = list(of_stay)
        row, registers = own[0], [_counting(each, each.register_id) for each in own if each.register_id]
        calorific = row.calorific_value_mj_m3
        stays.append(
            Stay(
                row.service_point_id,
                row.meter_id,
                row.serial,
                Period(row.start or ALWAYS.start, row.end or ALWAYS.end),
                tuple(_counted(registers, _UNITS.get(row.type, ()), _TOTALS[Direction(direction)])),
                calorific and kwh_of_gas(_ONE, calorific_mj_m3=calorific, correction=row.volume_correction),
            )
        )
    return stays


def _counting(row: StayRow, register_id: int) -> CountedRegister:
    return _register(register_id, row.code, row.digits, row.multiplier, row.kind, row.unit)


def _register(register_id: int, code: str, digits: int, multiplier: Decimal, kind: str, unit: str) -> CountedRegister:
    is_interval = kind == Register.Kind.INTERVAL
    return CountedRegister(register_id, code, Decimal(10) ** digits, multiplier, is_interval, unit)


def _counted(registers: Sequence[CountedRegister], units: Sequence[str], totals: set[str]) -> Iterable[CountedRegister]:
    unit = next((unit for unit in units if any(register.unit == unit for register in registers)), None)
    for is_interval in (False, True):
        of_kind = [each for each in registers if each.unit == unit and each.is_interval == is_interval]
        yield from [each for each in of_kind if each.code in totals] or of_kind
