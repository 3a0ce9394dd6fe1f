from datetime import UTC, date, datetime

import pytest
from django.contrib.messages import get_messages
from django.db.backends.postgresql.psycopg_any import DateRange
from django.urls import reverse

from accounts.roles import Role
from billing.admin.sheets import fields_of
from billing.models import TariffAssignment
from billing.services.tariffs import load_singapore_tariff
from tests.billing.test_sheets import TWO_PERIODS, sent
from tests.factories import (
    CustomerAccountFactory,
    ManagerFactory,
    TariffFactory,
    TariffVersionFactory,
    UserFactory,
    singapore_bill,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def desk(client):
    client.force_login(ManagerFactory())
    return client


@pytest.fixture
def version():
    return TariffVersionFactory(tariff=TariffFactory(tax=load_singapore_tariff().tax))


@pytest.fixture
def issued():
    bill = singapore_bill(account=CustomerAccountFactory(), first_day=date(2023, 1, 1), issued_at=NOW)
    return bill.lines.get(kind="energy").tariff_version


def page_of(version):
    return reverse("admin:billing_tariff_version", args=(version.tariff_id, version.pk))


def form_of(version, **changes):
    fields = sent(fields_of(version.components.order_by("position")))
    return fields | {"name": version.name, "because": "a wrong price", "notes": ""} | changes


class TestVersionPage:
    def test_shows_prices_as_fields_and_what_homes_would_pay(self, desk, version):
        html = desk.get(page_of(version)).content.decode()

        assert 'value="0.2895"' in html
        # 28 days of 12 kWh at 0.2895, and 9 %.
        assert "97.27" in html
        assert "8.75" in html

    def test_changes_a_version_that_no_bill_names_in_place(self, desk, version):
        answer = desk.post(page_of(version), form_of(version, **{"c0-p0-tiers": "0.2 to 100; 0.4"}))

        assert answer.status_code == 302
        tiers = version.components.get().terms["periods"][0]["tiers"]
        assert tiers == [{"up_to": "100", "rate": "0.2"}, {"up_to": None, "rate": "0.4"}]

    def test_makes_a_revision_of_a_version_on_issued_bills(self, desk, issued):
        desk.post(page_of(issued), form_of(issued, **{"c0-p0-tiers": "0.4"}))

        revised = issued.tariff.versions.get(superseded_at=None)
        assert (revised.revision, revised.supersedes) == (2, issued)

    def test_marks_what_is_wrong_and_keeps_what_was_typed(self, desk, version):
        answer = desk.post(page_of(version), form_of(version, **{"c0-p0-tiers": "cheap"}))

        html = answer.content.decode()
        assert answer.status_code == 200
        assert 'value="cheap"' in html
        assert 'id="c0-p0-wrong">Tier 1: A number is needed.' in html
        assert version.components.get().terms["periods"][0]["tiers"][0]["rate"] == "0.2895"

    def test_asks_why_a_version_changes(self, desk, version):
        desk.post(page_of(version), form_of(version, because="", **{"c0-p0-tiers": "0.4"}))

        assert version.components.get().terms["periods"][0]["tiers"][0]["rate"] == "0.2895"

    def test_adds_a_component_to_the_form_without_saving(self, desk, version):
        html = desk.post(page_of(version), form_of(version, act="add-fixed")).content.decode()

        assert 'name="c1-amount"' in html
        assert version.components.count() == 1

    def test_draws_tables_of_periods(self, desk, version):
        version.components.update(terms=TWO_PERIODS)

        html = desk.get(page_of(version)).content.decode()

        assert "000000001111111111111100" in html

    def test_adds_a_version_that_ends_its_predecessor(self, desk, version):
        url = reverse("admin:billing_tariff_add_version", args=(version.tariff_id,))

        desk.post(url, form_of(version, name="2025 Q2", first="2025-04-01", after=""))

        version.refresh_from_db()
        assert version.effective.upper == date(2025, 4, 1)
        assert version.tariff.versions.get(name="2025 Q2").effective == DateRange(date(2025, 4, 1), None)

    def test_says_which_version_is_in_the_way(self, desk, version):
        url = reverse("admin:billing_tariff_add_version", args=(version.tariff_id,))

        html = desk.post(url, form_of(version, name="old", first="2019-01-01", after="")).content.decode()

        assert "is in force" in html
        assert version.tariff.versions.count() == 1

    def test_is_not_for_customers(self, client, version):
        client.force_login(UserFactory(role=Role.CUSTOMER))

        assert client.get(page_of(version)).status_code == 302

    def test_belongs_to_its_tariff(self, desk, version):
        url = reverse("admin:billing_tariff_version", args=(TariffFactory().pk, version.pk))

        assert desk.get(url).status_code == 404


class TestPreview:
    def test_tries_prices_that_are_not_saved(self, desk, version):
        url = reverse("admin:billing_tariff_preview", args=(version.tariff_id,))

        html = desk.post(url, form_of(version, **{"c0-p0-tiers": "1"})).content.decode()

        assert "336.00" in html
        assert "The last twelve months".casefold() in html.casefold()

    def test_says_what_is_wrong_instead(self, desk, version):
        url = reverse("admin:billing_tariff_preview", args=(version.tariff_id,))

        html = desk.post(url, form_of(version, **{"c0-p0-tiers": "cheap"})).content.decode()

        assert "Electricity: A number is needed." in html

    def test_says_so_where_there_is_no_such_account(self, desk, version):
        url = reverse("admin:billing_tariff_preview", args=(version.tariff_id,))

        html = desk.post(url, form_of(version, account="A-404")).content.decode()

        assert "There is no such account." in html


class TestTariffPage:
    def test_lists_versions_in_words_with_their_use(self, desk, issued):
        html = desk.get(reverse("admin:billing_tariff_change", args=(issued.tariff_id,))).content.decode()

        assert page_of(issued) in html
        assert "Electricity: 0.2895 SGD a kWh, at all times" in html


class TestAssignments:
    url = reverse("admin:billing_tariffassignment_add")

    def assign(self, desk, account, tariff, first):
        data = {"account": account.pk, "tariff": tariff.pk, "effective_0": first, "effective_1": ""}
        return desk.post(self.url, data)

    def test_end_the_one_before(self, desk):
        account, old, new = CustomerAccountFactory(), TariffFactory(), TariffFactory()
        self.assign(desk, account, old, "2024-01-01")

        self.assign(desk, account, new, "2025-01-01")

        ends = TariffAssignment.objects.order_by("effective").values_list("tariff", "effective")
        assert list(ends) == [
            (old.pk, DateRange(date(2024, 1, 1), date(2025, 1, 1))),
            (new.pk, DateRange(date(2025, 1, 1), None)),
        ]

    def test_say_what_refuses_them(self, desk):
        account = CustomerAccountFactory()
        self.assign(desk, account, TariffFactory(), "2025-01-01")

        answer = self.assign(desk, account, TariffFactory(), "2024-01-01")

        assert "2025-01-01" in str(list(get_messages(answer.wsgi_request))[-1])
        assert TariffAssignment.objects.count() == 1
