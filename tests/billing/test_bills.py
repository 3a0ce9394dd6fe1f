from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db.backends.postgresql.psycopg_any import DateRange

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from billing.models import Bill, BillNumberSeries, TariffAssignment, TariffComponent, TariffVersion
from billing.rating.terms import decode
from billing.services.bills import AlreadyIssued, HeldBack, MonthNotOver, draft_bill, issue_bill
from billing.services.tariffs import load_singapore_tariff
from billing.workflow import CannotMove
from energy_portal.shared.clock import YearMonth
from tests.factories import (
    BindingFactory,
    CustomerAccountFactory,
    ManagerFactory,
    TariffFactory,
    TariffVersionFactory,
    since,
)

FEBRUARY = YearMonth(2023, 2)
NOW = datetime(2025, 11, 2, 1, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return BindingFactory().account


@pytest.fixture
def tariff():
    return load_singapore_tariff()


def draft(account, month=FEBRUARY, now=NOW):
    return draft_bill(account_id=account.pk, month=month, actor=PORTAL, now=now)


class TestDraftBill:
    def test_prices_the_month_to_the_cent(self, account, tariff, meters):
        meters.daily_kwh[account.pk] = Decimal("308.52") / 28

        bill = draft(account)

        bill.refresh_from_db()
        assert (bill.subtotal, bill.tax, bill.total) == (Decimal("89.32"), Decimal("7.15"), Decimal("96.47"))
        assert (bill.consumption_kwh, bill.currency, bill.status) == (Decimal("308.52"), "SGD", "draft")
        assert (bill.held_because, bill.complete, bill.number) == ("", True, None)

    def test_names_what_made_each_line(self, account, tariff, meters):
        bill = draft(account)

        energy, tax = bill.lines.all()
        assert (energy.kind, energy.description, energy.unit) == ("energy", "Electricity, 2023 Q1", "kWh")
        assert energy.tariff_version == TariffVersion.objects.get(name="2023 Q1")
        assert energy.service_point == account.bindings.get().service_point
        assert [read["role"] for read in energy.reads] == ["boundary", "boundary"]
        assert energy.reads[0]["time"] == "2023-01-31T16:00:00+00:00"
        assert (tax.kind, tax.description, tax.quantity, tax.rate) == ("tax", "GST 8 %", energy.amount, Decimal("0.08"))
        assert sum(line.amount for line in (energy, tax)) == bill.total

    def test_bills_the_account_s_own_month(self, tariff, meters):
        account = BindingFactory(account__zone="America/New_York").account

        bill = draft(account)

        assert bill.period.lower == datetime(2023, 2, 1, 5, tzinfo=UTC)
        assert bill.period.upper == datetime(2023, 3, 1, 5, tzinfo=UTC)

    def test_writes_a_line_for_each_place_and_version(self, account, meters):
        BindingFactory(account=account)
        own = TariffFactory(tax=load_singapore_tariff().tax)
        TariffVersionFactory(tariff=own, name="early", effective=DateRange(None, date(2023, 2, 11)), energy_rate="0.1")
        TariffVersionFactory(tariff=own, name="late", effective=DateRange(date(2023, 2, 11), None), energy_rate="0.2")
        TariffAssignment.objects.create(account=account, tariff=own, effective=DateRange(None, None))

        bill = draft(account)

        lines = bill.lines.filter(kind="energy")
        assert sorted((line.tariff_version.name, line.quantity, line.amount) for line in lines) == [
            ("early", 100, Decimal("10.00")),
            ("early", 100, Decimal("10.00")),
            ("late", 180, Decimal("36.00")),
            ("late", 180, Decimal("36.00")),
        ]
        assert all(line.service_point.code in line.description for line in lines)
        assert (bill.subtotal, bill.tax) == (Decimal("92.00"), Decimal("7.36"))

    def test_uses_the_default_tariff_outside_the_days_of_an_own_one(self, account, tariff, meters):
        own = TariffFactory(tax=tariff.tax)
        TariffVersionFactory(tariff=own, name="own", energy_rate="0.1")
        TariffAssignment.objects.create(
            account=account, tariff=own, effective=DateRange(date(2023, 2, 11), date(2023, 2, 21))
        )

        bill = draft(account)

        names = bill.lines.filter(kind="energy").values_list("tariff_version__name", "quantity")
        assert list(names) == [("2023 Q1", 100), ("own", 100), ("2023 Q1", 80)]

    @pytest.mark.parametrize("month", [YearMonth(2022, 8), YearMonth(2024, 2), YearMonth(2025, 10)], ids=str)
    def test_holds_a_month_without_a_tariff(self, account, tariff, meters, month):
        bill = draft(account, month)

        assert bill.held_because == "no_tariff_in_force"
        assert (bill.subtotal, bill.total, bill.complete) == (None, None, True)
        assert bill.consumption_kwh > 0
        assert not bill.lines.exists()

    def test_holds_a_month_without_any_tariff_at_all(self, account, tariff, meters):
        tariff.is_default = False
        tariff.save()

        assert draft(account).held_because == "no_tariff_in_force"

    def test_holds_a_month_with_missing_energy(self, account, tariff, meters):
        meters.daily_kwh[account.pk] = None

        bill = draft(account)

        assert (bill.held_because, bill.consumption_kwh, bill.total) == ("incomplete_energy", None, None)

    def test_holds_a_month_without_a_meter(self, tariff, meters):
        assert draft(CustomerAccountFactory()).held_because == "no_meter"

    def test_holds_a_month_in_two_currencies(self, account, tariff, meters):
        euros = TariffFactory(tax=tariff.tax, currency="EUR")
        TariffVersionFactory(tariff=euros)
        TariffAssignment.objects.create(account=account, tariff=euros, effective=DateRange(date(2023, 2, 11), None))

        assert draft(account).held_because == "mixed_currencies"

    def test_rates_a_draft_anew(self, account, tariff, meters):
        meters.daily_kwh[account.pk] = None
        held = draft(account)
        meters.daily_kwh[account.pk] = Decimal(1)

        bill = draft(account)

        assert bill.pk == held.pk
        bill.refresh_from_db()
        assert (bill.held_because, bill.subtotal) == ("", Decimal("8.11"))
        assert bill.lines.count() == 2

    def test_counts_only_the_days_of_supply(self, tariff, meters):
        moved_in = BindingFactory(valid=since(datetime(2023, 2, 18, 16, tzinfo=UTC)))

        bill = draft(moved_in.account)

        assert bill.consumption_kwh == 100

    def test_leaves_an_issued_bill_alone(self, account, tariff, meters):
        bill = issue_bill(bill_id=draft(account).pk, actor=PORTAL, now=NOW)

        with pytest.raises(AlreadyIssued):
            draft(account)

        assert Bill.objects.get().total == bill.total

    def test_bills_a_month_again_whose_bill_is_void(self, account, tariff, meters):
        first = issue_bill(bill_id=draft(account).pk, actor=PORTAL, now=NOW)
        Bill.objects.filter(pk=first.pk).update(status="void")

        second = issue_bill(bill_id=draft(account).pk, actor=PORTAL, now=NOW)

        assert (first.number, second.number) == ("202302-000001", "202302-000002")

    def test_refuses_a_month_that_is_not_over_where_the_account_lives(self, account, tariff, meters):
        with pytest.raises(MonthNotOver):
            draft(account, now=datetime(2023, 2, 28, 15, 59, tzinfo=UTC))


class TestIssueBill:
    def test_gives_a_number_and_says_who_did_it(self, account, tariff, meters):
        manager = ManagerFactory()

        bill = issue_bill(bill_id=draft(account).pk, actor=Actor(user=manager), now=NOW)

        bill.refresh_from_db()
        assert (bill.number, bill.status, bill.issued_at) == ("202302-000001", "issued", NOW)
        entry = AuditEntry.objects.get(action="bill.issued")
        assert (entry.user, entry.at, entry.detail["number"]) == (manager, NOW, "202302-000001")

    def test_leaves_no_gap_in_a_month_s_numbers(self, tariff, meters):
        bills = [draft(BindingFactory().account, month) for month in (FEBRUARY, YearMonth(2023, 3), FEBRUARY)]

        numbers = [issue_bill(bill_id=bill.pk, actor=PORTAL, now=NOW).number for bill in bills]

        assert numbers == ["202302-000001", "202303-000001", "202302-000002"]

    def test_refuses_a_draft_that_is_held(self, tariff, meters):
        bill = draft(CustomerAccountFactory())

        with pytest.raises(HeldBack, match="install one"):
            issue_bill(bill_id=bill.pk, actor=PORTAL, now=NOW)

        assert not BillNumberSeries.objects.exists()

    def test_refuses_a_second_issue(self, account, tariff, meters):
        bill = issue_bill(bill_id=draft(account).pk, actor=PORTAL, now=NOW)

        with pytest.raises(CannotMove):
            issue_bill(bill_id=bill.pk, actor=PORTAL, now=NOW)

        assert BillNumberSeries.objects.get().last_number == 1


class TestLoadSingaporeTariff:
    def test_holds_exactly_the_quarters_that_are_known(self):
        tariff = load_singapore_tariff()

        components = TariffComponent.objects.filter(version__tariff=tariff).select_related("version")
        rates = {item.version.name: decode(item.kind, item.terms).periods[0].tiers[0].rate for item in components}
        cents = {name: 100 * rate for name, rate in rates.items()}
        assert cents == {
            "2022 Q1": Decimal("25.44"),
            "2022 Q2": Decimal("27.94"),
            "2022 Q4": Decimal("29.74"),
            "2023 Q1": Decimal("28.95"),
            "2023 Q2": Decimal("27.43"),
            "2023 Q3": Decimal("27.74"),
            "2023 Q4": Decimal("28.70"),
            "2025 Q1": Decimal("28.12"),
            "2025 Q2": Decimal("28.12"),
            "2025 Q3": Decimal("27.47"),
        }
        assert tariff.is_default

    @pytest.mark.parametrize(
        ("day", "rate"),
        [
            (date(2022, 12, 31), "0.07"),
            (date(2023, 1, 1), "0.08"),
            (date(2023, 12, 31), "0.08"),
            (date(2024, 1, 1), "0.09"),
            (date(2026, 1, 1), "0.09"),
        ],
    )
    def test_taxes_each_day_at_its_rate(self, day, rate):
        tariff = load_singapore_tariff()

        assert tariff.tax.versions.get(effective__contains=day).rate == Decimal(rate)

    def test_adds_nothing_when_repeated(self):
        load_singapore_tariff()
        before = TariffVersion.objects.count()

        load_singapore_tariff()

        assert TariffVersion.objects.count() == before == 10

    def test_leaves_a_version_that_somebody_entered(self):
        tariff = load_singapore_tariff()
        TariffVersion.objects.filter(name="2025 Q3").delete()
        TariffVersionFactory(
            tariff=tariff, name="corrected", effective=DateRange(date(2025, 7, 1), date(2025, 10, 1)), energy_rate="0.3"
        )

        load_singapore_tariff()

        assert not tariff.versions.filter(name="2025 Q3").exists()
