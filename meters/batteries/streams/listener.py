"""What waits for one client: bounded, whether it reads or not."""

import asyncio
from collections.abc import Collection

from meters.batteries.quantities import System
from meters.batteries.selectors.listening import Listening, Open
from meters.batteries.streams.events import Event

# A commit tells at most 20 readings of a battery at once; who takes them before the next ones misses none.
MOST_WAITING = 64
LONGEST_WAIT_SECONDS = 2.0


class Listener:
    """A client's place at the hub, used on the event loop alone.

    Whoever keeps up gets every reading. Who does not is left with the newest of each system: what waits never grows.

    :param systems: of which readings are wanted.
    :ivar heard_at: when a reading last came in, by the loop's clock.
    :ivar code: why it was ended, by the code of a websocket; None while it goes on.
    :ivar alarms: how the battery's alarms stand, until it is told.
    """

    __slots__ = (
        "_is_behind",
        "_since",
        "_waiter",
        "_waiting",
        "_wants_readings",
        "alarms",
        "code",
        "heard_at",
        "is_told_alarms",
        "listening",
        "systems",
    )

    def __init__(self, listening: Listening, systems: Collection[System], *, is_told_alarms: bool = False) -> None:
        self.listening = listening
        self.systems = frozenset(systems)
        self.is_told_alarms = is_told_alarms
        self.alarms: Open | None = None
        self.code: int | None = None
        self.heard_at = float("-inf")
        self._waiting: list[Event] = []
        self._since = 0.0
        self._is_behind = False
        self._wants_readings = True
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, event: Event, now: float) -> None:
        """Leave a reading for the client; returns at once.

        :param now: by the loop's clock.
        """
        self.heard_at = now
        waiting = self._waiting
        if not waiting:
            self._since = now
        elif self._is_behind or len(waiting) >= MOST_WAITING or now - self._since > LONGEST_WAIT_SECONDS:
            self._is_behind = True
            newest = {each.system: each for each in waiting}
            newest.pop(event.system, None)
            waiting[:] = newest.values()
        waiting.append(event)
        if self._wants_readings:
            self._wake()

    def offer_alarms(self, standing: Open) -> None:
        """Leave how the alarms stand; what was left before is told no more."""
        self.alarms = standing
        self._wake()

    def end(self, code: int) -> None:
        """Have the stream end; the first reason counts."""
        if self.code is None:
            self.code = code
            self._wake()

    def take(self) -> list[Event]:
        """Return the readings that wait, in the order in which they came."""
        taken, self._waiting = self._waiting, []
        self._is_behind = False
        return taken

    async def wait(self, seconds: float, *, for_readings: bool = True) -> None:
        """Return when something is there, at the latest after a while.

        :param for_readings: whether readings are worth waking for.
        """
        if self.code is not None or self.alarms is not None or (for_readings and self._waiting):
            return
        loop = asyncio.get_running_loop()
        self._wants_readings = for_readings
        self._waiter = loop.create_future()
        timer = loop.call_later(max(seconds, 0.0), self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
