"""The door for devices: an ASGI application beside Django's, because a message must cost as little as storing it.

It answers POSTs to its paths that show the key of a data source; everything else, people with a token among them, goes
on to Django, whose views lead to the same decoder and the same writer.
"""

import asyncio
import logging
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from accounts.selectors.sources import KEY_MARK
from energy_portal.shared import strict_json
from energy_portal.shared.errors import DomainError, Forbidden, Invalid, Throttled, Unavailable
from energy_portal.shared.lifespan import on_shutdown, on_startup
from energy_portal.shared.observability import count_requests
from energy_portal.shared.problems import PROBLEM_TYPE, problem
from meters.devices.services.directory import directory
from meters.devices.services.intake import Decoder, Receipt, conclude, read_energy, read_messages
from meters.devices.services.keys import LOOKED_AT_EVERY_SECONDS, Grant, key_ring
from meters.devices.services.limits import SETTLED_EVERY_SECONDS, limits
from meters.devices.services.mappings import held_mappings, read_mappings
from meters.devices.services.messages import writer
from meters.devices.services.unknown_codes import flush_unknown

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = TypeVar("Answer")

_DECODERS: dict[str, Decoder] = {"/message": read_messages, "/api/v1/energy": read_energy}
_BEARER = f"Bearer {KEY_MARK}".encode()
_LONGEST_ON_THE_LOOP = 32 * 1024
_OLDEST_MAPPINGS_SECONDS = 10.0
_FILL_PAUSE_SECONDS = 0.01
# The writer's thread asks for the interpreter at each answer of the database; by default a busy loop keeps it 5 ms.
_SWITCH_SECONDS = 0.001
_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", PROBLEM_TYPE.encode())
_CHALLENGE = (b"www-authenticate", b'Bearer realm="portal"')


class InvalidKey(DomainError):
    """A key is wrong, has lapsed or was revoked."""

    code = "invalid_key"
    status = 401


class BodyTooLarge(Invalid):
    """A body is longer than ``MAX_BODY_BYTES``."""

    code = "body_too_large"
    status = 413


class BodyTooSlow(Invalid):
    """A body did not arrive within ``BODY_TIMEOUT_SECONDS``."""

    code = "body_too_slow"
    status = 408


class ClientLeft(Exception):
    """Nobody waits for the answer any more."""


class Bodies:
    """Reads bodies, each bounded in its size and in the time that it takes.

    A timer a request would cost a quarter of all that the door does; here whoever looks in now and then ends the reads
    that take too long.
    """

    def __init__(self, largest_bytes: int, longest_seconds: float) -> None:
        self._largest_bytes = largest_bytes
        self._longest_seconds = longest_seconds
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()

    async def read(self, receive: Receive, length: bytes = b"") -> bytes:
        """Read a body.

        :param length: what its head declared, "" for nothing: when that much is there nothing more is waited for.
        :raises BodyTooLarge: it is too long.
        :raises BodyTooSlow: it takes too long.
        :raises ClientLeft: it ends before it is whole.
        """
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._reading[task] = time.monotonic()
        try:
            message = await receive()
            if message["type"] == "http.request":
                body: bytes = message.get("body", b"")
                if not message.get("more_body", False) or b"%d" % len(body) == length:
                    return self._checked(body)
            return await self._read_on(message, receive)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            self._overdue.discard(task)
            task.uncancel()
            raise BodyTooSlow(f"The body did not arrive within {self._longest_seconds:g} seconds.") from None
        finally:
            del self._reading[task]

    def end_overdue(self) -> None:
        """End the reads that take too long."""
        oldest = time.monotonic() - self._longest_seconds
        for task in [task for task, since in self._reading.items() if since < oldest and task not in self._overdue]:
            self._overdue.add(task)
            task.cancel()

    async def _read_on(self, message: Message, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                raise ClientLeft
            parts.append(self._checked(message.get("body", b""), size))
            size += len(parts[-1])
            if not message.get("more_body", False):
                return b"".join(parts)
            message = await receive()

    def _checked(self, part: bytes, before: int = 0) -> bytes:
        if before + len(part) > self._largest_bytes:
            raise BodyTooLarge(f"A body may hold {self._largest_bytes} bytes at most.")
        return part


class DeviceDoor:
    """Answer device messages; hand on what is none.

    :param application: Django's, guarded.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._waiting: Counter[int] = Counter()
        self._answered: Counter[tuple[str, int]] = Counter()
        self._upkeep: list[asyncio.Task[None]] = []
        self._thread = ThreadPoolExecutor(1, "device-door")
        self._bodies = Bodies(settings.MAX_BODY_BYTES, settings.BODY_TIMEOUT_SECONDS)
        self._most_waiting = settings.DEVICE_QUEUE_ROWS // 2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "POST":
            decoder = _DECODERS.get(scope["path"])
            if decoder is not None:
                key, length = _key_and_length(scope["headers"])
                if key is not None:
                    await self._serve(scope["path"], key, length, decoder, receive, send)
                    return
        await self._application(scope, receive, send)

    def open(self) -> None:
        """Register what starts and ends with the process."""
        on_startup(self.start)
        on_shutdown(self.stop)

    async def start(self) -> None:
        """Start the writer, and the task that keeps what is held in memory true."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        writer().start()
        self._upkeep = [asyncio.create_task(self._keep_up()), asyncio.create_task(self._fill())]

    async def _fill(self) -> None:
        """Take in the devices' names ahead, a little at a time: whoever sends meanwhile does not wait for it."""
        steps = directory.fill()
        with suppress(OperationalError, InterfaceError):
            while await self._apart(lambda: next(steps, 0)):
                await asyncio.sleep(_FILL_PAUSE_SECONDS)

    async def stop(self) -> None:
        """Write what waits, then end."""
        for task in self._upkeep:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.to_thread(writer().drain, settings.DRAIN_SECONDS * 0.8)
        await self._apart(_settle_all)

    async def _serve(
        self, path: str, key: bytes, length: bytes, decoder: Decoder, receive: Receive, send: Send
    ) -> None:
        try:
            receipt = await self._take(key, length, decoder, receive)
            status = 200
            start, end = _SHORT[receipt.inserted] if _is_short(receipt) else _answer(200, receipt.as_dict(), [_JSON])
        except ClientLeft:
            return
        except Exception as error:  # noqa: BLE001 each becomes an answer
            refusal = _refusal_of(error)
            status = refusal.status
            document = problem(
                status=status, code=refusal.code, detail=refusal.detail, instance=path, errors=refusal.errors
            )
            start, end = _answer(status, document, _headers_of(refusal))
        self._answered[path, status] += 1
        await send(start)
        await send(end)

    async def _take(self, key: bytes, length: bytes, decoder: Decoder, receive: Receive) -> Receipt:
        """Take one request's messages.

        :raises DomainError: see the codes of what is raised here, in the decoder and by the writer.
        """
        body = await self._bodies.read(receive, length)
        held = key_ring.held(key)
        grant = await self._apart(lambda: key_ring.look_up(key, now=datetime.now(UTC))) if held is None else held[0]
        if grant is None:
            raise InvalidKey("This key is wrong, has lapsed or was revoked.")
        if not grant.may_send:
            raise Forbidden("The key lacks the scope devices.", code="missing_scope")
        _take_from(grant, 1)
        mappings = held_mappings(_OLDEST_MAPPINGS_SECONDS)
        if mappings is None:
            mappings = await self._apart(read_mappings)
        if len(body) > _LONGEST_ON_THE_LOOP:
            decoded = await asyncio.to_thread(decoder, body, mappings, grant.creator)
        else:
            decoded = decoder(body, mappings, grant.creator)
        if decoded.messages > 1:
            _take_from(grant, decoded.messages - 1)
        if not decoded.samples:
            return conclude(decoded, [])
        size = self._let_wait(grant, len(decoded.samples))
        try:
            outcomes = await writer().enqueue(decoded.samples)
        finally:
            self._waiting[grant.source_id] -= size
        return conclude(decoded, outcomes)

    def _let_wait(self, grant: Grant, size: int) -> int:
        """Count samples as waiting, unless as many of their source wait as may: the rest of the queue is for others.

        :raises Unavailable: too many wait.
        """
        waiting = self._waiting[grant.source_id] + size
        if waiting > self._most_waiting and waiting > size:
            raise Unavailable(f"{grant.name} has {waiting - size} samples waiting already.", code="source_queue_full")
        self._waiting[grant.source_id] = waiting
        return size

    async def _apart(self, act: Callable[[], Answer]) -> Answer:
        """Run what asks the database on the door's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _with_connection, act)

    async def _keep_up(self) -> None:
        """Settle limits, look at keys and mappings again, and count requests, for as long as the process lives."""
        looked_at = 0.0
        while True:
            await asyncio.sleep(SETTLED_EVERY_SECONDS)
            self._bodies.end_overdue()
            try:
                await self._apart(limits.settle)
                if time.monotonic() - looked_at > LOOKED_AT_EVERY_SECONDS:
                    await self._apart(_look_again)
                    looked_at = time.monotonic()
            except Exception:
                logger.exception("The door for devices could not look after itself")
            answered, self._answered = self._answered, Counter()
            for (path, status), count in answered.items():
                count_requests(method="POST", route=path, status=status, count=count)


def _key_and_length(headers: list[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes]:
    """Return the key of a data source, None where another kind of login is shown or none, and the declared length."""
    key, length = None, b""
    for name, value in headers:
        if name == b"authorization":
            key = value[7:].strip() if value[: len(_BEARER)] == _BEARER else None
        elif name == b"content-length":
            length = value
    return key, length


def _take_from(grant: Grant, cost: int) -> None:
    wait = limits.take(grant.source_id, grant.rate, cost, now=time.time())
    if wait:
        detail = f"{grant.name} may send {grant.rate.amount} messages in {grant.rate.seconds} s."
        raise Throttled(detail, retry_after_seconds=wait)


def _is_short(receipt: Receipt) -> bool:
    return receipt.inserted < len(_SHORT) and not receipt.rejected and not receipt.conflicts


def _answer(
    status: int, document: dict[str, Any], headers: list[tuple[bytes, bytes]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the two messages of an answer."""
    body = strict_json.dumps(document)
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


_SHORT = [_answer(200, Receipt(inserted).as_dict(), [_JSON]) for inserted in range(10)]
"""The answers to most requests, made once."""


def _refusal_of(error: Exception) -> DomainError:
    """Return what an error tells the caller; what nobody expected is logged and tells nothing."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("The database did not answer", exc_info=error)
        return Unavailable("The database cannot answer just now.", retry_after_seconds=2)
    logger.error("A device message failed", exc_info=error)
    return DomainError("Something went wrong on our side.", code="internal_error", status=500)


def _headers_of(refusal: DomainError) -> list[tuple[bytes, bytes]]:
    headers = [_PROBLEM]
    wait = getattr(refusal, "retry_after_seconds", None)
    if wait is not None:
        headers.append((b"retry-after", b"%d" % max(1, wait)))
    if isinstance(refusal, InvalidKey):
        headers.append(_CHALLENGE)
    if isinstance(refusal, BodyTooLarge | BodyTooSlow):
        headers.append((b"connection", b"close"))
    return headers


def _with_connection(act: Callable[[], Answer]) -> Answer:
    try:
        return act()
    finally:
        connections.close_all()


def _look_again() -> None:
    key_ring.look_again(now=datetime.now(UTC))
    read_mappings()


def _settle_all() -> None:
    limits.settle()
    flush_unknown(now=datetime.now(UTC))
