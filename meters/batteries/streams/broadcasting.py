"""From the process that stored readings to all that have clients: many readings in one message of the channel layer.

A message a reading would cost each web process 60 to 100 µs; so it is a few.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from channels.layers import get_channel_layer

from meters.batteries.replaying import in_ms
from meters.batteries.services.news import Told

logger = logging.getLogger(__name__)

GROUP = "batteries"
MOST_WAITING = 20_000
_MOST_IN_A_MESSAGE = 500
_GATHER_SECONDS = 0.01
_PATIENCE_SECONDS = 5.0


def message_of(news: Sequence[Told]) -> dict[str, Any]:
    """Return what the layer carries of some readings."""
    readings = [(told.battery_pk, told.system.value, in_ms(told.at), told.text) for told in news]
    return {"type": "told", "readings": readings}


class Broadcast:
    """Sends what batteries tell from a thread of its own, so that whoever stored it never waits.

    What waits is bounded: past ``MOST_WAITING`` only the newest reading of each system of each battery is kept, and
    what the layer does not take in time is dropped. The database has it all.
    """

    def __init__(self) -> None:
        self._waiting: list[Told] = []
        self._there = threading.Condition()
        self._thread: threading.Thread | None = None

    def __call__(self, news: Sequence[Told]) -> None:
        """Take news of any thread and return at once."""
        with self._there:
            self._waiting.extend(news)
            if len(self._waiting) > MOST_WAITING:
                self._waiting = list({(told.battery_pk, told.system): told for told in self._waiting}.values())
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="battery-news", daemon=True)
                self._thread.start()
            self._there.notify()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while True:
                with self._there:
                    while not self._waiting:
                        self._there.wait()
                time.sleep(_GATHER_SECONDS)
                with self._there:
                    news, self._waiting = self._waiting, []
                for start in range(0, len(news), _MOST_IN_A_MESSAGE):
                    self._send(runner, news[start : start + _MOST_IN_A_MESSAGE])

    def _send(self, runner: asyncio.Runner, news: Sequence[Told]) -> None:
        try:
            runner.run(_sent(message_of(news)))
        except Exception as error:  # noqa: BLE001 whatever fails, the next news may get through
            logger.warning("Open streams miss %s readings: %s", len(news), error)


async def _sent(message: dict[str, Any]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await get_channel_layer().group_send(GROUP, message)


broadcast = Broadcast()
