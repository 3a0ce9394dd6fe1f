"""Drafts by the hour from real readings: nothing stands in for the meters."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from billing.models import Bill
from billing.rating.terms import DemandTerms, FixedTerms, Kind, Per, RatePeriod, flat_terms
from billing.services import drafting
from billing.services.bills import draft_bill, issue_bill
from billing.services.tariffs import load_singapore_tariff
from energy_portal.shared.clock import YearMonth, local_month
from meters.models import Binding
from meters.services.chain import exchange_meter
from tests.billing.ratings import BERLIN, SINGAPORE, component, day_and_night, midnight, tiered, tiers
from tests.billing.readings import add_version, default_tariff, turn
from tests.factories import (
    BindingFactory,
    InstallationFactory,
    MeterFactory,
    PremisesFactory,
    RegisterFactory,
    ServicePointFactory,
    since,
    supplied_register,
)

FEBRUARY = YearMonth(2025, 2)
MONTH = local_month(FEBRUARY, SINGAPORE)
MARKS = 28 * 48
NOW = datetime(2026, 1, 2, 4, tzinfo=UTC)
HALF_A_KWH = ["0.5"] * MARKS
HOURS = component(
    Kind.ENERGY, day_and_night(tiers((None, "0.10")), tiers(("200", "0.20"), (None, "0.40"))), "Electricity"
)
FLAT = component(Kind.ENERGY, flat_terms(Decimal("0.2895")), "Electricity")

pytestmark = pytest.mark.django_db


def account_of(register):
    return Binding.objects.get(service_point__installations__meter=register.meter).account


def draft(account, month=FEBRUARY, **options):
    bill = draft_bill(account_id=account.pk, month=month, actor=PORTAL, now=NOW, **options)
    bill.refresh_from_db()
    return bill


def quantities(bill):
    return [(line.description, line.quantity, line.amount) for line in bill.lines.all()]


@pytest.fixture
def register():
    return supplied_register()


@pytest.fixture
def account(register):
    return account_of(register)


class TestBillByTheHour:
    def test_has_a_line_for_each_rate_period_and_tier(self, register, account):
        default_tariff(HOURS, tax=load_singapore_tariff().tax)
        turn(register, MONTH.start, HALF_A_KWH)

        bill = draft(account)

        assert quantities(bill) == [
            ("Electricity, Night, v1", Decimal(352), Decimal("35.20")),
            ("Electricity, Day, first 200 kWh, v1", Decimal(200), Decimal("40.00")),
            ("Electricity, Day, above 200 kWh, v1", Decimal(120), Decimal("48.00")),
            ("GST 9 %", Decimal("123.20"), Decimal("11.09")),
        ]
        assert (bill.held_because, bill.subtotal, bill.tax, bill.total) == (
            "",
            Decimal("123.20"),
            Decimal("11.09"),
            Decimal("134.29"),
        )
        assert (bill.consumption_kwh, bill.estimated_share) == (672, 0)

    def test_says_which_component_period_and_tier_a_line_is_of(self, register, account):
        tariff = default_tariff(HOURS, tax=None)
        turn(register, MONTH.start, HALF_A_KWH)

        first, *_, last = draft(account).lines.all()

        assert last.component == tariff.versions.get().components.get()
        assert last.detail == {
            "period": 1,
            "period_name": "Day",
            "tier": 1,
            "tier_from": "200",
            "tier_up_to": None,
            "tiers": 2,
        }
        assert len(first.reads) == 2
        assert last.reads == []

    def test_agrees_with_a_bill_at_one_price_where_all_hours_cost_the_same(self, register, account):
        same = component(Kind.ENERGY, day_and_night(tiers((None, "0.2895")), tiers((None, "0.2895"))), "Electricity")
        turn(register, MONTH.start, ["0.123456", "0.2"] * (MARKS // 2), first="0.5")
        default_tariff(FLAT, tax=None)
        flat = draft(account)
        (energy,) = flat.lines.all()
        default_tariff(same, tax=None)

        by_hours = draft(account)

        assert sum(line.quantity for line in by_hours.lines.all()) == energy.quantity
        assert abs(by_hours.subtotal - flat.subtotal) <= Decimal("0.01")

    def test_puts_half_hours_to_the_version_in_force(self, register, account):
        tariff = default_tariff(tax=None)
        add_version(tariff, HOURS, name="early", after=date(2025, 2, 11))
        add_version(tariff, HOURS, name="late", first=date(2025, 2, 11))
        turn(register, MONTH.start, HALF_A_KWH)

        assert quantities(draft(account)) == [
            ("Electricity, Night, early", 144, Decimal("14.40")),
            ("Electricity, Day, first 200 kWh, early", 96, Decimal("19.20")),
            ("Electricity, Night, late", 208, Decimal("20.80")),
            ("Electricity, Day, first 200 kWh, late", 104, Decimal("20.80")),
            ("Electricity, Day, above 200 kWh, late", 120, Decimal("48.00")),
        ]

    def test_adds_up_over_an_exchange_of_meters(self, account, register):
        default_tariff(HOURS, tax=None)
        point, new = account.bindings.get().service_point, RegisterFactory(meter=MeterFactory())
        at = midnight(date(2025, 2, 11)) + timedelta(hours=14, minutes=17)
        before = 10 * 48 + 28
        turn(register, MONTH.start, HALF_A_KWH[:before], first="45000")
        exchange_meter(
            service_point=point,
            last_reads={register.pk: Decimal("45254.3")},
            new_meter=new.meter,
            first_reads={new.pk: Decimal("12.0")},
            at=at,
            actor=PORTAL,
            now=NOW,
        )
        turn(new, at + timedelta(minutes=13), HALF_A_KWH[before + 1 :], first="12.2")

        bill = draft(account)

        assert (bill.held_because, bill.consumption_kwh) == ("", 672)
        assert [line.quantity for line in bill.lines.all()] == [352, 200, 120]

    @pytest.mark.parametrize(("month", "kwh"), [(3, Decimal("371.5")), (10, Decimal("372.5"))])
    def test_follows_the_local_clock_over_its_change(self, month, kwh):
        all_days = (0,) * 6 + (1,) * 18
        night_and_day = day_and_night(tiers((None, "0.1")), tiers((None, "0.2")))
        by_clock = type(night_and_day)(night_and_day.periods, (all_days,) * 12, (all_days,) * 12)
        default_tariff(component(Kind.ENERGY, by_clock, "Strom"), tax=None)
        point = ServicePointFactory(premises=PremisesFactory(zone="Europe/Berlin"))
        register = RegisterFactory()
        InstallationFactory(meter=register.meter, service_point=point)
        account = BindingFactory(service_point=point, account__zone="Europe/Berlin").account
        whole = local_month(YearMonth(2025, month), BERLIN)
        turn(register, whole.start, ["0.25"] * int(kwh * 4))

        bill = draft(account, YearMonth(2025, month))

        assert [line.quantity for line in bill.lines.all()] == [kwh - 31 * 9, 31 * 9]

    def test_of_a_part_of_a_month_has_that_part(self):
        basic = component(Kind.FIXED, FixedTerms(Decimal(28), Per.MONTH), "Basic charge")
        default_tariff(HOURS, basic, tax=None)
        moved_in = midnight(date(2025, 2, 15))
        register = RegisterFactory()
        installation = InstallationFactory(meter=register.meter)
        account = BindingFactory(service_point=installation.service_point, valid=since(moved_in)).account
        turn(register, moved_in, HALF_A_KWH[: 14 * 48])

        assert quantities(draft(account)) == [
            ("Electricity, Night, v1", 176, Decimal("17.60")),
            ("Electricity, Day, first 200 kWh, v1", 160, Decimal("32.00")),
            ("Basic charge, v1", Decimal("0.5"), Decimal("14.00")),
        ]

    def test_credits_what_went_out(self, register, account):
        default_tariff(HOURS, component(Kind.EXPORT, tiered((None, "0.07")), "Feed-in"), tax=None)
        out = RegisterFactory(meter=register.meter, code="2.8.0", direction="export")
        turn(register, MONTH.start, HALF_A_KWH)
        turn(out, MONTH.start, ["0.1"] * MARKS)

        credit = draft(account).lines.get(kind="export")

        assert (credit.description, credit.quantity, credit.rate, credit.amount) == (
            "Feed-in, v1",
            Decimal("134.4"),
            Decimal("0.07"),
            Decimal("-9.41"),
        )

    def test_charges_demand_and_says_when_it_was_highest(self, register, account):
        default_tariff(component(Kind.DEMAND, DemandTerms((RatePeriod("", tiers((None, "8"))),)), "Demand"), tax=None)
        turn(register, MONTH.start, [*HALF_A_KWH[:100], "2.5", *HALF_A_KWH[101:]])

        line = draft(account).lines.get()

        assert (line.description, line.quantity, line.unit, line.amount) == ("Demand, v1", 5, "kW", 40)
        assert datetime.fromisoformat(line.detail["at"]) == MONTH.start + timedelta(hours=50)

    def test_names_its_service_points_where_there_are_several(self, register, account):
        default_tariff(FLAT, tax=None)
        second = supplied_register(account=account)
        for each in (register, second):
            turn(each, MONTH.start, ["672"], first="1")
            turn(each, MONTH.end, [], first="673")

        points = account.bindings.order_by("service_point__code").values_list("service_point__code", flat=True)
        assert [line.description for line in draft(account).lines.all()] == [
            f"Electricity at {code}, v1" for code in points
        ]


class TestHolds:
    def test_a_draft_of_which_too_much_is_estimated(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, MONTH.start, HALF_A_KWH, skipped=range(100, 100 + MARKS // 2 + 1))

        bill = draft(account)

        assert (bill.held_because, bill.complete, bill.total) == ("estimated_energy", True, None)
        assert bill.estimated_share > Decimal("0.5")
        assert not bill.lines.exists()

    def test_no_draft_of_which_less_is_estimated(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, MONTH.start, HALF_A_KWH, skipped=range(100, 100 + MARKS // 4))

        bill = draft(account)

        assert bill.held_because == ""
        assert Decimal("0.25") < bill.estimated_share < Decimal("0.26")
        assert bill.total > 0

    def test_a_draft_at_one_price_of_which_too_much_is_estimated(self, register, account, settings):
        settings.BILL_MAX_ESTIMATED_SHARE = Decimal("0.1")
        default_tariff(FLAT, tax=None)
        turn(register, MONTH.start, HALF_A_KWH, estimated=range(1000, MARKS + 1))

        assert draft(account).held_because == "estimated_energy"

    def test_no_draft_that_is_rated_with_leave(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, MONTH.start, HALF_A_KWH, skipped=range(100, MARKS))

        bill = draft(account, allow_estimates=True)

        assert bill.held_because == ""
        assert issue_bill(bill_id=bill.pk, actor=PORTAL, now=NOW).status == "issued"
        assert AuditEntry.objects.get(action="bill.drafted").detail["allow_estimates"] is True

    def test_a_draft_without_its_last_reads(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, MONTH.start, HALF_A_KWH[:-10])

        assert draft(account).held_because == "incomplete_energy"


class TestQuestions:
    def test_are_not_of_half_hours_where_one_price_holds(self, register, account, monkeypatch):
        default_tariff(FLAT, tax=None)
        turn(register, MONTH.start, HALF_A_KWH)
        monkeypatch.delattr(drafting, "metered_half_hours")

        assert draft(account).total == Decimal("194.54")

    def test_are_as_many_for_many_accounts_as_for_few(self, register, account):
        default_tariff(HOURS, component(Kind.EXPORT, tiered((None, "0.07")), "Feed-in"))
        turn(register, MONTH.start, HALF_A_KWH)
        with CaptureQueriesContext(connection) as few:
            drafting.draft_bills(accounts=[account], month=FEBRUARY, run=None, now=NOW)
        accounts = []
        for _ in range(4):
            more = supplied_register()
            turn(more, MONTH.start, HALF_A_KWH)
            accounts.append(account_of(more))

        with CaptureQueriesContext(connection) as many:
            drafting.draft_bills(accounts=accounts, month=FEBRUARY, run=None, now=NOW)

        assert Bill.objects.filter(held_because="").count() == 5
        assert len(many) == len(few)
