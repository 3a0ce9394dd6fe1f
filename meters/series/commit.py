"""Group commit: all requests in flight in a process share one writer on one thread.

A request is answered after the commit that holds its rows, and never before. What arrives while a commit runs
is the next batch. After a crowd was answered the writer waits a little until as many ask again, since half of what a
commit costs it costs once, however many rows it holds. Nobody who sends alone waits for that.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connections

from meters.series.errors import MissingPartition, QueueFull, RowsVanished, WriterClosed, WriterUnavailable

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

_OUTAGE_SECONDS = 20.0
_CONTENTION_TRIES = 6
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.5
_LONGEST_RETRY_AFTER = 60
_ASSUMED_ROWS_PER_SECOND = 10_000.0
# Requests that make a crowd, and for how long it is waited for again: as long as it takes to answer and to read each.
_CROWD, _GATHER_A_REQUEST_SECONDS, _LONGEST_GATHER_SECONDS = 16, 0.00015, 0.02
# What of a crowd is waited for at least the next time: not all of it may have come in time, on a busy machine.
_STAYS_EIGHTHS = 7
# PostgreSQL, appendix A: serialization failure, deadlock, lock not available.
_CONTENTION = frozenset({"40001", "40P01", "55P03"})
# Connection exceptions, insufficient resources, shutdown and crash of the server.
_OUTAGE = ("08", "53", "57P")


_Waiter = asyncio.Future[list[Result]] | Future[list[Result]]
_Settlement = tuple[_Waiter[Result], list[Result] | Exception]


class _Request(NamedTuple, Generic[Item, Result]):
    items: list[Item]
    future: _Waiter[Result]


class GroupCommitter(Generic[Item, Result]):
    """One writer for a process: gathers what is in flight, commits it together, answers each request.

    Requests are written in the order of their arrival, a request's rows never in two commits. When a batch fails,
    it is halved until only the culprit's request gets the error. A batch that met contention or a lost connection
    is written again, which is why writing must be idempotent: after a connection was lost during a commit, rows
    that had in fact been stored come back as duplicates.
    """

    def __init__(
        self,
        write: Callable[[list[Item]], list[Result]],
        *,
        queue_rows: int,
        max_batch: int,
        name: str,
        using: str = DEFAULT_DB_ALIAS,
    ) -> None:
        """Describe a writer; its thread starts with ``start`` or with the first request.

        :param write: writes and commits items, and returns a result each, in their order; idempotent.
        :param queue_rows: how many rows may wait for the next commit.
        :param max_batch: how many rows a commit gathers; a larger request is committed alone.
        :param name: the thread's name, and the one in messages.
        """
        self._write = write
        self._queue_rows = queue_rows
        self._max_batch = max_batch
        self._name = name
        self._using = using
        self._waiting: deque[_Request[Item, Result]] = deque()
        self._waiting_rows = 0
        # How many requests waited for a commit or its end lately, and how many wake the writer.
        self._crowd, self._wanted = 0, 1
        self._rows_per_second = _ASSUMED_ROWS_PER_SECOND
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._abandoned = threading.Event()

    @property
    def waiting_rows(self) -> int:
        """Count the rows that wait for the next commit."""
        return self._waiting_rows

    def start(self) -> None:
        """Start the writer, also again after it was drained; no effect while it runs."""
        with self._changed:
            self._closing = False
            self._abandoned.clear()
            self._run_thread()

    def drain(self, timeout: float) -> bool:
        """Refuse new requests, write what waits, and end the thread.

        :param timeout: seconds after which what still waits is refused instead.
        :returns: whether everything was written.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is None or not thread.is_alive():
            return True
        thread.join(timeout)
        if not thread.is_alive():
            return True
        self._abandoned.set()
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
            self._waiting_rows = 0
        _answer((request, self._closed()) for request in left)
        return False

    async def submit(self, items: Sequence[Item]) -> list[Result]:
        """Write items, and return a result each once they are committed.

        A caller that is cancelled before its rows are taken up takes them back; afterwards they are written.

        :raises QueueFull: too many rows wait already.
        :raises WriterUnavailable: the database could not be reached, or the process ends.
        """
        return await self.enqueue(items) if items else []

    def enqueue(self, items: Sequence[Item]) -> asyncio.Future[list[Result]]:
        """Return what ``submit`` waits for, of one item or more; it saves a caller with many requests a coroutine each.

        :raises QueueFull: too many rows wait already.
        :raises WriterUnavailable: the process ends.
        """
        future: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        self._enqueue(_Request(list(items), future))
        return future

    def submit_sync(self, items: Sequence[Item]) -> list[Result]:
        """Write items, and return a result each once they are committed.

        Inside a transaction of the caller's the items are written there and then as a part of it: another
        thread would not see the caller's rows, and would wait for the caller's locks.

        :raises QueueFull: too many rows wait already.
        :raises WriterUnavailable: the database could not be reached, or the process ends.
        """
        if not items:
            return []
        if connections[self._using].in_atomic_block:
            return self._written(list(items))
        future: Future[list[Result]] = Future()
        self._enqueue(_Request(list(items), future))
        return future.result()

    def _enqueue(self, request: _Request[Item, Result]) -> None:
        rows = len(request.items)
        with self._changed:
            if self._closing:
                raise self._closed()
            if self._waiting_rows and self._waiting_rows + rows > self._queue_rows:
                raise QueueFull(f"{self._name}: {self._waiting_rows} rows wait", self._retry_after())
            self._run_thread()
            self._waiting.append(request)
            self._waiting_rows += rows
            if len(self._waiting) >= self._wanted or self._waiting_rows >= self._max_batch:
                self._changed.notify()

    def _retry_after(self) -> int:
        return min(max(1, math.ceil(self._waiting_rows / self._rows_per_second)), _LONGEST_RETRY_AFTER)

    def _closed(self) -> WriterClosed:
        return WriterClosed(f"{self._name}: the process ends", 1)

    def _run_thread(self) -> None:
        """Start the thread unless it lives; a forked process has none of its parent's."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while (batch := self._next_batch()) is not None:
                self._commit(batch)
                if len(batch) >= _CROWD:
                    self._gather()
        finally:
            connections.close_all()

    def _gather(self) -> None:
        """Wait until a crowd has come again: each commit fewer is time for the event loop."""
        with self._changed:
            self._wanted = self._crowd
            if len(self._waiting) < self._wanted and self._waiting_rows < self._max_batch and not self._closing:
                self._changed.wait(min(self._wanted * _GATHER_A_REQUEST_SECONDS, _LONGEST_GATHER_SECONDS))
            self._wanted = 1

    def _next_batch(self) -> "list[_Request[Item, Result]] | None":
        """Take what waits, up to a batch; None when there will be no more."""
        with self._changed:
            while True:
                batch: list[_Request[Item, Result]] = []
                rows = 0
                while self._waiting and (not batch or rows + len(self._waiting[0].items) <= self._max_batch):
                    request = self._waiting.popleft()
                    self._waiting_rows -= len(request.items)
                    if not request.future.cancelled():
                        batch.append(request)
                        rows += len(request.items)
                if batch:
                    return batch
                if self._closing:
                    self._thread = None
                    return None
                self._changed.wait()

    def _commit(self, batch: "list[_Request[Item, Result]]") -> None:
        """Write requests together and answer them; halve them when their rows are refused."""
        try:
            results = self._persist([item for request in batch for item in request.items])
        except WriterUnavailable as error:
            logger.warning("%s: refused %d requests: %s", self._name, len(batch), error)
            _answer((request, WriterUnavailable(str(error), error.retry_after)) for request in batch)
        except Exception as error:  # noqa: BLE001 the one whose rows caused it gets it
            if len(batch) == 1:
                _answer([(batch[0], error)])
                return
            middle = len(batch) // 2
            self._commit(batch[:middle])
            self._commit(batch[middle:])
        else:
            self._crowd = max(len(batch) + len(self._waiting), self._crowd * _STAYS_EIGHTHS // 8)
            rest = iter(results)
            _answer((request, list(islice(rest, len(request.items)))) for request in batch)

    def _persist(self, items: list[Item]) -> list[Result]:
        """Write items, and again while the database is in the way.

        :raises WriterUnavailable: the database stayed out of reach.
        """
        started = time.monotonic()
        pause = _FIRST_PAUSE_SECONDS
        tries = 0
        while True:
            tries += 1
            try:
                results = self._written(items)
            except (OperationalError, InterfaceError, MissingPartition, RowsVanished) as error:
                if _is_outage(error):
                    connections.close_all()
                    if self._abandoned.is_set() or time.monotonic() - started > _OUTAGE_SECONDS:
                        raise WriterUnavailable(f"{self._name}: the database is out of reach", 5) from error
                elif tries >= _CONTENTION_TRIES or not _is_contention(error):
                    raise
                self._abandoned.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                rate = len(items) / max(time.monotonic() - started, 1e-6)
                self._rows_per_second += (rate - self._rows_per_second) / 8
                return results

    def _written(self, items: list[Item]) -> list[Result]:
        results = self._write(items)
        if len(results) != len(items):
            raise RuntimeError(f"{self._name}: {len(results)} results for {len(items)} items")
        return results


def _is_outage(error: Exception) -> bool:
    if isinstance(error, InterfaceError):
        return True
    state = getattr(error.__cause__, "sqlstate", None)
    return isinstance(error, OperationalError) and (state is None or state.startswith(_OUTAGE))


def _is_contention(error: Exception) -> bool:
    if isinstance(error, MissingPartition | RowsVanished):
        return True
    return getattr(error.__cause__, "sqlstate", None) in _CONTENTION


def _answer(answers: Iterable[tuple[_Request[Item, Result], list[Result] | Exception]]) -> None:
    """Give each request its results or its error, with one wake-up an event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Settlement[Result]]] = {}
    for request, outcome in answers:
        if isinstance(request.future, Future):
            _settle([(request.future, outcome)])
        else:
            by_loop.setdefault(request.future.get_loop(), []).append((request.future, outcome))
    for loop, settlements in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, settlements)
        except RuntimeError:
            logger.info("%d callers left with their event loop", len(settlements))


def _settle(settlements: "list[_Settlement[Result]]") -> None:
    for future, outcome in settlements:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
