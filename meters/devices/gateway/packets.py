"""MQTT 3.1.1 on the wire, as far as it is frequent: messages out of a stream of bytes, acknowledgements into it."""

from collections.abc import Iterable
from typing import NamedTuple

_PUBLISH = 0x30
_PUBACK = b"\x40\x02"
_LONGEST_LENGTH = 4


class Received(NamedTuple):
    """A message.

    :ivar connection: by which it came; it can be acknowledged on no other.
    :ivar number: by which it is acknowledged; 0 for one that need not be.
    """

    connection: int
    number: int
    topic: bytes
    payload: bytes


def cut_messages(stream: bytes, connection: int) -> tuple[list[Received], int]:
    """Return the whole messages at the head of a stream, and how many bytes they are.

    Stops at another packet, at one that is not whole yet, and at what makes no sense (MQTT 3.1.1, 2.2 and 3.3).
    """
    found: list[Received] = []
    place, end = 0, len(stream)
    while place + 2 <= end:
        kind = stream[place]
        if kind & 0xF0 != _PUBLISH:
            break
        size, start = stream[place + 1], place + 2
        if size & 0x80:
            length = _length(stream, place + 1)
            if length is None:
                break
            size, start = length
        after = start + size
        if after > end:
            break
        topic_end = start + 2 + (stream[start] << 8 | stream[start + 1]) if size >= 2 else after + 1
        payload = topic_end
        number = 0
        if kind & 0x06:
            payload += 2
            number = stream[topic_end] << 8 | stream[topic_end + 1] if payload <= after else 0
        if payload > after or kind & 0x04:
            break
        found.append(Received(connection, number, stream[start + 2 : topic_end], stream[payload:after]))
        place = after
    return found, place


def acknowledgements(numbers: Iterable[int]) -> bytes:
    """Return the packets that acknowledge messages; those with the number 0 need none."""
    return b"".join([_PUBACK + number.to_bytes(2, "big") for number in numbers if number])


def _length(stream: bytes, place: int) -> tuple[int, int] | None:
    """Return a packet's remaining length, seven bits a byte, and where that remainder begins."""
    size = 0
    for step, byte in enumerate(stream[place : place + _LONGEST_LENGTH]):
        size |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            return size, place + step + 1
    return None
