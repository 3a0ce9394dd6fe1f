"""The door for devices: an ASGI application beside Django's, because a message must cost as little as storing it.

It answers POSTs to its paths that show the key of a data source; everything else, people with a token among them, goes
on to Django, whose views lead to the same decoder and the same writer.
"""

import asyncio
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts.roles import Scope as KeyScope
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
from meters.devices.services.directory import directory
from meters.devices.services.intake import Decoder, Receipt, conclude, read_energy, read_messages
from meters.devices.services.keys import key_ring
from meters.devices.services.limits import limits
from meters.devices.services.mappings import held_mappings, read_mappings
from meters.devices.services.messages import writer
from meters.devices.services.unknown_codes import flush_unknown

_DECODERS: dict[str, Decoder] = {"/message": read_messages, "/api/v1/energy": read_energy}
_OLDEST_MAPPINGS_SECONDS = 10.0
_FILL_PAUSE_SECONDS = 0.01
# The writer's thread asks for the interpreter at each answer of the database; by default a busy loop keeps it 5 ms.
_SWITCH_SECONDS = 0.001


class DeviceDoor(Door):
    """Answer device messages; hand on what is none."""

    def __init__(self, application: Application) -> None:
        super().__init__(application, "device-door")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            decoder = _DECODERS.get(scope["path"])
            if decoder is not None:
                key, length = key_and_length(scope["headers"])
                if key is not None:
                    await self._serve(scope["path"], key, length, decoder, receive, send)
                    return
        await self._application(scope, receive, send)

    async def start(self) -> None:
        """Start the writer, and the task that keeps what is held in memory true."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        writer().start()
        self._upkeep = [
            asyncio.create_task(self._keep_up(limits.settle, _look_again)),
            asyncio.create_task(self._fill()),
        ]

    async def _fill(self) -> None:
        """Take in the devices' names ahead, a little at a time: whoever sends meanwhile does not wait for it."""
        steps = directory.fill()
        with suppress(OperationalError, InterfaceError):
            while await self._apart(lambda: next(steps, 0)):
                await asyncio.sleep(_FILL_PAUSE_SECONDS)

    async def stop(self) -> None:
        """Write what waits, then end."""
        await self._end_upkeep()
        await asyncio.to_thread(writer().drain, settings.DRAIN_SECONDS * 0.8)
        await self._apart(_settle_all)

    async def _serve(
        self, path: str, key: bytes, length: bytes, decoder: Decoder, receive: Receive, send: Send
    ) -> None:
        try:
            receipt = await self._take(key, length, decoder, receive)
            status = 200
            start, end = _SHORT[receipt.inserted] if _is_short(receipt) else answer(200, receipt.as_dict(), [JSON])
        except ClientLeft:
            return
        except Exception as error:  # noqa: BLE001 each becomes an answer
            status, (start, end) = refusal(error, path)
        self._answered[path, status] += 1
        await send(start)
        await send(end)

    async def _take(self, key: bytes, length: bytes, decoder: Decoder, receive: Receive) -> Receipt:
        """Take one request's messages.

        :raises DomainError: see the codes of what is raised here, in the decoder and by the writer.
        """
        body = await self._bodies.read(receive, length)
        held = key_ring.held(key)
        grant = admitted(await self._look_up(key) if held is None else held[0], KeyScope.DEVICES)
        limits.charge(grant, 1, now=time.time())
        mappings = held_mappings(_OLDEST_MAPPINGS_SECONDS)
        if mappings is None:
            mappings = await self._apart(read_mappings)
        if len(body) > LONGEST_ON_THE_LOOP:
            decoded = await asyncio.to_thread(decoder, body, mappings, grant.creator)
        else:
            decoded = decoder(body, mappings, grant.creator)
        if decoded.messages > 1:
            limits.charge(grant, decoded.messages - 1, now=time.time())
        if not decoded.samples:
            return conclude(decoded, [])
        size = self._let_wait(grant, len(decoded.samples))
        try:
            outcomes = await writer().enqueue(decoded.samples)
        finally:
            self._waiting[grant.source_id] -= size
        return conclude(decoded, outcomes)


def _is_short(receipt: Receipt) -> bool:
    return receipt.inserted < len(_SHORT) and not receipt.rejected and not receipt.conflicts


_SHORT = [answer(200, Receipt(inserted).as_dict(), [JSON]) for inserted in range(10)]
"""The answers to most requests, made once."""


def _look_again() -> None:
    key_ring.look_again(now=datetime.now(UTC))
    read_mappings()


def _settle_all() -> None:
    limits.settle()
    flush_unknown(now=datetime.now(UTC))
