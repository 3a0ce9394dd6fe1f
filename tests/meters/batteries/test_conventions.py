from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import UnknownZone
from meters.batteries.conventions import EPOCH, NEVER, UNIX_EPOCH_US, BadConvention, Terms, UnknownUnit, split_heading
from meters.batteries.quantities import System

READER = duckdb.connect()


@dataclass
class Written:
    charge_is_positive: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    time_column: str = ""
    zone: str = ""
    clock_offset_seconds: float = 0.0


def us(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


class TestNames:
    def test_are_the_published_ones_where_nothing_is_told(self) -> None:
        assert Terms.of(None).names["soc"] == "soc"

    def test_are_theirs_beside_the_published_ones(self) -> None:
        terms = Terms.of(Written(columns={"SOC_sys": "soc"}))

        assert (terms.own_name("soc_SYS"), terms.own_name("voltage"), terms.own_name("door")) == (
            "soc",
            "voltage",
            None,
        )

    def test_do_not_mind_case_and_spaces(self) -> None:
        assert Terms().own_name(" Cell Max-Voltage") == "cell_max_voltage"

    def test_refuse_a_signal_that_there_is_none_of(self) -> None:
        with pytest.raises(BadConvention, match="wattage"):
            Terms.of(Written(columns={"P": "wattage"}))

    @pytest.mark.parametrize(
        ("heading", "expected"),
        [("soc(%)", ("soc", "%")), ("voltage [mV]", ("voltage", "mV")), ("soc", ("soc", "")), ("(V)", ("(V)", ""))],
    )
    def test_come_with_units_in_headings(self, heading: str, expected: tuple[str, str]) -> None:
        assert split_heading(heading) == expected


class TestToOwn:
    @pytest.mark.parametrize(
        ("system", "name", "unit", "theirs", "own"),
        [
            (System.BMS, "cell_max_voltage", "mV", 3285, 3.285),
            (System.BMS, "voltage", "kV", 0.8323, 832.3),
            (System.BMS, "soc", "fraction", 0.501, 50.1),
            (System.PCS, "apparent_power", "W", 150_500, 150.5),
            (System.PCS, "apparent_power", "MW", 0.1505, 150.5),
            (System.PCS, "apparent_power", "kVA", 150.5, 150.5),
            (System.PCS, "temp_igbt", "K", 318.35, 45.2),
            (System.PCS, "temp_igbt", "°F", 113, 45.0),
            (System.BMS, "cell_temp_diff", "K", 5.2, 5.2),
            (System.BMS, "cell_temp_diff", "°F", 9, 5.0),
            (System.BMS, "voltage", "v", 832.3, 832.3),
        ],
    )
    def test_converts_units(self, system: System, name: str, unit: str, theirs: float, own: float) -> None:
        terms = Terms.of(Written(units={name: unit}))

        assert terms.to_own(system, name, np.array([theirs]))[0] == pytest.approx(own)

    def test_turns_currents_and_powers_round_and_nothing_else(self) -> None:
        terms = Terms.of(Written(charge_is_positive=True))

        turned = terms.to_own(System.BMS, "current", np.array([150.0]))[0]

        assert (turned, terms.to_own(System.BMS, "voltage", np.array([800.0]))[0]) == (-150.0, 800.0)

    def test_leaves_missing_missing(self) -> None:
        assert np.isnan(Terms().to_own(System.BMS, "soc", np.array([np.nan]))[0])

    def test_refuses_a_unit_that_cannot_be_converted(self) -> None:
        with pytest.raises(UnknownUnit, match="bananas") as refusal:
            Terms.of(Written(units={"voltage": "bananas"}))

        assert refusal.value.code == "unknown_unit"

    def test_goes_by_the_convention_before_the_heading(self) -> None:
        terms = Terms.of(Written(units={"voltage": "mV"}))

        assert terms.to_own(System.BMS, "voltage", np.array([832_300.0]), "V")[0] == pytest.approx(832.3)


class TestTimes:
    NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        "written",
        [
            "2025-03-01T12:00:00Z",
            "2025-03-01 13:00:00+01:00",
            "2025-03-01 12:00:00.000",
            " 1740830400 ",
            1740830400,
            1740830400.0,
            1740830400000,
            1740830400000000,
            1740830400000000000,
            datetime(2025, 3, 1, 20, tzinfo=timezone(timedelta(hours=8))),
        ],
    )
    def test_are_read_in_every_form(self, written: object) -> None:
        assert Terms().times_us([written]).tolist() == [us(self.NOON)]

    def test_are_read_from_arrays(self) -> None:
        assert Terms().times_us(np.array([1740830400.5, np.nan])).tolist() == [us(self.NOON) + 500_000, NEVER]

    @pytest.mark.parametrize("written", ["", "noon", None, True, "nan", "inf", "2025-13-01"])
    def test_are_never_where_they_cannot_be_read(self, written: object) -> None:
        assert Terms().times_us([written]).tolist() == [NEVER]

    def test_lose_the_offset_of_the_clock(self) -> None:
        terms = Terms.of(Written(clock_offset_seconds=-2.5))

        assert terms.times_us(["2025-03-01T11:59:57.5Z"]).tolist() == [us(self.NOON)]

    def test_are_of_the_zone_where_they_are_naive(self) -> None:
        assert Terms.of(Written(zone="Asia/Singapore")).times_us(["2025-03-01 20:00"]).tolist() == [us(self.NOON)]

    def test_refuse_a_zone_that_is_none(self) -> None:
        with pytest.raises(UnknownZone):
            Terms.of(Written(zone="Mars/Base"))


class TestNaiveTimes:
    @given(
        name=st.sampled_from(["Europe/Berlin", "Asia/Singapore", "America/New_York", "Australia/Lord_Howe", "UTC"]),
        at=st.datetimes(datetime(2019, 1, 2), datetime(2026, 12, 30))
        | st.datetimes(datetime(2025, 3, 30), datetime(2025, 3, 31))
        | st.datetimes(datetime(2025, 4, 6), datetime(2025, 4, 7))
        | st.datetimes(datetime(2025, 10, 26), datetime(2025, 10, 27)),
    )
    def test_are_read_as_the_reader_of_files_reads_them(self, name: str, at: datetime) -> None:
        READER.execute(f"SET TimeZone = '{name}'")
        (expected,) = READER.execute("SELECT epoch_us(?::VARCHAR::TIMESTAMPTZ)", [at.isoformat()]).fetchone() or ()

        assert Terms.of(Written(zone=name)).times_us([at.isoformat()])[0] == expected - UNIX_EPOCH_US
