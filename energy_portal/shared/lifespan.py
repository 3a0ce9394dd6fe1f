"""What must be started when a server process starts, and drained before it ends."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None] | None]

_startup: list[Hook] = []
_shutdown: list[Hook] = []


def on_startup(hook: Hook) -> Hook:
    """Have a hook run once when the process starts; usable as a decorator."""
    if hook not in _startup:
        _startup.append(hook)
    return hook


def on_shutdown(hook: Hook) -> Hook:
    """Have a hook run before the process ends; the last to register runs first."""
    if hook not in _shutdown:
        _shutdown.append(hook)
    return hook


async def run_startup() -> None:
    """Run the start-up hooks in their order; the first that fails stops the start."""
    for hook in tuple(_startup):
        await _run(hook)


async def run_shutdown(timeout_seconds: float) -> None:
    """Run every shutdown hook, the newest first, within one shared timeout; a failing hook does not stop the rest."""
    deadline = asyncio.get_running_loop().time() + timeout_seconds
    for hook in reversed(tuple(_shutdown)):
        try:
            async with asyncio.timeout_at(deadline):
                await _run(hook)
        except TimeoutError:
            logger.exception("%s did not finish draining in time", hook)
        except Exception:
            logger.exception("%s failed while the process was ending", hook)


async def _run(hook: Hook) -> None:
    if inspect.iscoroutinefunction(hook):
        await hook()
        return
    outcome = await asyncio.to_thread(hook)
    if outcome is not None:
        await outcome
