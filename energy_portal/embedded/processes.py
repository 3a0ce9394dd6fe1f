"""Starting, finding and ending the processes of embedded services."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_GUARD = Path(__file__).with_name("guard.py")
_POLL_SECONDS = 0.02
_MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")
_LARGEST_LOG = 10 * 1024 * 1024


class ServiceFailed(RuntimeError):
    """An embedded service did not start, or did not stay; the message names the cause and the log."""


@dataclass(frozen=True)
class Identity:
    """The user and group, by number, that a process runs as."""

    uid: int
    gid: int


def available_memory_bytes(limit: Path = _MEMORY_LIMIT) -> int:
    """Return the memory that this machine, or the control group which holds this process, gives to processes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(limit.read_text()))
    except (OSError, ValueError):
        return machine


def launch(
    program: Sequence[str | Path],
    *,
    death_signal: signal.Signals,
    output: IO[bytes] | int | None,
    identity: Identity | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path = Path("/"),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own that gets ``death_signal`` when this process dies.

    Call it from a thread that lives as long as the program should: its end counts as the parent's.

    :param output: a file or a pipe for its output; none leaves it on this terminal.
    :param identity: another user to run as; needs root.
    :param environment: the whole environment; by default a bare one, without the caller's PG* variables.
    """
    guard = [
        sys.executable,
        "-I",
        "-S",
        str(_GUARD),
        "--parent",
        str(os.getpid()),
        "--signal",
        str(int(death_signal)),
    ]
    if identity:
        guard += ["--uid", str(identity.uid), "--gid", str(identity.gid)]
    return subprocess.Popen(
        [*guard, "--", *map(str, program)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(environment) if environment is not None else bare_environment(),
        umask=0o077,
        start_new_session=True,
    )


def bare_environment() -> dict[str, str]:
    """Build an environment that holds nothing of the caller's but where programs are."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def stop(process: subprocess.Popen[bytes], signals: Iterable[tuple[signal.Signals, float]]) -> int:
    """Send each signal in turn and wait its seconds, then SIGKILL what is left of its group; return the exit code."""
    for number, seconds in signals:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            break
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def end_strays(pids: Iterable[int], signals: Iterable[tuple[signal.Signals, float]]) -> None:
    """End processes that are not children of ours: each signal in turn, then SIGKILL.

    :raises PermissionError: they belong to another user.
    """
    left = set(pids)
    for number, seconds in [*signals, (signal.SIGKILL, 5.0)]:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while (left := {pid for pid in left if is_alive(pid)}) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if not left:
            return


def is_alive(pid: int) -> bool:
    """Tell whether a process with this number runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def pids_working_in(folder: Path) -> set[int]:
    """Find the processes whose working directory is a folder (Linux; empty elsewhere)."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.add(int(entry.name))
    return found


def pids_with(variable: str, value: str) -> set[int]:
    """Find the processes whose environment at their start held a variable (Linux; empty elsewhere)."""
    wanted = os.fsencode(f"{variable}={value}")
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.add(int(entry.name))
    return found


def program_of(pid: int) -> str:
    """Name the program that a process runs, without its folder; empty when there is no such process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)")
    listed = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return Path(listed.stdout.strip()).name


def open_log(path: Path) -> IO[bytes]:
    """Open a log for appending; one that has grown large becomes ``.old`` first."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.stat().st_size > _LARGEST_LOG:
            path.replace(path.with_suffix(".old"))
    return path.open("ab")


def last_lines(path: Path, count: int = 12) -> str:
    """Read the end of a log for an error message."""
    with suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
    return ""
