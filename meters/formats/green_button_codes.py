"""What the numbers of an ESPI reading type mean (NAESB REQ.21), in the portal's terms and back."""

from collections.abc import Mapping
from dataclasses import dataclass

from meters.formats.obis import GAS, HEAT, USUAL_CODE, WATER
from meters.formats.records import GJ, KWH, M3, TOTAL_EXPORT, TOTAL_IMPORT, Unreadable

BULK, CUMULATIVE, DELTA = "1", "3", "4"
FORWARD, REVERSE = "1", "19"
WATT_HOURS, CUBIC_METRES, JOULES = "72", "42", "31"
_POWERS = frozenset(str(power) for power in range(-12, 13))
_UNITS: dict[str, tuple[str, int]] = {WATT_HOURS: (KWH, -3), CUBIC_METRES: (M3, 0), JOULES: (GJ, -9)}
# What flows where it is not electricity: natural gas, potable water, heating fluid.
COMMODITIES = {"7": GAS, "9": WATER, "12": HEAT}


@dataclass(frozen=True)
class ReadingType:
    """How values are to be read: times ten to ``power`` they are in ``unit``; ``delta`` if they pass in an interval."""

    register_code: str
    unit: str
    power: int
    delta: bool


def reading_type(fields: Mapping[str, str]) -> ReadingType:
    """Return what a ReadingType element says; what it leaves out is Green Button's usual: forward deltas of Wh.

    :raises Unreadable: values that are neither deltas nor a dial's, or a unit or direction that the portal lacks.
    """
    behaviour, flow = fields.get("accumulationBehaviour", DELTA), fields.get("flowDirection", FORWARD)
    uom, power = fields.get("uom", WATT_HOURS), fields.get("powerOfTenMultiplier", "0")
    if behaviour not in {BULK, CUMULATIVE, DELTA}:
        raise Unreadable(f"The accumulation behaviour {behaviour[:10]!r} is not known.", code="unknown_accumulation")
    if flow not in {FORWARD, REVERSE}:
        raise Unreadable(f"The flow direction {flow[:10]!r} is not known.", code="unknown_register")
    if uom not in _UNITS or power not in _POWERS:
        raise Unreadable(f"The unit {uom[:10]!r} times ten to {power[:10]!r} is not known.", code="wrong_unit")
    unit, base = _UNITS[uom]
    commodity = COMMODITIES.get(fields.get("commodity", ""))
    electric = TOTAL_IMPORT if flow == FORWARD else TOTAL_EXPORT
    return ReadingType(
        register_code=USUAL_CODE[commodity] if commodity else electric,
        unit=unit,
        power=int(power) + base,
        delta=behaviour == DELTA,
    )
