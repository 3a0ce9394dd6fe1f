"""Managers look at forecasts and decide which model speaks."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from accounts.actors import PORTAL
from meters.insights.models import Forecast, ForecastModel, Subject, Weather
from meters.insights.services.forecasting import forecast_now
from meters.models import Job, ServicePoint
from tests.factories import supplied_register
from tests.meters.insights.half_hourly import count, daily_course
from tests.meters.insights.speakers import DayBefore, stored

ORIGIN = datetime(2025, 3, 2, 16, tzinfo=UTC)
LISTS = "/admin/insights"

pytestmark = pytest.mark.django_db


@pytest.fixture
def model():
    measured = {"candidate": {"nmae": 0.214, "bias": 0.01, "coverage": 0.8}, "weekday_means": {"nmae": 0.25}}
    return stored(DayBefore(), measured=measured)


@pytest.fixture
def forecast(model):
    count(supplied_register(), ORIGIN - timedelta(days=30), daily_course(30))
    code = ServicePoint.objects.get().code
    return forecast_now(kind=Subject.SERVICE_POINT, subject=code, actor=PORTAL, now=ORIGIN + timedelta(hours=1))


class TestForecastPages:
    def test_a_forecast_is_drawn_with_its_band(self, manager_client, forecast):
        page = manager_client.get(f"{LISTS}/forecast/{forecast.pk}/change/").content.decode()

        assert "<polygon" in page
        assert "kWh in two days" in page
        assert forecast.label in manager_client.get(f"{LISTS}/forecast/").content.decode()

    def test_a_refused_one_says_why(self, manager_client, forecast):
        Forecast.objects.update(median=[], low=[], high=[], reason="gaps", reason_text="Too much is missing.")

        page = manager_client.get(f"{LISTS}/forecast/{forecast.pk}/change/").content.decode()

        assert "<polygon" not in page
        assert "Too much is missing." in page

    @pytest.mark.parametrize("page", ["weather", "holiday", "forecastmodel"])
    def test_the_lists_open(self, manager_client, model, page):
        Weather.objects.create(time=ORIGIN, temperature_c=30.5, known_at=ORIGIN)

        assert manager_client.get(f"{LISTS}/{page}/").status_code == 200


class TestModelPages:
    def test_its_figures_are_shown(self, manager_client, model):
        page = manager_client.get(f"{LISTS}/forecastmodel/{model.pk}/change/").content.decode()

        assert "21.4%" in page
        assert "Silence it" in page
        assert "Let it speak" not in page

    def test_a_manager_silences_it_and_lets_it_speak_again(self, manager_client, model):
        for act, state in (("retire", "retired"), ("activate", "active")):
            manager_client.post(f"{LISTS}/forecastmodel/{model.pk}/{act}/", {"note": "It was asked for."}, follow=True)
            model.refresh_from_db()
            assert (model.state, model.reason) == (state, "It was asked for.")

    def test_without_a_reason_nothing_is_decided(self, manager_client, model):
        manager_client.post(f"{LISTS}/forecastmodel/{model.pk}/retire/", {"note": ""})

        assert ForecastModel.objects.get().state == "active"

    def test_teaching_is_asked_for(self, manager_client, forecast):
        manager_client.post(reverse("admin:insights_forecastmodel_teach"), {"note": ""})

        assert set(Job.objects.values_list("parameters__cohort", flat=True)) == {"service_point", "portal"}
