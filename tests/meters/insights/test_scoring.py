"""Forecasts are scored when their truth is known, once, and anew when it has changed."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meters.insights.models import Forecast, ForecastScore, ScoreDay
from meters.insights.selectors.truths import Outcome
from meters.insights.services import scoring
from meters.insights.services.scoring import LAST_LOOK, PATIENCE, score_due
from meters.insights.tallies import NAMES, Tally, figures_of
from meters.models import RegisterReading, ServicePoint
from tests.factories import (
    ForecastFactory,
    ForecastModelFactory,
    InstallationFactory,
    PremisesFactory,
    RegisterFactory,
    ServicePointFactory,
    supplied_register,
)
from tests.meters.insights.half_hourly import count

pytestmark = pytest.mark.django_db

# A local midnight in Singapore.
START = datetime(2025, 2, 28, 16, tzinfo=UTC)
ORIGIN = START + timedelta(days=28)
DAY = timedelta(days=1)
HALF_HOURS = np.full(30 * 48, 0.25)


def forecast_of(register, **more) -> Forecast:
    place = ServicePoint.objects.get(installations__meter=register.meter)
    return ForecastFactory(subject=place.code, **{"origin": ORIGIN, "day_naive_mae": 0.05, **more})


def home(energies=HALF_HOURS, *, start=START, **more):
    register = supplied_register()
    count(register, start, energies, **more)
    return register


def scores(forecast=None) -> dict[tuple[str, int], ForecastScore]:
    rows = ForecastScore.objects.filter(forecast=forecast) if forecast else ForecastScore.objects.all()
    return {(row.forecaster, row.day_ahead): row for row in rows}


def added_up() -> dict[tuple[str, int], Tally]:
    return {(row.forecaster, row.day_ahead): Tally.of(row) for row in ScoreDay.objects.all()}


class TestScoreDue:
    def test_scores_each_day_beside_the_naive_ones_on_the_same_half_hours(self):
        energies = HALF_HOURS.copy()
        energies[28 * 48 : 29 * 48] = 0.5
        forecast = forecast_of(home(energies), median=[0.3] * 96)

        assert score_due(now=ORIGIN + 3 * DAY) == 1

        found = scores(forecast)
        assert {key for key, _ in found.items()} == {
            (name, day) for name in ("blend", "week_naive", "weekday_means") for day in (1, 2)
        }
        first = figures_of(Tally.of(found["blend", 1]))
        assert first.half_hours == 48
        assert first.nmae == pytest.approx(0.4)
        assert first.mase == pytest.approx(0.2 / 0.05)
        assert first.bias == pytest.approx(0.36 / 0.5 - 1)
        assert first.coverage == 1.0
        assert first.skill == pytest.approx(1 - 0.2 / 0.25)
        assert figures_of(Tally.of(found["week_naive", 1])).nmae == pytest.approx(0.5)
        assert figures_of(Tally.of(found["weekday_means", 2])).nmae == pytest.approx(0.0, abs=1e-6)
        assert [found[name, 1].is_told for name in ("blend", "week_naive")] == [True, False]
        assert found["blend", 1].day == date(2025, 3, 29)

    def test_does_not_look_before_a_day_is_over(self):
        forecast = forecast_of(home())

        assert score_due(now=ORIGIN + timedelta(hours=22)) == 0
        score_due(now=ORIGIN + timedelta(hours=23))

        forecast.refresh_from_db()
        assert not ForecastScore.objects.exists()
        assert forecast.look_again_at == ORIGIN + DAY

    def test_scores_the_first_day_as_soon_as_it_is_known_and_the_second_in_its_turn(self):
        forecast = forecast_of(home(HALF_HOURS[: 29 * 48]))

        score_due(now=ORIGIN + DAY)
        forecast.refresh_from_db()

        assert {day for _, day in scores()} == {1}
        assert forecast.look_again_at == ORIGIN + 2 * DAY
        assert forecast.scored_until == ORIGIN + DAY

    def test_waits_for_a_truth_that_is_not_whole_and_then_scores_what_is_known(self):
        # The read that ends the tenth half-hour of the first day is missing, and with it two half-hours.
        forecast = forecast_of(home(missing={28 * 48 + 10}))

        for hours in range(0, 24 * 6, 4):
            score_due(now=ORIGIN + DAY + timedelta(hours=hours))
            if hours == 68:
                assert {day for _, day in scores()} == {2}

        assert scores()["blend", 1].half_hours == 46
        forecast.refresh_from_db()
        assert forecast.look_again_at == ORIGIN + DAY + LAST_LOOK
        score_due(now=ORIGIN + DAY + LAST_LOOK)
        forecast.refresh_from_db()
        assert forecast.look_again_at is None

    def test_looks_rarer_the_longer_nothing_comes(self):
        forecast = forecast_of(home(HALF_HOURS[: 28 * 48]))

        looks = 0
        for hour in range(24 * 20):
            looks += score_due(now=ORIGIN + DAY + timedelta(hours=hour))

        assert looks < 40
        forecast.refresh_from_db()
        assert forecast.look_again_at is None
        assert not ForecastScore.objects.exists()

    @pytest.mark.parametrize("kind", ["device", "battery"])
    def test_looks_once_more_at_what_nobody_tells_changes_of(self, kind, monkeypatch):
        outcome = Outcome(np.full(96, 0.25), {})
        monkeypatch.setattr(
            scoring, "outcomes_of", lambda forecasts, now: dict.fromkeys((row.pk for row in forecasts), outcome)
        )
        forecast = ForecastFactory(subject_kind=kind, subject="X-1", origin=ORIGIN, cohort=kind)

        score_due(now=ORIGIN + 2 * DAY)
        forecast.refresh_from_db()

        assert forecast.look_again_at == ORIGIN + DAY + LAST_LOOK
        assert score_due(now=ORIGIN + 16 * DAY) == 1
        forecast.refresh_from_db()
        assert forecast.look_again_at is None

    def test_estimates_are_no_truth(self):
        forecast = forecast_of(home(estimated=range(28 * 48 + 1, 29 * 48)))

        score_due(now=ORIGIN + DAY + PATIENCE)

        assert {day for _, day in scores(forecast)} == {2}

    def test_done_again_changes_nothing(self):
        forecast_of(home())
        score_due(now=ORIGIN + 3 * DAY)
        before = added_up(), list(ForecastScore.objects.values())
        Forecast.objects.update(look_again_at=ORIGIN)

        assert score_due(now=ORIGIN + 4 * DAY) == 1

        assert (added_up(), list(ForecastScore.objects.values())) == before
        assert score_due(now=ORIGIN + 5 * DAY) == 0

    def test_moves_a_score_and_its_sums_with_the_truth(self):
        registers = [home(), home()]
        forecasts = [forecast_of(register) for register in registers]
        score_due(now=ORIGIN + 3 * DAY)
        late = RegisterReading.objects.filter(register=registers[0], time__gt=ORIGIN + timedelta(hours=6))
        for reading in late:
            RegisterReading.objects.filter(register=reading.register_id, time=reading.time).update(
                value=reading.value + 1
            )
        Forecast.objects.update(look_again_at=ORIGIN)

        score_due(now=ORIGIN + 4 * DAY)

        moved, other = (scores(forecast)["blend", 1] for forecast in forecasts)
        assert moved.truth == pytest.approx(13.0)
        assert other.truth == pytest.approx(12.0)
        assert added_up()["blend", 1].truth == pytest.approx(25.0)
        assert added_up()["blend", 1].absolute_error == pytest.approx(1.0)

    def test_takes_back_a_score_whose_truth_is_gone(self):
        register = home()
        forecast = forecast_of(register)
        score_due(now=ORIGIN + 3 * DAY)
        RegisterReading.objects.filter(register=register, time__gt=ORIGIN).delete()
        Forecast.objects.update(look_again_at=ORIGIN)

        score_due(now=ORIGIN + 3 * DAY)

        assert not scores(forecast)
        assert not ScoreDay.objects.exists()

    def test_a_refused_forecast_is_done_with(self):
        forecast = ForecastFactory(origin=ORIGIN, median=[], mean=[], low=[], high=[], forecaster="", reason="no_data")

        score_due(now=ORIGIN + DAY)
        forecast.refresh_from_db()

        assert (forecast.scored_until, forecast.look_again_at) == (ORIGIN + DAY, None)
        assert not ForecastScore.objects.exists()

    def test_a_fallback_is_scored_once_under_its_own_name(self):
        forecast = forecast_of(home(), forecaster="weekday_means", low=[], high=[])

        score_due(now=ORIGIN + 3 * DAY)

        found = scores(forecast)
        assert {name for name, _ in found} == {"weekday_means", "week_naive"}
        assert found["weekday_means", 1].is_told
        assert figures_of(Tally.of(found["weekday_means", 1])).coverage is None

    def test_leaves_a_naive_one_out_that_has_little_to_say(self):
        forecast = forecast_of(home(missing=range(21 * 48 + 1, 21 * 48 + 24)))

        score_due(now=ORIGIN + 3 * DAY)

        found = scores(forecast)
        assert ("week_naive", 1) not in found
        assert found["blend", 1].half_hours == 48
        assert found["blend", 1].compared == 0
        assert found["weekday_means", 1].half_hours == 48

    def test_adds_up_by_model_and_day_what_the_rows_say(self):
        model = ForecastModelFactory()
        for _ in range(3):
            forecast_of(home(), model=model)

        score_due(now=ORIGIN + 3 * DAY)

        row = ScoreDay.objects.get(forecaster="week_naive", day_ahead=1)
        assert (row.forecasts, row.model_id, row.is_told, row.half_hours) == (3, model.pk, False, 144)
        single = [Tally.of(each) for each in ForecastScore.objects.filter(forecaster="week_naive", day_ahead=1)]
        assert Tally.of(row).values == pytest.approx(sum(single, Tally()).values)

    def test_asks_the_same_number_of_questions_of_any_number(self):
        def questions(number):
            for _ in range(number):
                forecast_of(home())
            with CaptureQueriesContext(
                connection,
            ) as asked:
                score_due(now=ORIGIN + 3 * DAY)
            return len(asked)

        assert questions(1) == questions(6)

    @pytest.mark.parametrize(("start", "lengths"), [((2025, 3, 29, 23), (46, 48)), ((2025, 10, 25, 22), (50, 48))])
    def test_days_are_as_long_as_the_clock_makes_them(self, start, lengths):
        origin = datetime(*start, tzinfo=UTC)
        place = ServicePointFactory(premises=PremisesFactory(zone="Europe/Berlin"))
        register = RegisterFactory()
        InstallationFactory(meter=register.meter, service_point=place)
        first = origin - 29 * DAY
        count(register, first, np.full(29 * 48 + sum(lengths), 0.25))
        ForecastFactory(subject=place.code, origin=origin, zone="Europe/Berlin", median=[0.25] * sum(lengths))

        score_due(now=origin + 4 * DAY)

        assert [scores()["blend", day].half_hours for day in (1, 2)] == list(lengths)
        assert scores()["blend", 1].absolute_error == pytest.approx(0, abs=1e-6)


class TestSums:
    def test_name_every_sum(self):
        assert all(hasattr(ForecastScore, name) and hasattr(ScoreDay, name) for name in NAMES)
