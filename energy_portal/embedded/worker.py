"""A worker process of the web server: it follows its master, and ends in time whatever its clients do."""

import asyncio
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from energy_portal.embedded.parent import follow
from energy_portal.shared.lifespan import tell_of_ending

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_LOOK_SECONDS = 0.05
_LAST_BYTES_SECONDS = 0.5
_HOOKS_SECONDS = 3.0
_SERVICE_RESTART = 1012
_COME_AGAIN = {"type": "websocket.close", "code": _SERVICE_RESTART}


def follow_parent() -> None:
    """Have SIGTERM come to this process when the master that started it by ``multiprocessing`` dies, or has died."""
    parent = multiprocessing.parent_process()
    if parent and parent.pid:
        follow(parent.pid, signal.SIGTERM)


def _exit() -> None:
    """End at once: the server's own threads, which the interpreter's orderly end would tear down, would abort."""
    logging.shutdown()
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(0)


class Ending:
    """Bound the time from SIGTERM to the end of this process; passes the signal on as SIGINT, which the server knows.

    A server waits for its connections, also for those whose client never sends the rest of a request. Here requests
    in flight have their time, event streams end, and websockets are told to come again; then the lifespan ends and
    with it the process, and if that hangs, the kernel ends it.

    :param drain_seconds: that requests in flight may take.
    """

    def __init__(self, application: Application, *, drain_seconds: float) -> None:
        self._application = application
        self._drain_seconds = drain_seconds
        self._running = 0
        self._websockets: set[Send] = set()
        self._over = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or live through the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        self._running += 1
        if scope["type"] == "websocket":
            self._websockets.add(send)
        try:
            await self._application(scope, receive, send)
        finally:
            self._running -= 1
            self._websockets.discard(send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._begin)
        # The loop learns of signals by a pipe. A few hundred clients that leave at once fill it: it would never know.
        signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(self._begin))
        messages = 0

        async def received() -> Message:
            nonlocal messages
            messages += 1
            if messages == 1:
                return await receive()
            waits = [asyncio.ensure_future(receive()), asyncio.ensure_future(self._over.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return {"type": "lifespan.shutdown"}

        await self._application(scope, received, send)
        _exit()

    def _begin(self) -> None:
        if self._draining:
            return
        signal.setitimer(signal.ITIMER_REAL, self._drain_seconds + _HOOKS_SECONDS)
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        deadline = time.monotonic() + self._drain_seconds
        tell_of_ending()
        if told := [asyncio.ensure_future(send(_COME_AGAIN)) for send in self._websockets]:
            await asyncio.wait(told, timeout=_LAST_BYTES_SECONDS)
        # Only now: the server drops its websockets without a word once it knows.
        signal.raise_signal(signal.SIGINT)
        while self._running and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.sleep(_LAST_BYTES_SECONDS)
        self._over.set()
