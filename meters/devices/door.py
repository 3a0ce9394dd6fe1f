"""What the doors for machines share: ASGI applications beside Django's that answer POSTs with a data source's key."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from accounts.roles import Scope as KeyScope
from accounts.selectors.sources import KEY_MARK
from energy_portal.shared import strict_json
from energy_portal.shared.errors import DomainError, Forbidden, Invalid, Unavailable
from energy_portal.shared.lifespan import on_shutdown, on_startup
from energy_portal.shared.observability import count_requests
from energy_portal.shared.problems import PROBLEM_TYPE, problem
from meters.devices.services.keys import LOOKED_AT_EVERY_SECONDS, Grant, key_ring
from meters.devices.services.limits import SETTLED_EVERY_SECONDS

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = tuple[dict[str, Any], dict[str, Any]]
"""The two messages of an answer."""
Found = TypeVar("Found")

LONGEST_ON_THE_LOOP = 32 * 1024
JSON = (b"content-type", b"application/json")
_BEARER = f"Bearer {KEY_MARK}".encode()
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


class Door:
    """What every door keeps: bodies under way, how much of each source waits, what was answered, a thread to ask by.

    :param application: Django's, guarded.
    :param name: of the thread.
    """

    def __init__(self, application: Application, name: str) -> None:
        self._application = application
        self._waiting: Counter[int] = Counter()
        self._answered: Counter[tuple[str, int]] = Counter()
        self._upkeep: list[asyncio.Task[None]] = []
        self._thread = ThreadPoolExecutor(1, name)
        self._bodies = Bodies(settings.MAX_BODY_BYTES, settings.BODY_TIMEOUT_SECONDS)
        self._most_waiting = settings.DEVICE_QUEUE_ROWS // 2

    def open(self) -> None:
        """Register what starts and ends with the process."""
        on_startup(self.start)
        on_shutdown(self.stop)

    async def start(self) -> None:
        """Begin."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Have what waits finished, then end."""
        raise NotImplementedError

    async def _end_upkeep(self) -> None:
        for task in self._upkeep:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _look_up(self, key: bytes) -> Grant | None:
        """Return what a key opens that nobody showed lately."""
        return await self._apart(lambda: key_ring.look_up(key, now=datetime.now(UTC)))

    def _let_wait(self, grant: Grant, size: int) -> int:
        """Count messages as waiting, unless as many of their source wait as may: the rest of the queue is for others.

        :raises Unavailable: too many wait.
        """
        waiting = self._waiting[grant.source_id] + size
        if waiting > self._most_waiting and waiting > size:
            raise Unavailable(f"{grant.name} has {waiting - size} messages waiting already.", code="source_queue_full")
        self._waiting[grant.source_id] = waiting
        return size

    async def _apart(self, act: Callable[[], Found]) -> Found:
        """Run what asks the database on the door's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _with_connection, act)

    async def _keep_up(self, settle: Callable[[], None] | None, look_again: Callable[[], object]) -> None:
        """Settle what is to be settled, look at what is held in memory again, and count, while the process lives."""
        looked_at = 0.0
        while True:
            await asyncio.sleep(SETTLED_EVERY_SECONDS)
            self._bodies.end_overdue()
            try:
                if settle is not None:
                    await self._apart(settle)
                if time.monotonic() - looked_at > LOOKED_AT_EVERY_SECONDS:
                    await self._apart(look_again)
                    looked_at = time.monotonic()
            except Exception:
                logger.exception("A door could not look after itself")
            self._count_answers()

    def _count_answers(self) -> None:
        """Count the requests that were answered since the last look."""
        answered, self._answered = self._answered, Counter()
        for (path, status), count in answered.items():
            count_requests(method="POST", route=path, status=status, count=count)


def admitted(grant: Grant | None, scope: KeyScope) -> Grant:
    """Return what a key opens if that is what is asked for.

    :raises InvalidKey: it opens nothing.
    :raises Forbidden: it lacks the scope.
    """
    if grant is None:
        raise InvalidKey("This key is wrong, has lapsed or was revoked.")
    if scope not in grant.scopes:
        raise Forbidden(f"The key lacks the scope {scope}.", code="missing_scope")
    return grant


def key_and_length(headers: list[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes]:
    """Return the key of a data source, None where another kind of login is shown or none, and the declared length."""
    key, length = None, b""
    for name, value in headers:
        if name == b"authorization":
            key = value[7:].strip() if value[: len(_BEARER)] == _BEARER else None
        elif name == b"content-length":
            length = value
    return key, length


def answer(status: int, document: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> Answer:
    """Return the two messages of an answer."""
    body = strict_json.dumps(document)
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


def refusal(error: Exception, path: str) -> tuple[int, Answer]:
    """Return the status and the answer that tell a caller of an error."""
    refused = _refusal_of(error)
    document = problem(
        status=refused.status, code=refused.code, detail=refused.detail, instance=path, errors=refused.errors
    )
    return refused.status, answer(refused.status, document, _headers_of(refused))


def _refusal_of(error: Exception) -> DomainError:
    """Return what an error tells the caller; what nobody expected is logged and tells nothing."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("The database did not answer", exc_info=error)
        return Unavailable("The database cannot answer just now.", retry_after_seconds=2)
    logger.error("A message failed", exc_info=error)
    return DomainError("Something went wrong on our side.", code="internal_error", status=500)


def _headers_of(refused: DomainError) -> list[tuple[bytes, bytes]]:
    headers = [_PROBLEM]
    wait = getattr(refused, "retry_after_seconds", None)
    if wait is not None:
        headers.append((b"retry-after", b"%d" % max(1, wait)))
    if isinstance(refused, InvalidKey):
        headers.append(_CHALLENGE)
    if isinstance(refused, BodyTooLarge | BodyTooSlow):
        headers.append((b"connection", b"close"))
    return headers


def _with_connection(act: Callable[[], Found]) -> Found:
    try:
        return act()
    finally:
        connections.close_all()
