"""Clients of websockets that only count: run by :mod:`tests.benchmarks.stream_fanout` in a process of its own.

It reads a line ``{"port", "paths", "sessions", "grace"}``, opens a connection a path, writes a line when all are open,
reads a line ``[begins_at, ends_at]`` of the seconds that count, and writes what it saw.
"""

import asyncio
import json
import sys
import time
from base64 import b64encode
from dataclasses import dataclass, field
from os import urandom
from typing import Any

_OPENING_AT_ONCE = 24
_OPENING_SECONDS = 300.0
# How the publisher writes when a reading was told, and which of its battery it is.
_MARK = b'"soc":'
_SENT = b'"soh":'


@dataclass
class Count:
    """What all clients of this process saw, within the seconds that count."""

    since: float = float("inf")
    until: float = float("inf")
    lags: list[float] = field(default_factory=list)
    dropped: int = 0
    closed: int = 0


class Fan(asyncio.Protocol):
    """One client: cuts frames out of what comes, and looks at two numbers in each."""

    def __init__(self, count: Count, path: str, headers: str) -> None:
        self._count = count
        self._path = path
        self._headers = headers
        self._rest = b""
        self._last = -1
        self._is_open = False
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_leaving = False

    def connection_made(self, transport: Any) -> None:
        key = b64encode(urandom(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{self._headers}\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now = time.time()
        data = self._rest + data if self._rest else data
        if not self._is_open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            if b" 101 " not in head[:32]:
                self.open.set_exception(ConnectionError(head[:200].decode("latin-1")))
                return
            self._is_open = True
        self._rest = self._cut(data, now)

    def _cut(self, data: bytes, now: float) -> bytes:
        start, size = 0, len(data)
        while size - start >= 2:
            length, begin = data[start + 1] & 127, start + 2
            if length == 126:
                if size - start < 4:
                    break
                length, begin = int.from_bytes(data[start + 2 : start + 4], "big"), start + 4
            end = begin + length
            if end > size:
                break
            self._look(data[begin:end], now)
            start = end
        return data[start:]

    def _look(self, message: bytes, now: float) -> None:
        if b'"hello"' in message[:20]:
            self.open.set_result(None)
            return
        if not message.startswith(b'{"type":"bms"') or b'"live"' not in message[:40]:
            return
        number, sent = _numbers(message)
        count = self._count
        if self._last >= 0 and number > self._last + 1:
            count.dropped += number - self._last - 1
        self._last = number
        if count.since <= sent < count.until:
            count.lags.append(now - sent)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.open.done():
            self.open.set_exception(error or ConnectionError("closed while it opened"))
        elif not self.is_leaving:
            self._count.closed += 1


def _numbers(message: bytes) -> tuple[int, float]:
    at = message.index(_MARK) + len(_MARK)
    sent_at = message.index(_SENT, at) + len(_SENT)
    return int(message[at : message.index(b",", at)]), float(message[sent_at : message.index(b",", sent_at)])


async def listen(job: dict[str, Any]) -> dict[str, Any]:
    """Open every connection, wait for the line that tells when counting begins, and return what was seen."""
    loop = asyncio.get_running_loop()
    count = Count()
    gate = asyncio.Semaphore(_OPENING_AT_ONCE)
    fans: list[tuple[asyncio.Transport, Fan]] = []

    async def one(path: str, session: str) -> None:
        headers = f"Cookie: sessionid={session}\r\n" if session else ""
        async with gate:
            transport, fan = await loop.create_connection(lambda: Fan(count, path, headers), "127.0.0.1", job["port"])
            await fan.open
            fans.append((transport, fan))

    async with asyncio.timeout(_OPENING_SECONDS):
        sessions = job["sessions"] or [""] * len(job["paths"])
        await asyncio.gather(*map(one, job["paths"], sessions))
    print(json.dumps({"open": len(fans)}), flush=True)
    begins_at, ends_at = json.loads(await asyncio.to_thread(sys.stdin.readline))
    count.since, count.until = begins_at, ends_at
    await asyncio.sleep(max(0.0, ends_at + job["grace"] - time.time()))
    for transport, fan in fans:
        fan.is_leaving = True
        transport.abort()
    return {"lags": count.lags, "dropped": count.dropped, "closed": count.closed}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(listen(json.loads(sys.stdin.readline())))))
