from copy import deepcopy
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rating.terms import DemandTerms, EnergyTerms, FixedTerms, Kind, MinimumTerms, Per
from billing.urdb import Level, NotARate, decode_document

NIGHT_AND_DAY = [0] * 8 + [1] * 14 + [0] * 2


def a_rate(**changed):
    rate = {
        "label": "0123456789abcdef01234567",
        "uri": "https://example.org/rate/view/0123456789abcdef01234567",
        "utility": "Harbour Light and Power",
        "name": "Residential Time-of-Use",
        "startdate": 1727762400,
        "sector": "Residential",
        "description": "Night and day.",
        "source": "https://example.org/tariffs.pdf",
        "energyratestructure": [
            [{"unit": "kWh", "rate": Decimal("0.11"), "adj": Decimal("0.002")}],
            [{"unit": "kWh", "rate": Decimal("0.31")}],
        ],
        "energytoulabels": ["Night", "Day"],
        "energyweekdayschedule": [NIGHT_AND_DAY] * 12,
        "energyweekendschedule": [[0] * 24] * 12,
        "country": "USA",
    }
    return deepcopy({name: value for name, value in (rate | changed).items() if value is not None})


def decoded(**changed):
    return decode_document(a_rate(**changed))[0]


def said(rate, level):
    return {remark.path: remark.text for remark in rate.remarks if remark.level is level}


def charge_of(rate, kind):
    return next((charge.terms for charge in rate.charges if charge.kind is kind), None)


class TestDecodeDocument:
    @pytest.mark.parametrize("wrap", [lambda rate: rate, lambda rate: [rate], lambda rate: {"items": [rate]}])
    def test_reads_an_object_with_items_a_rate_and_a_list(self, wrap):
        rates = decode_document(wrap(a_rate()))

        assert [rate.identity.name for rate in rates] == ["Residential Time-of-Use"]

    @pytest.mark.parametrize("data", [None, "text", [], {"items": []}, {"items": [3]}, {"errors": [{}]}])
    def test_refuses_what_holds_no_rate(self, data):
        with pytest.raises(NotARate):
            decode_document(data)

    def test_finds_nothing_wrong_with_a_sound_rate(self):
        rate = decoded()

        assert not said(rate, Level.FAULT)
        assert not said(rate, Level.WARNING)

    @given(st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda some: st.lists(some, max_size=3)))
    def test_names_a_fault_whatever_stands_in_place_of_prices(self, junk):
        for member in ("energyratestructure", "energyweekdayschedule"):
            rate = decode_document(a_rate() | {member: junk})[0]
            assert rate.faults or (member.endswith("schedule") and junk is None)


class TestEnergy:
    def test_adds_adjustments_to_rates_exactly(self):
        terms = charge_of(decoded(), Kind.ENERGY)

        assert isinstance(terms, EnergyTerms)
        assert [period.tiers[0].rate for period in terms.periods] == [Decimal("0.112"), Decimal("0.31")]
        assert [period.name for period in terms.periods] == ["Night", "Day"]
        assert terms.weekday[0] == tuple(NIGHT_AND_DAY)

    def test_reads_tiers_that_count_a_day(self):
        tiers = [[{"max": 10, "unit": "kWh daily", "rate": 0.1}, {"unit": "kWh daily", "rate": 0.2}]]
        rate = decoded(
            energyratestructure=tiers,
            energytoulabels=None,
            energyweekdayschedule=None,
            energyweekendschedule=None,
        )

        terms = charge_of(rate, Kind.ENERGY)
        assert terms.tiers_per is Per.DAY
        assert [(tier.up_to, tier.rate) for tier in terms.periods[0].tiers] == [
            (Decimal(10), Decimal("0.1")),
            (None, Decimal("0.2")),
        ]

    def test_credits_exported_energy_at_its_sell_price(self):
        structure = [[{"rate": 0.2, "sell": 0.05}], [{"rate": 0.3, "sell": 0.08}]]

        terms = charge_of(decoded(energyratestructure=structure), Kind.EXPORT)

        assert [period.tiers[0].rate for period in terms.periods] == [Decimal("0.05"), Decimal("0.08")]

    @pytest.mark.parametrize(
        ("structure", "path"),
        [
            ([[{"rate": 0.1}, {"rate": 0.2}], [{"rate": 0.3}]], "energyratestructure[0][0].max"),
            (
                [[{"rate": 0.1, "max": 9}, {"rate": 0.2, "max": 9}, {"rate": 1}], [{"rate": 0.3}]],
                "energyratestructure[0][1].max",
            ),
            ([[{"unit": "kWh"}], [{"rate": 0.3}]], "energyratestructure[0][0].rate"),
            ([[{"rate": "dear"}], [{"rate": 0.3}]], "energyratestructure[0][0].rate"),
            ([[], [{"rate": 0.3}]], "energyratestructure[0]"),
            (
                [[{"rate": 0.1, "max": 9, "unit": "kWh/kW"}, {"rate": 0.2, "unit": "kWh/kW"}], [{"rate": 0.3}]],
                "energyratestructure[0][0].unit",
            ),
        ],
    )
    def test_names_the_place_of_a_price_that_nothing_can_be_charged_by(self, structure, path):
        assert path in said(decoded(energyratestructure=structure), Level.FAULT)

    def test_names_a_period_that_the_tables_use_and_nothing_prices(self):
        table = [NIGHT_AND_DAY] * 11 + [[0] * 23 + [4]]

        faults = said(decoded(energyweekdayschedule=table), Level.FAULT)

        assert "energyweekdayschedule[11][23]" in faults
        assert "0 to 1" in faults["energyweekdayschedule[11][23]"]

    def test_names_a_period_that_has_prices_and_no_hour(self):
        rate = decoded(energyweekdayschedule=[[0] * 24] * 12)

        assert "energyratestructure[1]" in said(rate, Level.WARNING)
        assert not rate.faults

    @pytest.mark.parametrize(
        ("table", "path", "words"),
        [
            ([NIGHT_AND_DAY] * 11, "energyweekdayschedule", "there are 11"),
            ([NIGHT_AND_DAY[1:]] + [NIGHT_AND_DAY] * 11, "energyweekdayschedule[0]", "there are 23"),
        ],
    )
    def test_names_rows_and_months_that_are_missing(self, table, path, words):
        assert words in said(decoded(energyweekdayschedule=table), Level.FAULT)[path]

    def test_takes_weekdays_for_weekends_that_are_missing_and_says_so(self):
        rate = decoded(energyweekendschedule=None)

        terms = charge_of(rate, Kind.ENERGY)
        assert terms.weekend == terms.weekday
        assert "energyweekendschedule" in said(rate, Level.WARNING)

    def test_calls_periods_without_names_by_their_numbers(self):
        rate = decoded(energytoulabels=None)

        assert [period.name for period in charge_of(rate, Kind.ENERGY).periods] == ["Period 0", "Period 1"]
        assert "energytoulabels" in said(rate, Level.NOTE)


class TestDemand:
    def test_reads_demand_of_all_hours(self):
        rate = decoded(flatdemandstructure=[[{"rate": 25.36}]], flatdemandmonths=[0] * 12, flatdemandunit="kW")

        terms = charge_of(rate, Kind.DEMAND)
        assert isinstance(terms, DemandTerms)
        assert terms.periods[0].tiers[0].rate == Decimal("25.36")
        assert terms.weekday is None

    def test_makes_a_table_of_demand_that_differs_by_month(self):
        months = [0] * 5 + [1] * 4 + [0] * 3
        rate = decoded(flatdemandstructure=[[{"rate": 2}], [{"rate": 9}]], flatdemandmonths=months)

        terms = charge_of(rate, Kind.DEMAND)
        assert [row[0] for row in terms.weekday] == months
        assert terms.weekday == terms.weekend

    def test_reads_demand_by_time_of_use(self):
        rate = decoded(
            demandratestructure=[[{"rate": 0}], [{"rate": 8.83}]],
            demandweekdayschedule=[NIGHT_AND_DAY] * 12,
            demandweekendschedule=[[0] * 24] * 12,
        )

        assert charge_of(rate, Kind.DEMAND).weekday[0] == tuple(NIGHT_AND_DAY)

    def test_leaves_out_demand_that_costs_nothing_and_says_so(self):
        rate = decoded(flatdemandstructure=[[{"rate": 0, "adj": 0}]], flatdemandmonths=[0] * 12)

        assert charge_of(rate, Kind.DEMAND) is None
        assert "flatdemandstructure" in said(rate, Level.NOTE)

    @pytest.mark.parametrize("months", [[0] * 11, [0] * 11 + [1]])
    def test_names_months_that_are_missing_or_name_no_period(self, months):
        rate = decoded(flatdemandstructure=[[{"rate": 1}]], flatdemandmonths=months)

        assert next(fault.path for fault in rate.faults).startswith("flatdemandmonths")

    def test_leaves_out_demand_in_a_unit_that_is_not_metered(self):
        rate = decoded(flatdemandstructure=[[{"rate": 3}]], flatdemandunit="kVA")

        assert charge_of(rate, Kind.DEMAND) is None
        assert "kVA" in said(rate, Level.WARNING)["flatdemandstructure"]


class TestAmounts:
    @pytest.mark.parametrize(("unit", "per"), [("$/month", Per.MONTH), ("$/day", Per.DAY)])
    def test_reads_fixed_charges_and_minima(self, unit, per):
        rate = decoded(fixedchargefirstmeter=10, fixedchargeunits=unit, mincharge=Decimal("0.5"), minchargeunits=unit)

        assert charge_of(rate, Kind.FIXED) == FixedTerms(Decimal(10), per)
        assert charge_of(rate, Kind.MINIMUM) == MinimumTerms(Decimal("0.5"), per)

    def test_reads_amounts_of_older_rates(self):
        rate = decoded(fixedmonthlycharge=7, minmonthlycharge=9)

        assert charge_of(rate, Kind.FIXED) == FixedTerms(Decimal(7), Per.MONTH)
        assert charge_of(rate, Kind.MINIMUM) == MinimumTerms(Decimal(9), Per.MONTH)

    def test_leaves_out_amounts_a_year_with_a_warning(self):
        rate = decoded(annualmincharge=120)

        assert charge_of(rate, Kind.MINIMUM) is None
        assert "annualmincharge" in said(rate, Level.WARNING)


class TestWhatIsNotCharged:
    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("demandreactivepowercharge", 0.52),
            ("coincratestructure", [[{"rate": 4}]]),
            ("demandratchetpercentage", [0] * 11 + [80]),
            ("fueladjustmentsmonthly", [0.01] * 12),
            ("dgrules", "Net Metering"),
        ],
    )
    def test_warns_of_what_would_change_the_price(self, member, value):
        assert member in said(decoded(**{member: value}), Level.WARNING)

    @pytest.mark.parametrize("value", [0, None])
    def test_is_silent_on_charges_of_nothing(self, value):
        assert "demandreactivepowercharge" not in said(decoded(demandreactivepowercharge=value), Level.WARNING)

    def test_warns_of_a_demand_window_that_is_not_a_half_hour(self):
        rate = decoded(flatdemandstructure=[[{"rate": 3}]], demandwindow=15)

        assert "15 minutes" in said(rate, Level.WARNING)["demandwindow"]

    @pytest.mark.parametrize("member", ["voltagemaximum", "peakkwcapacitymin", "phasewiring"])
    def test_notes_conditions_that_nobody_checks(self, member):
        assert member in said(decoded(**{member: 500}), Level.NOTE)

    def test_notes_members_that_it_does_not_know(self):
        assert "energyattrs" in said(decoded(energyattrs=[{"Rider": "A"}]), Level.NOTE)


class TestIdentity:
    def test_takes_the_day_of_utc_seconds_and_says_the_instant(self):
        rate = decoded(startdate=1727762400)

        assert rate.identity.start == date(2024, 10, 1)
        assert "06:00 UTC" in said(rate, Level.NOTE)["startdate"]

    def test_ends_after_the_last_day(self):
        assert decoded(enddate=1735689600).identity.end == date(2025, 1, 2)

    def test_faults_an_end_before_the_start(self):
        assert "enddate" in said(decoded(enddate=1700000000), Level.FAULT)

    @pytest.mark.parametrize(("country", "currency"), [("USA", "USD"), ("SGP", "SGD"), (None, "USD")])
    def test_takes_the_currency_of_the_country(self, country, currency):
        assert decoded(country=country).identity.currency == currency

    def test_asks_for_the_currency_of_a_country_that_it_does_not_know(self):
        assert "country" in said(decoded(country="Atlantis"), Level.FAULT)
        assert decode_document(a_rate(country="Atlantis"), currency="ATL")[0].identity.currency == "ATL"

    @pytest.mark.parametrize("text", ["Add Description", "Insert Energy Comments", "TODO", "n/a", "xxx"])
    def test_warns_of_texts_that_a_form_suggested(self, text):
        assert "energycomments" in said(decoded(energycomments=text), Level.WARNING)

    @pytest.mark.parametrize("text", ["Add 0.01 for renewable energy", "Testing of meters is free", "Night and day."])
    def test_leaves_true_texts_alone(self, text):
        assert "energycomments" not in said(decoded(energycomments=text), Level.WARNING)

    def test_warns_of_a_utility_under_the_number_of_another(self):
        assert "Southern California Edison" in said(decoded(eiaid=17609), Level.WARNING)["eiaid"]

    def test_warns_of_an_address_that_leads_to_another_rate(self):
        assert "uri" in said(decoded(uri="https://example.org/rate/view/ffff"), Level.WARNING)

    def test_warns_of_names_that_an_edit_left(self):
        warned = said(decoded(name="Residential (below 2kV) Neat Formatting"), Level.WARNING)

        assert {"name", "voltagemaximum"} <= warned.keys()

    def test_warns_of_tiers_that_only_the_description_has(self):
        assert "description" in said(decoded(description="Tiered energy charge."), Level.WARNING)

    def test_warns_of_a_peak_that_is_cheaper_than_off_peak(self):
        rate = decoded(energytoulabels=["On-Peak", "Off-Peak"])

        assert "energytoulabels[1]" in said(rate, Level.WARNING)


class TestComparison:
    def test_warns_of_one_label_on_rates_of_two_utilities(self):
        rates = decode_document([a_rate(), a_rate(utility="Valley Electric", name="Large Power", supersedes=None)])

        for rate, other in zip(rates, ("Valley Electric", "Harbour Light"), strict=True):
            warning = said(rate, Level.WARNING)["label"]
            assert other in warning
            assert "startdate" in warning

    def test_notes_one_fixed_charge_in_two_schedules(self):
        amounts = {"fixedchargefirstmeter": 447.44, "fixedchargeunits": "$/month"}
        other = a_rate(label="f" * 24, uri=None, name="Large Power", **amounts)

        rates = decode_document([a_rate(**amounts), other])

        assert "Large Power" in said(rates[0], Level.NOTE)["fixedchargefirstmeter"]

    def test_warns_of_two_rates_that_supersede_the_same(self):
        gone = "a" * 24
        rates = decode_document([a_rate(supersedes=gone), a_rate(label="f" * 24, uri=None, name="B", supersedes=gone)])

        assert "supersedes" in said(rates[1], Level.WARNING)
