"""NEM quality flags and stream suffixes, as AEMO names them, in the portal's terms and back."""

import re

from meters.formats.records import Unreadable

ACTUAL, ESTIMATED, NO_DATA, VARIES = "A", "E", "N", "V"
_FLAG = re.compile(r"([AEFNSV])(\d{2})?", re.ASCII)
_SUFFIX = re.compile(r"([A-Z]?)(\d?)[A-Z0-9]?", re.ASCII)
_STREAMS = re.compile(r"[A-Z][0-9]", re.ASCII)
_VALIDATED, _EDITED, _PROJECTED = 17, 7, 12
# Methods of substitution and estimation: calculated, SCADA, like day, average like day, linear; previous year, month.
_QUALITY_OF_METHOD = {"12": 11, "13": 11, "14": 8, "15": 8, "17": 9, "61": 8, "62": 8}
_OWN_FLAGS = {"E18": 10}
_FLAG_OF_QUALITY = {7: "S16", 8: "S14", 9: "S17", 10: "E18", 11: "S12", 12: "E16"}
_OBIS_GROUP = {"E": "1.8", "B": "2.8", "Q": "3.8", "K": "4.8", "": "1.8"}
_SUFFIX_OF_GROUP = {"1.8": "E", "2.8": "B", "3.8": "Q", "4.8": "K"}


def quality_of(flag: str) -> int:
    """Return Green Button's quality of a flag with its method: A is validated, the method says how others came to be.

    Without a telling method a substitute (S, F) counts as edited, an estimate (E) as projected.

    :raises Unreadable: it is no flag of one value.
    """
    match = _FLAG.fullmatch(flag)
    if match is None or match[1] == VARIES:
        raise Unreadable(f"{flag[:10]!r} is not a quality of readings.", code="unknown_quality")
    if match[1] in {ACTUAL, NO_DATA}:
        return _VALIDATED
    if flag in _OWN_FLAGS:
        return _OWN_FLAGS[flag]
    return _QUALITY_OF_METHOD.get(match[2] or "", _PROJECTED if match[1] == ESTIMATED else _EDITED)


def flag_of(quality: int | None) -> str:
    """Return the flag, with its method, of a quality; what nobody changed is actual."""
    return ACTUAL if quality is None else _FLAG_OF_QUALITY.get(quality, ACTUAL)


def register_of(suffix: str, configuration: str = "") -> str:
    """Return the OBIS code of a stream: alone of its kind E1 is the total 1.8.0, beside E2 it is its part 1.8.1.

    Streams that are neither energy nor reactive energy keep their own name.

    :param configuration: all streams of the meter, as in ``E1E2B1``.
    """
    match = _SUFFIX.fullmatch(suffix.upper())
    if match is None or match[1] not in _OBIS_GROUP:
        return suffix
    alone = sum(stream.startswith(match[1]) for stream in set(_STREAMS.findall(configuration.upper()))) < 2
    rate = "0" if not match[2] or (match[2] == "1" and alone) else match[2]
    return f"{_OBIS_GROUP[match[1]]}.{rate}"


def suffix_of(register_code: str) -> str:
    """Return the stream of an OBIS code, the reverse of :func:`register_of`.

    :raises Unreadable: NEM12 has no stream for it.
    """
    group, _, rate = register_code.rpartition(".")
    if group not in _SUFFIX_OF_GROUP or not (rate.isascii() and rate.isdigit() and len(rate) == 1):
        raise Unreadable(f"NEM12 has no stream for the register {register_code!r}.", code="unknown_register")
    return _SUFFIX_OF_GROUP[group] + ("1" if rate == "0" else rate)
