"""A client that costs little: many connections, each sending its next request when the last was answered.

``python -m tests.benchmarks.hammer '{"port": …, "key": …, "seconds": …, "connections": …, "devices": …, "batch": …}'``
prints how many requests were answered in which way, and their latencies' percentiles, as JSON.
"""

import json
import random
import select
import socket
import sys
import time
from array import array
from collections import Counter
from typing import Any

_MESSAGE = (
    b'{"bizCode":"devicePropertyMessage","bizData":{"devId":"bench%017d","productId":"ixhko1cls7lzpwsf",'
    b'"properties":[{"code":"instant_power","dpId":1,"time":%013d,"value":%04d}]},"ts":%013d}'
)
_HEAD = b"POST /message HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"


class Requests:
    """Makes requests: one message each, or an array of ``batch``."""

    def __init__(self, *, key: str, devices: int, batch: int = 1, seed: int = 0) -> None:
        chosen = random.Random(seed)
        self._device = lambda: int(chosen.random() * devices) + 1
        self._batch = batch
        self._made: list[bytes] = []
        size = len(self._message()) if batch == 1 else batch * (len(self._message()) + 1) + 1
        self._head = _HEAD % (key.encode(), size)

    def ahead(self, count: int) -> None:
        """Make requests ahead, each to be sent once: to make large ones would be most of the client's work."""
        self._made = [self.next() for _ in range(count)]

    def next(self) -> bytes:
        """Return a request."""
        if self._made:
            return self._made.pop()
        if self._batch == 1:
            return self._head + self._message()
        return b"%b[%b]" % (self._head, b",".join(self._message() for _ in range(self._batch)))

    def _message(self) -> bytes:
        device, millis = self._device(), int(1000 * time.time())
        return _MESSAGE % (device, millis, 1_000 + device % 3_000, millis)


def run(
    *,
    port: int,
    key: str,
    seconds: float,
    connections: int,
    devices: int,
    batch: int = 1,
    seed: int = 0,
    pool: int = 0,
    warm_up: float = 0.0,
) -> dict[str, Any]:
    """Hammer for some seconds after a warm-up of a fifth of them or longer, with so many requests made ahead."""
    requests = Requests(key=key, devices=devices, batch=batch, seed=seed)
    requests.ahead(pool)
    poll = select.epoll()
    sockets: dict[int, socket.socket] = {}
    sent: dict[int, float] = {}
    for _ in range(connections):
        peer = socket.create_connection(("127.0.0.1", port))
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[peer.fileno()] = peer
        poll.register(peer.fileno(), select.EPOLLIN)
    clock = time.perf_counter
    for number, peer in sockets.items():
        sent[number] = clock()
        peer.sendall(requests.next())
    answers: Counter[str] = Counter()
    took = array("d")
    begin = clock() + max(warm_up, seconds / 5)
    end = begin + seconds
    now = clock()
    while now < end:
        for number, _ in poll.poll(1.0):
            peer = sockets[number]
            data = peer.recv(65_536)
            if not data:
                raise SystemExit("The server hung up.")
            now = clock()
            if now >= begin:
                took.append(now - sent[number])
                answers[data[9:12].decode()] += 1
            sent[number] = now
            peer.sendall(requests.next())
        now = clock()
    return _told(answers, took, seconds)


def _told(answers: Counter[str], took: "array[float]", seconds: float) -> dict[str, Any]:
    ordered = sorted(took)
    return {
        "answers": answers,
        "per_second": sum(answers.values()) / seconds,
        **{f"p{share}_ms": round(1000 * ordered[len(ordered) * share // 100], 2) for share in (50, 95, 99)},
    }


if __name__ == "__main__":
    print(json.dumps(run(**json.loads(sys.argv[1]))))
