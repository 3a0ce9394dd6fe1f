"""A small HTTP/1.1 client: connections that stay, and requests that are sent again until they are answered for good."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

# The portal asks for another try: too much at once, or what it stands on is away for a while.
_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0
_LONGEST_ANSWER = 16 * 1024 * 1024

_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class BrokenAnswer(ConnectionError):
    """What came is no answer that this client reads, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the portal said.

    :ivar retry_after: seconds, where it named them.
    """

    status: int
    body: bytes
    retry_after: float | None = None

    @property
    def asks_again(self) -> bool:
        """Tell whether the same request may succeed later."""
        return self.status in _AGAIN


class Connection:
    """One connection, made when it is needed, kept, and made again when it broke; for one request at a time."""

    def __init__(self, *, url: str, key: str, timeout: float = 15.0) -> None:
        """Describe a connection.

        :param url: ``http://host:port`` or ``https://…``.
        :param timeout: seconds that an answer may take.
        """
        parts = urlsplit(url)
        self._secure = ssl.create_default_context() if parts.scheme == "https" else None
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (443 if self._secure else 80)
        self._timeout = timeout
        self._head = f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        self._streams: _Streams | None = None

    async def post(self, path: str, body: bytes) -> Answer:
        """Post once.

        :raises OSError: nobody answered, or not to the end: it may have been taken or not.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(path, body)
        except BaseException as error:
            await self.close()
            if isinstance(error, asyncio.IncompleteReadError | asyncio.LimitOverrunError | ValueError):
                raise BrokenAnswer(str(error)) from error
            raise

    async def deliver(
        self, path: str, body: bytes, *, deadline: float, random: Random, on_retry: Callable[[str], None]
    ) -> Answer | None:
        """Post until there is an answer for good; a pause before each further try, as long as the portal says.

        :param deadline: of the event loop's clock, after which no further try is made.
        :param on_retry: is told the reason of each.
        :returns: the answer; None where there was none until the deadline.
        """
        clock = asyncio.get_running_loop().time
        pause = _FIRST_PAUSE_SECONDS
        while True:
            wait = pause * random.uniform(0.5, 1.0)
            try:
                answer = await self.post(path, body)
            except OSError:
                reason = "no answer"
            else:
                if not answer.asks_again:
                    return answer
                reason = str(answer.status)
                wait += answer.retry_after or 0.0
            if clock() + wait > deadline:
                return None
            on_retry(reason)
            await asyncio.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def close(self) -> None:
        """Close the connection; the next request makes a new one."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()

    async def _post(self, path: str, body: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                self._host, self._port, ssl=self._secure, limit=_LONGEST_ANSWER
            )
        reader, writer = self._streams
        writer.write(f"POST {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(status_line.split(" ", 2)[1])
        length = int(headers["content-length"]) if "content-length" in headers else -1
        if length < 0:
            raise BrokenAnswer("The answer does not tell its length.")
        content = await reader.readexactly(length)
        if headers.get("connection", "").lower() == "close":
            await self.close()
        wait = headers.get("retry-after", "")
        return Answer(status, content, float(wait) if wait.isdecimal() else None)
