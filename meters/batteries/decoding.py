"""What batteries tell live, as JSON: one published reading of the BMS or the PCS, or an array of them.

A reading is ``{"timestamp", field: number or null, …}`` with any of the fields; what it leaves out or has null is
missing, what nobody knows is passed over. One bad reading is named and left out; the rest goes on.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Raw
from msgspec.structs import astuple

from energy_portal.shared.errors import ItemError
from meters.batteries.conventions import Terms
from meters.batteries.quantities import NAMES, System
from meters.devices.decoding import MalformedBody, TooManyMessages

_LARGEST = 3.4028234663852886e38  # what a single-precision float holds
_LARGEST_MILLIS = 10**14
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UNIX_EPOCH_MS = (_EPOCH - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)
_MALFORMED = "malformed"
_NO_TIME = "{}: ISO 8601 with its offset, or milliseconds since 1970."
_EMPTY = "None of its fields holds a value."

Number = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
Values = tuple[float | None, ...]


class Reading(NamedTuple):
    """What a battery's system told of one instant.

    :ivar time_us: µs since 2000, UTC.
    :ivar values: in the order of ``SIGNALS[system]`` and the portal's own units and signs, None where missing.
    :ivar creator: the data source that may have an unknown battery created, by its key in the database.
    """

    system: System
    battery: str
    time_us: int
    values: Values
    creator: int | None = None


@dataclass(slots=True)
class Decoded:
    """What a request holds.

    :ivar places: of each reading, its index in the request.
    """

    messages: int = 1
    readings: list[Reading] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    rejected: list[ItemError] = field(default_factory=list)

    def refuse(self, index: int, detail: str, code: str = _MALFORMED) -> None:
        """Note why a reading is left out."""
        self.rejected.append(ItemError(code, detail, index=index))


class _Scaled(NamedTuple):
    """What a member means: a place among the signals, and what brings its value to the portal's own."""

    place: int
    factor: float
    offset: float


_pieces = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Any])


def decode_readings(
    body: bytes,
    *,
    system: System,
    battery: str,
    limit: int,
    terms: Terms | None = None,
    creator: int | None = None,
) -> Decoded:
    """Decode one reading of a battery's system, or an array of them.

    :param limit: how many readings an array may hold.
    :param terms: how they are written; None: as they are published.
    :param creator: see :class:`Reading`.
    :raises MalformedBody: no JSON, or neither an object nor an array.
    :raises TooManyMessages: more than ``limit``.
    """
    decoded = Decoded()
    take = _taker(decoded, system, battery, creator)
    if terms is None:
        try:
            found = _published(system).decode(body)
        except msgspec.ValidationError:
            pass  # Piece by piece the bad ones are told from the good ones.
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _no_json(error) from error
        else:
            items = found if isinstance(found, list) else [found]
            _require_within(len(items), limit, decoded)
            for index, item in enumerate(items):
                told = astuple(item)
                take(index, _micros(told[0]), told[1:], "timestamp")
            return decoded
    pieces = _split(body)
    _require_within(len(pieces), limit, decoded)
    read = _reader(system, terms)
    name = terms.time_column or "timestamp" if terms else "timestamp"
    for index, piece in enumerate(pieces):
        try:
            time_us, values = read(piece)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            decoded.refuse(index, str(error))
        else:
            take(index, time_us, values, name)
    return decoded


def _taker(
    decoded: Decoded, system: System, battery: str, creator: int | None
) -> Callable[[int, int | None, Values, str], None]:
    nothing: Values = (None,) * len(NAMES[system])

    def take(index: int, time_us: int | None, values: Values, time_name: str) -> None:
        if time_us is None:
            decoded.refuse(index, _NO_TIME.format(time_name))
        elif values == nothing:
            decoded.refuse(index, _EMPTY, "empty")
        else:
            decoded.readings.append(Reading(system, battery, time_us, values, creator))
            decoded.places.append(index)

    return take


@cache
def _published(system: System) -> Any:
    shape = _shape(system)
    return msgspec.json.Decoder(shape | list[shape])  # type: ignore[valid-type]


@cache
def _shape(system: System) -> Any:
    number: Any = Number | None
    time: Any = str | int | float
    fields: list[Any] = [("timestamp", time), *((name, number, None) for name in NAMES[system])]
    return msgspec.defstruct(f"{system}_reading", fields, gc=False)


def _split(body: bytes) -> list[Raw]:
    try:
        return _pieces.decode(body)
    except msgspec.ValidationError:
        pass  # One object then, or nothing that is taken.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    try:
        _object.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    return [Raw(body)]


def _no_json(error: Exception) -> MalformedBody:
    is_json = isinstance(error, msgspec.ValidationError)
    return MalformedBody("The body is neither an object nor an array." if is_json else f"The body is not JSON: {error}")


def _require_within(count: int, limit: int, decoded: Decoded) -> None:
    if count > limit:
        raise TooManyMessages(f"At most {limit} readings a request.")
    decoded.messages = count


def _reader(system: System, terms: Terms | None) -> Callable[[Raw], tuple[int | None, Values]]:
    """Return what reads one piece.

    The returned raises ``msgspec.DecodeError`` where it cannot be read.
    """
    if terms is None:
        decoder = msgspec.json.Decoder(_shape(system))

        def read_published(piece: Raw) -> tuple[int | None, Values]:
            told = astuple(decoder.decode(piece))
            return _micros(told[0]), told[1:]

        return read_published
    members = _members(system, terms)

    def read(piece: Raw) -> tuple[int | None, Values]:
        told = _object.decode(piece)
        values: list[float | None] = [None] * len(NAMES[system])
        for name, value in told.items():
            scaled = members.get(name)
            if scaled is not None and value is not None and values[scaled.place] is None:
                values[scaled.place] = _own(name, value, scaled)
        time = told.get(terms.time_column) if terms.time_column else told.get("timestamp", told.get("time"))
        time_us = _micros(time, terms.zone)
        return None if time_us is None else time_us - terms.clock_offset_us, tuple(values)

    return read


def _members(system: System, terms: Terms) -> Mapping[str, _Scaled]:
    places = {name: place for place, name in enumerate(NAMES[system])}
    return {
        theirs: _Scaled(places[own], *terms.scale(system, own)) for theirs, own in terms.names.items() if own in places
    }


def _own(name: str, value: Any, scaled: _Scaled) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise msgspec.ValidationError(f"{name[:64]}: a number is expected.")
    try:
        number = value * scaled.factor + scaled.offset
    except OverflowError as error:
        raise msgspec.ValidationError(f"{name[:64]}: the number is out of range.") from error
    if not -_LARGEST <= number <= _LARGEST:
        raise msgspec.ValidationError(f"{name[:64]}: the number is out of range.")
    return number


def _micros(time: Any, local: ZoneInfo | None = None) -> int | None:
    """Return µs since 2000, None for what is no time.

    :param local: of times without an offset; None: there are none.
    """
    if isinstance(time, str):
        try:
            moment = datetime.fromisoformat(time)
        except ValueError:
            return None
        if moment.tzinfo is None:
            if local is None:
                return None
            moment = moment.replace(tzinfo=local)
        return (moment - _EPOCH) // _MICROSECOND
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    if not (-_LARGEST_MILLIS <= time <= _LARGEST_MILLIS) or math.trunc(time) != time:
        return None
    return 1000 * (int(time) - _UNIX_EPOCH_MS)
