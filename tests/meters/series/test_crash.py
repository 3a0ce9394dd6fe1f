"""What was acknowledged outlives the database's sudden death; on a durable server of these tests' own."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.conf import settings
from django.db import connections, transaction

from energy_portal.embedded.home import Home
from energy_portal.embedded.postgres import Postgres
from meters.series.commit import GroupCommitter
from meters.series.partitions import forget_partitions
from meters.series.writer import Outcome, write
from tests.meters.series.samples import MEASURES, SAMPLES, Sample, create_samples, drop_samples, make_room, slot

ALIAS = "mortal"
CALLERS, ROWS_A_CALLER, ROWS_A_REQUEST = 6, 1_200, 20  # each row is sent once, so none can come back by chance
DIES_AFTER = 1_500


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    home = Home(settings.PORTAL_HOME / f"mortal-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}")
    with ExitStack() as stack:
        stack.enter_context(home.locked(60))
        server = Postgres(home)
        stack.callback(server.stop)
        server.start()
        connections.settings[ALIAS] = {
            **connections["default"].settings_dict,
            "HOST": str(home.endpoints.database_folder),
            "PORT": "",
            "NAME": "portal",
            "USER": "portal",
            "PASSWORD": "",
        }
        yield server
        connections[ALIAS].close()
        del connections[ALIAS]
        del connections.settings[ALIAS]


@pytest.fixture
def table(server, django_db_blocker) -> Iterator[None]:
    """The table of samples on the mortal server, which is alive when a test starts and when it ends."""
    with django_db_blocker.unblock():
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {SAMPLES.table}")
        create_samples(ALIAS)
        forget_partitions(SAMPLES)
        yield
        connections[ALIAS].close()
        drop_samples(ALIAS)


def write_samples(items):
    make_room(SAMPLES, [slot(number) for _, number, _ in items], ALIAS)
    rows = {
        "device": [device for device, _, _ in items],
        "time": [slot(number) for _, number, _ in items],
        **{measure: [None] * len(items) for measure in MEASURES},
        "count": [value for *_, value in items],
    }
    with transaction.atomic(using=ALIAS):
        return write(SAMPLES, rows, connections[ALIAS]).outcomes


def send_while(kill):
    """Send rows from several threads until all are acknowledged, and kill in the midst of it."""
    committer = GroupCommitter(write_samples, queue_rows=10_000, max_batch=100, name="mortal writer", using=ALIAS)
    acknowledged, enough, lock = [], threading.Event(), threading.Lock()

    def send(caller):
        rows = [(caller, number, 1) for number in range(ROWS_A_CALLER)]
        random.Random(caller).shuffle(rows)
        for start in range(0, len(rows), ROWS_A_REQUEST):
            request = rows[start : start + ROWS_A_REQUEST]
            outcomes = committer.submit_sync(request)
            with lock:
                acknowledged.extend(zip(request, outcomes, strict=True))
                if len(acknowledged) >= DIES_AFTER:
                    enough.set()

    threads = [threading.Thread(target=send, args=[caller]) for caller in range(CALLERS)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    assert len(acknowledged) < CALLERS * ROWS_A_CALLER
    kill()
    for thread in threads:
        thread.join()
    assert committer.drain(30)
    return acknowledged


def assert_nothing_lost(acknowledged):
    connections[ALIAS].close()
    sent = sorted((caller, slot(number), 1) for caller in range(CALLERS) for number in range(ROWS_A_CALLER))
    assert sorted((device, slot(number), value) for (device, number, value), _ in acknowledged) == sent
    assert sorted(Sample.objects.using(ALIAS).values_list("device", "time", "count")) == sent
    assert Outcome.CONFLICT not in {outcome for _, outcome in acknowledged}


class TestASuddenDeath:
    def test_of_the_server_loses_nothing_acknowledged(self, server, table):
        def kill():
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            server.start()

        acknowledged = send_while(kill)

        assert_nothing_lost(acknowledged)

    def test_of_the_writers_backend_loses_nothing_acknowledged(self, server, table):
        def kill():
            with connections[ALIAS].cursor() as cursor:
                cursor.execute(
                    "SELECT pid FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = 'portal'"
                )
                (victim,) = cursor.fetchone()
            os.kill(victim, signal.SIGKILL)

        acknowledged = send_while(kill)

        assert_nothing_lost(acknowledged)

    def test_before_anything_was_committed_only_delays_the_answer(self, server, table):
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        committer = GroupCommitter(write_samples, queue_rows=10, max_batch=10, name="mortal writer", using=ALIAS)
        answers = []
        connections[ALIAS].close()
        caller = threading.Thread(target=lambda: answers.append(committer.submit_sync([(1, 0, 1)])))
        caller.start()

        server.start()
        caller.join()

        assert answers == [[Outcome.STORED]]
        assert committer.drain(30)
