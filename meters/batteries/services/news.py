"""What batteries have just told, for whoever passes it on: after the commit, and only to listeners that never wait."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from meters.batteries.quantities import System

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """A live reading that is committed.

    :ivar text: the published JSON of the reading, made once for everybody who is told.
    """

    battery_pk: int
    system: System
    at: datetime
    text: str


Listener = Callable[[Sequence[Told]], None]
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have a listener called with all news of this process, from now on."""
    if listener not in _listeners:
        _listeners.append(listener)


def told(news: Sequence[Told]) -> None:
    """Tell every listener; one that fails neither stops the others nor whoever stored the readings."""
    for listener in _listeners:
        try:
            listener(news)
        except Exception:
            logger.exception("%s failed while it was told", listener)
