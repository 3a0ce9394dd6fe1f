"""Sudden deaths of a running portal's parts."""

import os
import random
import signal
from collections import Counter
from contextlib import suppress

from tests.embedded.running import PARTS, Portal


class Killer:
    """Kills parts by turns, in an order of its own each turn."""

    def __init__(self, portal: Portal, seed: int) -> None:
        self._portal = portal
        self._random = random.Random(seed)
        self._turn: list[str] = []
        self.killed: Counter[str] = Counter()

    def strike(self) -> None:
        """Kill the next part; one that is dead already is left for the next call."""
        if not self._turn:
            self._turn = self._random.sample(PARTS, len(PARTS))
        part = self._turn[-1]
        pids = self._portal.pids_of(part)
        if not pids:
            return
        self._turn.pop()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.killed[part] += 1

    def pause(self, shortest: float, longest: float) -> float:
        """Return how many seconds to wait before the next one."""
        return self._random.uniform(shortest, longest)
