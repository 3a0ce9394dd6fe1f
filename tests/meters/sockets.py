"""A client of the portal's websockets, without a server in between."""

import asyncio
import json
from typing import Any

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
