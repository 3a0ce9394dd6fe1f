import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import InterfaceError, OperationalError
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.series import commit
from meters.series.commit import GroupCommitter
from meters.series.errors import MissingPartition, QueueFull, WriterClosed, WriterUnavailable

LONG = 30


class Store:
    """A writer in memory: commits batches one at a time, refuses negative items, can be held up."""

    def __init__(self):
        self.batches = []
        self.errors = []
        self.busy = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def write(self, items):
        self.busy.set()
        assert self.gate.wait(LONG)
        if self.errors:
            raise self.errors.pop(0)
        if any(item < 0 for item in items):
            raise ValueError(f"negative: {min(items)}")
        self.batches.append(items)
        return [10 * item for item in items]

    @property
    def items(self):
        return [item for batch in self.batches for item in batch]

    def hold(self):
        self.gate.clear()
        self.busy.clear()


def database_error(kind, sqlstate):
    error = kind("the database is in the way")
    error.__cause__ = psycopg.errors.lookup(sqlstate)() if sqlstate else psycopg.OperationalError("gone")
    return error


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def committer(store):
    committer = GroupCommitter(store.write, queue_rows=100, max_batch=20, name="test writer")
    committer.start()
    yield committer
    store.gate.set()
    committer.drain(LONG)


async def until_busy(store):
    while not store.busy.is_set():
        await asyncio.sleep(0)


async def waiting(committer, rows):
    while committer.waiting_rows != rows:
        await asyncio.sleep(0)


class TestSubmit:
    async def test_answers_each_item_in_order(self, committer):
        assert await committer.submit([3, 1, 2]) == [30, 10, 20]

    async def test_answers_no_items_at_once(self, committer, store):
        assert await committer.submit([]) == []
        assert store.batches == []

    def test_serves_threads_as_well(self, committer):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda n: committer.submit_sync([n]), range(50))) == [[10 * n] for n in range(50)]

    async def test_starts_the_writer_with_the_first_request(self, store):
        committer = GroupCommitter(store.write, queue_rows=10, max_batch=10, name="lazy")

        assert await committer.submit([1]) == [10]
        assert committer.drain(LONG)

    async def test_makes_what_arrives_during_a_commit_the_next_batch_in_its_order(self, committer, store):
        store.hold()
        first = asyncio.create_task(committer.submit([1]))
        await until_busy(store)
        rest = [asyncio.create_task(committer.submit([n, n])) for n in range(2, 7)]
        await waiting(committer, 10)

        store.gate.set()

        assert await first == [10]
        assert await asyncio.gather(*rest) == [[10 * n, 10 * n] for n in range(2, 7)]
        assert store.batches == [[1], [2, 2, 3, 3, 4, 4, 5, 5, 6, 6]]

    async def test_keeps_a_batch_within_its_bound_without_cutting_a_request(self, committer, store):
        store.hold()
        requests = [[0], list(range(15)), list(range(6)), list(range(40)), [1]]
        tasks = []
        for request in requests:
            tasks.append(asyncio.create_task(committer.submit(request)))
            await asyncio.sleep(0)
            await until_busy(store)

        store.gate.set()
        await asyncio.gather(*tasks)

        assert store.batches == requests

    async def test_does_not_answer_before_the_commit(self, committer, store):
        store.hold()
        task = asyncio.create_task(committer.submit([1]))
        await until_busy(store)

        assert not task.done()
        store.gate.set()
        assert await task == [10]

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.lists(st.integers(-2, 60), max_size=6), max_size=25), st.integers(1, 20))
    def test_gives_every_request_its_own_answer_whatever_the_others_hold(self, requests, max_batch):
        store = Store()
        committer = GroupCommitter(store.write, queue_rows=1_000, max_batch=max_batch, name="any")

        async def send():
            return await asyncio.gather(*map(committer.submit, requests), return_exceptions=True)

        answers = asyncio.run(send())

        assert committer.drain(LONG)
        for request, answer in zip(requests, answers, strict=True):
            if any(item < 0 for item in request):
                assert isinstance(answer, ValueError)
            else:
                assert answer == [10 * item for item in request]
        assert store.items == [item for request in requests if min(request, default=0) >= 0 for item in request]


class TestACrowd:
    @pytest.fixture(autouse=True)
    def patience(self, monkeypatch):
        for name in ("_GATHER_A_REQUEST_SECONDS", "_LONGEST_GATHER_SECONDS"):
            monkeypatch.setattr(commit, name, LONG)

    async def crowd(self, committer, store, size=16):
        """Have so many requests answered by one commit."""
        store.hold()
        first = asyncio.create_task(committer.submit([0]))
        await until_busy(store)
        requests = [asyncio.create_task(committer.submit([item])) for item in range(size)]
        await waiting(committer, size)
        store.gate.set()
        await asyncio.gather(first, *requests)

    async def test_is_waited_for_and_written_together_when_it_comes_again_one_by_one(self, committer, store):
        await self.crowd(committer, store)
        again = []
        for item in range(16):
            again.append(asyncio.create_task(committer.submit([item])))
            await asyncio.sleep(0.001)
        await asyncio.gather(*again)
        assert store.batches[2:] == [list(range(16))]

    async def test_is_not_waited_for_when_a_batch_is_full(self, committer, store):
        await self.crowd(committer, store)
        assert await committer.submit([1] * 20) == [10] * 20

    async def test_is_not_waited_for_when_the_process_ends(self, committer, store):
        await self.crowd(committer, store)
        request = asyncio.create_task(committer.submit([1]))
        await waiting(committer, 1)
        assert await asyncio.to_thread(committer.drain, LONG / 2)
        assert await request == [10]


class TestABadItem:
    async def test_sinks_its_own_request_only(self, committer, store):
        store.hold()
        tasks = [asyncio.create_task(committer.submit([n])) for n in (1, 2, -3, 4, -5, 6)]
        await until_busy(store)
        store.gate.set()

        answers = await asyncio.gather(*tasks, return_exceptions=True)

        assert [str(a) if isinstance(a, ValueError) else a for a in answers] == [
            [10],
            [20],
            "negative: -3",
            [40],
            "negative: -5",
            [60],
        ]
        assert store.items == [1, 2, 4, 6]

    async def test_leaves_the_writer_running(self, committer):
        with pytest.raises(ValueError, match="negative"):
            await committer.submit([-1])

        assert await committer.submit([1]) == [10]

    async def test_is_told_apart_from_a_writer_that_loses_count(self):
        committer = GroupCommitter(lambda items: items[:1], queue_rows=10, max_batch=10, name="short")

        with pytest.raises(RuntimeError, match="1 results for 2 items"):
            await committer.submit([1, 2])
        assert committer.drain(LONG)


class TestAFullQueue:
    async def test_refuses_what_does_not_fit_and_keeps_what_waits(self, committer, store):
        store.hold()
        running = asyncio.create_task(committer.submit([1]))
        await until_busy(store)
        waits = asyncio.create_task(committer.submit([2] * 100))
        await waiting(committer, 100)

        with pytest.raises(QueueFull) as caught:
            await committer.submit([3])
        with pytest.raises(QueueFull):
            committer.submit_sync([3])

        assert caught.value.retry_after >= 1
        assert caught.value.status == 503
        store.gate.set()
        assert await running == [10]
        assert await waits == [20] * 100
        assert await committer.submit([3]) == [30]

    async def test_still_takes_a_request_larger_than_itself_when_nothing_waits(self, committer):
        assert await committer.submit([1] * 150) == [10] * 150


class TestACallerThatLeaves:
    async def test_takes_back_what_was_not_taken_up(self, committer, store):
        store.hold()
        running = asyncio.create_task(committer.submit([1]))
        await until_busy(store)
        leaves, stays = (asyncio.create_task(committer.submit([n])) for n in (2, 3))
        await waiting(committer, 2)

        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        store.gate.set()

        assert await asyncio.gather(running, stays) == [[10], [30]]
        assert store.items == [1, 3]
        assert committer.waiting_rows == 0

    async def test_does_not_disturb_the_commit_that_holds_its_rows(self, committer, store):
        store.hold()
        leaves, stays = (asyncio.create_task(committer.submit([n])) for n in (1, 2))
        await until_busy(store)

        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        store.gate.set()

        assert await stays == [20]
        assert store.items == [1, 2]

    def test_may_take_its_event_loop_along(self, committer, store):
        store.hold()

        async def leave():
            asyncio.get_running_loop().create_task(committer.submit([1]))
            await until_busy(store)

        asyncio.run(leave())
        store.gate.set()

        assert committer.submit_sync([2]) == [20]


class TestDrain:
    async def test_writes_what_waits_and_refuses_what_comes(self, committer, store):
        store.hold()
        tasks = [asyncio.create_task(committer.submit([n])) for n in (1, 2)]
        await until_busy(store)
        drained = asyncio.create_task(asyncio.to_thread(committer.drain, LONG))
        while not committer._closing:
            await asyncio.sleep(0)

        with pytest.raises(WriterClosed):
            await committer.submit([3])
        store.gate.set()

        assert await drained
        assert await asyncio.gather(*tasks) == [[10], [20]]

    async def test_refuses_what_still_waits_when_its_time_is_over(self, committer, store):
        store.hold()
        running = asyncio.create_task(committer.submit([1]))
        await until_busy(store)
        waits = asyncio.create_task(committer.submit([2]))
        await waiting(committer, 1)

        assert not await asyncio.to_thread(committer.drain, 0.01)

        with pytest.raises(WriterClosed):
            await waits
        store.gate.set()
        assert await running == [10]
        assert store.items == [1]

    def test_is_harmless_twice_and_undone_by_a_start(self, committer):
        assert committer.drain(LONG)
        assert committer.drain(LONG)

        committer.start()

        assert committer.submit_sync([1]) == [10]


class TestATroubledDatabase:
    @pytest.mark.parametrize(
        "error",
        [
            database_error(OperationalError, "40001"),
            database_error(OperationalError, "40P01"),
            database_error(OperationalError, "57P01"),
            database_error(OperationalError, "57P03"),
            database_error(OperationalError, "08006"),
            database_error(OperationalError, None),
            database_error(InterfaceError, None),
            MissingPartition("made again by the next try"),
        ],
    )
    def test_gets_the_same_rows_again(self, committer, store, error):
        store.errors = [error, error]

        assert committer.submit_sync([1, 2]) == [10, 20]
        assert store.batches == [[1, 2]]

    def test_is_reported_as_unavailable_when_it_stays_away(self, committer, store, monkeypatch):
        monkeypatch.setattr(commit, "_OUTAGE_SECONDS", 0.01)
        store.errors = [database_error(OperationalError, "57P03") for _ in range(10_000)]

        with pytest.raises(WriterUnavailable) as caught:
            committer.submit_sync([1])

        assert caught.value.retry_after >= 1
        store.errors = []
        assert committer.submit_sync([1]) == [10]

    def test_is_not_asked_again_about_what_it_will_always_refuse(self, committer, store):
        store.errors = [database_error(OperationalError, "22003"), RuntimeError("asked again")]

        with pytest.raises(OperationalError):
            committer.submit_sync([1])

        assert len(store.errors) == 1
