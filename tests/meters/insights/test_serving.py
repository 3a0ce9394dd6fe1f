import numpy as np
import pytest

from meters.insights.clockwork import SLOTS_A_DAY, Grid
from meters.insights.features import Surroundings
from meters.insights.forecasters import registry
from meters.insights.forecasters.serving import CannotRead, forecast, made_with, pack, unpack
from meters.insights.forecasters.training import TooLittle, train
from tests.meters.insights.made import MONDAY, usage, with_values

pytestmark = pytest.mark.usefixtures("few_rounds")

DAYS = 120
ORIGIN = MONDAY + DAYS * SLOTS_A_DAY


@pytest.fixture(scope="module")
def model(few_rounds):
    return train([usage(DAYS, seed=seed, size=seed + 1) for seed in range(2)], until=ORIGIN)


def ahead_of(model, grid, origin=ORIGIN, **around):
    return forecast(model, [grid], np.array([origin]), surroundings=[Surroundings(**around)])[0]


def bytes_of(told):
    return b"".join(part.tobytes() for part in (told.median, told.mean, told.low, told.high))


class TestForecast:
    def test_looks_at_nothing_after_the_origin(self, model):
        before = usage(DAYS, seed=7)
        after = np.random.default_rng(1).normal(1e6, 1e6, 5 * SLOTS_A_DAY)
        longer = Grid(before.first, np.concatenate([before.values, after]))

        assert bytes_of(ahead_of(model, longer)) == bytes_of(ahead_of(model, before))

    def test_falls_back_without_a_look_after_the_origin(self):
        before = usage(DAYS, seed=7)
        longer = Grid(before.first, np.concatenate([before.values, np.full(960, -1e6)]))

        assert bytes_of(ahead_of(None, longer)) == bytes_of(ahead_of(None, before))

    def test_knows_the_shape_of_a_series_that_it_never_saw(self, model):
        whole = usage(DAYS + 2, seed=9, size=40.0)

        told = ahead_of(model, whole.until(ORIGIN))

        truth = whole.values[-96:]
        assert told.forecaster == "blend"
        assert not told.reason
        assert np.abs(told.median - truth).mean() < 0.13 * truth.mean()
        assert (told.low <= told.median).all()
        assert (told.median <= told.high).all()
        assert 0.6 < ((told.low <= truth) & (truth <= told.high)).mean() < 0.95

    def test_is_the_same_alone_and_among_many(self, model):
        grids = [usage(DAYS, seed=seed) for seed in range(4)]

        together = forecast(model, grids, np.full(4, ORIGIN))

        assert [bytes_of(told) for told in together] == [bytes_of(ahead_of(model, grid)) for grid in grids]

    def test_serves_a_series_of_a_fortnight(self, model):
        assert ahead_of(model, usage(15, first=ORIGIN - 15 * SLOTS_A_DAY)).forecaster == "blend"

    @pytest.mark.parametrize(
        ("days", "forecaster", "reason"),
        [(13, "week_naive", "cold_start"), (5, "", "cold_start"), (0, "", "no_data")],
    )
    def test_tells_why_the_model_does_not_speak_of_a_young_series(self, model, days, forecaster, reason):
        told = ahead_of(model, usage(days, first=ORIGIN - days * SLOTS_A_DAY))

        assert (told.forecaster, told.reason) == (forecaster, reason)
        assert (told.median is None) == (forecaster == "")

    def test_tells_of_gaps(self, model):
        full_of_gaps = with_values(usage(DAYS), slice(-20 * SLOTS_A_DAY, -2 * SLOTS_A_DAY), np.nan)

        told = ahead_of(model, full_of_gaps)

        assert told.reason == "gaps"
        assert told.forecaster == "week_naive"
        assert np.isfinite(told.median).all()

    def test_says_nothing_but_zeros_of_what_is_nothing_but_zeros(self, model):
        told = ahead_of(model, Grid(MONDAY, np.zeros(DAYS * SLOTS_A_DAY)))

        assert told.reason == "flat"
        assert not told.median.any()

    def test_speaks_without_a_model(self):
        told = ahead_of(None, usage(DAYS))

        assert (told.forecaster, told.reason) == ("weekday_means", "no_model")
        assert (told.low <= told.median).all()

    def test_takes_a_long_run_of_zeros_for_an_outage(self, model):
        outage = slice(-6 * SLOTS_A_DAY, -5 * SLOTS_A_DAY)
        missing = ahead_of(model, with_values(usage(DAYS), outage, np.nan))

        assert bytes_of(ahead_of(model, with_values(usage(DAYS), outage, 0.0))) == bytes_of(missing)

    def test_is_never_below_zero_where_the_series_is_not(self, model):
        told = ahead_of(model, usage(DAYS, noise=3.0).until(ORIGIN))
        positive = ahead_of(model, Grid(MONDAY, np.maximum(usage(DAYS, noise=1.0).values, 0)))

        assert told.low.min() < 0 <= positive.low.min()


class TestTrain:
    def test_looks_at_nothing_after_its_end(self):
        until = MONDAY + 90 * SLOTS_A_DAY
        whole = usage(DAYS)
        other = with_values(whole, slice(90 * SLOTS_A_DAY, None), 1e9)

        assert pack(train([whole], until=until)) == pack(train([other], until=until))

    def test_refuses_too_short_a_past(self):
        with pytest.raises(TooLittle, match="days to learn from"):
            train([usage(20)], until=MONDAY + 20 * SLOTS_A_DAY)

    def test_learns_what_the_weather_does(self):
        days, rng = 150, np.random.default_rng(3)
        warmth = np.repeat(20 + 8 * rng.random(days), SLOTS_A_DAY)
        plain = usage(days, noise=0.02)
        heated = Grid(MONDAY, plain.values * (1 + 0.1 * np.maximum(warmth - 22, 0)))
        origin = MONDAY + (days - 2) * SLOTS_A_DAY
        known = Surroundings(temperature=Grid(MONDAY, warmth))

        told = [
            forecast(
                train([heated], until=origin, surroundings=[own]), [heated], np.array([origin]), surroundings=[own]
            )
            for own in (known, Surroundings())
        ]

        misses = [np.abs(one.mean - heated.values[-96:]).mean() for (one,) in told]
        assert misses[0] < 0.7 * misses[1]


class TestUnpack:
    def test_gives_the_same_forecasts_back(self, model):
        again = unpack(pack(model), made_with())

        assert bytes_of(ahead_of(again, usage(DAYS))) == bytes_of(ahead_of(model, usage(DAYS)))

    def test_refuses_what_other_libraries_made(self, model):
        with pytest.raises(CannotRead, match="scikit-learn 0"):
            unpack(pack(model), "scikit-learn 0")


class TestRegistry:
    def test_takes_a_further_forecaster(self, monkeypatch):
        monkeypatch.setattr(registry, "_RECIPES", dict(registry._RECIPES))
        registry.register("mine", lambda samples, truths, held_back, *, seed: ("mine", len(truths), seed))

        assert train([usage(DAYS)], until=ORIGIN, seed=5, forecaster="mine")[::2] == ("mine", 5)

    def test_names_those_that_there_are(self):
        with pytest.raises(registry.UnknownForecaster, match="blend, boosting, ridge"):
            registry.named("prophet")
