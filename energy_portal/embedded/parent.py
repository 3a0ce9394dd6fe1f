"""Not outliving the parent, for processes that were forked rather than launched through the guard."""

import os
import signal
import threading
import time

from energy_portal.embedded.guard import signal_at_parent_death

_POLL_SECONDS = 0.5


def follow(parent: int, number: signal.Signals) -> None:
    """Have a signal come to this process when its parent, a process by this number, dies or has died already."""
    if not signal_at_parent_death(number):
        threading.Thread(target=_watch, args=(parent, number), daemon=True).start()
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def _watch(parent: int, number: signal.Signals) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os.kill(os.getpid(), number)
