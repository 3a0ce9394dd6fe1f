"""Writing while the next is prepared: one call at a time, in the order in which they came."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import TracebackType
from typing import Generic, Self, TypeVar

from django.db import connection

Result = TypeVar("Result")


class OneBehind(Generic[Result]):
    """Has one call under way in a thread with a connection of its own, while the caller goes on.

    Inside the caller's transaction calls run at once, in it. When the block has ended, no call is under way; what it
    raised is raised at the caller's next step, and is lost only where the block breaks off by an error of its own.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "one-behind")
        self._under_way: tuple[Future[Result], Callable[[Result], None]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.settle()
        finally:
            self._thread.submit(_close_own).result()
            self._thread.shutdown()

    def start(self, call: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Begin a call once the one before has ended.

        :param then: takes what the call returned, in the caller's thread, at its next step.
        """
        self.settle()
        if connection.in_atomic_block:
            then(call())
        else:
            self._under_way = self._thread.submit(copy_context().run, call), then

    def settle(self) -> None:
        """Wait for the call that is under way, if any."""
        if self._under_way is not None:
            (future, then), self._under_way = self._under_way, None
            then(future.result())


def _close_own() -> None:
    """Close the connection of the thread that this runs in."""
    connection.close()
