import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.batteries.rollup import BMS_COLUMNS, PCS_COLUMNS, QUARTER_US, Quarter, Told, Windows, quarters
from tests.meters.batteries.slow_quarters import slow_quarter

START = 800_000 * QUARTER_US
WINDOWS = Windows(soc=(5.0, 95.0), cell_voltage=(2.8, 3.6), cell_temp=(5.0, 45.0))

Rows = list[tuple[float, dict[str, float]]]


def told(columns: tuple[str, ...], rows: Rows) -> Told:
    rows = sorted(rows, key=lambda row: row[0])
    return Told(
        np.array([START + round(second * 1_000_000) for second, _ in rows], np.int64),
        {name: np.array([values.get(name, np.nan) for _, values in rows], np.float64) for name in columns},
    )


def roll(bms: Rows = (), pcs: Rows = (), count: int = 1) -> list[Quarter]:  # type: ignore[assignment]
    both = told(BMS_COLUMNS, list(bms)), told(PCS_COLUMNS, list(pcs))
    return [each for _, each in quarters(*both, WINDOWS, start=START, end=START + count * QUARTER_US)]


def power(second: float, kw: float) -> tuple[float, dict[str, float]]:
    return second, {"voltage_v": 800.0, "current_a": kw * 1000 / 800}


class TestEnergy:
    def test_is_power_by_the_time_that_it_stands(self) -> None:
        (quarter,) = roll([power(second, 80.0 if second < 300 else -40.0) for second in range(0, 900, 10)])

        assert quarter.covered_seconds == 900
        assert quarter.discharged_kwh == pytest.approx(80 * 300 / 3600)
        assert quarter.charged_kwh == pytest.approx(40 * 600 / 3600)
        assert quarter.discharged_ah == pytest.approx(100 * 300 / 3600)
        assert quarter.charged_ah == pytest.approx(50 * 600 / 3600)

    def test_stands_a_minute_at_most_and_is_unknown_after(self) -> None:
        (quarter,) = roll([power(0, 36.0), power(600, 36.0)])

        assert (quarter.covered_seconds, quarter.discharged_kwh) == (120, pytest.approx(36 * 120 / 3600))

    def test_stands_three_usual_steps_where_it_is_told_slowly(self) -> None:
        (quarter,) = roll([power(second, 36.0) for second in (-300, 0, 300, 600)])

        assert (quarter.covered_seconds, quarter.discharged_kwh) == (900, pytest.approx(9.0))

    def test_takes_no_interruption_for_a_rate(self) -> None:
        (quarter,) = roll([power(-400, 36.0), power(0, 36.0), power(450, 36.0)])

        assert quarter.covered_seconds == 120

    def test_is_unknown_where_one_of_voltage_and_current_is(self) -> None:
        (quarter,) = roll([(0, {"voltage_v": 800.0}), (30, {"current_a": 45.0})])

        assert (quarter.covered_seconds, quarter.discharged_ah) == (30, pytest.approx(45 * 30 / 3600))

    def test_is_no_zero_where_nothing_is_known(self) -> None:
        (quarter,) = roll([(0, {"soc_percent": 50.0})])

        assert quarter.covered_seconds == 0
        assert np.isnan([quarter.discharged_kwh, quarter.charged_kwh, quarter.discharged_ah]).all()
        assert quarter.is_known

    def test_goes_on_from_the_quarter_before(self) -> None:
        _, second = roll([power(890, 36.0)], count=2)

        assert (second.covered_seconds, second.discharged_kwh) == (50, pytest.approx(0.5))

    def test_of_the_ac_side_is_told_by_the_pcs(self) -> None:
        (quarter,) = roll(pcs=[(s, {"apparent_power_kw": -60.0}) for s in range(0, 450, 30)])

        assert (quarter.ac_covered_seconds, quarter.ac_charged_kwh) == (510, pytest.approx(8.5))
        assert quarter.covered_seconds == 0


class TestGauges:
    def test_say_how_far_things_went(self) -> None:
        (quarter,) = roll(
            [
                (0, {"soc_percent": 50.0, "cell_max_voltage_v": 3.3, "cell_min_voltage_v": 3.2, "soh_percent": 98.0}),
                (60, {"soc_percent": 40.0, "cell_max_voltage_v": 3.5, "cell_avg_temp_c": 30.0, "cell_temp_diff_c": 6}),
                (120, {"soc_percent": 45.0, "cell_min_voltage_v": 3.1, "cell_voltage_diff_v": 0.4}),
            ],
            [(0, {"temp_igbt_c": 60.0}), (5, {"temp_igbt_c": 71.0})],
        )

        soc = (quarter.soc_first_percent, quarter.soc_last_percent, quarter.soc_low_percent, quarter.soc_high_percent)
        assert soc == (50, 45, 40, 50)
        assert (quarter.cell_voltage_low_v, quarter.cell_voltage_high_v) == (3.1, 3.5)
        assert (quarter.cell_voltage_diff_high_v, quarter.soh_percent) == (0.4, 98)
        assert (quarter.cell_temp_low_c, quarter.cell_temp_high_c, quarter.igbt_temp_high_c) == (27, 33, 71)

    def test_count_the_seconds_outside_of_their_windows(self) -> None:
        (quarter,) = roll(
            [
                (0, {"soc_percent": 96.0, "cell_avg_temp_c": 43.0, "cell_temp_diff_c": 6.0, "cell_min_voltage_v": 2.7}),
                (20, {"soc_percent": 95.0, "cell_avg_temp_c": 41.0, "cell_max_voltage_v": 3.5}),
                (50, {"cell_min_voltage_v": 2.8}),
            ]
        )

        outside = quarter.soc_outside_seconds, quarter.voltage_outside_seconds, quarter.temp_outside_seconds
        assert outside == (20, 50, 20)

    def test_are_known_of_nothing_in_a_quarter_without_rows(self) -> None:
        (quarter,) = roll()

        assert not quarter.is_known


values = st.none() | st.sampled_from([-200.0, -50.0, 0.0, 3.0, 50.0, 96.0])
rows = st.dictionaries(st.integers(-900, 1799).map(lambda step: step // 2 * 2), st.tuples(values, values, values))
rates = st.sampled_from([10, 40, 180, 300])


class TestAgainstADefinitionSecondBySecond:
    @settings(max_examples=30)
    @given(rows, rates)
    def test_comes_to_the_same(self, rows: dict[int, tuple[float | None, ...]], rate: int) -> None:
        names = ("soc_percent", "voltage_v", "current_a")
        rows |= {second: (50.0, 700.0, 7.0) for second in range(-900 + rate, 400, rate) if second not in rows}
        told = [
            (second, {name: value for name, value in zip(names, each, strict=True) if value is not None})
            for second, each in sorted(rows.items())
        ]

        rolled = roll([(float(second), each) for second, each in told], count=2)

        for place, quarter in enumerate(rolled):
            by_signal = {name: [(at, each.get(name, np.nan)) for at, each in told] for name in names}
            wanted = slow_quarter(by_signal, place * 900)
            assert {name: getattr(quarter, name) for name in wanted} == pytest.approx(wanted, nan_ok=True)
