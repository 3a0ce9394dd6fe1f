from zoneinfo import ZoneInfo

import numpy as np
import pytest

from meters.insights.clockwork import Grid
from meters.insights.screening import screen, screen_series

WEEK = 336
FIRST = 48 * 365 * 40
BERLIN = ZoneInfo("Europe/Berlin")
# 2025-09-01 00:00 in Berlin: the clock goes back on 26 October.
SEPTEMBER = 1756677600


def course(slots, seed=3):
    rng = np.random.default_rng(seed)
    return np.round((0.2 + 0.3 * np.exp(-(((slots % 48) - 38) ** 2) / 18)) * rng.lognormal(0, 0.3, len(slots)), 3)


def home(weeks=9):
    return Grid(FIRST, course(np.arange(FIRST, FIRST + weeks * WEEK)))


class TestScreen:
    @pytest.mark.parametrize("known", [3 * WEEK + 7, 5 * WEEK, 8 * WEEK + 100])
    def test_uses_nothing_after_a_half_hour(self, known):
        grid = home()
        changed = grid.values.copy()
        changed[known:] = np.random.default_rng(1).uniform(0, 9, len(changed) - known)

        one, other = screen(grid, seed=1), screen(Grid(FIRST, changed), seed=1)

        assert one.score[:known].tobytes() == other.score[:known].tobytes()
        assert one.kinds[:known] == other.kinds[:known]

    def test_uses_nothing_after_a_half_hour_where_detectors_are_learnt(self):
        grid, known = home(weeks=31), 30 * WEEK
        changed = grid.values.copy()
        changed[known:] = 5.0

        one, other = screen(grid, seed=1), screen(Grid(FIRST, changed), seed=1)

        assert np.isfinite(one.parts["forest"][known - 1])
        assert one.score[:known].tobytes() == other.score[:known].tobytes()

    def test_scores_nothing_in_the_first_three_weeks(self):
        found = screen(home(weeks=4), seed=1)

        assert np.isnan(found.score[: 3 * WEEK]).all()
        assert np.isfinite(found.score[3 * WEEK :]).all()
        assert found.scored_from == FIRST + 3 * WEEK

    def test_finds_a_week_of_twice_the_use(self):
        grid = home()
        grid.values[7 * WEEK : 7 * WEEK + 200] *= 2

        found = screen(grid, seed=1)

        assert found.score[7 * WEEK + 24 : 7 * WEEK + 200].mean() > 0.8
        assert "level_shift" in {each.kind for each in found.episodes}

    def test_alerts_seldom_where_nothing_is_wrong(self):
        weeks = 20

        assert len(screen(home(weeks=weeks), seed=1).episodes) <= weeks - 3

    def test_bears_a_series_of_nothing_but_zeros_and_gaps(self):
        values = np.zeros(6 * WEEK)
        values[4 * WEEK : 5 * WEEK] = np.nan

        found = screen(Grid(FIRST, values), seed=1)

        assert np.isnan(found.score[4 * WEEK : 5 * WEEK]).all()
        assert np.nanmax(found.score) < 0.6


class TestScreenSeries:
    def test_gives_each_half_hour_its_score_though_the_clock_is_put_back(self):
        starts = SEPTEMBER + 1800 * np.arange(9 * WEEK)
        values = course(np.arange(9 * WEEK))

        found = screen_series(starts, values, BERLIN, seed=1)

        assert len(found.score) == len(found.kinds) == 9 * WEEK
        assert np.isfinite(found.score[3 * WEEK :]).all()

    def test_scores_the_hour_that_comes_again_by_its_own_values(self):
        starts = SEPTEMBER + 1800 * np.arange(9 * WEEK)
        values = course(np.arange(9 * WEEK))
        again = 55 * 48 + 2 * 3
        values[again : again + 2] = 6.0

        found = screen_series(starts, values, BERLIN, seed=1)

        assert found.score[again] > 0.9
        assert found.score[again - 1] < 0.6

    def test_tells_when_episodes_are(self):
        starts = SEPTEMBER + 1800 * np.arange(9 * WEEK)
        values = course(np.arange(9 * WEEK))
        values[6 * WEEK : 6 * WEEK + 20] = 0.211

        found = screen_series(starts, values, BERLIN, seed=1)

        places = [each.kind for each in found.episodes].index("stuck")
        assert 0 <= found.begins[places] - starts[6 * WEEK] <= 1800 * 6
        assert abs(found.ends[places] - starts[6 * WEEK + 20]) <= 1800 * 8

    def test_says_why_it_tells_nothing_of_a_short_series(self):
        starts = SEPTEMBER + 1800 * np.arange(WEEK)

        found = screen_series(starts, course(np.arange(WEEK)), BERLIN, seed=1)

        assert np.isnan(found.score).all()
        assert "fewer than three weeks" in found.reason
