import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.batteries.checks import (
    Cause,
    Nameplate,
    Newest,
    Rows,
    derating,
    glance,
    ponder,
    rest_spread,
    soc_mismatch,
    stuck_signals,
)
from meters.batteries.quantities import COLUMNS, System

PLATE = Nameplate(
    cells_in_series=260,
    capacity_ah=280.0,
    rated_power_kw=100.0,
    current_limit_a=280.0,
    soc=(5.0, 95.0),
    cell_voltage=(2.8, 3.6),
    cell_temp=(5.0, 45.0),
    igbt_temp_high_c=85.0,
)
UNKNOWN = replace(PLATE, cells_in_series=None, capacity_ah=None, rated_power_kw=None, current_limit_a=None)
HOUR_US = 3_600_000_000
MINUTES = np.arange(0, 901, 10)


def rows(system: System, seconds: np.ndarray | None = None, **told: object) -> Rows:
    at = MINUTES if seconds is None else seconds
    values = {column: np.full(at.size, np.nan) for column in COLUMNS[system]}
    values |= {name: np.broadcast_to(np.asarray(value, np.float64), at.size).copy() for name, value in told.items()}
    return Rows((at * 1_000_000).astype(np.int64), values)


def bms(seconds: np.ndarray | None = None, **told: object) -> Rows:
    return rows(System.BMS, seconds, **told)


def pcs(seconds: np.ndarray | None = None, **told: object) -> Rows:
    return rows(System.PCS, seconds, **told)


def seen(bms: dict[str, float] | None = None, pcs: dict[str, float] | None = None, *, apart: int = 0, plate=PLATE):
    systems = Newest(0, bms) if bms else None, Newest(apart * 1_000_000, pcs) if pcs else None
    return {found.quantity: found.value for found in glance(*systems, plate)}


class TestGlance:
    def test_judges_the_spread_of_cells_only_while_current_flows(self) -> None:
        assert seen({"current_a": -14.0, "cell_voltage_diff_v": 0.2}) == pytest.approx(
            {"cell_spread_load_v": 0.2, "current_of_limit_percent": 5.0}
        )
        assert "cell_spread_load_v" not in seen({"current_a": 13.9, "cell_voltage_diff_v": 0.2})

    def test_reckons_a_spread_that_is_not_told(self) -> None:
        found = seen({"current_a": 140.0, "cell_max_voltage_v": 3.4, "cell_min_voltage_v": 3.1})

        assert found["cell_spread_load_v"] == pytest.approx(0.3)

    @pytest.mark.parametrize(("soc", "excess"), [(96.5, 1.5), (95.0, 0.0), (4.0, 1.0), (50.0, -45.0)])
    def test_tells_how_far_outside_of_its_window_it_is(self, soc: float, excess: float) -> None:
        assert seen({"soc_percent": soc}) == {"soc_excess_percent": excess}

    def test_judges_each_cell_by_the_cells_limits(self) -> None:
        found = seen({"cell_min_voltage_v": 2.75, "cell_max_voltage_v": 3.2})

        assert found == {"cell_voltage_excess_v": pytest.approx(0.05)}

    def test_takes_half_the_spread_for_the_hottest_and_the_coldest_cell(self) -> None:
        found = seen({"cell_avg_temp_c": 43.0, "cell_temp_diff_c": 6.0})

        assert found == {"cell_temp_spread_c": 6.0, "cell_temp_excess_c": 1.0}
        assert seen({"cell_avg_temp_c": 6.0, "cell_temp_diff_c": 4.0})["cell_temp_excess_c"] == 1.0

    def test_holds_the_pack_against_its_cells(self) -> None:
        found = seen({"voltage_v": 832.0, "cell_avg_voltage_v": 3.26})

        assert found["pack_against_cells_percent"] == pytest.approx(abs(832 - 847.6) / 847.6 * 100)
        assert found["pack_voltage_excess_v"] == pytest.approx(832 - 936)

    def test_holds_both_systems_against_each_other_of_one_moment(self) -> None:
        both = {"voltage_v": 800.0, "current_a": 100.0}, {"dc_voltage_v": 792.0, "dc_current_a": 128.0}

        found = seen(*both, apart=2)

        assert found["dc_voltage_gap_percent"] == pytest.approx(1.0)
        assert found["dc_current_gap_percent"] == pytest.approx(10.0)
        assert not [name for name in seen(*both, apart=3) if name.startswith("dc_")]

    def test_judges_the_igbt(self) -> None:
        assert seen(pcs={"temp_igbt_c": 90.0}) == {"igbt_temp_excess_c": 5.0}

    def test_says_nothing_of_what_is_missing(self) -> None:
        told = {"current_a": 200.0, "cell_voltage_diff_v": 0.2, "voltage_v": 800.0, "cell_avg_voltage_v": 3.1}

        assert seen(told, plate=UNKNOWN) == {}
        assert seen({}, {}) == {}


class TestRestSpread:
    def found(self, rows: Rows, plate: Nameplate = PLATE) -> list[float | None]:
        return [each.value for each in rest_spread(rows, plate)]

    def test_is_told_after_ten_minutes_of_rest(self) -> None:
        current = np.where(MINUTES < 300, 140.0, 1.0)

        assert self.found(bms(current_a=current, cell_voltage_diff_v=0.02)) == [0.02]

    def test_is_not_told_where_it_rests_for_less(self) -> None:
        current = np.where(MINUTES <= 300, 140.0, 1.0)

        assert self.found(bms(current_a=current, cell_voltage_diff_v=0.02)) == []

    def test_is_not_told_where_a_part_of_the_rest_is_unknown(self) -> None:
        current = np.where((MINUTES > 500) & (MINUTES < 600), np.nan, 1.0)

        assert self.found(bms(current_a=current, cell_voltage_diff_v=0.02)) == []

    def test_is_not_told_of_a_battery_of_unknown_capacity(self) -> None:
        assert self.found(bms(current_a=1.0, cell_voltage_diff_v=0.02), UNKNOWN) == []

    def test_is_of_the_last_minute_and_of_no_single_value(self) -> None:
        spread = np.where(MINUTES > 840, 0.03, 0.5)
        spread[-1] = 0.9

        assert self.found(bms(current_a=1.0, cell_voltage_diff_v=spread)) == [0.03]


class TestSocMismatch:
    def found(self, rows: Rows, plate: Nameplate = PLATE) -> float | None:
        return next((each.value for each in soc_mismatch(rows, plate)), None)

    def test_is_nothing_where_the_soc_follows_the_charge(self) -> None:
        soc = 80 - 140 * MINUTES / 3600 / 280 * 100

        assert self.found(bms(soc_percent=soc, current_a=140.0)) == pytest.approx(0.0, abs=1e-9)

    def test_is_the_jump_of_a_soc_that_jumps(self) -> None:
        soc = 80 - 140 * MINUTES / 3600 / 280 * 100 - np.where(MINUTES > 450, 5, 0)

        assert self.found(bms(soc_percent=soc, current_a=140.0)) == pytest.approx(5.0)

    def test_is_the_charge_that_a_standing_soc_does_not_show(self) -> None:
        assert self.found(bms(soc_percent=60.0, current_a=-140.0)) == pytest.approx(12.5)

    def test_counts_the_capacity_that_is_left(self) -> None:
        soc = 80 - 140 * MINUTES / 3600 / 140 * 100

        assert self.found(bms(soc_percent=soc, current_a=140.0, soh_percent=50.0)) == pytest.approx(0.0, abs=1e-9)

    def test_does_not_reach_over_a_gap(self) -> None:
        seconds = np.array([0, 30, 600, 630])

        assert self.found(bms(seconds, soc_percent=[80, 80, 40, 40], current_a=0.0)) == 0.0

    def test_is_not_known_without_current_or_capacity(self) -> None:
        assert self.found(bms(soc_percent=60.0)) is None
        assert self.found(bms(soc_percent=60.0, current_a=1.0), UNKNOWN) is None


COOL = {"cell_avg_temp_c": 25.0, "cell_temp_diff_c": 4.0, "cell_max_voltage_v": 3.3, "cell_min_voltage_v": 3.2}


class TestDerating:
    def test_by_a_hot_igbt_is_held_against_what_was_delivered_before_it(self) -> None:
        power = np.where(MINUTES < 600, 80.0, 40.0)
        igbt = np.where(MINUTES < 595, 60.0, 82.0)

        found = derating(bms(**COOL), pcs(apparent_power_kw=power, temp_igbt_c=igbt), PLATE)

        assert found == {Cause.IGBT_TEMP: 50.0, Cause.CELL_TEMP: 0.0, Cause.CELL_VOLTAGE: 0.0}

    def test_is_held_against_the_rated_power_where_it_lasts(self) -> None:
        hot = {**COOL, "cell_avg_temp_c": 41.0}

        found = derating(bms(**hot), pcs(apparent_power_kw=-70.0, temp_igbt_c=60.0), PLATE)

        assert found[Cause.CELL_TEMP] == pytest.approx(30.0)

    def test_knows_the_end_of_a_charge_from_the_end_of_a_discharge(self) -> None:
        full = {**COOL, "cell_max_voltage_v": 3.56}

        shares = [
            derating(bms(**full), pcs(apparent_power_kw=kw, temp_igbt_c=60.0), PLATE)[Cause.CELL_VOLTAGE]
            for kw in (-20.0, 20.0)
        ]

        assert shares == [pytest.approx(80.0), 0.0]

    def test_is_none_where_less_power_has_no_cause(self) -> None:
        power = np.where(MINUTES < 600, 80.0, 40.0)

        found = derating(bms(**COOL), pcs(apparent_power_kw=power, temp_igbt_c=60.0), PLATE)

        assert set(found.values()) == {0.0}

    def test_is_none_of_an_idle_battery(self) -> None:
        assert set(derating(bms(), pcs(apparent_power_kw=1.0, temp_igbt_c=90.0), PLATE).values()) == {0.0}

    def test_is_not_known_where_what_would_tell_the_cause_is_missing(self) -> None:
        found = derating(bms(), pcs(apparent_power_kw=40.0, temp_igbt_c=60.0), PLATE)

        assert found == {Cause.IGBT_TEMP: 0.0, Cause.CELL_TEMP: None, Cause.CELL_VOLTAGE: None}

    def test_is_not_known_without_rated_power_or_power(self) -> None:
        assert set(derating(bms(**COOL), pcs(apparent_power_kw=40.0), UNKNOWN).values()) == {None}
        assert derating(bms(**COOL), pcs(temp_igbt_c=60.0), PLATE) == {}


class TestStuckSignals:
    def found(self, bms: Rows, pcs: Rows, plate: Nameplate = PLATE) -> dict[str, float | None]:
        return {each.quantity: each.value for each in stuck_signals(bms, pcs, plate)}

    def test_are_those_that_stand_while_the_current_moves(self) -> None:
        current = np.linspace(0, 100, MINUTES.size)

        found = self.found(bms(voltage_v=800.0, current_a=current), pcs(dc_current_a=current))

        assert found["stuck_pack_voltage_minutes"] == 15
        assert found["stuck_current_minutes"] == found["stuck_dc_current_minutes"] == 0

    def test_count_from_the_last_value_that_was_another(self) -> None:
        volts = np.where(MINUTES <= 290, 801.0, 800.0)

        found = self.found(bms(voltage_v=volts, current_a=np.linspace(0, 200, MINUTES.size)), pcs())

        assert found["stuck_pack_voltage_minutes"] == 10

    def test_are_none_at_rest(self) -> None:
        found = self.found(bms(voltage_v=800.0, current_a=np.linspace(0, 50, MINUTES.size)), pcs())

        assert found["stuck_pack_voltage_minutes"] == 0

    def test_may_be_a_steady_current_that_the_other_system_sees_move(self) -> None:
        found = self.found(bms(current_a=50.0), pcs(dc_current_a=np.linspace(0, 100, MINUTES.size)))

        assert found["stuck_current_minutes"] == 15

    def test_are_the_worst_of_a_group(self) -> None:
        moving = np.linspace(3.2, 3.4, MINUTES.size)
        told = {"cell_max_voltage_v": moving, "cell_min_voltage_v": 3.2}

        found = self.found(bms(current_a=moving * 500, **told), pcs())

        assert found["stuck_cell_voltage_minutes"] == 15

    def test_may_be_an_igbt_that_does_not_warm(self) -> None:
        found = self.found(bms(), pcs(temp_igbt_c=40.0, apparent_power_kw=np.linspace(0, 100, MINUTES.size)))

        assert found == {"stuck_igbt_temp_minutes": 15}

    def test_are_not_known_of_few_values_or_without_what_drives_them(self) -> None:
        few = np.arange(0, 900, 60)

        assert self.found(bms(voltage_v=800.0), pcs()) == {}
        assert self.found(bms(few, voltage_v=800.0, current_a=few), pcs()) == {}
        assert self.found(bms(voltage_v=800.0, current_a=MINUTES), pcs(), UNKNOWN) == {}


class TestPonder:
    def test_stands_on_the_newest_value_of_each_signal(self) -> None:
        soc = np.where(MINUTES == 850, 97.0, np.nan)
        volts = np.where(MINUTES == 830, 3.7, np.nan)

        found = {
            each.quantity: each.value for each in ponder(bms(soc_percent=soc, cell_max_voltage_v=volts), pcs(), PLATE)
        }

        assert found == {"soc_excess_percent": 2.0}

    def test_says_nothing_of_nothing(self) -> None:
        nothing = np.zeros(0, np.int64)

        assert list(ponder(bms(nothing), pcs(nothing), PLATE)) == []

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 900),
                st.lists(st.none() | st.floats(-1000, 1000, width=32), min_size=22, max_size=22),
            ),
            max_size=12,
            unique_by=lambda row: row[0],
        ),
        st.sampled_from([PLATE, UNKNOWN]),
    )
    def test_finds_a_number_or_nothing_in_whatever_is_told(self, told, plate: Nameplate) -> None:
        told = sorted(told, key=lambda row: row[0])
        seconds = np.array([second for second, _ in told], np.int64)
        names = [*COLUMNS[System.BMS], *COLUMNS[System.PCS]]
        values = {name: np.array([row[place] for _, row in told], np.float64) for place, name in enumerate(names)}
        systems = [rows(system, seconds, **{name: values[name] for name in COLUMNS[system]}) for system in System]

        for found in ponder(*systems, plate):
            assert found.value is None or math.isfinite(found.value)
            assert found.at <= 900_000_000
