"""What a manager sees of how forecasts did."""

import math
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from meters.insights.models import ForecastModel
from tests.browser.conftest import with_password
from tests.factories import ForecastModelFactory, ManagerFactory, ScoreDayFactory

_DAYS = 28


@pytest.fixture
def manager(transactional_db):
    return with_password(ManagerFactory(name="Mona Manager"))


@pytest.fixture
def scores(transactional_db):
    """Four weeks of homes and devices; one day is not known."""
    today = timezone.localdate()
    model = ForecastModelFactory(version=3, state=ForecastModel.State.ACTIVE, trained_at=timezone.now())
    for number in set(range(1, _DAYS)) - {9}:
        weather = 1 + 0.15 * math.sin(number) + 0.1 * math.cos(2.3 * number)
        for cohort in ("service_point:household", "service_point:small_business", "device"):
            shared = {
                "day": today - timedelta(days=number),
                "cohort": cohort,
                "model": None if cohort == "device" else model,
                "forecasts": 1_240,
                "half_hours": 59_520,
                "banded": 59_520,
                "inside": round(59_520 * (0.8 + 0.03 * math.sin(1.7 * number))),
                "measured": 59_520,
                "compared": 59_520,
                "truth": 59_520.0,
                "truth_size": 59_520.0,
                "median": 53_000.0,
                "usual_error": 59_520 * 0.6,
                "naive_error": 59_520 * 0.5 * weather,
            }
            for name, share in (("blend", 0.33), ("week_naive", 0.5), ("weekday_means", 0.4)):
                error = 59_520 * share * weather
                ScoreDayFactory(
                    forecaster=name,
                    is_told=name == "blend",
                    mean=58_900.0 if name == "blend" else 60_500.0,
                    absolute_error=error,
                    measured_error=error,
                    compared_error=error,
                    scaled_error=error / 0.6,
                    **shared,
                )


class TestScoreboard:
    def test_is_read_and_narrowed_down_on_any_screen(self, anywhere, manager, scores):
        page = anywhere.page
        anywhere.log_in(manager, "**/admin/")

        anywhere.open(reverse("admin:insights_forecastscore_scoreboard"))
        expect(page.get_by_role("heading", name="Service points, household")).to_be_visible()
        expect(page.get_by_role("img", name="Error by day MASE")).to_be_visible()
        expect(page.get_by_role("row", name="Blend")).to_be_visible()
        anywhere.expect_sound()

        page.get_by_label("Forecasts of").select_option(label="Devices")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator("#content").get_by_role("heading", name="Devices", exact=True)).to_be_visible()
        page.get_by_role("link", name="24\N{EN DASH}48 h ahead").click()
        expect(page.get_by_text("Nothing is scored yet")).to_be_visible()
        anywhere.expect_sound()
