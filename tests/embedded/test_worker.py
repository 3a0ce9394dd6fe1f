import asyncio
import os
import signal

import pytest

from energy_portal.embedded.worker import Ending


@pytest.fixture(autouse=True)
def own_signals():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


# That the pipe is full is what Python complains of.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestEnding:
    def test_hears_of_the_end_while_the_loop_is_swamped(self, monkeypatch):
        async def play():
            told = asyncio.Event()
            monkeypatch.setattr(Ending, "_begin", lambda self: told.set())

            async def application(_scope, _receive, _send):
                fill(asyncio.get_running_loop())
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.wait_for(told.wait(), 10)
                raise EndOfTest

            await Ending(application, drain_seconds=1.0)({"type": "lifespan"}, None, None)

        with pytest.raises(EndOfTest):
            asyncio.run(play())


class EndOfTest(Exception):
    pass


def fill(loop) -> None:
    """Write to what wakes a loop until it takes no more, as a crowd of callbacks from threads does."""
    try:
        while True:
            loop._csock.send(b"\0")
    except BlockingIOError:
        pass
