"""A fleet that speaks to a portal over HTTP, by connections that devices share."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import msgspec

from meters.devices.management.simulator.http import Answer, Connection
from meters.devices.management.simulator.tally import Tally
from meters.devices.simulation import Fleet, Parcel, http_request

_TICK_SECONDS = 0.05
_LEFT_BY_CONNECTION = 4


class _Rejected(msgspec.Struct):
    code: str = "unknown"


class _Receipt(msgspec.Struct):
    """What both a receipt and a problem tell, as far as is counted here."""

    inserted: int = 0
    rejected: list[_Rejected] = []
    code: str = ""
    errors: list[_Rejected] = []


_receipt = msgspec.json.Decoder(_Receipt)


@dataclass
class Posting:
    """Sends what a fleet says when it says it; when the portal falls behind, so do the devices.

    :ivar seconds: how long the fleet speaks; None: until this is cancelled.
    :ivar grace_seconds: how long what is under way at the end may take.
    :ivar on_tick: called some twenty times a second with the seconds that the devices are behind.
    """

    url: str
    key: str
    fleet: Fleet
    connections: int
    tally: Tally
    seconds: float | None = None
    grace_seconds: float = 30.0
    on_tick: Callable[[float], None] = lambda _: None
    random: Random = field(default_factory=Random)

    async def run(self) -> None:
        """Speak, then wait for what is under way."""
        queue: asyncio.Queue[Parcel] = asyncio.Queue(self.connections * _LEFT_BY_CONNECTION)
        clock = asyncio.get_running_loop().time
        deadline = float("inf") if self.seconds is None else clock() + self.seconds + self.grace_seconds
        senders = [asyncio.create_task(self._send(queue, deadline)) for _ in range(self.connections)]
        try:
            await self._speak(queue)
        finally:
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            self.tally.unanswered = self.tally.sent - self.tally.acknowledged - self.tally.refused.total()

    async def _speak(self, queue: asyncio.Queue[Parcel]) -> None:
        began = ticked = time.time()
        end = float("inf") if self.seconds is None else began + self.seconds
        while True:
            now = time.time()
            for parcel in self.fleet.until(int(1_000 * min(now, end))):
                if parcel.readings:
                    await queue.put(parcel)
                    if time.time() - ticked >= _TICK_SECONDS:
                        ticked = time.time()
                        self.on_tick(ticked - parcel.millis / 1_000)
            if now >= end:
                break
            await asyncio.sleep(_TICK_SECONDS)
        await queue.join()

    async def _send(self, queue: asyncio.Queue[Parcel], deadline: float) -> None:
        connection = Connection(url=self.url, key=self.key)
        try:
            while True:
                parcel = await queue.get()
                size = len(parcel.readings)
                self.tally.sent += size
                self.tally.repeated += size if parcel.is_repeat else 0
                answer = await connection.deliver(
                    *http_request(parcel), deadline=deadline, random=self.random, on_retry=self._note_retry
                )
                if answer is not None:
                    self._note(size, answer)
                queue.task_done()
        finally:
            await connection.close()

    def _note_retry(self, reason: str) -> None:
        self.tally.retried[reason] += 1

    def _note(self, size: int, answer: Answer) -> None:
        try:
            receipt = _receipt.decode(answer.body)
        except msgspec.DecodeError:
            receipt = _Receipt(code=f"http_{answer.status}")
        if answer.status == 200:
            self.tally.stored_properties = (self.tally.stored_properties or 0) + receipt.inserted
            refused = [each.code for each in receipt.rejected]
        else:
            refused = [each.code for each in receipt.errors] or [receipt.code or f"http_{answer.status}"] * size
        self.tally.refused.update(refused[:size])
        self.tally.acknowledged += size - len(refused[:size])
