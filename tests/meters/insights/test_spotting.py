import json

import numpy as np
import pytest

from meters.insights.clockwork import Grid
from meters.insights.spotting import Taught, episodes, score_recent, teach, usual_of
from meters.insights.spotting.reasons import fitting_kind, reason_of

WEEK = 336
FIRST = 48 * 365 * 40
NOW = FIRST + 10 * WEEK


def home(*, weeks=11, seed=3):
    rng = np.random.default_rng(seed)
    slots = np.arange(FIRST, FIRST + weeks * WEEK)
    course = 0.2 + 0.3 * np.exp(-(((slots % 48) - 38) ** 2) / 18)
    return Grid(FIRST, np.round(course * rng.lognormal(0, 0.3, len(slots)), 3))


def changed(grid, at, values):
    series = grid.values.copy()
    series[at - grid.first : at - grid.first + len(values)] = values
    return Grid(grid.first, series)


def scored(grid, usual, **more):
    return score_recent([grid], [usual], since=[NOW], **more)[0]


class TestUsualOf:
    def test_knows_the_evening_from_the_night(self):
        usual = usual_of(home(), until=NOW)

        assert usual.median.shape == usual.spread.shape == (WEEK,)
        assert usual.median[38] == pytest.approx(0.5, rel=0.3)
        assert usual.median[6] == pytest.approx(0.2, rel=0.3)

    def test_looks_at_nothing_from_its_slot_on(self):
        grid = home()

        one, other = usual_of(grid, until=NOW), usual_of(changed(grid, NOW, np.full(WEEK, 9.0)), until=NOW)

        assert one.figures == other.figures
        assert one.median.tobytes() == other.median.tobytes()

    def test_tells_nothing_of_less_than_three_weeks(self):
        assert usual_of(home(weeks=2), until=FIRST + 2 * WEEK) is None

    def test_can_be_kept_as_json(self):
        assert json.loads(json.dumps(usual_of(home(), until=NOW).figures))["known"] == 8 * WEEK


class TestScoreRecent:
    def test_uses_nothing_after_a_half_hour(self):
        grid = home()
        usual, taught = usual_of(grid, until=NOW), teach([grid], until=NOW, seed=1)
        learnt = {"forest": taught.forest, "encoder": taught.encoder}
        later = changed(grid, NOW + 100, np.full(WEEK - 100, 7.0))

        one, other = scored(grid, usual, **learnt), scored(later, usual, **learnt)

        assert one.score[:100].tobytes() == other.score[:100].tobytes()
        assert one.kinds[:100] == other.kinds[:100]

    def test_scores_a_series_among_others_as_by_itself(self):
        grids = [home(seed=3), changed(home(seed=4), NOW + 5, [np.nan, 3.0]), home(seed=5)]
        usuals = [usual_of(grid, until=NOW) for grid in grids]
        taught = teach(grids, until=NOW, seed=1)
        learnt = {"forest": taught.forest, "encoder": taught.encoder}
        since = [NOW, NOW, NOW + 20]

        together = score_recent(grids, [usuals[0], usuals[1], None], since=since, **learnt)

        for place in (0, 1):
            alone = score_recent([grids[place]], [usuals[place]], since=[since[place]], **learnt)[0]
            assert together[place].kinds == alone.kinds
            np.testing.assert_allclose(together[place].score, alone.score, rtol=1e-9)
        assert np.isnan(together[2].score).all()

    def test_scores_a_spike_far_above_the_rest(self):
        grid = changed(home(), NOW + 60, [4.0])

        found = scored(grid, usual_of(grid, until=NOW))

        assert found.score[60] > 0.9
        assert np.median(found.score) < 0.5
        assert found.kinds[60] == "spike"

    def test_calls_a_repeated_value_stuck(self):
        grid = changed(home(), NOW + 60, np.full(20, 0.211))

        found = scored(grid, usual_of(grid, until=NOW))

        assert found.score[66:80].min() > 0.8
        assert set(found.kinds[66:80]) == {"stuck"}

    def test_says_nothing_where_nothing_is_known(self):
        grid = changed(home(), NOW + 5, [np.nan])

        assert np.isnan(scored(grid, usual_of(grid, until=NOW)).score[5])
        assert np.isnan(scored(grid, None).score).all()


class TestTeach:
    def test_packs_what_scores_the_same(self):
        grid = home()
        taught, usual = teach([grid, home(seed=4)], until=NOW, seed=1), usual_of(grid, until=NOW)
        again = Taught.unpack(taught.pack())

        one = scored(grid, usual, forest=taught.forest, encoder=taught.encoder)
        other = scored(grid, usual, forest=again.forest, encoder=again.encoder)

        assert one.score.tobytes() == other.score.tobytes()
        assert {"forest", "encoder"} <= set(one.parts)

    def test_learns_nothing_of_nothing(self):
        taught = teach([], until=NOW, seed=1)

        assert taught.forest is None
        assert taught.encoder is None


class TestEpisodes:
    def test_makes_one_of_a_stuck_meter_and_ends_it(self):
        grid = changed(home(), NOW + 60, np.full(20, 0.211))
        usual = usual_of(grid, until=NOW)

        state, grown, ended = episodes({}, grid, usual, scored(grid, usual))

        [found] = [each for each in grown + ended if each.kind == "stuck"]
        assert found.start in range(NOW + 60, NOW + 66)
        assert found.end in range(NOW + 79, NOW + 90)
        assert "same value" in found.reason
        assert json.loads(json.dumps(state)) == state

    def test_takes_the_same_data_once(self):
        grid = changed(home(), NOW + 60, np.full(20, 0.211))
        usual = usual_of(grid, until=NOW)
        state, *_ = episodes({}, grid, usual, scored(grid, usual))

        assert episodes(state, grid, usual, scored(grid, usual)) == (state, [], [])

    def test_comes_to_the_same_half_hour_by_half_hour(self):
        grid = changed(home(), NOW + 60, np.full(20, 0.211))
        usual, found = usual_of(grid, until=NOW), []
        whole = episodes({}, grid, usual, scored(grid, usual))
        state = {}
        for slot in range(NOW, grid.after):
            known = grid.until(slot + 1)
            state, _, ended = episodes(state, known, usual, score_recent([known], [usual], since=[slot - 3])[0])
            found += ended

        assert [each.start for each in found] == [each.start for each in whole[2]]
        assert [each.excess for each in found] == pytest.approx([each.excess for each in whole[2]])

    def test_ends_one_where_nothing_is_known_for_half_a_day(self):
        series = np.full(40, np.nan)
        series[:10] = 0.211
        grid = changed(home(), NOW + 60, series)
        usual = usual_of(grid, until=NOW)

        state, _, ended = episodes({}, grid, usual, scored(grid, usual))

        assert state["open"] is None
        assert ended[0].end <= NOW + 70

    def test_keeps_what_began_in_the_half_hours_before(self):
        grid = changed(home(), NOW + 60, [3.0, 3.5, 3.0])
        usual, state, found = usual_of(grid, until=NOW), {}, []
        for slot in range(NOW + 50, NOW + 90):
            known = grid.until(slot + 1)
            state, _, ended = episodes(state, known, usual, score_recent([known], [usual], since=[slot])[0])
            found += ended

        assert found[0].start == NOW + 60
        assert found[0].excess == pytest.approx(8.5, abs=1.5)


class TestFittingKind:
    @pytest.mark.parametrize(
        ("votes", "excess", "kind"),
        [
            ({"low": 9, "spike": 2}, 1.0, "spike"),
            ({"spike": 9, "low": 2}, -1.0, "low"),
            ({"level_shift": 9}, 0.2, "shape"),
            ({"level_shift": 9}, 5.0, "level_shift"),
            ({}, 5.0, "shape"),
        ],
    )
    def test_agrees_with_the_energy_of_the_stretch(self, votes, excess, kind):
        assert fitting_kind(votes, excess, 4.0) == kind


class TestReasonOf:
    @pytest.mark.parametrize(
        ("half_hours", "words"), [(1, "half an hour"), (2, "an hour"), (5, "2.5 hours"), (200, "4.2 days")]
    )
    def test_tells_the_time_and_the_energy(self, half_hours, words):
        said = reason_of("spike", half_hours, 2.5, 1.0, "kWh")

        assert said == f"Use jumped for {words}: 3.50 kWh where 1.00 kWh is usual."

    def test_names_no_factor_where_nothing_is_usual(self):
        assert "far above its usual level" in reason_of("level_shift", 4, 2.0, 0.0, "kWh")
