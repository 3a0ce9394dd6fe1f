"""What must be started when a server process starts, told when it is to end, and drained before it does."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None] | None]

_startup: list[Hook] = []
_shutdown: list[Hook] = []
_ending: list[Callable[[], None]] = []


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


def on_ending(hook: Callable[[], None]) -> Callable[[], None]:
    """Have a hook called on the event loop as soon as the process is told to end, while requests are in flight."""
    if hook not in _ending:
        _ending.append(hook)
    return hook


def tell_of_ending() -> None:
    """Call the hooks that end what would otherwise go on for as long as its client likes."""
    for hook in tuple(_ending):
        try:
            hook()
        except Exception:
            logger.exception("%s failed when the process was told to end", hook)


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
