from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from billing.rating import HalfHoursMissing, TwoCurrencies, Version, rate
from billing.rating.calendar import days_between, months_between
from billing.rating.terms import DemandTerms, FixedTerms, Kind, MinimumTerms, Per, RatePeriod, flat_terms
from energy_portal.shared.clock import YearMonth, local_month
from tests.billing.ratings import (
    BERLIN,
    SINGAPORE,
    component,
    constant,
    day_and_night,
    gst,
    half_hours,
    metered,
    midnight,
    rated,
    rated_profile,
    stretch,
    supply,
    tiered,
    tiers,
    version,
)

APRIL = local_month(YearMonth(2025, 4), SINGAPORE)
ELEVENTH = midnight(date(2025, 4, 11))
GST_9 = gst(date(2024, 1, 1), None, "9")
HALF_HOURS_A_DAY = 48


def always(*components, **options):
    return version(date(2020, 1, 1), None, *components, **options)


def demand(rate, name="Demand"):
    return component(Kind.DEMAND, DemandTerms((RatePeriod("", tiers((None, rate))),)), name)


def fixed(amount, per):
    return component(Kind.FIXED, FixedTerms(Decimal(amount), per))


def minimum(amount, per):
    return component(Kind.MINIMUM, MinimumTerms(Decimal(amount), per))


def energy(rate):
    return component(Kind.ENERGY, flat_terms(Decimal(rate)), "Electricity")


def april_with(*peaks):
    """Return April at 0.5 kWh a half-hour but for peaks, each a number of the half-hour and its kWh."""
    found = constant(APRIL.start, APRIL.end)
    for place, kwh in peaks:
        found.energy_ukwh[place] = int(Decimal(kwh).scaleb(6))
    return found


class TestDemand:
    def test_charges_the_highest_half_hour_of_the_month_as_power(self):
        (line,) = rated_profile(april_with((100, "2.5"), (200, "2.4")), always(demand("10"))).lines

        assert (line.kind, line.quantity, line.unit, line.rate, line.amount) == ("demand", 5, "kW", 10, 50)
        assert datetime.fromisoformat(line.detail["at"]) == APRIL.start + 100 * timedelta(minutes=30)

    def test_charges_each_period_s_own_highest_half_hour(self):
        hours = day_and_night(tiers((None, "1")), tiers((None, "10")))
        terms = DemandTerms(hours.periods, hours.weekday, hours.weekend)
        noon_of_the_first, night_of_the_first = 24, 2

        rating = rated_profile(
            april_with((noon_of_the_first, "2"), (night_of_the_first, "3")), always(component(Kind.DEMAND, terms))
        )

        assert [(line.detail["period_name"], line.quantity, line.amount) for line in rating.lines] == [
            ("Night", 6, 6),
            ("Day", 4, 40),
        ]

    def test_charges_tiers_of_power(self):
        terms = DemandTerms((RatePeriod("", tiers(("2", "0"), (None, "8"))),))

        rating = rated_profile(april_with((7, "2.5")), always(component(Kind.DEMAND, terms)))

        assert [(line.quantity, line.amount, line.detail["tier_from"]) for line in rating.lines] == [
            (2, 0, "0"),
            (3, 24, "2"),
        ]

    def test_never_charges_a_month_twice_where_the_version_changes_within_it(self):
        early = version(date(2025, 1, 1), date(2025, 4, 11), demand("10"))
        late = version(date(2025, 4, 11), None, demand("10"))

        rating = rated_profile(april_with((100, "3"), (1000, "3")), early, late)

        assert [(line.quantity, line.detail["share"], line.amount) for line in rating.lines] == [
            (6, "0.333333", Decimal("20.00")),
            (6, "0.666667", Decimal("40.00")),
        ]

    def test_charges_each_month_of_a_period_for_its_share(self):
        start, end = midnight(date(2025, 4, 16)), midnight(date(2025, 5, 11))
        used = constant(start, end)
        used.energy_ukwh[-1] = 1_000_000

        rating = rated_profile(used, always(demand("31")))

        assert [(line.quantity, line.detail["share"], line.amount) for line in rating.lines] == [
            (1, "0.500000", Decimal("15.50")),
            (2, "0.322581", Decimal("20.00")),
        ]

    def test_refuses_half_hours_that_are_not_there(self):
        with pytest.raises(HalfHoursMissing):
            rated(supply(stretch(APRIL.start, APRIL.end, "1")), versions=[always(demand("10"))])


class TestFixed:
    @pytest.mark.parametrize(
        ("month", "days"), [(3, 31), (10, 31)], ids=["a month of a day of 23 hours", "a month of a day of 25 hours"]
    )
    def test_counts_local_days(self, month, days):
        whole = local_month(YearMonth(2025, month), BERLIN)

        (line,) = rated(
            supply(stretch(whole.start, whole.end, "1"), zone=BERLIN), versions=[always(fixed("0.275", Per.DAY))]
        ).lines

        assert (line.quantity, line.unit, line.amount) == (days, "days", Decimal("8.53"))

    def test_is_charged_whole_for_a_whole_month(self):
        (line,) = rated(
            supply(stretch(APRIL.start, APRIL.end, "1")), versions=[always(fixed("12.34", Per.MONTH))]
        ).lines

        assert (line.quantity, line.unit, line.amount) == (1, "months", Decimal("12.34"))

    def test_is_shared_out_by_days_where_the_version_changes(self):
        early = version(date(2025, 1, 1), date(2025, 4, 11), fixed("30", Per.MONTH))
        late = version(date(2025, 4, 11), None, fixed("60", Per.MONTH))
        used = supply(stretch(APRIL.start, ELEVENTH, "1"), stretch(ELEVENTH, APRIL.end, "1"))

        rating = rated(used, versions=[early, late])

        assert [line.amount for line in rating.lines] == [Decimal("10.00"), Decimal("40.00")]

    @pytest.mark.parametrize(("per", "amount"), [(Per.DAY, "20.00"), (Per.MONTH, "0.67")])
    def test_is_shared_out_by_days_of_supply(self, per, amount):
        used = supply(stretch(ELEVENTH, APRIL.end, "1"))

        assert rated(used, versions=[always(fixed("1", per))]).total == Decimal(amount)

    def test_is_charged_for_the_days_of_two_stays_only(self):
        back = midnight(date(2025, 4, 21))
        used = supply(stretch(APRIL.start, ELEVENTH, "1"), stretch(back, APRIL.end, "1"))

        rating = rated(used, versions=[always(fixed("1", Per.DAY))])

        assert [line.quantity for line in rating.lines] == [10, 10]

    def test_is_charged_at_each_service_point(self):
        points = [supply(stretch(APRIL.start, APRIL.end, "1"), point=uuid4()) for _ in range(2)]

        assert rated(*points, versions=[always(fixed("5", Per.MONTH))]).total == 10


class TestMinimum:
    def test_lifts_the_lines_before_tax(self):
        prices = always(energy("0.10"), fixed("2", Per.MONTH), minimum("15", Per.MONTH), tax_code="GST")

        rating = rated(supply(stretch(APRIL.start, APRIL.end, "50")), versions=[prices], taxes=[GST_9])

        lifted = rating.charges[-1]
        assert (lifted.kind, lifted.quantity, lifted.unit, lifted.rate, lifted.amount) == ("minimum", 8, "SGD", 1, 8)
        assert (rating.subtotal, rating.tax) == (15, Decimal("1.35"))
        assert lifted.detail == {
            "least": "15.00",
            "reached": "7.00",
            "amount": "15",
            "per": "month",
            "times": "1.000000",
        }

    def test_adds_nothing_where_it_is_reached(self):
        prices = always(energy("0.10"), minimum("5", Per.MONTH))

        assert [
            line.kind for line in rated(supply(stretch(APRIL.start, APRIL.end, "50")), versions=[prices]).lines
        ] == ["energy"]

    def test_of_a_day_counts_days_of_supply(self):
        prices = always(energy("0.10"), minimum("1", Per.DAY))

        assert rated(supply(stretch(ELEVENTH, APRIL.end, "50")), versions=[prices]).total == 20

    def test_looks_at_each_version_alone(self):
        early = version(date(2025, 1, 1), date(2025, 4, 11), energy("0.10"), minimum("30", Per.MONTH))
        late = version(date(2025, 4, 11), None, energy("0.10"), minimum("30", Per.MONTH))
        used = supply(stretch(APRIL.start, ELEVENTH, "1000"), stretch(ELEVENTH, APRIL.end, "50"))

        rating = rated(used, versions=[early, late])

        assert [(line.kind, line.amount) for line in rating.lines] == [
            ("energy", Decimal("100.00")),
            ("energy", Decimal("5.00")),
            ("minimum", Decimal("15.00")),
        ]

    def test_is_one_where_the_tax_changes_within_a_version(self):
        turn = midnight(date(2024, 1, 1))
        prices = always(energy("0.10"), minimum("31", Per.MONTH), tax_code="GST")
        start, end = midnight(date(2023, 12, 17)), midnight(date(2024, 1, 17))
        used = supply(stretch(start, turn, "10"), stretch(turn, end, "10"))

        rating = rated(used, versions=[prices], taxes=[gst(date(2023, 1, 1), date(2024, 1, 1), "8"), GST_9])

        assert [line.amount for line in rating.charges if line.kind == "minimum"] == [Decimal("29.00")]
        assert [line.quantity for line in rating.taxes] == [1, 30]

    def test_of_two_the_higher_one_counts(self):
        prices = always(energy("0.10"), minimum("10", Per.MONTH), minimum("12", Per.MONTH))

        rating = rated(supply(stretch(APRIL.start, APRIL.end, "50")), versions=[prices])

        assert [line.amount for line in rating.lines] == [5, 5, 2]

    def test_counts_credits_as_what_they_take_off(self):
        given = constant(APRIL.start, APRIL.end, "0.1")
        feed_in = component(Kind.EXPORT, tiered((None, "0.1")), "Feed-in")

        rating = rated_profile(
            constant(APRIL.start, APRIL.end), always(energy("0.1"), feed_in, minimum("60", Per.MONTH)), exported=given
        )

        assert [line.amount for line in rating.lines] == [Decimal("72.00"), Decimal("-14.40"), Decimal("2.40")]


class TestAll:
    def test_add_up_with_the_tax_on_their_sum(self):
        hours = day_and_night(tiers(("100", "0.11"), (None, "0.13")), tiers((None, "0.31")))
        prices = always(
            component(Kind.ENERGY, hours, "Electricity"),
            component(Kind.EXPORT, tiered((None, "0.07")), "Feed-in"),
            demand("3.3"),
            fixed("0.4", Per.DAY),
            minimum("5", Per.MONTH),
            tax_code="GST",
        )

        rating = rated_profile(
            april_with((9, "1.2345")), prices, taxes=[GST_9], exported=constant(APRIL.start, APRIL.end, "0.01")
        )

        assert [line.kind for line in rating.lines] == [
            "energy",
            "energy",
            "energy",
            "export",
            "demand",
            "fixed",
            "tax",
        ]
        assert rating.subtotal == sum(line.amount for line in rating.charges)
        assert rating.total == rating.subtotal + rating.tax

    def test_take_each_service_point_by_its_own_versions(self):
        home, shop = uuid4(), uuid4()
        used = [
            metered(half_hours(APRIL.start, np.ones(1440)), (APRIL.start, APRIL.end), point=p) for p in (home, shop)
        ]
        cheap, dear = always(energy("0.1"), name="home"), always(energy("0.2"), name="shop")

        rating = rate(used, {home: [cheap], shop: [dear]}, ())

        assert [(line.version.name, line.amount) for line in rating.lines] == [("home", 144), ("shop", 288)]

    def test_refuse_two_currencies(self):
        dollars = version(date(2025, 1, 1), date(2025, 4, 11), energy("0.1"))
        euros = Version(uuid4(), "euros", ELEVENTH, None, (energy("0.1"),), None, "EUR")
        used = supply(stretch(ELEVENTH, APRIL.end, "1"))

        with pytest.raises(TwoCurrencies, match="SGD and EUR"):
            rated(used, versions=[dollars, euros])
        assert rated(used, versions=[euros]).currency == "EUR"


class TestDays:
    @pytest.mark.parametrize(
        ("zone", "first", "after", "days"),
        [
            ("Europe/Berlin", date(2025, 3, 30), date(2025, 3, 31), 1),
            ("Europe/Berlin", date(2025, 10, 1), date(2025, 11, 1), 31),
            ("America/Asuncion", date(2023, 10, 1), date(2023, 11, 1), 31),
        ],
        ids=["23 hours", "25 hours in a month", "no midnight at its start"],
    )
    def test_are_one_each_however_long(self, zone, first, after, days):
        site = ZoneInfo(zone)
        month = [local_month(YearMonth(day.year, day.month), site) for day in (first, after)]
        start = month[0].start if first.day == 1 else midnight(first, site)
        end = month[1].start if after.day == 1 else midnight(after, site)

        assert days_between(start, end, site) == days

    def test_are_parts_where_a_supply_begins_within_one(self):
        noon = midnight(date(2025, 3, 30), BERLIN) + timedelta(hours=11, minutes=30)

        assert days_between(noon, midnight(date(2025, 3, 31), BERLIN), BERLIN) == Decimal("0.5")


class TestMonths:
    def test_share_out_their_days(self):
        start, end = midnight(date(2024, 2, 22)), midnight(date(2024, 4, 11))

        pieces = months_between(start, end, SINGAPORE)

        assert [share for _, share in pieces] == [Decimal("0.275862"), 1, Decimal("0.333333")]
        assert [piece.start for piece, _ in pieces] == [start, midnight(date(2024, 3, 1)), midnight(date(2024, 4, 1))]
