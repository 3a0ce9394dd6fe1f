import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from time import monotonic, sleep
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection, connections, transaction

from accounts.actors import PORTAL
from accounts.models import CustomerAccount
from billing.models import Bill, BillRun, BillRunChunk
from billing.services.bills import AlreadyIssued, draft_bill
from billing.services.runs import process_run, resume_stalled, start_month
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import local_month
from tests.billing.running import FEBRUARY, NOW, supplied
from tests.factories import supplied_register
from tests.meters.helpers import store_reading

SGT = ZoneInfo("Asia/Singapore")


def wait_until(true):
    deadline = monotonic() + 60
    while not true():
        assert monotonic() < deadline
        sleep(0.02)


@pytest.mark.django_db(transaction=True)
class TestInterruption:
    def test_continues_after_a_failure_with_one_bill_each(self, meters):
        load_singapore_tariff()
        supplied(5)

        def fail_in_the_second_chunk():
            if len(meters.asked) == 1:
                raise RuntimeError("the readings are gone")

        meters.before = fail_in_the_second_chunk
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        with pytest.raises(RuntimeError):
            process_run(run_id=run.pk, now=NOW, chunk_accounts=2)
        stopped = BillRun.objects.get()
        assert (stopped.status, stopped.accounts_done) == ("failed", 2)
        assert stopped.error == "RuntimeError: the readings are gone"
        assert Bill.objects.count() == 2
        meters.before = lambda: None

        finished = process_run(run_id=run.pk, now=NOW, chunk_accounts=2)

        assert (finished.status, finished.accounts_done, finished.bills_issued, finished.error) == ("done", 5, 5, "")
        assert Bill.objects.count() == 5

    def test_continues_a_run_whose_process_was_killed(self, meters):
        load_singapore_tariff()
        supplied(5)

        def die_in_the_second_chunk():
            if len(meters.asked) == 1:
                raise SystemExit

        meters.before = die_in_the_second_chunk
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        with pytest.raises(SystemExit):
            process_run(run_id=run.pk, now=NOW, chunk_accounts=2)
        assert BillRun.objects.get().status == "running"
        meters.before = lambda: None

        again = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        finished = process_run(run_id=again.pk, now=NOW, chunk_accounts=2)

        assert again.accounts_done == 2
        assert (finished.status, finished.bills_issued) == ("done", 5)
        assert sum(meters.asked) == 5

    def test_continues_a_run_whose_process_was_killed_in_the_middle_of_a_chunk(self):
        load_singapore_tariff()
        registers = [supplied_register() for _ in range(5)]
        for register in registers:
            store_reading(register, local_month(FEBRUARY, SGT).start, "1000")
            store_reading(register, local_month(FEBRUARY, SGT).end, "1280")
        third = CustomerAccount.objects.order_by("number")[2]
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        told = (connection.settings_dict["NAME"], str(run.pk), NOW.isoformat())
        with transaction.atomic():
            CustomerAccount.objects.select_for_update().get(pk=third.pk)
            biller = subprocess.Popen([sys.executable, "-m", "tests.billing.biller", *told], cwd=settings.BASE_DIR)
            wait_until(lambda: BillRunChunk.objects.count() == 2 or biller.poll() is not None)
            biller.kill()
            assert biller.wait(30) == -signal.SIGKILL
        assert sorted(Bill.objects.values_list("status", flat=True)) == ["issued"] * 2

        finished = process_run(run_id=run.pk, now=NOW, chunk_accounts=2)

        assert (finished.status, finished.accounts_done, finished.bills_issued) == ("done", 5, 5)
        numbers = Bill.objects.order_by("account__number").values_list("number", flat=True)
        assert sorted(numbers) == [f"202302-{count:06d}" for count in range(1, 6)]


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_bill_side_by_side_and_wait_for_each_other(self, meters):
        load_singapore_tariff()
        first, *_ = supplied(6)
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)

        def process():
            try:
                return process_run(run_id=run.pk, now=NOW, chunk_accounts=2).status
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            with transaction.atomic():
                CustomerAccount.objects.select_for_update().get(pk=first.pk)
                together = [pool.submit(process) for _ in range(2)]
                wait_until(lambda: Bill.objects.count() == 4)
                assert not any(future.done() for future in together)
            assert [future.result() for future in together] == ["done", "done"]

        assert BillRun.objects.get().bills_issued == 6
        assert set(Bill.objects.values_list("number", flat=True)) == {f"202302-{n:06d}" for n in range(1, 7)}

    def test_make_one_bill_an_account(self, meters):
        load_singapore_tariff()
        supplied(12)
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        together = Barrier(3)

        def process():
            try:
                together.wait()
                return process_run(run_id=run.pk, now=NOW, chunk_accounts=2).status
            finally:
                connections.close_all()

        with ThreadPoolExecutor(3) as pool:
            statuses = [future.result() for future in [pool.submit(process) for _ in range(3)]]

        finished = BillRun.objects.get()
        assert statuses == ["done"] * 3
        assert (finished.accounts_done, finished.bills_issued) == (12, 12)
        assert Bill.objects.count() == 12
        assert max(Bill.objects.values_list("number", flat=True)) == "202302-000012"

    def test_start_one_run(self, meters):
        together = Barrier(4)

        def start():
            try:
                together.wait()
                return start_month(month=FEBRUARY, actor=PORTAL, now=NOW).pk
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            started = {future.result() for future in [pool.submit(start) for _ in range(4)]}

        assert started == set(BillRun.objects.values_list("pk", flat=True))

    def test_draft_by_hand_and_run_make_one_bill(self, meters):
        load_singapore_tariff()
        (account,) = supplied(1)
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        together = Barrier(2)

        def by_hand():
            try:
                together.wait()
                for _ in range(5):
                    draft = draft_bill(account_id=account.pk, month=FEBRUARY, actor=PORTAL, now=NOW)
            except AlreadyIssued:
                return None
            else:
                return draft
            finally:
                connections.close_all()

        def process():
            try:
                together.wait()
                process_run(run_id=run.pk, now=NOW)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            for future in (pool.submit(by_hand), pool.submit(process)):
                future.result()

        assert Bill.objects.get().status == "issued"
        assert Bill.objects.get().lines.count() == 2


@pytest.mark.django_db
class TestResumeStalled:
    def test_has_a_run_that_nobody_processes_go_on(self, meters, django_capture_on_commit_callbacks):
        load_singapore_tariff()
        supplied(3)
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        BillRunChunk.objects.create(run=run, upto=CustomerAccount.objects.order_by("number")[1].number)
        BillRun.objects.update(status="running", cursor=BillRunChunk.objects.get().upto)

        with django_capture_on_commit_callbacks(execute=True):
            assert resume_stalled() == 1

        assert (BillRun.objects.get().status, Bill.objects.count()) == ("done", 3)

    def test_leaves_alone_what_is_done_or_failed(self):
        BillRun.objects.create(month=date(2023, 1, 1), status="done")
        BillRun.objects.create(month=date(2023, 2, 1), status="failed")

        assert resume_stalled() == 0
