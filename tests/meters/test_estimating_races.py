import random
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from accounts.actors import PORTAL
from meters.models import RegisterReading
from meters.services.estimating import estimate_pending
from meters.services.gaps import open_gaps
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import supplied_register

START = datetime(2025, 3, 3, tzinfo=UTC)
NOW = START + timedelta(days=5)
MARKS = 60


@pytest.mark.django_db(transaction=True)
class TestEstimatingWhileReadingsCome:
    def test_refuses_and_loses_nothing_true(self):
        registers = [supplied_register() for _ in range(3)]
        rows = [
            OfferedReading(register.meter.serial, START + timedelta(minutes=30 * number), Decimal(number) / 4)
            for register in registers
            for number in range(MARKS)
        ]
        random.Random(5).shuffle(rows)
        refused, failures = [], []
        done = threading.Event()

        def send():
            try:
                for start in range(0, len(rows), 15):
                    report = receive_readings(readings=rows[start : start + 15], actor=PORTAL, now=NOW)
                    refused.extend((*report.rejected, *report.conflicts, *report.quarantined))
            except Exception as error:  # noqa: BLE001  told by the test itself
                failures.append(error)
            finally:
                done.set()
                connection.close()

        def estimate():
            try:
                while not done.is_set():
                    estimate_pending(now=NOW)
                    open_gaps(now=NOW)
            except Exception as error:  # noqa: BLE001  told by the test itself
                failures.append(error)
            finally:
                connection.close()

        workers = [threading.Thread(target=work) for work in (send, estimate, estimate)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        estimate_pending(now=NOW)

        assert (failures, refused) == ([], [])
        stored = RegisterReading.objects.filter(time__lte=START + timedelta(minutes=30 * (MARKS - 1)))
        assert set(stored.values_list("quality", flat=True)) == {17}
        assert stored.count() == len(rows)
