from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from billing import tasks
from billing.models import Bill, Correction, Rerating, TariffVersion
from billing.rating.terms import encode, flat_terms
from billing.services import proposing
from billing.services.archiving import archive_bills
from billing.services.bills import draft_bill, issue_bill
from billing.services.corrections import propose_correction
from billing.services.rerating import rerate_version, resume_reratings
from billing.services.tariffs import load_singapore_tariff
from billing.services.versions import NewComponent, add_version, close_version
from energy_portal.shared.clock import YearMonth
from tests.factories import BindingFactory, TariffVersionFactory

FEBRUARY = YearMonth(2023, 2)
NOW = datetime(2023, 5, 2, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _tariff(meters):
    load_singapore_tariff()


def issued(month=FEBRUARY, binding=None):
    return issue_bill(bill_id=drafted(month, binding).pk, actor=PORTAL, now=NOW)


def drafted(month=FEBRUARY, binding=None):
    account_id = (binding or BindingFactory()).account_id
    return draft_bill(account_id=account_id, month=month, actor=PORTAL, now=NOW)


def revised(rate, name="2023 Q1"):
    """Let a revision of a version take its place, as tariffs do."""
    old = TariffVersion.objects.get(name=name, superseded_at=None)
    old.superseded_at = LATER
    old.save()
    return TariffVersionFactory(
        tariff=old.tariff, name=name, effective=old.effective, supersedes=old, revision=2, energy_rate=rate
    )


class TestRerateVersion:
    def test_proposes_to_correct_issued_bills_that_differ(self):
        bill = issued()
        version = revised("0.3000")

        work = rerate_version(version_id=version.pk, now=LATER)

        correction = Correction.objects.get()
        assert (work.status, work.bills_rated, work.corrections_proposed) == ("done", 1, 1)
        assert (correction.original, correction.cause) == (bill, "tariff")
        assert correction.difference == Decimal("3.18")
        (evidence,) = correction.evidence
        assert (evidence["version"], evidence["supersedes"]) == (str(version.pk), str(version.supersedes_id))
        assert evidence["old"] != evidence["new"]
        assert "2023 Q1, were revised" in correction.reason

    def test_proposes_nothing_where_the_revision_costs_the_same(self):
        bill = issued()

        work = rerate_version(version_id=revised("0.2895").pk, now=LATER)

        assert (work.bills_rated, work.corrections_proposed) == (1, 0)
        assert AuditEntry.objects.get(action="bill.touched", object_id=str(bill.pk)).detail["outcome"] == "same"

    def test_corrects_what_a_version_priced_beyond_its_new_end(self):
        bill = issued()
        version = TariffVersion.objects.get(name="2023 Q1")
        dearer = NewComponent("energy", "Electricity", encode(flat_terms(Decimal("0.3000"))))
        days = DateRange(date(2023, 2, 11), date(2023, 4, 1))
        add_version(
            tariff_id=version.tariff_id, name="late", effective=days, components=[dearer], actor=PORTAL, now=LATER
        )

        rerate_version(version_id=version.pk, now=LATER)

        assert Correction.objects.get().original == bill
        assert Correction.objects.get().replacement.lines.filter(kind="energy").count() == 2

    def test_begins_again_where_the_version_changes_again(self):
        issued()
        version = TariffVersion.objects.get(name="2023 Q1")
        rerate_version(version_id=version.pk, now=LATER)

        close_version(version_id=version.pk, after=date(2023, 2, 11), actor=PORTAL, now=LATER)

        assert Rerating.objects.get().status == "running"
        assert resume_reratings(now=LATER) == 1
        assert Rerating.objects.get().status == "done"

    def test_rates_drafts_anew(self):
        bill = drafted()

        rerate_version(version_id=revised("0.3000").pk, now=LATER)

        bill.refresh_from_db()
        assert (bill.status, bill.subtotal) == ("draft", Decimal("84.00"))
        assert not Correction.objects.exists()

    def test_leaves_other_quarters_alone(self):
        second_quarter = issued(YearMonth(2023, 4))

        work = rerate_version(version_id=revised("0.3000").pk, now=LATER)

        assert work.bills_rated == 0
        assert not AuditEntry.objects.filter(action="bill.touched", object_id=str(second_quarter.pk)).exists()

    def test_reaches_the_days_that_a_revision_adds(self):
        bill = issued(YearMonth(2023, 4))
        TariffVersion.objects.filter(name="2023 Q2").update(effective=DateRange(date(2023, 4, 16), date(2023, 7, 1)))
        version = revised("0.2895")
        version.effective = DateRange(date(2023, 1, 1), date(2023, 4, 16))
        version.save()

        rerate_version(version_id=version.pk, now=LATER)

        assert Correction.objects.get().original == bill

    def test_does_nothing_more_once_it_is_done(self):
        issued()
        version = revised("0.3000")
        rerate_version(version_id=version.pk, now=LATER)
        before = list(Bill.objects.order_by("pk").values()), list(Correction.objects.values())

        rerate_version(version_id=version.pk, now=LATER + timedelta(days=1))

        assert (list(Bill.objects.order_by("pk").values()), list(Correction.objects.values())) == before

    def test_goes_on_with_the_next_chunk_after_a_stop(self, monkeypatch):
        bills = [issued() for _ in range(5)]
        version, chunks = revised("0.3000"), []

        def dies_at_the_second(*, bills, **more):
            chunks.append(len(bills))
            if len(chunks) == 2:
                raise KeyboardInterrupt
            return propose(bills=bills, **more)

        propose = proposing.propose
        monkeypatch.setattr(proposing, "propose", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            rerate_version(version_id=version.pk, now=LATER, chunk_accounts=2)
        assert (Correction.objects.count(), Rerating.objects.get().status) == (2, "running")

        assert resume_reratings(now=LATER) == 1

        assert set(Correction.objects.values_list("original", flat=True)) == {bill.pk for bill in bills}
        assert (Rerating.objects.get().status, Rerating.objects.get().corrections_proposed) == ("done", 5)

    def test_is_begun_by_the_calendar_where_the_call_was_lost(self):
        issued()
        revised("0.3000")

        tasks.resume_reratings()
        tasks.resume_reratings()

        assert Correction.objects.count() == 1

    @pytest.mark.parametrize("count", [1, 6])
    def test_asks_no_more_for_more_bills_that_stay_the_same(self, django_assert_max_num_queries, count):
        for _ in range(count):
            issued()
        version = revised("0.2895")

        with django_assert_max_num_queries(40):
            rerate_version(version_id=version.pk, now=LATER)


class TestArchiveBills:
    @pytest.fixture(autouse=True)
    def _months(self, settings):
        settings.BILL_ARCHIVE_MONTHS = 24

    def test_archives_what_is_older_than_is_set(self):
        binding = BindingFactory()
        february, march = issued(binding=binding), issued(FEBRUARY.next(), binding)

        assert archive_bills(now=datetime(2025, 3, 5, tzinfo=UTC)) == 1

        statuses = dict(Bill.objects.values_list("pk", "status"))
        assert statuses == {february.pk: "archived", march.pk: "issued"}
        assert AuditEntry.objects.filter(action="bill.archived", object_id=str(february.pk)).exists()

    def test_goes_on_where_it_stopped(self):
        for _ in range(5):
            issued()

        assert archive_bills(now=datetime(2026, 1, 5, tzinfo=UTC), chunk_accounts=2) == 5
        assert archive_bills(now=datetime(2026, 1, 5, tzinfo=UTC), chunk_accounts=2) == 0

    def test_leaves_drafts_and_what_is_being_corrected(self, meters):
        binding, _ = BindingFactory(), drafted()
        bill = issued(binding=binding)
        meters.daily_kwh[binding.account_id] = Decimal(11)
        propose_correction(bill_id=bill.pk, reason="Read again.", actor=PORTAL, now=LATER)

        assert archive_bills(now=datetime(2026, 1, 5, tzinfo=UTC)) == 0

    def test_runs_by_the_calendar(self):
        issued()

        tasks.archive_bills()

        assert Bill.objects.get().status == "archived"
