"""The folder that holds everything one portal keeps: one owner at a time."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from energy_portal.shared.endpoints import Endpoints, endpoints_of, require_own
from energy_portal.shared.home_secret import make_folder

_POLL_SECONDS = 0.2


class HomeInUse(RuntimeError):
    """Another live process runs the services of this home."""


class Home:
    """A portal's home folder and its run folder, made on first use."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    @property
    def endpoints(self) -> Endpoints:
        """Say where this home's services listen."""
        return endpoints_of(self.path)

    def log(self, name: str) -> Path:
        """Name the log of a service."""
        return self.path / "logs" / f"{name}.log"

    def prepare(self) -> None:
        """Make the folders; those that exist keep their permissions."""
        run_folder = self.endpoints.run_folder
        make_folder(self.path)
        make_folder(run_folder)
        require_own(run_folder)

    @contextmanager
    def locked(self, wait_seconds: float = 0, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold this home alone; the kernel lets go when the process dies.

        :param on_wait: called once if another process holds it and there is time to wait.
        :raises HomeInUse: another process still holds it after ``wait_seconds``.
        """
        self.prepare()
        deadline = time.monotonic() + wait_seconds
        with (self.path / "portal.lock").open("a+") as lock:
            while not _try_lock(lock):
                if time.monotonic() >= deadline:
                    lock.seek(0)
                    holder = lock.read().strip() or "another process"
                    raise HomeInUse(f"{self.path} is in use by {holder}.")
                if on_wait:
                    on_wait()
                    on_wait = None
                time.sleep(_POLL_SECONDS)
            lock.truncate(0)
            lock.write(f"process {os.getpid()}")
            lock.flush()
            yield


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
