import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.insights.ageing import (
    COLUMNS,
    LIMITS,
    Course,
    Limit,
    Quantity,
    Reason,
    Rows,
    Trend,
    conditions_text,
    course_of,
    line_through,
    measure,
    outlook_text,
    trend_of,
)

MINUTE_US = 60_000_000
REST_A = 14.0
UP = Limit(0.05)


def rows(minutes: int, *, step_us: int = MINUTE_US, **values) -> Rows:
    """Rows a minute apart; what is not told of a column is missing."""
    usual = {"soc_percent": 42.0, "cell_avg_temp_c": 23.0, "current_a": 0.0, "voltage_v": 850.0}
    told = {**dict.fromkeys(COLUMNS, np.nan), **usual, **values}
    columns = {column: np.broadcast_to(np.asarray(told[column], float), minutes).copy() for column in COLUMNS}
    return Rows(np.arange(minutes, dtype=np.int64) * step_us, columns)


def day_of(told: Rows, *, since: int = 0, rest_a: float | None = REST_A):
    return measure(told, since=since, rest_a=rest_a)


def course(values, days=None) -> Course:
    values = np.asarray(values, float)
    return Course(np.arange(values.size) if days is None else np.asarray(days), values, "40/20")


class TestAtRest:
    def test_cells_are_measured_once_they_have_rested_for_ten_minutes(self):
        volts = {"cell_avg_voltage_v": 3.30, "cell_min_voltage_v": 3.29, "cell_max_voltage_v": 3.305}
        current = np.where(np.arange(40) < 20, 100.0, 2.0)

        found = day_of(rows(40, current_a=current, **volts))

        assert found[Quantity.WEAK_CELL] == {"40/20": (pytest.approx(0.01), 11)}
        assert found[Quantity.SPREAD] == {"40/20": (pytest.approx(0.015), 11)}

    def test_the_spread_is_the_told_one_where_there_is_one(self):
        volts = {"cell_min_voltage_v": 3.29, "cell_max_voltage_v": 3.305, "cell_voltage_diff_v": 0.02}

        assert day_of(rows(30, **volts))[Quantity.SPREAD]["40/20"][0] == pytest.approx(0.02)

    def test_what_lies_before_the_day_counts_as_rest_but_not_as_a_sample(self):
        told = rows(30, cell_voltage_diff_v=0.02)

        assert day_of(told, since=15 * MINUTE_US)[Quantity.SPREAD] == {"40/20": (0.02, 15)}

    @pytest.mark.parametrize(
        "missing", [{"current_a": np.nan}, {"soc_percent": np.nan}, {"cell_avg_temp_c": np.nan}, {"step_us": 10**9}]
    )
    def test_nothing_is_measured_of_what_is_not_known(self, missing):
        assert day_of(rows(60, cell_voltage_diff_v=0.02, **missing))[Quantity.SPREAD] == {}

    def test_without_a_nameplate_only_the_state_of_health_is_measured(self):
        found = day_of(rows(60, cell_voltage_diff_v=0.02, soh_percent=97.0), rest_a=None)

        assert found == {
            Quantity.SOH: {"": (97.0, 60)},
            Quantity.WEAK_CELL: {},
            Quantity.SPREAD: {},
            Quantity.RESISTANCE: {},
        }


class TestResistance:
    def test_is_what_the_voltage_gives_way_by_when_the_current_steps(self):
        current = np.where(np.arange(30) < 15, 0.0, 50.0)

        found = day_of(rows(30, current_a=current, voltage_v=850.0 - 0.1 * current))

        assert found[Quantity.RESISTANCE] == {"40/20/90": (pytest.approx(100.0), 1)}

    @pytest.mark.parametrize(("seconds", "conditions"), [(1, "40/20/2"), (10, "40/20/15"), (90, "40/20/90")])
    def test_is_kept_apart_by_how_long_the_step_took(self, seconds, conditions):
        current = np.where(np.arange(30) < 15, 0.0, 50.0)

        found = day_of(rows(30, step_us=seconds * 1_000_000, current_a=current, voltage_v=850.0 - 0.1 * current))

        assert conditions in found[Quantity.RESISTANCE]
        assert all(each == (pytest.approx(100.0), 1) for each in found[Quantity.RESISTANCE].values())

    def test_is_seen_where_a_converter_takes_its_time(self):
        current = np.clip(np.arange(300.0) - 120.0, 0.0, 50.0)

        found = day_of(rows(300, step_us=1_000_000, current_a=current, voltage_v=850.0 - 0.1 * current))

        assert found[Quantity.RESISTANCE] == {"40/20/90": (pytest.approx(100.0), 1)}

    def test_is_not_made_of_ramps_small_steps_or_steps_with_a_gap(self):
        ramp = 20.0 * np.arange(30)
        small = np.where(np.arange(30) < 15, 0.0, 10.0)
        step = np.where(np.arange(30) < 15, 0.0, 50.0)

        told = [rows(30, current_a=each, voltage_v=850.0 - 0.1 * each) for each in (ramp, small)]
        told.append(rows(30, step_us=2 * MINUTE_US, current_a=step, voltage_v=850.0 - 0.1 * step))

        assert [day_of(each)[Quantity.RESISTANCE] for each in told] == [{}, {}, {}]

    def test_is_not_negative_where_the_voltage_came_too_late(self):
        current = np.where(np.arange(30) < 15, 0.0, 50.0)

        assert day_of(rows(30, current_a=current, voltage_v=850.0 + 0.1 * current))[Quantity.RESISTANCE] == {}


class TestCourse:
    def test_of_resistances_is_blind_to_the_conditions_that_days_had(self):
        by_warmth = {"40/10/90": 150.0, "40/25/90": 100.0, "40/35/90": 80.0}
        seen = [list(by_warmth)[day % 3] for day in range(60)]
        days = {day: {name: (by_warmth[name] * 1.001**day, 4)} for day, name in enumerate(seen)}

        found = course_of(Quantity.RESISTANCE, days)

        usual = found.values[0]
        assert found.values == pytest.approx(usual * 1.001 ** np.arange(60), rel=1e-3)

    def test_of_a_weak_cell_is_of_the_conditions_in_which_it_shows_most(self):
        days = {day: {"50/20": (0.001, 90), "10/20": (0.012 + day / 1_000, 90)} for day in range(20)}
        days[19]["0/20"] = (0.2, 90)

        found = course_of(Quantity.WEAK_CELL, days)

        assert found.conditions == "10/20"
        assert found.values == pytest.approx(0.012 + np.arange(20) / 1_000)

    def test_does_not_hold_to_conditions_that_were_not_seen_for_long(self):
        days = {day: {"10/20": (0.03, 90)} for day in range(20)} | {
            day: {"50/20": (0.004, 90)} for day in range(20, 90)
        }

        assert course_of(Quantity.SPREAD, days).conditions == "50/20"

    def test_of_nothing_is_empty(self):
        assert course_of(Quantity.RESISTANCE, {0: {}}).days.size == 0
        assert course_of(Quantity.SOH, {}).days.size == 0


class TestLine:
    @given(
        slope=st.floats(-5.0, 5.0),
        start=st.floats(-100.0, 100.0),
        wild=st.lists(st.floats(-1e4, 1e4), min_size=6, max_size=6),
    )
    def test_is_not_led_astray_by_a_few_wild_days(self, slope, start, wild):
        days = np.arange(40)
        values = start + slope * days
        values[[3, 9, 14, 22, 31, 38]] = wild

        line = line_through(days, values)

        assert line is not None
        assert line.low - 1e-6 <= slope <= line.high + 1e-6
        assert line.slope == pytest.approx(slope, abs=0.25 * abs(slope) + 1e-6) or line.low <= slope <= line.high

    def test_says_of_scatter_alone_that_it_goes_nowhere(self):
        noise = np.random.default_rng(7).normal(0.0, 1.0, (200, 30))

        found = [line_through(np.arange(30), each) for each in noise]

        assert sum(1 for line in found if line and not line.low <= 0.0 <= line.high) <= 6

    def test_needs_three_days(self):
        assert line_through(np.arange(2), np.arange(2.0)) is None


class TestTrend:
    def test_tells_the_days_to_the_threshold_with_their_range(self):
        noise = np.random.default_rng(1).normal(0.0, 0.0004, 30)

        trend = trend_of(course(0.01 + 0.0005 * np.arange(30) + noise), UP)

        assert trend.reason is Reason.NONE
        assert trend.days == pytest.approx((0.05 - 0.0245) / 0.0005, rel=0.1)
        assert trend.soonest < trend.days < trend.latest

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            ([], Reason.NOT_MEASURED),
            (0.01 + 0.001 * np.arange(13), Reason.TOO_SHORT),
            (np.full(30, 0.01), Reason.STEADY),
            (0.04 - 0.001 * np.arange(30), Reason.STEADY),
            (0.01 + 0.00001 * np.arange(30), Reason.TOO_FAR),
            (np.full(5, 0.06), Reason.REACHED),
        ],
    )
    def test_says_why_it_foresees_nothing(self, values, reason):
        trend = trend_of(course(values), UP)

        assert trend.reason is reason
        assert trend.days == (0.0 if reason is Reason.REACHED else None)

    def test_leads_down_to_a_floor(self):
        trend = trend_of(course(90.0 - 0.1 * np.arange(30)), LIMITS[Quantity.SOH])

        assert trend.days == pytest.approx((90.0 - 2.9 - 80.0) / 0.1)

    def test_takes_a_share_of_what_was_at_first(self):
        limit = LIMITS[Quantity.RESISTANCE]

        assert trend_of(course(100.0 + np.arange(30)), limit, first=100.0).threshold == 150.0
        assert trend_of(course(100.0 + np.arange(30)), limit).reason is Reason.NOT_MEASURED

    def test_looks_back_no_further_than_a_year(self):
        before = np.linspace(0.04, 0.01, 400)
        trend = trend_of(course(np.concatenate([before, 0.01 + 0.0001 * np.arange(365)])), UP)

        assert trend.line is not None
        assert trend.line.slope == pytest.approx(0.0001)


class TestConditions:
    @pytest.mark.parametrize(
        ("conditions", "words"),
        [
            ("", ""),
            ("40/20", "40 to 50 % charge, 20 to 30 °C"),
            ("90/-5/15", "90 to 100 % charge, -5 to 0 °C, within 15 s"),
        ],
    )
    def test_are_said_in_words(self, conditions, words):
        assert conditions_text(conditions) == words


class TestWords:
    @pytest.mark.parametrize(
        ("soonest", "latest", "words"),
        [
            (40.2, 71.0, "52 days (40 to 71) 80.0"),
            (40.2, None, "52 days (40 or more) 80.0"),
            (52.1, 52.3, "52 days 80.0"),
        ],
    )
    def test_tell_the_range_where_it_is_one(self, soonest, latest, words):
        trend = Trend(91.0, None, 80.0, 52.2, soonest, latest, Reason.NONE)

        assert words in outlook_text(Quantity.SOH, trend)

    def test_tell_why_nothing_is_foreseen(self):
        trend = trend_of(course(np.full(30, 0.01)), UP)

        assert outlook_text(Quantity.SPREAD, trend).startswith("Not foreseeable: no worsening stands out")
