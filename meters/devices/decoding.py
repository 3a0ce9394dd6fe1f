"""What devices say, as JSON, turned into samples: protocol 1000, its older family, and the plain form.

One bad property or message is named and left out; the rest goes on. Knows no database: what a code means is handed in.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct

from energy_portal.shared.errors import Invalid, ItemError

PROPERTY_MESSAGE = "devicePropertyMessage"
QUANTITIES = ("power_w", "temperature_c", "voltage_v", "current_a", "energy_wh", "switch")
"""What a sample holds, in its order."""

_SWITCH = QUANTITIES.index("switch")
_NOTHING: list[Any] = [None] * len(QUANTITIES)
_LARGEST = 3.4028234663852886e38  # what a single-precision float holds
_LARGEST_MILLIS = 10**14
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ON = {True: True, False: False, "true": True, "false": False, "on": True, "off": False, "1": True, "0": False}
_MALFORMED = "malformed"
_PLAIN_FORM = frozenset({"device_id", "product_id", "time"})

DeviceId = Annotated[str, Meta(min_length=1, max_length=64)]
Millis = Annotated[int, Meta(ge=-_LARGEST_MILLIS, le=_LARGEST_MILLIS)]


class MalformedBody(Invalid):
    """A body is no JSON, or neither a message nor an array of them."""

    code = _MALFORMED
    status = 400


class TooManyMessages(Invalid):
    """An array holds more messages than one request may."""

    code = "batch_too_large"
    status = 413


class Sample(NamedTuple):
    """What a device told of one instant; None where it told nothing.

    :ivar time_us: µs since 1970, UTC.
    :ivar creator: the data source that may have an unknown device created, by its key in the database.
    :ivar product: what such a device is then said to be.
    """

    device: str
    time_us: int
    power_w: float | None = None
    temperature_c: float | None = None
    voltage_v: float | None = None
    current_a: float | None = None
    energy_wh: float | None = None
    switch: bool | None = None
    creator: int | None = None
    product: str = ""

    @property
    def properties(self) -> int:
        """Count what it tells."""
        return len(QUANTITIES) - self[2 : 2 + len(QUANTITIES)].count(None)


class Target(NamedTuple):
    """What a code means: a place in ``QUANTITIES``, and the factor that brings its value to that quantity's unit."""

    place: int
    factor: float

    @classmethod
    def of(cls, quantity: str, factor: float) -> "Target":
        """Return the target of a quantity by its name."""
        return cls(QUANTITIES.index(quantity), factor)


@dataclass(frozen=True, slots=True)
class Mappings:
    """What codes mean.

    :ivar default: of every product that says nothing else.
    :ivar by_product: of a product, the default ones included.
    """

    default: Mapping[str, Target]
    by_product: Mapping[str, Mapping[str, Target]]

    def of(self, product: str) -> Mapping[str, Target]:
        """Return what the codes of a product mean."""
        return self.by_product.get(product, self.default)


@dataclass(slots=True)
class Decoded:
    """What a request holds.

    :ivar places: of each sample, the index of its message.
    :ivar unknown: products and codes that no mapping knows, one a property; another ``bizCode`` counts as one.
    """

    messages: int = 1
    samples: list[Sample] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    rejected: list[ItemError] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, index: int, detail: str) -> None:
        """Note what is malformed in a message."""
        self.rejected.append(ItemError(_MALFORMED, detail, index=index))


class _Property(Struct, gc=False):
    code: str
    time: Millis
    value: Any = None


class _Status(Struct, gc=False):
    code: str
    t: Millis
    value: Any = None

    @property
    def time(self) -> int:
        return self.t


class _Data(Struct, rename="camel", gc=False):
    dev_id: DeviceId
    properties: list[_Property]
    product_id: str = ""


class _Message(Struct, rename="camel", gc=False):
    """Protocol 1000 by ``bizCode`` and ``bizData``, the older family by ``devId`` and ``status``."""

    biz_code: str | None = None
    biz_data: _Data | None = None
    dev_id: DeviceId | None = None
    product_key: str = ""
    product_id: str = ""
    status: list[_Status] | None = None


class _LooseData(Struct, rename="camel"):
    dev_id: DeviceId
    properties: list[Raw]
    product_id: str = ""


class _LooseMessage(Struct, rename="camel"):
    biz_code: str | None = None
    biz_data: Raw = Raw(b"")
    dev_id: DeviceId | None = None
    product_key: str = ""
    product_id: str = ""
    status: list[Raw] | None = None


_messages = msgspec.json.Decoder(_Message | list[_Message])
_pieces = msgspec.json.Decoder(list[Raw])
_loose_message = msgspec.json.Decoder(_LooseMessage)
_loose_data = msgspec.json.Decoder(_LooseData)
_property = msgspec.json.Decoder(_Property)
_status = msgspec.json.Decoder(_Status)
_plain = msgspec.json.Decoder(dict[str, Any] | list[Any])


def decode_messages(body: bytes, mappings: Mappings, *, limit: int, creator: int | None = None) -> Decoded:
    """Decode one ``devicePropertyMessage``, one of the older family (``status``), or an array of them.

    :param limit: how many messages an array may hold.
    :param creator: see :class:`Sample`.
    :raises MalformedBody: no JSON, or neither an object nor an array.
    :raises TooManyMessages: more than ``limit``.
    """
    try:
        found = _messages.decode(body)
    except msgspec.ValidationError:
        return _decode_loosely(body, mappings, limit, creator)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    decoded = Decoded()
    if not isinstance(found, list):
        _take_message(decoded, 0, found, mappings, creator)
        return decoded
    _require_within(found, limit, decoded)
    for index, message in enumerate(found):
        _take_message(decoded, index, message, mappings, creator)
    return decoded


def decode_energy(
    body: bytes, mappings: Mappings, *, limit: int, device: str | None = None, creator: int | None = None
) -> Decoded:
    """Decode samples in plain form, ``{"device_id", "time": ms or ISO 8601, code: value, …}``, one or an array.

    Whatever else a sample holds is a code with its value, by the mapping of its ``product_id`` where it names one.

    :param device: whose samples they are, as a topic tells; none may then say otherwise.
    :raises MalformedBody: no JSON, or neither an object nor an array.
    :raises TooManyMessages: more than ``limit``.
    """
    try:
        found = _plain.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    decoded = Decoded()
    items = found if isinstance(found, list) else [found]
    _require_within(items, limit, decoded)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            decoded.refuse(index, "A sample is an object.")
            continue
        name, product = item.get("device_id", device), item.get("product_id", "")
        if not isinstance(name, str) or not 0 < len(name) <= 64 or name != (device or name):
            decoded.refuse(index, "device_id: a text of 1 to 64 characters, the same as elsewhere.")
            continue
        time_us = _micros(item.get("time"))
        if time_us is None or not isinstance(product, str):
            decoded.refuse(index, "time: milliseconds since 1970, or ISO 8601 with its offset.")
            continue
        told = ((code, time_us, value) for code, value in item.items() if code not in _PLAIN_FORM)
        _take(decoded, index, name, product, told, mappings, creator)
    return decoded


def _no_json(error: Exception) -> MalformedBody:
    is_json = isinstance(error, msgspec.ValidationError)
    return MalformedBody("The body is neither an object nor an array." if is_json else f"The body is not JSON: {error}")


def _require_within(items: list[Any], limit: int, decoded: Decoded) -> None:
    if len(items) > limit:
        raise TooManyMessages(f"At most {limit} messages a request.")
    decoded.messages = len(items)


def _take_message(decoded: Decoded, index: int, message: _Message, mappings: Mappings, creator: int | None) -> None:
    data = message.biz_data
    if message.biz_code == PROPERTY_MESSAGE and data is not None:
        product = data.product_id
        told: list[_Property] | list[_Status] = data.properties
        if len(told) == 1:
            _take_one(decoded, index, data.dev_id, product, told[0], mappings, creator)
            return
        name = data.dev_id
    elif message.biz_code is not None and message.biz_code != PROPERTY_MESSAGE:
        decoded.unknown.append((data.product_id if data else message.product_id, message.biz_code))
        return
    elif message.biz_code is None and message.dev_id is not None and message.status is not None:
        name, product, told = message.dev_id, message.product_key or message.product_id, message.status
    else:
        decoded.refuse(index, "Neither a devicePropertyMessage with its bizData nor devId with status.")
        return
    triples = ((each.code, 1000 * each.time, each.value) for each in told)
    _take(decoded, index, name, product, triples, mappings, creator)


def _take_one(
    decoded: Decoded,
    index: int,
    device: str,
    product: str,
    told: "_Property | _Status",
    mappings: Mappings,
    creator: int | None,
) -> None:
    """Take a message of a single property: most of them are."""
    target = mappings.by_product.get(product, mappings.default).get(told.code)
    if target is None:
        decoded.unknown.append((product, told.code))
        return
    value = _value(told.value, target)
    if value is None:
        decoded.refuse(index, _unfit(told.code, target))
        return
    values = _NOTHING.copy()
    values[target.place] = value
    decoded.samples.append(Sample._make((device, 1000 * told.time, *values, creator, product)))
    decoded.places.append(index)


def _take(
    decoded: Decoded,
    index: int,
    device: str,
    product: str,
    told: Iterable[tuple[str, int, Any]],
    mappings: Mappings,
    creator: int | None,
) -> None:
    """Join a message's properties of one time to a sample; what tells a quantity again is a sample of its own."""
    targets = mappings.of(product)
    joined: dict[int, list[Any]] = {}
    rows: list[tuple[int, list[Any]]] = []
    for code, time_us, given in told:
        target = targets.get(code)
        if target is None:
            decoded.unknown.append((product, code))
            continue
        value = _value(given, target)
        if value is None:
            decoded.refuse(index, _unfit(code, target))
            continue
        values = joined.get(time_us)
        if values is None or values[target.place] is not None:
            values = joined[time_us] = _NOTHING.copy()
            rows.append((time_us, values))
        values[target.place] = value
    for time_us, values in rows:
        decoded.samples.append(Sample._make((device, time_us, *values, creator, product)))
        decoded.places.append(index)


def _value(given: Any, target: Target) -> float | bool | None:
    """Return a property's value in its quantity's unit, None where it has none."""
    kind = type(given)
    if target.place == _SWITCH:
        return _ON.get(given.lower() if kind is str else given) if kind in {bool, int, float, str} else None
    if kind is not float and kind is not int and kind is not str:
        return None
    try:
        number = float(given) * target.factor
    except (ValueError, OverflowError):
        return None
    return number if -_LARGEST <= number <= _LARGEST else None


def _unfit(code: str, target: Target) -> str:
    return f"{code[:64]}: {'on or off' if target.place == _SWITCH else 'a number'} is expected."


def _micros(time: Any) -> int | None:
    if isinstance(time, str):
        try:
            moment = datetime.fromisoformat(time)
        except ValueError:
            return None
        return None if moment.tzinfo is None else (moment - _UNIX) // _MICROSECOND
    if isinstance(time, bool) or not isinstance(time, (int, float)):
        return None
    if not (-_LARGEST_MILLIS <= time <= _LARGEST_MILLIS) or math.trunc(time) != time:
        return None
    return 1000 * int(time)


def _decode_loosely(body: bytes, mappings: Mappings, limit: int, creator: int | None) -> Decoded:
    """Decode a body that is not all right, message by message and property by property."""
    decoded = Decoded()
    try:
        pieces = _pieces.decode(body)
    except msgspec.ValidationError:
        pieces = [Raw(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_json(error) from error
    _require_within(pieces, limit, decoded)
    for index, piece in enumerate(pieces):
        try:
            message = _loose_message.decode(piece)
            _take_loosely(decoded, index, message, mappings, creator)
        except msgspec.ValidationError as error:
            decoded.refuse(index, str(error))
    return decoded


def _take_loosely(
    decoded: Decoded, index: int, message: _LooseMessage, mappings: Mappings, creator: int | None
) -> None:
    decoder: Any = _property
    if message.biz_code is not None and message.biz_code != PROPERTY_MESSAGE:
        decoded.unknown.append((message.product_id, message.biz_code))
        return
    if message.biz_code is not None and bytes(message.biz_data):
        data = _loose_data.decode(message.biz_data)
        name, product, told = data.dev_id, data.product_id, data.properties
    elif message.dev_id is not None and message.status is not None:
        name, product, told = message.dev_id, message.product_key or message.product_id, message.status
        decoder = _status
    else:
        decoded.refuse(index, "Neither a devicePropertyMessage with its bizData nor devId with status.")
        return
    triples = []
    for raw in told:
        try:
            each = decoder.decode(raw)
        except msgspec.ValidationError as error:
            decoded.refuse(index, str(error))
        else:
            triples.append((each.code, 1000 * each.time, each.value))
    _take(decoded, index, name, product, triples, mappings, creator)
