from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from billing.models import TariffComponent, TariffVersion
from billing.rating.terms import encode, flat_terms
from billing.services import versions
from billing.services.assigning import NoDays, TariffAssigned, assign_tariff
from billing.services.bills import issue_bill
from billing.services.versions import NewComponent, add_version, close_version, revise_version
from tests.factories import CustomerAccountFactory, TariffFactory, TariffVersionFactory, singapore_bill

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
MARCH = date(2025, 3, 1)
JUNE = date(2025, 6, 1)


def electricity(rate="0.30"):
    return NewComponent("energy", "Electricity", encode(flat_terms(Decimal(rate))))


def add(tariff, effective, *components, **more):
    given = {"name": "new", "actor": PORTAL, "now": NOW} | more
    return add_version(tariff_id=tariff.pk, effective=effective, components=components or [electricity()], **given)


def revise(version, *components, **more):
    given = {"because": "a wrong price", "actor": PORTAL, "now": NOW} | more
    return revise_version(version_id=version.pk, components=components, **given)


@pytest.fixture
def version():
    return TariffVersionFactory()


@pytest.fixture
def billed():
    """A version that a draft's lines name."""
    bill = singapore_bill(account=CustomerAccountFactory(), first_day=date(2023, 1, 1))
    return bill.lines.get(kind="energy").tariff_version


@pytest.fixture
def issued():
    """A version that an issued bill's lines name."""
    bill = singapore_bill(account=CustomerAccountFactory(), first_day=date(2023, 1, 1), issued_at=NOW)
    return bill.lines.get(kind="energy").tariff_version


@pytest.fixture
def sent(monkeypatch):
    """What was sent to workers."""
    calls = []
    monkeypatch.setattr(versions, "enqueue_on_commit", lambda task, **kwargs: calls.append((task, kwargs)))
    return calls


class TestAddVersion:
    def test_closes_the_open_ended_version_that_it_follows(self, version):
        added = add(version.tariff, DateRange(MARCH, None))

        version.refresh_from_db()
        assert version.effective == DateRange(date(2020, 1, 1), MARCH)
        assert added.effective == DateRange(MARCH, None)
        assert [item.name for item in added.components.all()] == ["Electricity"]

    def test_stands_when_it_is_added_again(self, version):
        first = add(version.tariff, DateRange(MARCH, None))

        assert add(version.tariff, DateRange(MARCH, None)) == first
        assert version.tariff.versions.count() == 2

    def test_takes_what_is_left_of_a_version_that_ends_where_it_ends(self, version):
        close_version(version_id=version.pk, after=JUNE, actor=PORTAL, now=NOW)

        add(version.tariff, DateRange(MARCH, JUNE))

        version.refresh_from_db()
        assert version.effective.upper == MARCH

    @pytest.mark.parametrize("days", [DateRange(date(2019, 1, 1), MARCH), DateRange(None, None)])
    def test_refuses_days_that_another_version_holds(self, version, days):
        with pytest.raises(versions.VersionsOverlap, match="first"):
            add(version.tariff, days)

    def test_refuses_a_version_without_days(self, version):
        with pytest.raises(versions.NeverInForce):
            add(version.tariff, DateRange(MARCH, MARCH))

    def test_names_every_component_that_nothing_can_be_charged_by(self):
        bad = NewComponent("fixed", "Supply", {"amount": "-1", "per": "year"})

        with pytest.raises(versions.InvalidComponents) as refused:
            add(TariffFactory(), DateRange(MARCH, None), electricity(), bad, NewComponent("gift", "", {}))

        assert [(item.index, item.field) for item in refused.value.errors] == [
            (1, "terms.amount"),
            (1, "terms.per"),
            (2, "name"),
            (2, "kind"),
        ]

    def test_works_out_anew_the_bills_beyond_the_end_of_its_predecessor(self, issued, sent):
        add(issued.tariff, DateRange(date(2023, 1, 10), None))

        assert sent == [(versions.RERATE_TASK, {"version_id": issued.pk})]

    def test_is_audited(self, version):
        added = add(version.tariff, DateRange(MARCH, None))

        assert AuditEntry.objects.get(action="tariff_version.added").object_id == str(added.pk)
        assert AuditEntry.objects.get(action="tariff_version.ended").object_id == str(version.pk)


class TestReviseVersion:
    def test_changes_a_version_in_place_that_no_bill_names(self, version):
        revised = revise(version, electricity("0.40"))

        assert revised == version
        assert revised.revision == 1
        assert revised.components.get().terms == electricity("0.40").terms

    @pytest.mark.parametrize("used", ["billed", "issued"])
    def test_supersedes_a_version_that_a_bill_names(self, request, used):
        version = request.getfixturevalue(used)

        revised = revise(version, electricity("0.40"))

        version.refresh_from_db()
        assert version.superseded_at == NOW
        assert (revised.revision, revised.supersedes, revised.effective) == (2, version, version.effective)
        assert version.components.get().terms == electricity("0.2895").terms

    def test_has_drafts_and_bills_worked_out_anew(self, issued, sent):
        revised = revise(issued, electricity("0.40"))

        assert sent == [(versions.RERATE_TASK, {"version_id": revised.pk})]

    def test_changes_nothing_for_the_same_components(self, issued, sent):
        assert revise(issued, electricity("0.2895")) == issued
        assert sent == []
        assert issued.tariff.versions.count() == 1

    def test_changes_a_name_without_a_revision(self, issued, sent):
        assert revise(issued, electricity("0.2895"), name="2023 Q1").name == "2023 Q1"
        assert issued.tariff.versions.count() == 1

    def test_refuses_a_version_that_was_superseded(self, issued):
        revise(issued, electricity("0.40"))

        with pytest.raises(versions.AlreadySuperseded):
            revise(issued, electricity("0.50"))

    def test_says_why_in_the_audit_trail(self, issued):
        revised = revise(issued, electricity("0.40"))

        entry = AuditEntry.objects.get(action="tariff_version.revised")
        assert (entry.object_id, entry.detail["because"]) == (str(revised.pk), "a wrong price")
        assert entry.detail["supersedes"] == str(issued.pk)


class TestDatabase:
    @pytest.mark.parametrize(
        "change",
        [
            lambda component: TariffComponent.objects.filter(pk=component.pk).update(name="Power"),
            lambda component: TariffComponent.objects.filter(pk=component.pk).delete(),
            lambda component: component.version.components.create(position=9, kind="energy", name="More", terms={}),
        ],
        ids=["update", "delete", "insert"],
    )
    def test_refuses_to_change_components_that_issued_bills_rest_on(self, issued, change):
        with pytest.raises(IntegrityError, match="cannot be changed"), transaction.atomic():
            change(issued.components.get())

    def test_lets_components_of_drafts_change_until_a_bill_is_issued(self, billed):
        TariffComponent.objects.filter(version=billed).update(name="Power")
        issue_bill(bill_id=billed.bill_lines.get().bill_id, actor=PORTAL, now=NOW)

        with pytest.raises(IntegrityError), transaction.atomic():
            TariffComponent.objects.filter(version=billed).update(name="Light")


class TestCloseVersion:
    def test_ends_a_version_once(self, version):
        close_version(version_id=version.pk, after=MARCH, actor=PORTAL, now=NOW)
        close_version(version_id=version.pk, after=MARCH, actor=PORTAL, now=NOW)

        version.refresh_from_db()
        assert version.effective.upper == MARCH
        assert AuditEntry.objects.filter(action="tariff_version.ended").count() == 1

    def test_refuses_an_end_behind_the_start_of_the_next_version(self, version):
        add(version.tariff, DateRange(MARCH, None))

        with pytest.raises(versions.VersionsOverlap):
            close_version(version_id=version.pk, after=JUNE, actor=PORTAL, now=NOW)

    def test_refuses_an_end_before_the_start(self, version):
        with pytest.raises(versions.NeverInForce):
            close_version(version_id=version.pk, after=date(2019, 1, 1), actor=PORTAL, now=NOW)


class TestAssignTariff:
    def assign(self, account, tariff, start=MARCH, **more):
        return assign_tariff(account_id=account.pk, tariff_id=tariff.pk, start=start, actor=PORTAL, now=NOW, **more)

    def test_ends_the_assignment_that_it_follows(self):
        account, old, new = CustomerAccountFactory(), TariffFactory(), TariffFactory()
        self.assign(account, old, date(2024, 1, 1))

        self.assign(account, new)

        held = account.tariffs.order_by("effective").values_list("tariff", "effective")
        assert list(held) == [
            (old.pk, DateRange(date(2024, 1, 1), MARCH)),
            (new.pk, DateRange(MARCH, None)),
        ]

    def test_changes_nothing_where_the_account_is_on_the_tariff(self):
        account, tariff = CustomerAccountFactory(), TariffFactory()
        first = self.assign(account, tariff)

        assert self.assign(account, tariff) == first
        assert self.assign(account, tariff, JUNE) == first
        assert AuditEntry.objects.filter(action="tariff.assigned").count() == 1

    def test_refuses_days_behind_which_another_assignment_begins(self):
        account = CustomerAccountFactory()
        self.assign(account, TariffFactory(), JUNE)

        with pytest.raises(TariffAssigned, match="2025-06-01"):
            self.assign(account, TariffFactory())

    def test_refuses_an_assignment_without_days(self):
        with pytest.raises(NoDays):
            self.assign(CustomerAccountFactory(), TariffFactory(), after=MARCH)


def test_a_version_without_bills_is_deleted_with_its_components(version):
    key = version.pk

    TariffVersion.objects.filter(pk=key).delete()

    assert not TariffComponent.objects.filter(version_id=key).exists()
