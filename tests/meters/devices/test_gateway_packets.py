"""Messages out of a stream of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.devices.gateway.packets import Received, acknowledgements, cut_messages

PINGRESP = b"\xd0\x00"


def length(value: int) -> bytes:
    value, low = divmod(value, 128)
    return bytes((low | 0x80,)) + length(value) if value else bytes((low,))


def publish(message: Received) -> bytes:
    number = message.number.to_bytes(2, "big") if message.number else b""
    body = len(message.topic).to_bytes(2, "big") + message.topic + number + message.payload
    return bytes((0x32 if message.number else 0x30,)) + length(len(body)) + body


messages = st.builds(
    Received, st.just(7), st.integers(0, 65_535), st.binary(min_size=1, max_size=40), st.binary(max_size=300)
)


class TestCutMessages:
    @given(st.lists(messages, max_size=8), st.integers(0, 400))
    def test_returns_the_whole_ones_and_leaves_the_rest(self, sent, missing):
        packets = [publish(message) for message in sent]
        stream = b"".join(packets)
        seen = stream[: max(0, len(stream) - missing)]

        found, size = cut_messages(seen, 7)

        assert found == sent[: len(found)]
        assert size == sum(map(len, packets[: len(found)])) <= len(seen)
        assert len(found) == len(sent) or size + len(packets[len(found)]) > len(seen)

    def test_stops_at_another_packet(self):
        message = Received(7, 1, b"t", b"{}")

        assert cut_messages(publish(message) + PINGRESP + publish(message), 7) == ([message], len(publish(message)))

    @given(st.binary(max_size=200))
    def test_survives_whatever_comes(self, stream):
        found, size = cut_messages(stream, 7)

        assert size <= len(stream)
        assert (size == 0) is (found == [])

    @pytest.mark.parametrize("stream", [b"\x34\x05\x00\x01tab", b"\x32\x04\x00\x09tt", b"\x32\x00", b"\x30\x01\x00"])
    def test_leaves_what_makes_no_sense(self, stream):
        assert cut_messages(stream, 7) == ([], 0)


class TestAcknowledgements:
    def test_leave_out_messages_that_need_none(self):
        assert acknowledgements([1, 0, 258]) == b"\x40\x02\x00\x01\x40\x02\x01\x02"
