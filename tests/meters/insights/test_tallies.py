"""Sums over half-hours, and what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meters.insights.scoring import score
from meters.insights.tallies import NAMES, Tally, Told, figures_of, tally

values = st.floats(0.01, 100)
days = arrays(np.float64, 12, elements=values | st.just(float("nan")))
said = arrays(np.float64, 12, elements=values)


def told_of(median):
    return Told(median, 1.1 * median, 0.5 * median, 2 * median)


class TestTally:
    def test_counts_what_has_a_truth(self):
        truth = np.array([1.0, 2.0, np.nan, 4.0])
        median = np.array([1.5, 2.0, 3.0, 3.0])
        told = Told(median, np.full(4, 2.5), median - 0.6, median + 0.1)

        found = tally(truth=truth, told=told, day_naive_mae=0.5, naive=np.array([1.0, 1.0, 1.0, np.nan]))

        assert found == Tally(
            half_hours=3,
            absolute_error=1.5,
            truth=7.0,
            truth_size=7.0,
            median=6.5,
            mean=7.5,
            banded=3,
            inside=2,
            measured=3,
            measured_error=1.5,
            usual_error=1.5,
            scaled_error=3.0,
            compared=2,
            compared_error=0.5,
            naive_error=1.0,
        )

    @pytest.mark.parametrize("usual", [None, 0.0])
    def test_measures_nothing_by_a_past_without_errors(self, usual):
        found = figures_of(tally(truth=np.ones(3), told=Told.plainly(np.ones(3)), day_naive_mae=usual, naive=None))

        assert (found.mase, found.mase_pooled, found.skill, found.coverage) == (None, None, None, None)
        assert (found.half_hours, found.nmae, found.bias) == (3, 0.0, 0.0)

    def test_says_nothing_where_nothing_is_known(self):
        found = figures_of(Tally())

        assert found.half_hours == 0
        assert {found.nmae, found.mase, found.bias, found.bias_of_median, found.coverage, found.skill} == {None}

    @given(truth=days, median=said, usual=st.floats(0.1, 10))
    def test_says_of_one_series_what_a_score_says(self, truth, median, usual):
        told = told_of(median)
        wanted = score(truth=truth, median=median, mean=told.mean, low=told.low, high=told.high, day_naive_mae=usual)

        found = figures_of(tally(truth=truth, told=told, day_naive_mae=usual, naive=None))

        for name in ("nmae", "mase", "bias", "coverage"):
            expected = getattr(wanted, name)
            assert getattr(found, name) == (None if expected is None else pytest.approx(expected))
        assert found.mase_pooled == (None if found.mase is None else pytest.approx(found.mase))

    @given(truth=days, median=said, cut=st.integers(0, 12))
    def test_adds_up_however_the_half_hours_are_cut(self, truth, median, cut):
        told, naive = told_of(median), np.roll(median, 1)

        def part(place):
            own = Told(told.median[place], told.mean[place], told.low[place], told.high[place])
            return tally(truth=truth[place], told=own, day_naive_mae=0.3, naive=naive[place])

        whole = part(slice(None))

        assert (part(slice(cut)) + part(slice(cut, None))).values == pytest.approx(whole.values)
        assert (whole + -whole).values == (0,) * len(NAMES)


class TestFiguresOf:
    def test_weigh_large_and_small_meters_as_they_say(self):
        large = tally(truth=np.full(2, 100.0), told=Told.plainly(np.full(2, 90.0)), day_naive_mae=20, naive=None)
        small = tally(truth=np.full(2, 1.0), told=Told.plainly(np.full(2, 2.0)), day_naive_mae=0.5, naive=None)

        found = figures_of(large + small)

        assert found.mase == pytest.approx((0.5 + 2.0) / 2)
        assert found.mase_pooled == pytest.approx((20 + 2) / (40 + 1))
        assert found.nmae == pytest.approx((20 + 2) / (200 + 2))
        assert found.bias == pytest.approx((180 + 4) / (200 + 2) - 1)

    def test_do_not_let_too_much_here_pay_for_too_little_there_in_a_share_of_hits(self):
        band = tally(
            truth=np.array([1.0, 5.0]),
            told=Told(np.ones(2), np.ones(2), np.zeros(2), np.full(2, 2.0)),
            day_naive_mae=None,
            naive=None,
        )

        assert figures_of(band + band).coverage == 0.5
        assert not figures_of(band).is_covered
