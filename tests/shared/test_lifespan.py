import asyncio

import pytest

from energy_portal.shared import lifespan


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(lifespan, "_startup", [])
    monkeypatch.setattr(lifespan, "_shutdown", [])
    monkeypatch.setattr(lifespan, "_ending", [])


class TestRunStartup:
    async def test_runs_sync_and_async_hooks_in_their_order_and_each_once(self):
        done = []

        async def second() -> None:
            done.append("second")

        first = lifespan.on_startup(lambda: done.append("first"))
        lifespan.on_startup(second)
        lifespan.on_startup(first)

        await lifespan.run_startup()

        assert done == ["first", "second"]

    async def test_stops_at_a_hook_that_fails(self):
        done = []
        lifespan.on_startup(lambda: 1 / 0)
        lifespan.on_startup(lambda: done.append("later"))

        with pytest.raises(ZeroDivisionError):
            await lifespan.run_startup()

        assert done == []


class TestRunShutdown:
    async def test_runs_the_newest_first_and_goes_on_after_a_failure(self):
        done = []
        lifespan.on_shutdown(lambda: done.append("oldest"))
        lifespan.on_shutdown(lambda: 1 / 0)
        lifespan.on_shutdown(lambda: done.append("newest"))

        await lifespan.run_shutdown(5)

        assert done == ["newest", "oldest"]

    async def test_leaves_a_hook_that_outlasts_the_timeout(self, caplog):
        never = asyncio.Event()

        async def stuck() -> None:
            await never.wait()

        lifespan.on_shutdown(stuck)

        await lifespan.run_shutdown(0.01)

        assert "did not finish draining" in caplog.text


class TestTellOfEnding:
    def test_calls_every_hook_once_though_one_fails(self):
        called = []

        def fails():
            raise RuntimeError

        for hook in (fails, lambda: called.append(1), fails):
            lifespan.on_ending(hook)
        lifespan.tell_of_ending()

        assert called == [1]
