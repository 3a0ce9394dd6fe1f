from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from billing import tasks
from billing.models import Bill, BillRun
from billing.selectors.runs import run_totals
from billing.services.bills import MonthNotOver, draft_bill, issue_bill
from billing.services.runs import RunUnderWay, process_run, request_month, start_month
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth
from tests.billing.running import FEBRUARY, NOW, run_month, supplied
from tests.factories import CustomerAccountFactory, ManagerFactory, since

SGT = ZoneInfo("Asia/Singapore")


@pytest.mark.django_db
class TestStartMonth:
    def test_makes_one_run_a_month(self, meters):
        supplied(3)

        first = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        second = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)

        assert first.pk == second.pk
        assert (first.status, first.accounts_total, first.accounts_done) == ("queued", 3, 0)
        assert AuditEntry.objects.filter(action="bill_run.started").count() == 1

    def test_remembers_who_started_it(self):
        manager = ManagerFactory()

        run = start_month(month=FEBRUARY, actor=Actor(user=manager), now=NOW)

        assert run.started_by == manager

    def test_refuses_a_month_that_is_not_over(self):
        with pytest.raises(MonthNotOver):
            start_month(month=YearMonth(2023, 3), actor=PORTAL, now=NOW)

        assert not BillRun.objects.exists()

    def test_makes_a_finished_run_ready_for_what_is_left(self, meters):
        load_singapore_tariff()
        _billed, held = supplied(2)
        meters.daily_kwh[held.pk] = None
        run_month()

        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)

        assert (run.status, run.accounts_total, run.accounts_done) == ("queued", 2, 1)
        assert (run.bills_issued, run.bills_held, run.finished_at) == (1, 0, None)

    def test_goes_on_where_a_run_failed(self, meters):
        run = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)
        BillRun.objects.update(status="failed", error="no light", cursor="A-7", accounts_done=3)

        again = start_month(month=FEBRUARY, actor=PORTAL, now=NOW)

        assert (again.pk, again.status, again.error, again.cursor) == (run.pk, "queued", "", "A-7")
        assert again.accounts_done == 3

    @pytest.mark.parametrize("preview", [True, False])
    def test_refuses_to_issue_during_a_preview_and_the_other_way_round(self, preview):
        start_month(month=FEBRUARY, actor=PORTAL, now=NOW, preview=preview)

        with pytest.raises(RunUnderWay):
            start_month(month=FEBRUARY, actor=PORTAL, now=NOW, preview=not preview)

        assert BillRun.objects.get().issues is not preview


@pytest.mark.django_db
class TestPreview:
    @pytest.fixture(autouse=True)
    def tariff(self):
        return load_singapore_tariff()

    def test_drafts_and_issues_nothing(self, meters):
        *_, broken = supplied(3)
        meters.daily_kwh[broken.pk] = None

        run = run_month(preview=True)

        assert (run.status, run.accounts_done, run.bills_issued, run.bills_held) == ("done", 3, 0, 1)
        assert set(Bill.objects.values_list("status", "number")) == {("draft", None)}

    def test_tells_totals_and_holds(self, meters):
        *_, broken = supplied(3)
        meters.daily_kwh[broken.pk] = None

        totals = run_totals(run_month(preview=True))

        (whole,) = totals.sums
        assert (whole.status, whole.currency, whole.bills, whole.energy_kwh) == ("draft", "SGD", 2, 560)
        assert whole.total == sum(Bill.objects.exclude(total=None).values_list("total", flat=True))
        assert [(held.reason, held.bills) for held in totals.holds] == [("incomplete_energy", 1)]

    def test_is_issued_by_a_run_that_rates_anew(self, meters):
        account, _ = supplied(2)
        run_month(preview=True)
        meters.daily_kwh[account.pk] = Decimal(20)

        run = run_month()

        assert (run.issues, run.bills_issued, run.accounts_total) == (True, 2, 2)
        assert Bill.objects.get(account=account).consumption_kwh == 560
        assert Bill.objects.count() == 2


@pytest.mark.django_db
class TestProcessRun:
    @pytest.fixture(autouse=True)
    def tariff(self):
        return load_singapore_tariff()

    def test_issues_whole_bills_and_holds_the_others(self, meters):
        *whole, broken = supplied(5)
        meters.daily_kwh[broken.pk] = None

        run = run_month()

        assert (run.status, run.accounts_total, run.accounts_done) == ("done", 5, 5)
        assert (run.bills_issued, run.bills_held) == (4, 1)
        assert (run.started_at, run.finished_at) == (NOW, NOW)
        assert set(Bill.objects.filter(status="issued").values_list("account", flat=True)) == {a.pk for a in whole}
        assert Bill.objects.get(status="draft").held_because == "incomplete_energy"

    def test_numbers_bills_in_the_order_of_accounts_without_a_gap(self, meters):
        supplied(5)

        run_month()

        bills = Bill.objects.order_by("account__number").values_list("number", flat=True)
        assert list(bills) == [f"202302-{count:06d}" for count in range(1, 6)]

    def test_bills_only_whom_the_month_supplied(self, meters):
        gone = since(datetime(2020, 1, 1, tzinfo=UTC), datetime(2023, 1, 31, 16, tzinfo=UTC))
        coming = since(datetime(2023, 2, 28, 16, tzinfo=UTC))
        supplied(1, valid=gone)
        supplied(1, valid=coming)
        CustomerAccountFactory()
        (moved_out,) = supplied(1, valid=since(gone.lower, datetime(2023, 2, 11, tzinfo=UTC)))

        run_month()

        assert Bill.objects.get().account == moved_out

    def test_bills_each_account_s_own_month(self, meters):
        berlin, singapore = supplied(1, account__zone="Europe/Berlin") + supplied(1)

        run_month()

        starts = dict(Bill.objects.values_list("account", "period"))
        assert starts[berlin.pk].lower == datetime(2023, 1, 31, 23, tzinfo=UTC)
        assert starts[singapore.pk].lower == datetime(2023, 1, 31, 16, tzinfo=UTC)

    def test_leaves_an_account_for_later_whose_month_is_not_over(self, meters):
        (behind,) = supplied(1, account__zone="America/New_York")
        run_month(now=datetime(2023, 2, 28, 17, tzinfo=UTC))
        assert not Bill.objects.exists()

        run_month(now=NOW)

        assert Bill.objects.get().account == behind

    def test_changes_nothing_when_it_is_done(self, meters):
        supplied(3)
        run = run_month()
        before = list(Bill.objects.order_by("pk").values())

        again = process_run(run_id=run.pk, now=NOW)

        assert list(Bill.objects.order_by("pk").values()) == before
        assert again.accounts_done == 3

    def test_picks_up_held_drafts_and_new_accounts_at_a_second_start(self, meters):
        whole, held = supplied(2)
        meters.daily_kwh[held.pk] = None
        run_month()
        issued = Bill.objects.get(account=whole)
        meters.daily_kwh.clear()
        supplied(1)

        run = run_month()

        assert (run.accounts_total, run.bills_issued, run.bills_held) == (3, 3, 0)
        assert Bill.objects.count() == 3
        assert Bill.objects.get(account=whole).issued_at == issued.issued_at

    def test_passes_over_a_bill_that_was_issued_by_hand(self, meters):
        by_hand, _ = supplied(2)
        draft = draft_bill(account_id=by_hand.pk, month=FEBRUARY, actor=PORTAL, now=NOW)
        issue_bill(bill_id=draft.pk, actor=PORTAL, now=NOW)

        run = run_month()

        assert (run.accounts_total, run.bills_issued) == (2, 2)
        assert Bill.objects.count() == 2

    def test_asks_as_often_for_many_accounts_as_for_few(self, meters, django_assert_num_queries):
        supplied(2)
        with CaptureQueriesContext(connection) as few:
            run_month(chunk_accounts=50)
        supplied(30)

        with django_assert_num_queries(len(few)):
            run_month(YearMonth(2023, 3), now=datetime(2023, 4, 2, tzinfo=UTC), chunk_accounts=50)

    def test_records_what_each_chunk_issued(self, meters):
        supplied(3)

        run_month()

        entries = AuditEntry.objects.filter(action="bill_run.issued").order_by("pk")
        assert [entry.detail["bills"] for entry in entries] == [2, 1]


@pytest.mark.django_db
class TestRequestMonth:
    def test_has_a_worker_process_the_run_after_the_commit(self, meters, django_capture_on_commit_callbacks):
        load_singapore_tariff()
        supplied(2)

        with django_capture_on_commit_callbacks(execute=True):
            request_month(month=FEBRUARY, actor=PORTAL, now=NOW)
            assert not Bill.objects.exists()

        assert BillRun.objects.get().status == "done"
        assert Bill.objects.filter(status="issued").count() == 2


@pytest.mark.django_db
class TestCalendar:
    @pytest.mark.parametrize(("setting", "runs"), [("preview", [False]), ("never", [])])
    def test_follows_the_setting(self, settings, meters, setting, runs):
        settings.BILL_RUN_BY_CALENDAR = setting

        tasks.run_last_month()

        assert list(BillRun.objects.values_list("issues", flat=True)) == runs

    def test_bills_the_month_that_is_over_in_the_site_s_zone(self, monkeypatch, meters):
        monkeypatch.setattr(tasks.timezone, "now", lambda: datetime(2023, 2, 28, 17, tzinfo=UTC))

        tasks.run_last_month()

        assert BillRun.objects.get().month == date(2023, 2, 1)


@pytest.mark.django_db
class TestCommand:
    def test_bills_a_month_here_and_now(self, meters):
        load_singapore_tariff()
        *_, broken = supplied(3)
        meters.daily_kwh[broken.pk] = None
        out = StringIO()

        call_command("run_bills", "2023-02", stdout=out)

        assert "February 2023: 3 accounts, 2 bills issued, 1 held." in out.getvalue()
        assert Bill.objects.filter(status="issued", total=Decimal("87.54")).count() == 2

    def test_previews_a_month(self, meters):
        load_singapore_tariff()
        supplied(2)

        call_command("run_bills", "2023-02", "--preview", stdout=StringIO())

        assert list(Bill.objects.values_list("status", flat=True)) == ["draft"] * 2

    @pytest.mark.parametrize("month", ["2023-13", "last", "2999-01"])
    def test_says_what_is_wrong_with_a_month(self, month):
        with pytest.raises(CommandError, match=r"month|over"):
            call_command("run_bills", month)
