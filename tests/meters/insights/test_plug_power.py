import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.insights.appliances import Power, joined, resample

gaps = st.lists(st.floats(0.5, 800), min_size=1, max_size=40)


class TestResample:
    def test_weighs_by_time_what_changes_within_a_step(self):
        laid = resample(np.array([100.0, 102.0, 110.0]), np.array([50.0, 0.0, 0.0]))

        assert laid.start == 100
        assert laid.watts[0] == pytest.approx(10)

    def test_holds_a_value_until_the_next_and_not_longer_than_told(self):
        laid = resample(np.array([0.0, 100.0, 2000.0]), np.array([80.0, 40.0, 0.0]), hold_seconds=300)

        assert laid.watts[:10] == pytest.approx(80)
        assert laid.watts[10:40] == pytest.approx(40)
        assert np.isnan(laid.watts[40:200]).all()

    def test_takes_the_last_of_one_instant_and_sorts_what_came_late(self):
        laid = resample(np.array([20.0, 0.0, 10.0, 10.0]), np.array([3.0, 1.0, 9.0, 2.0]))

        assert laid.watts.tolist() == [1, 2, 3]

    def test_drops_what_no_plug_can_draw(self):
        laid = resample(np.array([0.0, 10.0, 20.0]), np.array([60.0, 65_535.0, np.nan]))

        assert laid.watts.tolist() == [60] * len(laid.watts)

    def test_takes_a_small_negative_for_nothing(self):
        assert resample(np.array([0.0, 10.0]), np.array([-2.0, -1.0])).watts.tolist() == [0, 0]

    def test_is_empty_without_samples(self):
        assert not len(resample(np.empty(0), np.empty(0)).watts)

    @given(gaps, st.randoms(use_true_random=False))
    def test_keeps_the_energy_of_what_is_known(self, gaps, random):
        times = np.append(0.0, np.cumsum(np.round(np.array(gaps) / 10) * 10 + 10))
        watts = np.array([random.uniform(0, 3000) for _ in times])

        laid = resample(times, watts)

        held = np.append(np.diff(times), np.median(np.diff(times)))
        known = np.isfinite(laid.watts)
        assert np.nansum(laid.watts) * 10 == pytest.approx((held * watts).sum(), rel=0.02, abs=3000 * 10)
        assert (laid.watts[known] <= watts.max() + 1e-6).all()


class TestPower:
    def test_cuts_to_whole_steps(self):
        part = Power(0.0, 10, np.arange(6.0)).cut(11, 50)

        assert part.start == 20
        assert part.watts.tolist() == [2, 3, 4]

    def test_joins_over_a_silence(self):
        both = joined([Power(0.0, 10, np.array([1.0])), Power(30.0, 10, np.array([4.0]))])

        assert both.watts[[0, 3]].tolist() == [1, 4]
        assert np.isnan(both.watts[1:3]).all()

    def test_refuses_to_join_other_steps(self):
        with pytest.raises(ValueError, match="one step"):
            joined([Power(0.0, 10, np.ones(1)), Power(0.0, 60, np.ones(1))])
