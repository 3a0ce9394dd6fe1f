"""Meters and registers that nobody knows until a file names them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.actors import Actor
from accounts.services import audit
from meters.formats.obis import ELECTRIC, UNITS, commodity_of
from meters.formats.records import FileReading
from meters.models import Meter, Register
from meters.selectors.registers import KnownMeter
from meters.services.history import save_as

_LONGEST_SERIAL, _LONGEST_CODE = 64, 20
_FEWEST_DIGITS, _MOST_DIGITS = 6, 9
_DIRECTIONS = {"1.8.": Register.Direction.IMPORT, "2.8.": Register.Direction.EXPORT}


@dataclass
class _Wanted:
    """A register that a file names and nobody has."""

    commodity: str
    unit: str
    kind: Register.Kind
    direction: Register.Direction
    greatest: Decimal


@dataclass(frozen=True)
class Made:
    """What was made: how many meters, and whether anything."""

    meters: int
    anything: bool


def could_be_serial(serial: str) -> bool:
    """Tell whether a meter could be called so."""
    return 0 < len(serial) <= _LONGEST_SERIAL and serial.isprintable()


def make_found(
    *, readings: Iterable[FileReading], known: Mapping[str, KnownMeter], commodity: str, actor: Actor, now: datetime
) -> Made:
    """Make the meters and registers that readings name and nobody has, active and hanging nowhere.

    What a register counts follows from its code, otherwise from its unit; where neither tells, it is not made. A
    meter counts one commodity. A dial has as many digits as its greatest value needs.

    :param commodity: of registers whose code and unit do not tell it.
    """
    wanted: dict[str, dict[str, _Wanted]] = {}
    for each in readings:
        meter = known.get(each.serial)
        if not could_be_serial(each.serial) or (meter is not None and each.register_code in meter.kinds):
            continue
        of_meter = wanted.setdefault(each.serial, {})
        if (standing := of_meter.get(each.register_code)) is not None:
            standing.greatest = max(standing.greatest, each.value)
        elif (register := _wanted(each, commodity)) is not None:
            of_meter[each.register_code] = register
    made = [
        _make(serial, registers, known.get(serial), actor, now)
        for serial, registers in sorted(wanted.items())
        if registers
    ]
    return Made(made.count(True), bool(made))


def _wanted(reading: FileReading, commodity: str) -> _Wanted | None:
    code = reading.register_code
    found = commodity_of(code, reading.unit) or commodity
    direction = _DIRECTIONS.get(code[:4]) if found == ELECTRIC else Register.Direction.IMPORT
    unit = reading.unit or UNITS.get(found, ("",))[0]
    if direction is None or unit not in UNITS.get(found, ()) or not 0 < len(code) <= _LONGEST_CODE:
        return None
    kind = Register.Kind.CUMULATIVE if reading.kind == "dial" else Register.Kind.INTERVAL
    return _Wanted(found, unit, kind, direction, reading.value) if code.isprintable() else None


def _make(serial: str, registers: Mapping[str, _Wanted], known: KnownMeter | None, actor: Actor, now: datetime) -> bool:
    """Make a meter where there is none, and its registers; say whether the meter is new."""
    type_ = known.type if known else next(iter(registers.values())).commodity
    try:
        with transaction.atomic():
            meter = _meter(serial, type_, actor, now) if known is None else Meter.objects.get(serial=serial)
            for code, wanted in sorted(registers.items()):
                if wanted.commodity == type_:
                    save_as(actor, _register(meter, code, wanted))
                    audit.record(action="register.created", obj=meter, actor=actor, now=now, serial=serial, code=code)
    except IntegrityError:
        # Somebody else made it a moment ago: it is theirs, and its readings are judged by its registers.
        return False
    return known is None


def _meter(serial: str, type_: str, actor: Actor, now: datetime) -> Meter:
    meter = Meter(serial=serial, type=type_)
    save_as(actor, meter)
    audit.record(action="meter.created", obj=meter, actor=actor, now=now, serial=serial)
    return meter


def _register(meter: Meter, code: str, wanted: _Wanted) -> Register:
    digits = min(max(_FEWEST_DIGITS, len(str(int(wanted.greatest)))), _MOST_DIGITS)
    return Register(
        meter=meter,
        code=code,
        direction=wanted.direction,
        kind=wanted.kind,
        unit=wanted.unit,
        digits=digits if wanted.kind == Register.Kind.CUMULATIVE else _FEWEST_DIGITS,
    )
