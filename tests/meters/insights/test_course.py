import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.insights.spotting.course import FACTORS, JUMP, STUCK, Course, filtered, learn_course, unlikeliness

WEEK = 336
SLOTS = np.arange(48 * 365 * 40, 48 * 365 * 40 + 8 * WEEK)
LATER = SLOTS[-1] + 1 + np.arange(WEEK)


def course_of(slots, seed=3):
    rng = np.random.default_rng(seed)
    return np.round((0.2 + 0.3 * np.exp(-(((slots % 48) - 38) ** 2) / 18)) * rng.lognormal(0, 0.3, len(slots)), 3)


@pytest.fixture(scope="module")
def learnt():
    return learn_course(course_of(SLOTS), SLOTS)


def chances_of(learnt, values):
    return filtered([learnt], [values], [LATER[: len(values)]])[0]


class TestFiltered:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.one_of(st.just(float("nan")), st.floats(-5, 50), st.just(0.2)), min_size=1, max_size=40))
    def test_gives_chances_that_add_up_whatever_comes(self, learnt, values):
        found = chances_of(learnt, np.array(values))

        assert found.shape[0] == len(values)
        assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)
        assert np.isfinite(unlikeliness(found)).all()

    @settings(max_examples=10, deadline=None)
    @given(st.integers(1, 95), st.floats(0, 9))
    def test_says_the_same_of_a_half_hour_whatever_comes_later(self, learnt, known, later):
        values = course_of(LATER[:96], seed=5)
        changed = np.where(np.arange(96) < known, values, later)

        assert chances_of(learnt, values)[:known].tobytes() == chances_of(learnt, changed)[:known].tobytes()

    def test_says_the_same_of_a_series_beside_longer_ones(self, learnt):
        values = course_of(LATER[:50], seed=5)

        one = filtered([learnt, learnt], [values, course_of(LATER)], [LATER[:50], LATER])[0]

        assert one.tobytes() == chances_of(learnt, values).tobytes()

    @pytest.mark.parametrize("factor", [0.4, 2.3])
    def test_knows_a_level_by_its_factor(self, learnt, factor):
        found = chances_of(learnt, course_of(LATER[:96], seed=5) * factor)[60:, 1 : 1 + len(FACTORS)]

        assert FACTORS[int(found.mean(axis=0).argmax())] == pytest.approx(factor, rel=0.4)

    def test_knows_a_stuck_value_and_a_jump(self, learnt):
        stuck, jump = course_of(LATER[:96], seed=5), course_of(LATER[:96], seed=5)
        stuck[40:60] = stuck[40]
        jump[40] = 9.0

        assert chances_of(learnt, stuck)[48:60, STUCK].min() > 0.9
        assert chances_of(learnt, jump)[40, JUMP] > 0.3

    def test_is_calm_where_all_goes_on_as_before(self, learnt):
        assert chances_of(learnt, course_of(LATER, seed=6))[:, 0].mean() > 0.8


class TestCourse:
    def test_says_the_same_when_it_was_kept(self, learnt):
        again = Course.from_json(json.loads(json.dumps(learnt.to_json())))
        values = course_of(LATER, seed=5)

        assert chances_of(again, values)[:, 0] == pytest.approx(chances_of(learnt, values)[:, 0], abs=1e-3)

    def test_trusts_the_autoregression_where_a_series_is_smooth(self):
        smooth = 100 + 30 * np.sin(SLOTS / 48 * 2 * np.pi) + np.random.default_rng(1).normal(0, 0.3, len(SLOTS))

        assert learn_course(smooth, SLOTS).smooth > 0.8

    def test_knows_a_meter_that_feeds_in(self):
        past = course_of(SLOTS) - 0.4

        found = chances_of(learn_course(past, SLOTS), course_of(LATER, seed=6) - 0.4)

        assert found[:, 0].mean() > 0.7
