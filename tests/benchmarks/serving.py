"""A server as the portal runs it, and a process that hammers it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(application: str, *, workers: int) -> Iterator[int]:
    """Have granian serve an ASGI application as ``manage.py portal`` does, and yield its port."""
    port = free_port()
    command = [
        "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers),
        "--workers-kill-timeout", "10", "--backlog", "8192", "--backpressure", "8192", "--log-level", "warning",
        application,
    ]  # fmt: skip
    with _serving(command, port, workers):
        yield port


@contextmanager
def web(application: str, *, workers: int) -> Iterator[int]:
    """Have the portal's own program serve an ASGI application, and yield its port."""
    port = free_port()
    command = ["energy_portal.embedded.web", application, "--port", str(port), "--workers", str(workers)]
    with _serving(command, port, workers):
        yield port


@contextmanager
def _serving(command: list[str], port: int, workers: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", *command], cwd=_ROOT, env=os.environ)
    try:
        _wait_until_it_answers(process, port, 16 * workers)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", port: int, times: int) -> None:
    """Wait until so many new connections in a row are answered at once: the port is open before every worker is."""
    deadline = time.monotonic() + 120
    quick = 0
    while quick < times:
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("The server does not start.")
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        started = time.monotonic()
        try:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
            continue
        finally:
            connection.close()
        quick = quick + 1 if time.monotonic() - started < 0.5 else 0


def hammer(**job: Any) -> dict[str, Any]:
    """Run a job of :mod:`tests.benchmarks.hammer` in a process of its own, and return what it tells."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.hammer", json.dumps(job)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told
