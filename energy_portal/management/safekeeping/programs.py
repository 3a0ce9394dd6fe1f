"""pg_dump and pg_restore: which to run, and running them with their progress and their errors told."""

import os
import re
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from energy_portal.embedded.place import wheel_binaries
from energy_portal.embedded.processes import bare_environment, launch, stop
from energy_portal.management.safekeeping.errors import SafekeepingFailed

JOBS = 2

_STOP = ((signal.SIGTERM, 10.0),)
_LINES_KEPT = 12
# Both say it on their verbose output once a table, whatever the number of jobs.
_TABLE_DONE = re.compile(r": (dumping contents of|processing data for) table ")
_TROUBLE = re.compile(r": (error|fatal|warning|detail|hint): ", re.IGNORECASE)


def find_program(name: str, *, server_major: int) -> Path:
    """Find a client program: the wheel's for the embedded server, otherwise the first in PATH.

    :param server_major: the server's major version, which the program must not be older than.
    :raises SafekeepingFailed: there is none, or it is too old.
    """
    found = shutil.which(name) if os.environ.get("DATABASE_URL") else wheel_binaries() / name
    if found is None:
        raise SafekeepingFailed(
            f"{name} is not in PATH: install the client programs of PostgreSQL {server_major} or newer."
        )
    major = _major_version(found)
    if major < server_major:
        raise SafekeepingFailed(
            f"{found} is of PostgreSQL {major}, older than the server, which is of {server_major}: "
            f"put the client programs of PostgreSQL {server_major} first in PATH."
        )
    return Path(found)


def run_program(
    arguments: list[str | Path], *, environment: Mapping[str, str], on_table: Callable[[], None] = lambda: None
) -> None:
    """Run pg_dump or pg_restore to its end; it ends with this process.

    :param arguments: the program first; paths absolute; ``--verbose`` is added.
    :param environment: what it needs beside a bare one, such as PGPASSWORD.
    :param on_table: called whenever a table's rows are through.
    :raises SafekeepingFailed: it failed; the message holds what it said.
    """
    process = launch(
        [*arguments, "--verbose"],
        death_signal=signal.SIGTERM,
        output=subprocess.PIPE,
        environment={**bare_environment(), **environment},
    )
    last: deque[str] = deque(maxlen=_LINES_KEPT)
    trouble: deque[str] = deque(maxlen=_LINES_KEPT)
    try:
        for raw in process.stdout or ():
            line = raw.decode(errors="replace").rstrip()
            last.append(line)
            if _TROUBLE.search(line):
                trouble.append(line)
            if _TABLE_DONE.search(line):
                on_table()
        code = process.wait()
    except BaseException:
        stop(process, _STOP)
        raise
    if code:
        said = "\n".join(trouble or last)
        raise SafekeepingFailed(f"{Path(arguments[0]).name} failed (code {code}):\n{said}")


def _major_version(program: str | Path) -> int:
    said = subprocess.run(  # noqa: S603 - a program that find_program chose
        [program, "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"\) (\d+)", said)
    if found is None:
        raise SafekeepingFailed(f"{program} does not say its version: {said.strip()!r}.")
    return int(found[1])
