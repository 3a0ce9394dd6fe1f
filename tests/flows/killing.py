"""Sudden deaths of a running portal's parts."""

import os
import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

from energy_portal.embedded.processes import is_alive, pids_with
from tests.embedded.running import MARK, Portal

PARTS = ("web worker", "web master", "gateway", "task worker", "database")


class Killer:
    """Kills parts by turns, in an order of its own each turn."""

    def __init__(self, portal: Portal, seed: int) -> None:
        self._portal = portal
        self._random = random.Random(seed)
        self._turn: list[str] = []
        self.killed: Counter[str] = Counter()

    def strike(self) -> str | None:
        """Kill the next part; None where it is dead already, which leaves it for the next call."""
        if not self._turn:
            self._turn = self._random.sample(PARTS, len(PARTS))
        part = self._turn[-1]
        pids = self.pids(part)
        if not pids:
            return None
        self._turn.pop()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.killed[part] += 1
        return part

    def pause(self, shortest: float, longest: float) -> float:
        """Return how many seconds to wait before the next one."""
        return self._random.uniform(shortest, longest)

    def pids(self, part: str) -> set[int]:
        """Find the processes of a part."""
        if part == "database":
            file = (self._portal.home.path / "postgres").resolve() / "data" / "postmaster.pid"
            pid = int(file.read_text().split("\n")[0]) if file.exists() else 0
            return {pid} if pid and is_alive(pid) else set()
        ours = {pid: _command(pid) for pid in pids_with(MARK, str(self._portal.home.path)) if is_alive(pid)}
        masters = {pid for pid, command in ours.items() if "energy_portal.embedded.web" in command}
        match part:
            case "web master":
                return masters
            case "web worker":
                return {pid for pid in ours if _parent(pid) in masters and "spawn_main" in ours[pid]}
            case "gateway":
                return {pid for pid, command in ours.items() if command.endswith("manage.py gateway")}
            case _:
                workers = {pid for pid, command in ours.items() if " worker " in f"{command} " and "celery" in command}
                return {pid for pid in workers if _parent(pid) not in workers}


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
