"""A model that does worse than what was there before it goes back."""

from datetime import UTC, date, datetime, timedelta

import pytest

from accounts.models import AuditEntry
from meters.insights.models import ForecastModel
from meters.insights.selectors.standings import standing_of
from meters.insights.services.rollback import judge_models
from meters.models import Alarm
from tests.factories import ForecastModelFactory, ScoreDayFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 4, 1, 4, tzinfo=UTC)
TODAY = date(2025, 4, 1)
_State = ForecastModel.State


def spoke(model, ratio, *, days=10, last=TODAY, **more):
    """Let a model have been off by a share of what the means of the weekday were, on some days."""
    for number in range(days):
        day = last - timedelta(days=number)
        ScoreDayFactory(day=day, model=model, scaled_error=24 * ratio, **more)
        ScoreDayFactory(day=day, model=model, scaled_error=24, forecaster="weekday_means", is_told=False, **more)


def states() -> dict[int, str]:
    return dict(ForecastModel.objects.values_list("version", "state"))


@pytest.fixture
def active():
    return ForecastModelFactory(version=2, state=_State.ACTIVE)


@pytest.fixture
def before():
    return ForecastModelFactory(version=1, state=_State.RETIRED)


class TestStandingOf:
    def test_is_by_the_same_half_hours(self, active):
        spoke(active, 0.8, days=8)

        standing = standing_of(active, since=TODAY - timedelta(days=14))

        assert standing.ratio == pytest.approx(0.8)
        assert (standing.days, standing.first, standing.last) == (8, TODAY - timedelta(days=7), TODAY)

    def test_waits_for_a_week(self, active):
        spoke(active, 3, days=6)

        assert standing_of(active) is None

    def test_is_of_the_last_fortnight_on_which_it_spoke(self, before):
        spoke(before, 0.5, days=14, last=TODAY - timedelta(days=100))
        spoke(before, 5, days=14, last=TODAY - timedelta(days=114))

        assert standing_of(before).ratio == pytest.approx(0.5)

    def test_does_not_count_what_spoke_in_the_models_stead(self, active):
        spoke(active, 0.8)
        ScoreDayFactory(day=TODAY, model=active, forecaster="week_naive", scaled_error=4800)

        assert standing_of(active).ratio == pytest.approx(0.8)


class TestJudgeModels:
    def test_keeps_a_model_that_is_better(self, active, before):
        spoke(active, 0.8)
        spoke(before, 0.79, last=TODAY - timedelta(days=30))

        assert judge_models(now=NOW) == 0

        assert states() == {1: "retired", 2: "active"}
        assert not Alarm.objects.exists()

    def test_brings_the_one_before_back_that_did_better(self, active, before):
        spoke(active, 0.9)
        spoke(before, 0.7, last=TODAY - timedelta(days=30))

        assert judge_models(now=NOW) == 1

        assert states() == {1: "active", 2: "rejected"}
        active.refresh_from_db()
        assert "0.90 times" in active.reason
        assert "version 1 had 0.70" in active.reason
        assert active.changed_at == NOW
        alarm = Alarm.objects.get()
        assert (alarm.kind, alarm.subject_kind, alarm.subject) == ("forecast_worse", "portal", "service_point")
        assert "Version 1 speaks again." in alarm.text
        actions = AuditEntry.objects.order_by("pk").values_list("action", "object_id")
        assert list(actions) == [
            ("forecast_model.taken_back", str(active.pk)),
            ("forecast_model.activated", str(before.pk)),
        ]

    def test_lets_the_means_speak_where_nothing_before_was_better(self, active, before):
        spoke(active, 1.2)
        spoke(before, 1.3, last=TODAY - timedelta(days=30))

        judge_models(now=NOW)

        assert states() == {1: "retired", 2: "rejected"}
        assert "means of the weekday speak" in Alarm.objects.get().text

    def test_brings_one_back_of_which_nothing_is_known(self, active, before):
        spoke(active, 1.2)

        judge_models(now=NOW)

        assert states() == {1: "active", 2: "rejected"}

    def test_passes_over_one_that_other_libraries_made_or_that_was_rejected(self, active):
        ForecastModelFactory(version=1, state=_State.RETIRED, made_with="others")
        rejected = ForecastModelFactory(version=0, state=_State.REJECTED)
        spoke(active, 1.2)
        spoke(rejected, 0.1, last=TODAY - timedelta(days=30))

        judge_models(now=NOW)

        assert states() == {0: "rejected", 1: "retired", 2: "rejected"}

    @pytest.mark.parametrize(("ratio", "days"), [(1.04, 10), (2.0, 6)])
    def test_is_patient(self, active, before, ratio, days):
        spoke(active, ratio, days=days)

        assert judge_models(now=NOW) == 0
        assert states()[2] == "active"

    def test_forgets_what_is_longer_ago_than_it_looks(self, active):
        spoke(active, 3, last=TODAY - timedelta(days=20))

        assert judge_models(now=NOW) == 0

    def test_is_done_once_and_the_alarm_is_over_when_the_next_does_well(self, active, before):
        spoke(active, 1.2)
        judge_models(now=NOW)

        assert judge_models(now=NOW) == 0
        assert Alarm.objects.open().count() == 1

        spoke(before, 0.8, days=8, last=TODAY + timedelta(days=9))
        judge_models(now=NOW + timedelta(days=9))
        assert not Alarm.objects.open().exists()
