"""Become another program that does not outlive its parent.

A script of its own, so that nothing but safe code runs between fork and exec:
``python -I -S guard.py --parent PID --signal NUMBER [--uid UID --gid GID] -- PROGRAM ARGUMENT...``

Linux delivers the signal itself when the parent dies (set after the user changes, because that clears it).
Elsewhere the guard stays between the two, watches the parent and passes signals on. Standard library only.
"""

import argparse
import ctypes
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5


def signal_at_parent_death(number: int) -> bool:
    """Ask the kernel to send this process a signal when its parent dies; false where the kernel cannot."""
    if not sys.platform.startswith("linux"):
        return False
    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) == 0)


def main() -> int:
    """Drop privileges, arrange the death signal and execute the program."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--signal", type=int, required=True)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("program", nargs="+")
    options = parser.parse_args()
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.gid)
        os.setuid(options.uid)
    watched = not signal_at_parent_death(options.signal)
    if os.getppid() != options.parent:
        return 1
    if not watched:
        _become(options.program)
    return _watch(options.program, options.parent, options.signal)


def _become(program: list[str]) -> NoReturn:
    os.execv(program[0], program)  # noqa: S606


def _watch(program: list[str], parent: int, death_signal: int) -> int:
    child = os.fork()
    if child == 0:
        _become(program)

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, forward)
    told = False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) % 256
        if os.getppid() != parent and not told:
            os.kill(child, death_signal)
            told = True
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
