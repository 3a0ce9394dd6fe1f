import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from meters.models import RegisterReading
from meters.series.writer import Outcome, write
from tests.meters.series.samples import MEASURES, READINGS, SAMPLES, Sample, make_room, readings, slot, write_committed
from tests.meters.series.sender import KEYS

WRITERS = 4


def at_once(action, count=WRITERS):
    """Run an action in threads that start together, each with a connection of its own."""
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        try:
            return action(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
class TestManyWriters:
    def test_store_each_key_once_from_processes_that_send_the_same_rows_shuffled_three_times(self):
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "energy_portal.settings.test"}
        name = connection.settings_dict["NAME"]

        senders = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.meters.series.sender", name, str(number)],
                stdout=subprocess.PIPE,
                env=environment,
                cwd=Path(settings.BASE_DIR),
            )
            for number in range(2)
        ]
        totals: Counter[str] = Counter()
        for sender in senders:
            output, _ = sender.communicate()
            assert sender.returncode == 0
            totals.update(json.loads(output))

        assert totals == {Outcome.STORED: len(KEYS), Outcome.DUPLICATE: 5 * len(KEYS)}
        assert RegisterReading.objects.count() == len(KEYS)

    def test_agree_on_one_value_a_key_when_they_bring_different_ones(self):
        keys = [(register, number) for register in (1, 2, 3) for number in range(1300, 1400)]
        make_room(READINGS, [slot(number) for _, number in keys])

        def send(number):
            told = {}
            shuffled = random.Random(number).sample(keys * 2, 2 * len(keys))
            for start in range(0, len(shuffled), 50):
                part = shuffled[start : start + 50]
                result = write_committed(READINGS, readings(part, [Decimal(number)] * len(part)))
                for at, (key, outcome) in enumerate(zip(part, result.outcomes, strict=True)):
                    told.setdefault(key, []).append((outcome, result.standing.get(at, (Decimal(number),))[0]))
            return told

        told_by = at_once(send)

        standing = {(row.register_id, row.time): row.value for row in RegisterReading.objects.all()}
        for register, number in keys:
            told = [answer for told in told_by for answer in told[register, number]]
            assert len(told) == 2 * WRITERS
            assert [outcome for outcome, _ in told].count(Outcome.STORED) == 1
            assert {value for _, value in told} == {standing[register, slot(number)]}

    def test_see_the_row_that_another_was_still_committing(self):
        """The second writer waits for the first, then reads in its own transaction what stands."""
        make_room(READINGS, [slot(0)])
        wrote, outcomes = threading.Event(), []

        def second(_):
            wrote.wait()
            outcomes.extend(write_committed(READINGS, readings([(1, 0), (2, 0)], [Decimal(5)] * 2)).outcomes)

        thread = threading.Thread(target=at_once, args=[second, 1])
        thread.start()
        with transaction.atomic():
            write(READINGS, readings([(1, 0)], [Decimal(4)]), connection)
            wrote.set()
            wait_for_a_blocked_backend()
        thread.join()

        assert outcomes == [Outcome.CONFLICT, Outcome.STORED]


@pytest.mark.usefixtures("committed_samples")
class TestManyWritersJoining:
    def test_fill_every_measure_whoever_comes_first(self):
        keys = [(device, number) for device in (1, 2) for number in range(1300, 1380)]
        make_room(SAMPLES, [slot(number) for _, number in keys])
        brings = [("count", 3), ("online", True), ("state", "idle"), ("count", 4)]

        def send(number):
            shuffled = random.Random(number).sample(keys, len(keys))
            name, value = brings[number]
            rows = {
                "device": [device for device, _ in shuffled],
                "time": [slot(number) for _, number in shuffled],
                **{measure: [None] * len(keys) for measure in MEASURES},
                name: [value] * len(keys),
            }
            return Counter(write_committed(SAMPLES, rows).outcomes)

        first, online, state, second = at_once(send)

        assert online == state == {Outcome.STORED: len(keys)}
        assert first + second == {Outcome.STORED: len(keys), Outcome.CONFLICT: len(keys)}
        assert Sample.objects.filter(count__in=(3, 4), online=True, state="idle").count() == len(keys)


def wait_for_a_blocked_backend() -> None:
    """Wait until another connection waits for a lock of ours; a transaction's view of activity is cached."""
    with connection.cursor() as cursor:
        for _ in range(2_000):
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            if cursor.fetchone():
                return
            time.sleep(0.005)
    raise AssertionError("nobody waits")
