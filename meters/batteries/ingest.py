"""The door for live readings of batteries, in front of Django's stack as that of devices is."""

import asyncio
import time

from django.conf import settings

from accounts.roles import Scope as KeyScope
from meters.batteries.quantities import System
from meters.batteries.services.live import Sender, read_request, writer
from meters.batteries.services.receipts import ONE_STORED, Receipt, conclude
from meters.batteries.services.terms import held_terms, read_terms
from meters.devices.door import (
    JSON,
    LONGEST_ON_THE_LOOP,
    Application,
    ClientLeft,
    Door,
    Receive,
    Scope,
    Send,
    admitted,
    answer,
    key_and_length,
    refusal,
)
from meters.devices.services.keys import key_ring
from meters.devices.services.limits import limits

_PREFIX = "/api/v1/batteries/"
_ENDINGS = {f"/{system}": system for system in System}
_OLDEST_TERMS_SECONDS = 10.0


class BatteryDoor(Door):
    """Answer live readings of batteries; hand on what is none. Keys and limits are kept true by the door of devices."""

    def __init__(self, application: Application) -> None:
        super().__init__(application, "battery-door")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(_PREFIX):
            path = scope["path"]
            system = _ENDINGS.get(path[-4:])
            battery = path[len(_PREFIX) : -4]
            if system is not None and battery and "/" not in battery:
                key, length = key_and_length(scope["headers"])
                if key is not None:
                    await self._serve(path, system, battery, (key, length), receive, send)
                    return
        await self._application(scope, receive, send)

    async def start(self) -> None:
        """Start the writer, and the task that keeps what is held in memory true."""
        writer().start()
        self._upkeep = [asyncio.create_task(self._keep_up(None, read_terms))]

    async def stop(self) -> None:
        """Write what waits, then end."""
        await self._end_upkeep()
        await asyncio.to_thread(writer().drain, settings.DRAIN_SECONDS * 0.8)

    async def _serve(
        self, path: str, system: System, battery: str, shown: tuple[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        try:
            receipt = await self._take(system, battery, shown, receive)
            status = 200
            start, end = _ONE if receipt is ONE_STORED else answer(200, receipt.as_dict(), [JSON])
        except ClientLeft:
            return
        except Exception as error:  # noqa: BLE001 each becomes an answer
            status, (start, end) = refusal(error, path)
        self._answered[f"{_PREFIX}{{battery_id}}/{system}", status] += 1
        await send(start)
        await send(end)

    async def _take(self, system: System, battery: str, shown: tuple[bytes, bytes], receive: Receive) -> Receipt:
        """Take one request's readings.

        :param shown: the key and the declared length.
        :raises DomainError: see the codes of what is raised here, in the decoder and by the writer.
        """
        key, length = shown
        body = await self._bodies.read(receive, length)
        held = key_ring.held(key)
        grant = admitted(await self._look_up(key) if held is None else held[0], KeyScope.BATTERIES)
        limits.charge(grant, 1, now=time.time())
        book = held_terms(_OLDEST_TERMS_SECONDS)
        if book is None:
            book = await self._apart(read_terms)
        sender = Sender(grant.source_id, grant.creator)
        if len(body) > LONGEST_ON_THE_LOOP:
            decoded = await asyncio.to_thread(read_request, body, system, battery, book, sender)
        else:
            decoded = read_request(body, system, battery, book, sender)
        if decoded.messages > 1:
            limits.charge(grant, decoded.messages - 1, now=time.time())
        if not decoded.readings:
            return conclude(decoded, [])
        size = self._let_wait(grant, len(decoded.readings))
        try:
            outcomes = await writer().enqueue(decoded.readings)
        finally:
            self._waiting[grant.source_id] -= size
        return conclude(decoded, outcomes)


_ONE = answer(200, ONE_STORED.as_dict(), [JSON])
"""The answer to most requests, made once."""
