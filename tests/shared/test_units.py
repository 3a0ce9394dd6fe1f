from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared import units
from energy_portal.shared.errors import Invalid

finite = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=6)


def parse(value, max_digits=14, decimal_places=4):
    return units.parse_decimal(value, max_digits=max_digits, decimal_places=decimal_places)


class TestParseDecimal:
    @pytest.mark.parametrize(
        "value",
        [
            "NaN",
            "sNaN",
            "Infinity",
            "-inf",
            "",
            " ",
            "abc",
            "1_000",
            "1,5",
            "0x10",
            "\uff11\uff12",
            "1e",
            "--1",
            "1\n2",
            "1e99999999999999999999",
            True,
            False,
            None,
            [],
            {},
            b"1",
            float("nan"),
            float("inf"),
            Decimal("NaN"),
            Decimal("-Infinity"),
            pytest.param(10**5000, id="5001 digits"),
            "9" * 101,
        ],
    )
    def test_refuses_what_is_no_number(self, value):
        with pytest.raises(units.NotANumber):
            parse(value)

    @pytest.mark.parametrize("value", ["1e400", "1e9999", 10**10, "10000000000", 1e300])
    def test_refuses_more_digits_than_there_is_room_for(self, value):
        with pytest.raises(units.TooManyDigits):
            parse(value)

    @pytest.mark.parametrize("value", ["0.00001", "1e-400", "1e-9999", "123456789.00001", 1e-300])
    def test_refuses_what_is_too_fine(self, value):
        with pytest.raises(units.TooManyDecimals):
            parse(value)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("1450.5", "1450.5"),
            (" 1450.5 ", "1450.5"),
            ("1.4505e3", "1450.5"),
            ("1.50000000", "1.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+7", "7"),
            ("9999999999.9999", "9999999999.9999"),
            (0.1, "0.1"),
            (12, "12"),
            ("1e3", "1000"),
            ("100", "100"),
            (Decimal("1E+3"), "1000"),
            ("-0.0", "0"),
            ("0e9999", "0"),
        ],
    )
    def test_returns_what_was_written(self, value, expected):
        assert str(parse(value)) == expected

    @given(finite)
    def test_gives_back_every_number_that_fits(self, number):
        parsed = parse(str(number), max_digits=16, decimal_places=6)

        assert parsed == number
        assert "E" not in str(parsed) or abs(number) < Decimal("0.00001")

    @given(st.one_of(st.text(), st.floats(), st.integers(), st.decimals(), st.booleans(), st.none()))
    def test_never_fails_but_with_its_own_errors(self, value):
        try:
            parsed = parse(value)
        except Invalid:
            return

        assert parsed.is_finite()
        assert abs(parsed) < 10**10


class TestRoundHalfUp:
    @pytest.mark.parametrize(
        ("value", "cents"), [("0.005", "0.01"), ("-0.005", "-0.01"), ("2.675", "2.68"), ("1.0049", "1.00")]
    )
    def test_rounds_halves_away_from_zero(self, value, cents):
        assert str(units.to_cents(Decimal(value))) == cents

    @given(finite, st.integers(0, 5))
    def test_moves_no_number_by_more_than_half_a_step_and_only_once(self, number, places):
        rounded = units.round_half_up(number, places)

        assert abs(rounded - number) * 2 <= Decimal(1).scaleb(-places)
        assert units.round_half_up(rounded, places) == rounded


class TestEnergy:
    def test_turns_gas_into_kwh_by_its_calorific_value(self):
        kwh = units.kwh_of_gas(Decimal(100), calorific_mj_m3=Decimal("39.5"), correction=Decimal("1.02264"))

        assert units.round_half_up(kwh, 2) == Decimal("1122.06")

    @given(st.decimals(0, 100_000, places=3), st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(24)]))
    def test_goes_from_watts_to_kwh_and_back(self, watts, hours):
        assert units.watts_of_kwh(units.kwh_of_watts(watts, hours), hours) == watts

    def test_knows_no_power_over_no_time(self):
        with pytest.raises(ValueError, match="0 hours"):
            units.watts_of_kwh(Decimal(1), Decimal(0))
