"""What a client asks of a stream, by the query of its address."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from energy_portal.shared.errors import Invalid
from meters.batteries.quantities import System
from meters.batteries.replaying import LONGEST_INTERVAL_SECONDS, SHORTEST_INTERVAL_SECONDS, EventId, Mode

_LONGEST_TEXT = 64


class BadInterval(Invalid):
    """The interval is no number of seconds within the bounds."""

    code = "invalid_interval"
    status = 400


class BadMode(Invalid):
    """A stream is live or a replay."""

    code = "invalid_mode"
    status = 400


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for.

    :ivar mode: forces one; None for live while data come, else replay.
    :ivar interval: seconds between two rows of a replay.
    :ivar is_paced: whether live readings, too, are told an interval apart, the newest each time.
    :ivar last: the id of the last event that it had.
    """

    systems: tuple[System, ...]
    mode: Mode | None = None
    interval: float = 1.0
    is_paced: bool = False
    last: EventId | None = None

    @property
    def heard_systems(self) -> tuple[System, ...]:
        """The systems whose live readings are wanted."""
        return () if self.mode is Mode.REPLAY else self.systems


def wish_of(query: Mapping[str, str], *systems: System, last_event_id: str = "", is_paced: bool = False) -> Wish:
    """Read ``interval``, ``mode`` and ``last_event_id``; an id that is none of ours counts as none.

    :param last_event_id: as a header told it; it goes before the query.
    :raises BadInterval: not from 0.1 to 3,600 seconds.
    :raises BadMode: neither ``live`` nor ``replay``.
    """
    return Wish(
        systems=systems,
        mode=_mode(query.get("mode", "")),
        interval=_interval(query.get("interval", "1.0")),
        is_paced=is_paced,
        last=EventId.parse(last_event_id or query.get("last_event_id", "")),
    )


def _interval(text: str) -> float:
    try:
        interval = float(text) if len(text) <= _LONGEST_TEXT else math.nan
    except ValueError:
        interval = math.nan
    if not SHORTEST_INTERVAL_SECONDS <= interval <= LONGEST_INTERVAL_SECONDS:
        bounds = f"{SHORTEST_INTERVAL_SECONDS:g} to {LONGEST_INTERVAL_SECONDS:g}"
        raise BadInterval(f"The interval is a number of seconds from {bounds}.")
    return interval


def _mode(text: str) -> Mode | None:
    if not text:
        return None
    try:
        return Mode(text)
    except ValueError:
        raise BadMode("The mode is live or replay.") from None
