"""What stands out in profiles, against slow and obvious models of each rule."""

from statistics import median
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.detectors import DETECTORS, Profiles, local_marks, percent_above_third, reach, run_lengths, usual
from meters.rules import full_thresholds

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
WEEK = 336
NAN = float("nan")
MONDAY = 48 * 4  # 1970-01-05
energies = st.lists(st.sampled_from([NAN, 0.0, 0.1, 0.5, 1.0, 1.1, 2.7, 3.6, 9.0]), min_size=1, max_size=40)


def profiles(energy, *, zone=UTC, first_mark=MONDAY, **more):
    """Make one register's profile; what is not given is as ordinary as can be."""
    row = np.asarray(energy, dtype=np.float64)[None, :]
    marks = first_mark + np.arange(row.shape[1], dtype=np.int64)
    grids = {
        "grown": row[0],
        "span": np.ones(row.shape[1]),
        "estimated": np.zeros(row.shape, dtype=np.bool_),
        "supplied": np.ones(row.shape, dtype=np.bool_),
        "installed": np.ones(row.shape, dtype=np.bool_),
        "ahead_seconds": np.full(row.shape, -60.0),
        "dial": np.full(row.shape, NAN),
    }
    grids = {name: np.atleast_2d(grid) for name, grid in (grids | more).items()}
    return Profiles(
        energy=row,
        capacity=np.array([6.9]),
        dial_modulus=np.array([1e6]),
        rounding=np.array([0.025]),
        marks=marks,
        local=local_marks(marks, zone),
        **grids,
    )


def caught(code, profile, **thresholds):
    """Return the columns that a rule catches of one register."""
    found = DETECTORS[code](profile, full_thresholds(code, thresholds))
    return [int(column) for column in np.nonzero(found.cells[0])[0]]


class TestSpike:
    @pytest.mark.parametrize(("values", "percent", "places"), [([3.6, 1.1, 1.0], 260, [0]), ([2.7, 1.1, 1.0], 170, [])])
    def test_is_golden_case_6(self, values, percent, places):
        assert percent_above_third(np.array([values[0]]), np.array([values[2]])) == pytest.approx([percent])
        assert caught("spike", profiles(values)) == places

    def test_needs_three_known_values(self):
        assert caught("spike", profiles([3.6, NAN, 1.0])) == []

    def test_is_none_against_values_of_another_day(self):
        assert caught("spike", profiles([1.1, 1.0, *[NAN] * 48, 3.6])) == []

    def test_is_not_made_of_what_hardly_loads_the_connection(self):
        assert caught("spike", profiles([0.4, 0.01, 0.01])) == []

    def test_stands_out_from_nothing_without_end(self):
        assert caught("spike", profiles([0.0, 0.0, 3.6])) == [2]

    @given(energies, st.integers(4, 12))
    def test_is_what_a_slow_search_finds(self, values, width):
        expected = set()
        for end in range(len(values)):
            window = [(values[at], at) for at in range(max(end - width + 1, 0), end + 1) if not np.isnan(values[at])]
            ranked = sorted(window, reverse=True)
            if len(ranked) >= 3 and ranked[0][0] >= 3.45:
                third = ranked[2][0]
                if third == 0 or (ranked[0][0] - third) / third * 100 > 180:
                    expected.add(ranked[0][1])

        assert caught("spike", profiles(values), hours=width / 2) == sorted(expected)


class TestHighAndLow:
    def test_compare_with_the_same_half_hour_of_the_same_weekday(self):
        values = [0.5] * WEEK * 4 + [0.5, 3.0, 0.5]

        assert caught("high", profiles(values)) == [WEEK * 4 + 1]

    def test_say_nothing_without_enough_weeks(self):
        values = [0.5] * WEEK * 2 + [3.0]

        assert caught("high", profiles(values)) == []

    def test_take_a_wide_spread_for_what_is_usual(self):
        values = [*np.repeat([0.2, 1.4, 2.6, 3.2], WEEK), 4.0]

        assert caught("high", profiles(values)) == []

    def test_catch_a_fall_to_a_fraction(self):
        values = [2.0] * WEEK * 4 + [0.1]

        assert caught("low", profiles(values)) == [WEEK * 4]
        assert caught("high", profiles(values)) == []

    def test_never_take_what_is_missing_for_a_fall(self):
        values = [2.0] * WEEK * 4 + [NAN]

        assert caught("low", profiles(values)) == []

    def test_keep_to_the_clock_across_its_change(self):
        # Monday 2025-03-31 in Berlin, the day after the clocks went forward, against the Mondays of winter.
        monday = 2 * 24 * (20_178 - 28) - 2
        marks = monday + np.arange(WEEK * 4 + 48)
        local = local_marks(marks, BERLIN)
        evening = local % 48 == 40
        values = np.where(evening, 3.0, 0.1)

        assert caught("high", profiles(values, zone=BERLIN, first_mark=monday)) == []
        assert caught("high", profiles(values, first_mark=monday)) != []

    @given(st.lists(st.sampled_from([NAN, 0.0, 0.5, 1.0, 2.5, 7.0]), min_size=5, max_size=5), st.integers(1, 4))
    def test_rest_on_the_median_and_its_absolute_deviation(self, weekly, least):
        values = np.full(WEEK * 4 + 1, NAN)
        values[::WEEK] = weekly
        marks = np.arange(len(values), dtype=np.int64)

        middle, deviation = usual(values[None], marks, weeks=4, least_weeks=least)

        known = [value for value in weekly[:4] if not np.isnan(value)]
        if len(known) < least:
            assert np.isnan(middle[0, -1])
        else:
            spread = median(abs(value - median(known)) for value in known)
            assert (middle[0, -1], deviation[0, -1]) == pytest.approx((median(known), 1.4826 * spread))

    def test_need_not_judge_what_is_only_compared_with(self):
        values = [0.5] * WEEK * 4 + [3.0]
        whole = profiles(values)
        cut = Profiles(**{name: getattr(whole, name) for name in whole.__slots__} | {"first": WEEK * 4})

        assert caught("high", cut) == caught("high", whole)


class TestRuns:
    @given(st.lists(st.booleans(), min_size=1, max_size=40))
    def test_are_counted_as_by_hand(self, cells):
        expected, length = [], 0
        for cell in cells:
            length = length + 1 if cell else 0
            expected.append(length)

        assert run_lengths(np.array([cells]))[0].tolist() == expected

    def test_of_equal_use_are_stuck_once(self):
        assert caught("stuck", profiles([0.2, 0.3, 0.3, 0.3, 0.3, 0.2]), half_hours=3) == [3]

    def test_of_equal_use_broken_by_what_is_missing_are_not_stuck(self):
        assert caught("stuck", profiles([0.3, 0.3, NAN, 0.3, 0.3]), half_hours=3) == []

    def test_of_zeros_are_not_stuck(self):
        assert caught("stuck", profiles([0.0] * 5), half_hours=3) == []

    def test_of_zeros_are_no_use_where_somebody_is_supplied(self):
        assert caught("zero_use", profiles([0.1, 0, 0, 0, 0]), hours=1.5) == [3]

    def test_of_zeros_are_nothing_where_nobody_is(self):
        assert caught("zero_use", profiles([0.0] * 4, supplied=[False] * 4), hours=1) == []

    def test_of_nothing_known_are_a_gap_and_not_zero_use(self):
        profile = profiles([0.1, NAN, NAN, NAN, NAN])

        assert caught("zero_use", profile, hours=1) == []
        assert caught("gap", profile, hours=1) == [3]

    def test_of_nothing_known_are_no_gap_where_no_meter_hung(self):
        assert caught("gap", profiles([NAN] * 4, installed=[False] * 4), hours=1) == []

    def test_of_estimates_are_prolonged(self):
        profile = profiles([NAN] * 50, estimated=[True] * 50)

        assert caught("prolonged_estimation", profile, days=1) == [48]

    def test_of_readings_before_their_marks_are_a_clock_ahead(self):
        profile = profiles([0.1] * 5, ahead_seconds=[NAN, 90.0, 90.0, 90.0, 90.0])

        assert caught("clock_drift", profile, readings=3) == [3]

    def test_of_readings_after_their_marks_are_none(self):
        assert caught("clock_drift", profiles([0.1] * 5), readings=1) == []


class TestInactiveUse:
    def test_is_caught_where_its_sum_passes_the_floor_and_not_again(self):
        # 1 % of 6.9 in each of 4 half-hours: 0.276
        profile = profiles([0.1] * 8, supplied=[False] * 8)

        assert caught("inactive_use", profile, hours=2) == [2]

    def test_leaves_out_what_was_used_while_somebody_was_supplied(self):
        profile = profiles([0.1] * 6, supplied=[True] * 4 + [False] * 2)

        assert caught("inactive_use", profile, hours=2) == []

    @given(energies, st.integers(1, 6))
    def test_is_what_a_slow_sum_finds(self, values, width):
        limit = 0.01 * 6.9 * width + 1e-9
        sums = [sum(v for v in values[max(i - width + 1, 0) : i + 1] if not np.isnan(v)) for i in range(len(values))]
        above = [total > limit for total in sums]
        expected = [i for i, is_above in enumerate(above) if is_above and (i == 0 or not above[i - 1])]

        found = caught("inactive_use", profiles(values, supplied=[False] * len(values)), hours=width / 2)

        assert found == expected


class TestSumCheck:
    def day(self, *, counted, missing=False, start=999.0):
        energy = np.full(97, 0.5)
        energy[60] = NAN if missing else 0.5
        dial = np.full(97, NAN)
        dial[[0, 48, 96]] = start, start + 24, (start + 24 + counted) % 1e6
        return profiles(energy, dial=dial)

    def test_lets_pass_what_adds_up(self):
        assert caught("sum_check", self.day(counted=24.0)) == []

    def test_lets_pass_what_rounding_explains(self):
        assert caught("sum_check", self.day(counted=24.02), percent=0) == []

    def test_catches_the_day_that_does_not(self):
        profile = self.day(counted=27.0)

        found = DETECTORS["sum_check"](profile, full_thresholds("sum_check", {}))

        assert caught("sum_check", profile) == [96]
        assert (found.length[96], found.figure[0, 96]) == (48, 27.0)

    def test_follows_a_dial_that_turns_over(self):
        assert caught("sum_check", self.day(counted=24.0, start=1e6 - 30)) == []

    def test_does_not_judge_a_day_with_a_hole(self):
        assert caught("sum_check", self.day(counted=27.0, missing=True)) == []


class TestBounds:
    def test_below_zero_is_negative(self):
        assert caught("negative", profiles([0.0, -0.1, NAN])) == [1]

    def test_above_what_the_connection_carries_is_over_capacity(self):
        assert caught("over_capacity", profiles([6.9, 7.0, NAN])) == [1]

    def test_what_grew_over_several_half_hours_is_over_what_it_carries_in_all_of_them(self):
        profile = profiles([NAN] * 3, grown=[NAN, 13.8, 13.9], span=[1, 2, 2])

        assert caught("over_capacity", profile) == [2]
        assert DETECTORS["over_capacity"](profile, full_thresholds("over_capacity", {})).figure[0, 2] == 13.8


class TestReach:
    @given(st.sampled_from(sorted(set(DETECTORS) - {"high", "low", "spike"})), energies, st.integers(0, 39))
    def test_of_the_past_is_enough_to_judge_a_half_hour_alike(self, code, values, column):
        thresholds = full_thresholds(code, {}) | {
            name: 2.0 for name in ("hours", "half_hours", "readings") if name in full_thresholds(code, {})
        }
        column = min(column, len(values) - 1)
        whole = profiles(values, supplied=[len(values) % 2 == 0] * len(values))
        first = max(column - reach(code, thresholds).before, 0)

        expected = DETECTORS[code](whole, thresholds).cells[0, column]
        found = DETECTORS[code](whole.since(first), thresholds).cells[0, column - first]

        assert found == expected
