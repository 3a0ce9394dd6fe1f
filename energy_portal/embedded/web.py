"""Run the web server: ``python -m energy_portal.embedded.web --host HOST --port PORT --workers COUNT``.

This is granian with a master that ends in time. Granian's own sets an event inside its signal handler: a signal that
comes while the master holds that event, because a worker has just died, locks it up for ever; one that comes a moment
later is forgotten. Its workers are forked, so one that is starting inherits the handler and swallows its SIGTERM.
"""

import argparse
import multiprocessing
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from granian import Granian
from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels

# A worker gives itself less (energy_portal.embedded.worker), the supervisor gives the master more.
_WORKER_SECONDS = 10
_MASTER_SECONDS = 12
_INSIST_SECONDS = 0.1
# Connections that wait, and requests at once in one worker; idle keep-alives count among these.
_BACKLOG = _BACKPRESSURE = 8_192


def main(arguments: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="energy_portal.embedded.web")
    parser.add_argument("application", nargs="?", default="energy_portal.asgi:application")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    options = parser.parse_args(arguments)
    multiprocessing.set_start_method("spawn")
    server = Granian(
        options.application,
        address=options.host,
        port=options.port,
        interface=Interfaces.ASGI,
        workers=options.workers,
        respawn_failed_workers=True,
        respawn_interval=1,
        workers_kill_timeout=_WORKER_SECONDS,
        backlog=_BACKLOG,
        backpressure=_BACKPRESSURE,
        http1_settings=HTTP1Settings(),
        http2_settings=HTTP2Settings(),
        log_level=LogLevels.warning,
        ssl_cert=options.certificate,
        ssl_key=options.key,
    )
    server.on_startup(lambda: end_when_told(server.signal_handler_interrupt))
    server.serve()


def end_when_told(end: Callable[[], None]) -> None:
    """Have a thread call ``end`` from the first SIGTERM or SIGINT on; the kernel ends what is still there 12 s later.

    A thread, because ``end`` takes locks that the interrupted code may hold.
    """
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    def tell(number: int, _frame: FrameType | None) -> None:
        if not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.alarm(_MASTER_SECONDS)
        told.put(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, tell)
    threading.Thread(target=_insist, args=(end, told), daemon=True).start()


def _insist(end: Callable[[], None], told: "queue.SimpleQueue[int]") -> None:
    told.get()
    while True:
        end()
        time.sleep(_INSIST_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
