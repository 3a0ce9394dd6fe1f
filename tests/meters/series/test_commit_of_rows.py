import asyncio
import random

import pytest
from django.db import connections, transaction

from meters.series.commit import GroupCommitter
from meters.series.writer import Outcome, write
from tests.meters.series.samples import MEASURES, SAMPLES, Sample, make_room, slot

LONG = 30


def write_samples(items):
    make_room(SAMPLES, [slot(number) for _, number in items])
    rows = {
        "device": [device for device, _ in items],
        "time": [slot(number) for _, number in items],
        **{measure: [None] * len(items) for measure in MEASURES},
        "count": [1] * len(items),
    }
    with transaction.atomic():
        return write(SAMPLES, rows, connections["default"]).outcomes


class TestSubmitSyncInsideATransaction:
    def test_writes_there_and_then_as_a_part_of_it(self, samples):
        committer = GroupCommitter(write_samples, queue_rows=10, max_batch=10, name="never started")

        assert committer.submit_sync([(1, 0)]) == [Outcome.STORED]
        assert committer.submit_sync([(1, 0)]) == [Outcome.DUPLICATE]


@pytest.mark.usefixtures("committed_samples")
class TestManyCallersOfOneSeries:
    async def test_store_each_row_once(self):
        committer = GroupCommitter(write_samples, queue_rows=100_000, max_batch=500, name="samples")
        rows = [(device, number) for device in range(20) for number in range(1300, 1400)]
        requests = []
        for seed in range(3):
            shuffled = random.Random(seed).sample(rows, len(rows))
            requests += [shuffled[at : at + 7] for at in range(0, len(rows), 7)]

        answers = await asyncio.gather(*map(committer.submit, requests))

        assert await asyncio.to_thread(committer.drain, LONG)
        outcomes = [outcome for answer in answers for outcome in answer]
        assert outcomes.count(Outcome.STORED) == len(rows)
        assert outcomes.count(Outcome.DUPLICATE) == 2 * len(rows)
        assert await asyncio.to_thread(count_samples) == len(rows)


def count_samples():
    try:
        return Sample.objects.count()
    finally:
        connections.close_all()
