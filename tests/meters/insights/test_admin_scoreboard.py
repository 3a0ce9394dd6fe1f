"""The scoreboard's page, and the list of single scores."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from meters.insights.admin.score_charts import HEIGHT, WIDTH, line_chart
from meters.insights.models import ForecastModel
from tests.factories import AnomalyFactory, ForecastModelFactory, ManagerFactory, ScoreDayFactory, UserFactory
from tests.meters.insights.test_scoreboard import score

NOW = datetime(2025, 3, 10, 4, tzinfo=UTC)
DAY = date(2025, 3, 1)
PAGE = reverse("admin:insights_forecastscore_scoreboard")


@pytest.fixture
def client(db, time_machine):
    cache.clear()
    time_machine.move_to(NOW, tick=False)
    browser = Client()
    browser.force_login(ManagerFactory())
    return browser


def days(number, **more):
    for place in range(number):
        day = DAY + timedelta(days=place)
        ScoreDayFactory(day=day, **more)
        for naive in ("week_naive", "weekday_means"):
            ScoreDayFactory(day=day, forecaster=naive, is_told=False, scaled_error=60.0, **more)


class TestPage:
    def test_says_what_to_do_where_nothing_is_scored(self, client):
        page = client.get(PAGE)

        assert "Nothing is scored yet" in page.text
        assert "see that a worker runs" in page.text

    def test_tells_how_well_forecasts_did(self, client):
        days(5)
        score("SP-1", error=9.6)

        page = client.get(PAGE)

        told = page.context["told"]
        assert (told["mase"], told["bias"], told["coverage"], told["skill"]) == ("0.50", "+0.0 %", "79.2 %", "+50.0 %")
        assert told["coverage_grade"] == "good"
        assert [row["name"] for row in page.context["rows"]] == ["Blend", "Week before", "Means of the weekday"]
        assert [row["mase"] for row in page.context["rows"]] == ["0.50", "1.25", "1.25"]
        assert len(page.context["days"]) == 5
        assert [row["label"] for row in page.context["worst"]] == ["SP-1"]
        assert page.text.count("<polyline") == 4

    def test_shows_the_cohort_the_days_and_the_day_ahead_that_are_chosen(self, client):
        days(3)
        days(2, cohort="battery", day_ahead=2, inside=20)

        assert client.get(PAGE).context["cohort_label"] == "Service points, household"
        assert client.get(PAGE, {"cohort": "battery", "ahead": "2", "days": "7"}).context["told"] is None
        batteries = client.get(PAGE, {"cohort": "battery", "ahead": "2", "days": "91"})
        assert batteries.context["cohort_label"] == "Batteries"
        assert batteries.context["told"]["coverage_grade"] == "warn"

    @pytest.mark.parametrize("query", [{"days": "x"}, {"days": "9999"}, {"ahead": "7"}, {"cohort": "none"}])
    def test_takes_what_makes_no_sense_for_unsaid(self, client, query):
        days(1)

        assert client.get(PAGE, query).context["told"]["mase"] == "0.50"

    def test_names_the_models_and_why_one_was_taken_back(self, client):
        reason = "Its error was 1.20 times that of the means of the weekday."
        worse = ForecastModelFactory(version=2, state=ForecastModel.State.REJECTED, reason=reason)
        days(2, model=worse)
        days(2, model=ForecastModelFactory(version=1, state=ForecastModel.State.ACTIVE))

        page = client.get(PAGE)

        assert [row["model"].version for row in page.context["models"]] == [2, 1]
        assert reason in page.text

    def test_tells_what_people_said_of_anomalies(self, client):
        for verdict in ("real", "real", "real", "normal", ""):
            AnomalyFactory(start=NOW - timedelta(days=3), end=NOW - timedelta(days=2), verdict=verdict)
        AnomalyFactory(start=NOW - timedelta(days=60), end=NOW - timedelta(days=59), verdict="normal")

        found = client.get(PAGE).context["anomalies"]

        assert (found["all"]["share"], found["all"]["found"]) == ("75.0 %", 5)
        assert [table["head"] for table in found["tables"]] == ["Kind", "Detector", "Cohort"]
        assert found["tables"][0]["rows"][0]["name"] == "Spike"

    def test_asks_the_same_number_of_questions_whatever_there_is(self, client):
        def questions():
            with CaptureQueriesContext(connection) as asked:
                client.get(PAGE)
            return len(asked)

        days(1, model=ForecastModelFactory())
        score("SP-0")
        client.get(PAGE)
        few = questions()
        days(9, cohort="device")
        days(9, model=ForecastModelFactory(state="retired"))
        for number in range(1, 12):
            score(f"SP-{number}")

        assert questions() == few

    @pytest.mark.parametrize(("role", "status"), [(Role.CUSTOMER, 302), (Role.AGENT, 302), (Role.ADMIN, 200)])
    def test_is_for_staff(self, db, role, status):
        browser = Client()
        browser.force_login(UserFactory(role=role))

        assert browser.get(PAGE).status_code == status

    def test_stands_in_the_sidebar(self, client):
        assert PAGE in client.get(reverse("admin:index")).text


class TestList:
    def test_shows_single_scores_and_lets_nobody_change_them(self, client):
        found = score("SP-1")

        page = client.get(reverse("admin:insights_forecastscore_changelist"), {"q": "SP-1"})
        one = client.get(reverse("admin:insights_forecastscore_change", args=[found.pk]))

        assert "0.50" in page.text
        assert "79.2 %" in one.text
        assert client.get(reverse("admin:insights_forecastscore_add")).status_code == 403


class TestLineChart:
    def test_breaks_where_a_day_is_not_known(self):
        by_day = {DAY + timedelta(days=number): 0.5 for number in (0, 1, 3)}

        chart = line_chart([("Told", "told", by_day)], first=DAY, days=5)

        (line,) = chart.lines
        assert line.pieces == (f"0.0,0.0 {WIDTH / 4},0.0",)
        assert line.dots == ((3 * WIDTH / 4, 0.0),)

    def test_is_not_drawn_of_nothing(self):
        assert line_chart([("Told", "told", {DAY: None})], first=DAY, days=7) is None

    @pytest.mark.parametrize(("highest", "labels"), [(0.62, "0 0.2 0.4 0.6 0.8"), (1.9, "0 0.5 1 1.5 2")])
    def test_goes_up_in_round_steps(self, highest, labels):
        chart = line_chart([("Told", "told", {DAY: highest})], first=DAY, days=7)

        assert " ".join(level.label for level in chart.levels) == labels
        assert chart.levels[0].at == HEIGHT

    @pytest.mark.parametrize(("share", "lowest"), [(0.8, 0.6), (0.35, 0.3)])
    def test_looks_closely_at_shares_and_shows_where_they_should_be(self, share, lowest):
        chart = line_chart([("Told", "told", {DAY: share})], first=DAY, days=1, band=(0.78, 0.82), are_shares=True)

        a_share = HEIGHT / (1 - lowest)
        assert chart.band == (pytest.approx(0.18 * a_share, abs=0.06), pytest.approx(0.04 * a_share, abs=0.11))
        assert (chart.levels[0].label, chart.levels[-1].label) == (f"{100 * lowest:.0f} %", "100 %")
        assert (chart.levels[0].at, chart.levels[-1].at) == (HEIGHT, 0)
