"""A client of the portal's websockets, without a server in between."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import Client

from accounts.models import User
from energy_portal.routing import websockets

_PATIENCE_SECONDS = 10


class Socket:
    """A websocket at a path, with the headers of whoever opens it.

    The application runs in the context of the test, so that what it asks the database stays in the test's thread.
    """

    def __init__(self, path: str, headers: list[tuple[bytes, bytes]], *, query: str = "") -> None:
        self.scope = {
            "type": "websocket",
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "subprotocols": [],
        }
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def open(self) -> None:
        application = websockets(self.scope, self.sent.get, self.heard.put)
        self.application = asyncio.create_task(application)
        await self.sent.put({"type": "websocket.connect"})
        assert (await self.receive())["type"] == "websocket.accept"

    async def close(self) -> None:
        await self.sent.put({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait_for(self.application, _PATIENCE_SECONDS)

    async def receive(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.heard.get(), _PATIENCE_SECONDS)

    async def receive_json(self) -> Any:
        return json.loads((await self.receive())["text"])

    async def receive_close(self) -> int:
        message = await self.receive()
        assert message["type"] == "websocket.close"
        return message["code"]


def session_of(user: User | None) -> list[tuple[bytes, bytes]]:
    if user is None:
        return []
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    return [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode())]


def listen_at(
    path: str,
    user: User | None,
    scenario: Callable[[Socket], Awaitable[None]],
    *,
    ticket: str = "",
    query: str = "",
) -> None:
    """Run a scenario on a socket; the database's work stays in this thread, and in the test's transaction."""
    headers = session_of(user)

    async def run():
        socket = Socket(path, headers, query=f"ticket={ticket}" if ticket else query)
        await socket.open()
        await scenario(socket)
        await socket.close()

    async_to_sync(run)()
