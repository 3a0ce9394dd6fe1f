from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.rating.terms import FixedTerms, Kind, Per, flat_terms
from billing.selectors.overview import month_overview
from meters.models import Binding
from tests.billing.ratings import SINGAPORE, component, day_and_night, midnight, tiered, tiers
from tests.billing.readings import default_tariff, turn
from tests.factories import RegisterFactory, supplied_register

FEBRUARY, FIFTEENTH = midnight(date(2025, 2, 1)), midnight(date(2025, 3, 15))
MARCH, APRIL = midnight(date(2025, 3, 1)), midnight(date(2025, 4, 1))
NOW = datetime(2025, 3, 15, 0, 40, tzinfo=SINGAPORE)
MARKS = 42 * 48
HOURS = component(
    Kind.ENERGY, day_and_night(tiers((None, "0.10")), tiers(("200", "0.20"), (None, "0.40"))), "Electricity"
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def register():
    return supplied_register()


@pytest.fixture
def account(register):
    return Binding.objects.get(service_point__installations__meter=register.meter).account


class TestMonthByTheHour:
    def test_prices_what_was_used_when_it_was_used(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, FEBRUARY, ["0.5"] * MARKS)

        overview = month_overview(account=account, now=NOW)

        # Ten weekdays of sixteen hours at 1 kW, of the fourteen days; the same in February.
        assert overview.so_far.priced.total == Decimal("17.60") + Decimal("32.00")
        assert overview.before.priced.total == overview.so_far.priced.total

    def test_lets_the_rest_go_on_like_the_last_week(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, FEBRUARY, ["0.5"] * MARKS)

        heading = month_overview(account=account, now=NOW).heading

        day = 21 * 16
        assert heading.projection.likely_kwh == 31 * 24
        assert heading.likely == Decimal("0.10") * (31 * 24 - day) + 200 * Decimal("0.20") + (day - 200) * Decimal(
            "0.40"
        )
        assert heading.low == heading.likely == heading.high

    def test_tells_nights_from_days_in_the_rest(self, register, account):
        default_tariff(HOURS, tax=None)
        night_only = ["0.5"] * 14 + ["0"] * 32 + ["0.5"] * 2
        turn(register, FEBRUARY, night_only * 42)

        heading = month_overview(account=account, now=NOW).heading

        assert heading.likely == Decimal("0.10") * 31 * 8

    def test_spreads_the_rest_evenly_where_the_last_week_has_nothing(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, FEBRUARY, [*["0.5"] * (35 * 48), *["0"] * (7 * 48)])

        heading = month_overview(account=account, now=NOW).heading

        rest = heading.projection.high_kwh - 168
        assert rest > 0
        assert heading.high > Decimal("0.10") * heading.projection.high_kwh

    def test_takes_what_goes_out_to_stay_as_it_was(self, register, account):
        default_tariff(HOURS, component(Kind.EXPORT, tiered((None, "0.05")), "Feed-in"), tax=None)
        turn(register, FEBRUARY, ["0.5"] * MARKS)
        turn(RegisterFactory(meter=register.meter, code="2.8.0", direction="export"), FEBRUARY, ["0.1"] * MARKS)

        overview = month_overview(account=account, now=NOW)

        credit = Decimal("0.1") * 48 * 31 * Decimal("0.05")
        assert overview.so_far.priced.total == Decimal("49.60") - Decimal("3.36")
        assert overview.heading.likely == Decimal("135.20") - credit

    def test_counts_what_is_fixed_for_the_days_it_tells_of(self, register, account):
        daily = component(Kind.FIXED, FixedTerms(Decimal(1), Per.DAY), "Basic charge")
        default_tariff(component(Kind.ENERGY, flat_terms(Decimal("0.1")), "Electricity"), daily, tax=None)
        turn(register, FEBRUARY, ["0.5"] * MARKS)

        overview = month_overview(account=account, now=NOW)

        assert overview.so_far.priced.total == Decimal("33.60") + 14
        assert overview.heading.likely == Decimal("74.40") + 31

    def test_counts_each_service_point_on(self, register, account):
        daily = component(Kind.FIXED, FixedTerms(Decimal(1), Per.DAY), "Basic charge")
        default_tariff(component(Kind.ENERGY, flat_terms(Decimal("0.1")), "Electricity"), daily, tax=None)
        turn(register, FEBRUARY, ["0.5"] * MARKS)
        turn(supplied_register(account=account), FEBRUARY, ["0.25"] * MARKS)

        heading = month_overview(account=account, now=NOW).heading

        assert heading.likely == Decimal("74.40") + Decimal("37.20") + 62

    def test_asks_as_often_for_many_service_points_as_for_one(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, FEBRUARY, ["0.5"] * MARKS)
        with CaptureQueriesContext(connection) as one:
            month_overview(account=account, now=NOW)
        for _ in range(2):
            turn(supplied_register(account=account), FEBRUARY, ["0.5"] * MARKS)

        with CaptureQueriesContext(connection) as many:
            overview = month_overview(account=account, now=NOW)

        assert overview.heading.likely > 0
        assert len(many) == len(one)

    def test_has_no_price_where_half_hours_are_missing(self, register, account):
        default_tariff(HOURS, tax=None)
        turn(register, FEBRUARY + timedelta(days=5), ["0.5"] * (MARKS - 5 * 48))

        overview = month_overview(account=account, now=NOW)

        assert overview.before.priced is None
        assert overview.so_far.priced is not None
