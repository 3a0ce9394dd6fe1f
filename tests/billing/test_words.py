from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.terms import (
    DemandTerms,
    EnergyTerms,
    FixedTerms,
    Kind,
    MinimumTerms,
    Per,
    RatePeriod,
    Tier,
    flat_terms,
)
from billing.rating.words import in_words, money, when_in_words


def period(name, *tiers):
    rates = tiers or ((None, "0.10"),)
    return RatePeriod(name, tuple(Tier(limit and Decimal(limit), Decimal(rate)) for limit, rate in rates))


NIGHT, DAY = period("Night", (None, "0.10")), period("Day", (None, "0.30"))
BY_DAY = (0,) * 8 + (1,) * 14 + (0,) * 2
ALL_NIGHT = (0,) * 24


class TestInWords:
    def test_says_a_flat_price(self):
        assert in_words("energy", flat_terms(Decimal("0.2895")), "SGD").summary == "0.2895 SGD a kWh, at all times"

    def test_says_tiers_of_a_billing_period(self):
        terms = EnergyTerms((period("", (200, "0.02"), ("400.5", "0.045"), (None, "0.08")),))

        assert in_words(Kind.ENERGY, terms, "SGD").summary == (
            "0.02 SGD a kWh up to 200 kWh of the billing period, 0.045 up to 400.5, 0.08 beyond, at all times"
        )

    def test_says_tiers_of_a_day(self):
        terms = EnergyTerms((period("", (10, "0.1"), (None, "0.2")),), tiers_per=Per.DAY)

        assert "up to 10 kWh of a day, 0.20 beyond" in in_words("energy", terms, "USD").summary

    def test_says_periods_each_with_its_price_and_time(self):
        words = in_words("energy", EnergyTerms((NIGHT, DAY), (BY_DAY,) * 12, (ALL_NIGHT,) * 12), "SGD")

        assert words.summary == "0.10 to 0.30 SGD a kWh, in 2 periods"
        assert [(item.name, item.price, item.when) for item in words.periods] == [
            ("Night", "0.10 SGD a kWh", "Monday to Friday 22:00\u201308:00, Saturday and Sunday all day"),
            ("Day", "0.30 SGD a kWh", "Monday to Friday 08:00\u201322:00"),
        ]

    def test_says_demand_by_its_highest_half_hour(self):
        terms = DemandTerms((period("", (None, "25.36")),))

        assert in_words("demand", terms, "USD").summary == (
            "25.36 USD a kW of the highest half-hour of each month, at all times"
        )

    def test_says_what_exported_energy_earns(self):
        words = in_words(Kind.EXPORT, flat_terms(Decimal("0.05")), "SGD")

        assert words.summary == "0.05 SGD a kWh for exported energy, at all times"

    @pytest.mark.parametrize(
        ("terms", "said"),
        [
            (FixedTerms(Decimal("0.275"), Per.DAY), "0.275 SGD a day of supply"),
            (MinimumTerms(Decimal(5), Per.MONTH), "at least 5.00 SGD a month of supply, before tax"),
        ],
    )
    def test_says_amounts(self, terms, said):
        kind = "fixed" if isinstance(terms, FixedTerms) else "minimum"

        assert in_words(kind, terms, "SGD").summary == said

    def test_tells_a_period_that_never_applies_by_no_time(self):
        terms = EnergyTerms((NIGHT, DAY, period("Spare")), (BY_DAY,) * 12, (BY_DAY,) * 12)

        assert in_words("energy", terms, "SGD").periods[2].when == ""


class TestWhenInWords:
    def test_joins_months_over_the_turn_of_the_year(self):
        summer, winter = (1,) * 24, (0,) * 24
        rows = (winter,) * 5 + (summer,) * 4 + (winter,) * 3
        terms = EnergyTerms((NIGHT, DAY), rows, rows)

        assert when_in_words(terms, 0) == "October to May: at all times"
        assert when_in_words(terms, 1) == "June to September: at all times"

    def test_tells_months_apart_that_differ(self):
        other = (0,) * 12 + (1,) * 12
        terms = EnergyTerms((NIGHT, DAY), (BY_DAY,) * 11 + (other,), (BY_DAY,) * 11 + (other,))

        assert when_in_words(terms, 1) == (
            "January to November: every day 08:00\u201322:00; December: every day 12:00\u201324:00"
        )

    @given(st.lists(st.lists(st.integers(0, 1), min_size=24, max_size=24), min_size=12, max_size=12))
    def test_says_a_time_for_every_period_that_has_hours(self, rows):
        table = tuple(tuple(row) for row in rows)
        terms = EnergyTerms((NIGHT, DAY), table, table)

        for index in (0, 1):
            assert bool(when_in_words(terms, index)) == any(index in row for row in table)


class TestMoney:
    @pytest.mark.parametrize(
        ("amount", "text"), [("0.1", "0.10"), ("12", "12.00"), ("0.28950", "0.2895"), ("-1", "-1.00")]
    )
    def test_keeps_the_digits_of_a_price(self, amount, text):
        assert money(Decimal(amount)) == text
