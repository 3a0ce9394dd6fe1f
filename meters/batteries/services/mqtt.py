"""Live readings that batteries publish by MQTT, as the gateway has them understood and stored."""

import time

from meters.batteries.decoding import Reading
from meters.batteries.quantities import System
from meters.batteries.services.live import Sender, read_request
from meters.batteries.services.terms import terms
from meters.devices.selectors.commands import mqtt_creator

_SENDER_SECONDS = 5.0
_held: list[tuple[float, Sender]] = []


def understand(battery: str, kind: str, payload: bytes) -> tuple[list[Reading], int]:
    """Return the readings of a message, and how many more were malformed.

    :param kind: the system, as topics name it.
    :raises Invalid: nothing can be understood.
    """
    decoded = read_request(payload, System(kind), battery, terms(), _sender())
    return decoded.readings, len(decoded.rejected)


def _sender() -> Sender:
    """Return in whose name messages come; asked for anew when the last answer is some seconds old."""
    now = time.monotonic()
    if not _held or now - _held[0][0] >= _SENDER_SECONDS:
        creator = mqtt_creator()
        _held[:] = [(now, Sender(creator, creator))]
    return _held[0][1]
