"""What stands between the server and the applications: body limits, the server's life, the origin of websockets."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import HttpRequest
from django.http.request import validate_host
from django.http.response import HttpResponseBase

from energy_portal.shared.lifespan import run_shutdown, run_startup

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION = 1008
_NO_SUCH_STREAM = 4404
_DISCARD_BYTES = 64 * 1024 * 1024
_DISCARD_SECONDS = 10.0
_MOST_IDLE_THREADS = 16


class _BodyRefused(Exception):
    """A request's body broke a limit while it was read."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class BodyGuard:
    """Bound the size of every request's body and the time that it takes to arrive, before the application holds it.

    A larger body is answered with 413, a slower one with 408, each as a problem document.

    :param largest_bytes: of a whole body.
    :param longest_seconds: from the first read to the last.
    """

    def __init__(self, application: Application, *, largest_bytes: int, longest_seconds: float) -> None:
        self._application = application
        self._largest_bytes = largest_bytes
        self._longest_seconds = longest_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answering = False

        async def watched_send(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            if _declared_length(scope) > self._largest_bytes:
                raise self._too_large()
            await self._application(scope, self._bounded(receive), watched_send)
        except _BodyRefused as refusal:
            if answering:
                raise
            if refusal.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                await _discard(receive)
            await _send_problem(send, refusal)

    def _bounded(self, receive: Receive) -> Receive:
        read_bytes = 0
        complete = False
        deadline: float | None = None

        async def bounded() -> Message:
            nonlocal read_bytes, complete, deadline
            if complete:
                return await receive()
            if deadline is None:
                deadline = asyncio.get_running_loop().time() + self._longest_seconds
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                detail = f"The body did not arrive within {self._longest_seconds:g} seconds."
                raise _BodyRefused(HTTPStatus.REQUEST_TIMEOUT, "body_too_slow", detail) from None
            read_bytes += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if read_bytes > self._largest_bytes:
                raise self._too_large()
            return message

        return bounded

    def _too_large(self) -> _BodyRefused:
        detail = f"A body may hold {self._largest_bytes} bytes at most."
        return _BodyRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)


class Lifespan:
    """Run the hooks of a server process when it starts and before it ends.

    :param drain_seconds: shared by all the hooks of the end.
    """

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the server's two messages; a start-up hook that fails stops the server with its reason."""
        await receive()
        try:
            await run_startup()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await run_shutdown(self._drain_seconds)
        await send({"type": "lifespan.shutdown.complete"})


class OneHopHandler(ASGIHandler):
    """Run middleware and view one after the other on the request's thread, as the views here are not async.

    Left to itself Django goes to the thread and back for each hook of each middleware, and starts two threads a request
    and ends them: milliseconds each. Here a thread is lent to a request, and afterwards to another one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[ThreadPoolExecutor] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; when that is over, nothing of it runs on its thread any more."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if len(self._idle) < _MOST_IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)

    def load_middleware(self, is_async: bool = False) -> None:
        """Chain the middleware without a coroutine."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer on the thread that the request's database connection belongs to."""
        return await sync_to_async(self.get_response)(request)


class StreamHandler(OneHopHandler):
    """Answer paths whose answer stays open: what they hold of the process is given back before the stream begins.

    Django keeps a request's thread, and with it its database connection, until the last byte is out.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the thread is only that of the view."""
        await self.handle(scope, receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer on a thread that ends when the view has returned."""
        async with ThreadSensitiveContext():
            return await sync_to_async(self._answer)(request)

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        finally:
            connections.close_all()


class ByPath:
    """Hand requests for paths with a certain end to an application of their own."""

    def __init__(self, application: Application, *, endings: Mapping[str, Application]) -> None:
        self._application = application
        self._endings = tuple(endings.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        application = next((each for end, each in self._endings if scope["path"].endswith(end)), self._application)
        await application(scope, receive, send)


class OriginCheck:
    """Refuse websockets that another site's page opened; devices send no Origin and pass."""

    def __init__(self, application: Application, allowed_hosts: Iterable[str]) -> None:
        self._application = application
        self._allowed_hosts = list(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one websocket."""
        origin = _header(scope, b"origin")
        if origin is None or validate_host(_host(origin), self._allowed_hosts):
            await self._application(scope, receive, send)
            return
        await _refuse(receive, send, _POLICY_VIOLATION, "This origin may not connect.")


async def no_such_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a websocket at a path where there is none."""
    await _refuse(receive, send, _NO_SUCH_STREAM, "There is no stream here.")


async def _refuse(receive: Receive, send: Send, code: int, reason: str) -> None:
    await receive()
    await send({"type": "websocket.close", "code": code, "reason": reason})


def _header(scope: Scope, name: bytes) -> bytes | None:
    return next((value for key, value in scope["headers"] if key.lower() == name), None)


def _host(origin: bytes) -> str:
    return (urlsplit(origin.decode("latin-1")).hostname or "").lower()


def _declared_length(scope: Scope) -> int:
    declared = _header(scope, b"content-length") or b""
    return int(declared) if declared.isdigit() else 0


async def _discard(receive: Receive) -> None:
    """Read on for a while: many clients look for the answer only when all is sent, and would see a broken pipe."""
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while discarded < _DISCARD_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _send_problem(send: Send, refusal: _BodyRefused) -> None:
    document = {
        "type": "about:blank",
        "title": refusal.status.phrase,
        "status": refusal.status.value,
        "code": refusal.code,
        "detail": refusal.detail,
    }
    body = json.dumps(document).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
