"""An application that the web server's tests run in place of the portal: it starts at once, or never."""

import asyncio
import os
import time
from pathlib import Path

from energy_portal.embedded.worker import Ending, follow_parent

follow_parent()
if pause := os.environ.get("START_SECONDS"):
    Path(os.environ["STARTING"]).touch()
    time.sleep(float(pause))


async def answer(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slow":
        Path(os.environ["STARTING"]).touch()
        await asyncio.sleep(0.5)
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


application = Ending(answer, drain_seconds=1)
