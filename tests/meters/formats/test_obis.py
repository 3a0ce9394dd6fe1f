import pytest

from meters.formats.obis import UNITS, USUAL_CODE, commodity_of, register_code


class TestRegisterCode:
    @pytest.mark.parametrize(
        ("written", "code"),
        [
            ("1-0:1.8.0*255", "1.8.0"),
            ("1-1:2.8.1", "2.8.1"),
            ("1.8.0", "1.8.0"),
            ("7-0:3.0.0*255", "7-0:3.0.0"),
            ("8-0:1.0.0", "8-0:1.0.0"),
            ("Q1", "Q1"),
            ("", ""),
        ],
    )
    def test_is_the_portals_own(self, written, code):
        assert register_code(written) == code


class TestCommodityOf:
    @pytest.mark.parametrize(
        ("code", "unit", "commodity"),
        [
            ("1.8.0", "", "electric"),
            ("2.8.0", "kWh", "electric"),
            ("1-0:1.8.0", "kWh", "electric"),
            ("6-0:1.0.0", "kWh", "heat"),
            ("7-0:3.0.0", "m³", "gas"),
            ("8-0:1.0.0", "m³", "water"),
            ("9-0:1.0.0", "m³", "water"),
            ("", "GJ", "heat"),
            ("", "kWh", "electric"),
            ("", "m³", None),
            ("", "", None),
            ("1.8.0", "m³", None),
            ("0-1:24.2.1", "m³", None),
        ],
    )
    def test_goes_by_the_code_then_by_the_unit(self, code, unit, commodity):
        assert commodity_of(code, unit) == commodity

    def test_knows_the_usual_codes_that_it_gives(self):
        assert {commodity_of(code, "") for code in USUAL_CODE.values()} == set(UNITS)
