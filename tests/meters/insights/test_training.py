"""Teaching models and which of them speaks."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from meters.insights.forecasters import registry
from meters.insights.forecasters.blending import Blend
from meters.insights.forecasters.serving import unpack
from meters.insights.models import ForecastModel, Subject
from meters.insights.selectors.models import active_model
from meters.insights.services.models import (
    NotActive,
    NotReadable,
    activate_model,
    forget_models,
    retire_model,
)
from meters.insights.services.training import TooLittleKnown, train_cohort
from tests.factories import ForecastModelFactory, supplied_register
from tests.meters.insights.half_hourly import count, daily_course
from tests.meters.insights.speakers import DayBefore, Usual, stored

START = datetime(2024, 10, 31, 16, tzinfo=UTC)
DAYS = 90
NOW = START + timedelta(days=DAYS, hours=9)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("few_rounds")]


@pytest.fixture
def homes():
    """Three dials that counted ninety days."""
    for seed in range(3):
        count(supplied_register(), START, daily_course(DAYS, seed=seed, level=0.2 * (1 + seed)))


@pytest.fixture
def recipe():
    """Register a forecaster that is quickly taught, and return how to name what it will say."""
    said = []

    def taught(samples, truths, held_back, *, seed):
        return said[-1]

    registry.register("said", taught)
    yield said.append
    registry._RECIPES.pop("said")


def train(**more):
    return train_cohort(cohort=Subject.SERVICE_POINT, actor=PORTAL, now=NOW, **more)


class TestTrainCohort:
    def test_the_first_model_speaks_when_it_beats_the_weekdays_and_is_reproducible(self, homes, settings):
        settings.FORECAST_TRAINING_ORIGINS = 90
        first = train()
        content = bytes(first.content)
        ForecastModel.objects.all().delete()

        again = train()

        assert (first.version, first.seed) == (again.version, again.seed) == (1, 20_240_001)
        assert bytes(again.content) == content
        assert first.measured["candidate"]["nmae"] < first.measured["weekday_means"]["nmae"]
        assert (first.state, first.series, first.origins) == ("active", 3, 90)
        assert isinstance(unpack(content, first.made_with), Blend)

    def test_nothing_after_the_last_midnight_teaches(self, homes, recipe):
        recipe(DayBefore())
        row = train(algorithm="said")

        assert row.trained_until == START + timedelta(days=DAYS)

    def test_a_worse_one_is_kept_and_does_not_speak(self, homes, recipe):
        standing = stored(DayBefore())
        recipe(DayBefore(factor=3.0))

        row = train(algorithm="said")

        assert row.state == "rejected"
        assert "that of" in row.reason
        assert active_model("service_point")[0] == standing

    def test_a_better_one_takes_the_place_and_tells_why(self, homes, recipe):
        standing = stored(DayBefore(factor=3.0))
        recipe(Usual())

        row = train(algorithm="said")

        standing.refresh_from_db()
        assert (row.state, standing.state) == ("active", "retired")
        assert f"that of version {standing.version}" in row.reason

    def test_too_short_a_past_teaches_nothing(self):
        count(supplied_register(), NOW.replace(hour=16) - timedelta(days=20), daily_course(10))

        with pytest.raises(TooLittleKnown):
            train()


class TestActivateModel:
    def test_one_at_most_speaks_for_a_cohort(self):
        first, second = stored(DayBefore()), stored(DayBefore(), state="retired")

        activate_model(model_id=second.pk, reason="It did better.", actor=PORTAL, now=NOW)

        states = dict(ForecastModel.objects.values_list("version", "state"))
        assert states == {first.version: "retired", second.version: "active"}
        assert AuditEntry.objects.filter(action="forecast_model.activated").count() == 1

    def test_what_speaks_already_is_left_as_it_is(self):
        row = stored(DayBefore())

        activate_model(model_id=row.pk, reason="Again.", actor=PORTAL, now=NOW)

        assert not AuditEntry.objects.exists()

    def test_a_model_without_content_cannot_speak(self):
        row = ForecastModelFactory(state="retired")

        with pytest.raises(NotReadable):
            activate_model(model_id=row.pk, reason="", actor=PORTAL, now=NOW)


class TestRetireModel:
    def test_nobody_speaks_then(self):
        row = stored(DayBefore())

        retire_model(model_id=row.pk, reason="It is wrong.", actor=PORTAL, now=NOW)

        assert active_model("service_point") is None

    def test_who_does_not_speak_cannot_be_silenced(self):
        row = stored(DayBefore(), state="retired")

        with pytest.raises(NotActive):
            retire_model(model_id=row.pk, reason="", actor=PORTAL, now=NOW)


class TestForgetModels:
    def test_only_what_has_not_spoken_for_long_is_dropped(self):
        active, old = stored(DayBefore()), stored(DayBefore(), state="retired")
        fresh = stored(DayBefore(), state="rejected", changed_at=NOW + timedelta(days=20))

        assert forget_models(now=NOW + timedelta(days=40), keep=timedelta(days=30)) == 1

        kept = ForecastModel.objects.exclude(content=b"").values_list("pk", flat=True)
        assert set(kept) == {active.pk, fresh.pk}
        assert old.pk not in kept
