"""What a camera noted in its photo, as far as it makes sense: none of it can be trusted.

Only the few values that are wanted are read, at a bounded cost: no list, loop or length in it leads anywhere else.

Source: CIPA DC-008-2023 (Exif 3.0) on TIFF 6.0.
"""

import math
import re
import struct
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_MOST_ENTRIES = 512
_LONGEST_VALUE = 256
_LONGEST_CAMERA = 200
_YEARS = range(1990, 2100)
_LARGEST_OFFSET = timedelta(hours=14)
_MAKE, _MODEL, _ORIENTATION, _EXIF_PLACE, _GPS_PLACE = 0x010F, 0x0110, 0x0112, 0x8769, 0x8825
_TAKEN, _TAKEN_OFFSET = 0x9003, 0x9011
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 1, 2, 3, 4
_ASCII, _SHORT, _LONG, _RATIONAL, _UTF8 = 2, 3, 4, 5, 129
_SIZES = {_ASCII: 1, _SHORT: 2, _LONG: 4, _RATIONAL: 8, _UTF8: 1}
_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII)

Value = str | tuple[float, ...]


@dataclass(frozen=True)
class Notes:
    """What a camera says of its photo: when (UTC) and where (degrees, WGS84) it was taken, and by what.

    ``orientation`` is 1 to 8: how the stored picture has to be turned to stand upright.
    """

    taken_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str = ""
    orientation: int = 1


def read_notes(exif: bytes, *, zone: tzinfo) -> Notes:
    """Read the notes of a TIFF structure; what is missing or makes no sense is left out.

    :param zone: of the clock, where the camera does not say its offset.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return Notes()
    file = _Tiff(exif, order)
    main = file.values(file.number(4), {_MAKE, _MODEL, _ORIENTATION, _EXIF_PLACE, _GPS_PLACE})
    taken = file.values(_place(main.get(_EXIF_PLACE)), {_TAKEN, _TAKEN_OFFSET})
    gps = file.values(_place(main.get(_GPS_PLACE)), {_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE})
    latitude = _degrees(gps.get(_LATITUDE), gps.get(_LATITUDE_REF), signs={"N": 1, "S": -1}, largest=90)
    longitude = _degrees(gps.get(_LONGITUDE), gps.get(_LONGITUDE_REF), signs={"E": 1, "W": -1}, largest=180)
    # A camera that had no fix writes zeros.
    is_somewhere = latitude is not None and longitude is not None and (latitude, longitude) != (0, 0)
    return Notes(
        taken_at=_instant(taken.get(_TAKEN), taken.get(_TAKEN_OFFSET), zone),
        latitude=latitude if is_somewhere else None,
        longitude=longitude if is_somewhere else None,
        camera=_camera(main.get(_MAKE), main.get(_MODEL)),
        orientation=_orientation(main.get(_ORIENTATION)),
    )


class _Tiff:
    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._order = order

    def number(self, place: int) -> int:
        """Return the four bytes at a place; 0 beyond the end."""
        return int(self._unpack("I", place)[0]) if 0 <= place <= len(self._data) - 4 else 0

    def values(self, place: int, wanted: Collection[int]) -> dict[int, Value]:
        """Return the wanted entries of the directory at a place."""
        found: dict[int, Value] = {}
        if not 0 < place <= len(self._data) - 2:
            return found
        (count,) = self._unpack("H", place)
        for entry in range(place + 2, place + 2 + 12 * min(count, _MOST_ENTRIES), 12):
            if entry + 12 > len(self._data):
                break
            tag, kind, length = self._unpack("HHI", entry)
            if tag in wanted and tag not in found:
                value = self._value(kind, length, entry + 8)
                if value is not None:
                    found[tag] = value
        return found

    def _value(self, kind: int, length: int, place: int) -> Value | None:
        size = _SIZES.get(kind, 0) * length
        if not 0 < size <= _LONGEST_VALUE:
            return None
        if size > 4:
            place = self.number(place)
        raw = self._data[place : place + size]
        if len(raw) < size:
            return None
        if kind in {_ASCII, _UTF8}:
            return raw.split(b"\0")[0].decode("utf-8", "replace").strip()
        if kind == _RATIONAL:
            numbers = struct.unpack(f"{self._order}{2 * length}I", raw)
            return tuple(map(_ratio, numbers[::2], numbers[1::2]))
        return struct.unpack(f"{self._order}{length}{'H' if kind == _SHORT else 'I'}", raw)

    def _unpack(self, layout: str, place: int) -> tuple[int, ...]:
        return struct.unpack_from(self._order + layout, self._data, place)


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else math.nan


def _place(value: Value | None) -> int:
    return int(value[0]) if isinstance(value, tuple) and math.isfinite(value[0]) else 0


def _orientation(value: Value | None) -> int:
    return int(value[0]) if isinstance(value, tuple) and value[0] in range(1, 9) else 1


def _degrees(value: Value | None, ref: Value | None, *, signs: dict[str, int], largest: int) -> float | None:
    """Return degrees, minutes and seconds as signed degrees; None without a hemisphere or out of range."""
    if not isinstance(value, tuple) or len(value) != 3 or not isinstance(ref, str) or ref.upper() not in signs:
        return None
    degrees, minutes, seconds = value
    total = degrees + minutes / 60 + seconds / 3_600
    # False for what is not a number, too.
    is_possible = 0 <= total <= largest and minutes < 60 and seconds < 60
    return signs[ref.upper()] * total if is_possible else None


def _instant(value: Value | None, offset: Value | None, zone: tzinfo) -> datetime | None:
    clock = _DATE.fullmatch(value) if isinstance(value, str) else None
    if clock is None:
        return None
    try:
        local = datetime(*map(int, clock.groups()), tzinfo=_zone_of(offset) or zone)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    return local.astimezone(UTC) if local.year in _YEARS else None


def _zone_of(offset: Value | None) -> tzinfo | None:
    match = _OFFSET.fullmatch(offset) if isinstance(offset, str) else None
    if match is None:
        return None
    ahead = timedelta(hours=int(match[2]), minutes=int(match[3]))
    if ahead > _LARGEST_OFFSET:
        return None
    return timezone(-ahead if match[1] == "-" else ahead)


def _camera(make: Value | None, model: Value | None) -> str:
    maker, name = (_words(each) if isinstance(each, str) else "" for each in (make, model))
    whole = name if name.lower().startswith(maker.lower()) else f"{maker} {name}"
    return whole.strip()[:_LONGEST_CAMERA]


def _words(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
