import os
import signal

import pytest

from energy_portal import celery
from energy_portal.embedded.processes import is_alive


@pytest.fixture
def no_alarm():
    yield
    signal.alarm(0)


class TestAWorkerThatIsToEnd:
    def test_may_wait_for_its_tasks_while_its_parent_lives(self, no_alarm):
        celery.end_without_a_parent()

        assert signal.alarm(0) == 0

    def test_is_ended_by_the_kernel_when_nobody_is_left_to_do_it(self, no_alarm, monkeypatch):
        monkeypatch.setattr(celery, "_parent_pid", -1)

        celery.end_without_a_parent()

        assert signal.alarm(0) > 0


def forked(act):
    """Do something in a fork that ends in any case, and return its number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.alarm(60)
        act()
    finally:
        os._exit(0)


class TestAProcessOfThePool:
    def test_ends_with_its_worker(self, monkeypatch, eventually):
        reading, writing = os.pipe()

        def work():
            celery.follow_worker()
            os.write(writing, str(os.getpid()).encode())
            signal.pause()

        def lead():
            monkeypatch.setattr(celery, "_own_pid", os.getpid())
            forked(work)
            signal.pause()

        worker = forked(lead)
        process = int(os.read(reading, 20))

        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)

        assert eventually(lambda: not is_alive(process))

    def test_ends_when_its_worker_is_gone_already(self, monkeypatch):
        monkeypatch.setattr(celery, "_own_pid", -1)

        process = forked(celery.follow_worker)

        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
