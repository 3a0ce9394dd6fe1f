"""What a register counts, by its code: OBIS as IEC 62056-6-1 writes it, and EN 13757-1 for other media."""

import re

from meters.formats.records import GJ, KWH, M3

ELECTRIC, GAS, WATER, HEAT = "electric", "gas", "water", "heat"
_CODE = re.compile(r"(?P<medium>\d{1,3})-\d{1,3}:(?P<count>[0-9A-Z.]+?)(\*\d{1,3})?", re.ASCII)
_SHORT = re.compile(r"[1-4]\.[89]\.\d{1,2}", re.ASCII)
# The first group of a code is the medium: 5 is cold, which is heat that goes the other way.
_MEDIA = {"1": ELECTRIC, "5": HEAT, "6": HEAT, "7": GAS, "8": WATER, "9": WATER}
# Gas and water: volume, heat: energy, each the forward total as the meter shows it now.
USUAL_CODE = {ELECTRIC: "1.8.0", GAS: "7-0:3.0.0", WATER: "8-0:1.0.0", HEAT: "6-0:1.0.0"}
# What a commodity is counted in, the usual unit first.
UNITS = {ELECTRIC: (KWH,), GAS: (M3, KWH, GJ), WATER: (M3,), HEAT: (KWH, GJ)}


def register_code(written: str) -> str:
    """Return the portal's name of a register: no medium where it is electricity, and no storage group (``*255``)."""
    match = _CODE.fullmatch(written)
    if match is None:
        return written
    return match["count"] if match["medium"] == "1" else written.partition("*")[0]


def commodity_of(code: str, unit: str) -> str | None:
    """Return what a register counts, by its code, otherwise by its unit; None where neither tells, as m³ alone."""
    if match := _CODE.fullmatch(code):
        return _MEDIA.get(match["medium"])
    if _SHORT.fullmatch(code):
        return ELECTRIC if unit in {"", KWH} else None
    return {KWH: ELECTRIC, GJ: HEAT}.get(unit)
