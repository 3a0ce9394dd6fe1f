"""What is told to a client, and how it is written on each kind of stream: made once, whoever gets it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from meters.batteries.quantities import System
from meters.batteries.replaying import EventId, Mode, Row, in_ms

_OPENING = b"retry: 2000\n: open\n\n"
_HEARTBEAT = b": heartbeat\n\n"


class Event:
    """A message to one client or to many: a websocket's text, or a piece of an event stream; "" and b"" are not sent.

    :ivar system: of a reading, else None.
    :ivar at_ms: the time of its reading in ms since 1970.
    """

    __slots__ = ("_chunk", "_frame", "_id", "_mode", "_text", "at_ms", "system")

    def __init__(self, system: System | None, at_ms: int, mode: str, event_id: str, text: str) -> None:
        self.system = system
        self.at_ms = at_ms
        self._mode = mode
        self._id = event_id
        self._text = text
        self._frame: dict[str, Any] | None = None
        self._chunk: bytes | None = None

    @property
    def frame(self) -> dict[str, Any]:
        """What a websocket is sent."""
        if self._frame is None:
            text = f'{{"type":"{self.system}","mode":"{self._mode}","id":"{self._id}","reading":{self._text}}}'
            self._frame = {"type": "websocket.send", "text": text}
        return self._frame

    @property
    def chunk(self) -> bytes:
        """What an event stream is sent: the published reading exactly, under its id."""
        if self._chunk is None:
            self._chunk = f"id: {self._id}\ndata: {self._text}\n\n".encode()
        return self._chunk


class _Notice(Event):
    """An event that is no reading."""

    __slots__ = ()

    def __init__(self, message: Mapping[str, object], chunk: bytes) -> None:
        super().__init__(None, 0, "", "", "")
        self._frame = {"type": "websocket.send", "text": json.dumps(message, separators=(",", ":"))}
        self._chunk = chunk


def live(system: System, at_ms: int, text: str) -> Event:
    """Return a reading that has just come in."""
    return Event(system, at_ms, Mode.LIVE.value, f"live-{at_ms}", text)


def missed(system: System, row: Row) -> Event:
    """Return a reading that came in while nobody listened."""
    return live(system, in_ms(row.at), row.text)


def replayed(system: System, event_id: EventId, text: str) -> Event:
    """Return a reading of the past."""
    return Event(system, event_id.at_ms, Mode.REPLAY.value, str(event_id), text)


def hello(about: Mapping[str, object], mode: Mode) -> Event:
    """Return what a stream begins with."""
    return _Notice({"type": "hello", **about, "mode": mode.value}, _OPENING)


def alarms(count: int, newest: list[dict[str, Any]]) -> Event:
    """Return how many alarms are open, and the newest of them; event streams hear nothing of it."""
    return _Notice({"type": "alarms", "open": count, "alarms": newest}, b"")


def heartbeat(now: datetime) -> Event:
    """Return the sign that a stream is open, though nothing is told."""
    return _Notice({"type": "heartbeat", "at": now.isoformat().replace("+00:00", "Z")}, _HEARTBEAT)
