"""What is expected of the days ahead, on the usage page."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from energy_portal.shared.clock import Period
from meters.insights.selectors.shown import forecast_ahead
from tests.factories import (
    AccountAccessFactory,
    ForecastFactory,
    ForecastScoreFactory,
    UserFactory,
    supplied_register,
)
from tests.households import home_of, report

pytestmark = pytest.mark.django_db

# 2023-03-15 12:10 in Singapore, a Wednesday; readings reach to 12:00.
NOW = datetime(2023, 3, 15, 4, 10, tzinfo=UTC)
MIDNIGHT = datetime(2023, 3, 14, 16, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def customer():
    return UserFactory()


@pytest.fixture
def client(customer) -> Client:
    made = Client()
    made.force_login(customer)
    return made


@pytest.fixture
def home(customer):
    """An account whose meter reported until now."""
    account, register = home_of(customer)
    report(register, start=MIDNIGHT - timedelta(days=2), until=NOW)
    return account


def code_of(account) -> str:
    return account.bindings.get().service_point.code


def chart_of(page) -> dict:
    data = re.search(r'<script id="usage-data" type="application/json">(.*?)</script>', page.content.decode())
    return json.loads(data[1])


def text_of(page) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


class TestDay:
    def test_has_a_line_in_its_band_after_the_readings_and_none_before(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        expected = chart_of(client.get("/usage?view=day"))["expected"]

        assert expected["shape"] == "band"
        assert expected["middle"] == [None] * 24 + [0.25] * 24
        assert expected["low"][23:25] == [None, 0.125]
        assert expected["high"][23:25] == [None, 0.5]

    def test_says_how_much_is_to_come_by_averages(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        page = text_of(client.get("/usage?view=day"))

        # 24 half-hours of 0.3 kWh today, and 48 tomorrow.
        assert "Expected: about 7.2 kWh more today, and about 14.4 kWh tomorrow." in page

    def test_tells_the_same_in_the_table(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        page = text_of(client.get("/usage?view=day"))

        assert "Expected, kWh" in page
        assert re.search(r"12:00.12:30 . 0\.25 0\.1[23].0\.50 not yet", page)

    def test_can_be_tomorrow(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        today, tomorrow = client.get("/usage?view=day"), client.get("/usage?view=day&on=2023-03-16")

        assert "on=2023-03-16" in today.content.decode()
        assert chart_of(tomorrow)["expected"]["middle"] == [0.25] * 48
        assert "Not here yet: this is what we expect." in text_of(tomorrow)
        assert "usage.csv" not in tomorrow.content.decode()

    @pytest.mark.parametrize("path", ["/usage?view=day&on=2023-03-17", "/usage?view=month&on=2023-04-01"])
    def test_is_never_later_than_that(self, home, client, path):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        page = client.get(path)

        assert page.context["window"].first <= date(2023, 3, 16)

    def test_stays_today_where_tomorrow_is_not_foreseen(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT - timedelta(days=1))

        page = client.get("/usage?view=day&on=2023-03-16")

        assert "Wednesday 15 March 2023" in text_of(page)
        assert "Expected: about 7.2 kWh more today." in text_of(page)

    def test_shows_nothing_of_it_on_a_day_that_is_over(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        page = client.get("/usage?view=day&on=2023-03-14")

        assert "expected" not in chart_of(page)
        assert "Expected" not in text_of(page)


class TestDays:
    @pytest.mark.parametrize(("view", "today"), [("week", 2), ("month", 14)])
    def test_are_framed_with_what_they_come_to(self, home, client, view, today):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        expected = chart_of(client.get(f"/usage?view={view}"))["expected"]

        # Six kWh so far, and 7.2 to come; tomorrow 14.4.
        assert expected["shape"] == "frames"
        assert expected["middle"][today - 1 : today + 3] == [None, 13.2, 14.4, None]

    def test_have_a_span_once_enough_days_turned_out(self, home, client):
        now_and_before = [
            ForecastFactory(subject=code_of(home), origin=MIDNIGHT - timedelta(days=days)) for days in range(11)
        ]
        for number, forecast in enumerate(now_and_before[1:]):
            ForecastScoreFactory(forecast=forecast, truth=40.0 + 2 * number, mean=48.0)

        page = client.get("/usage?view=week")

        expected = chart_of(page)["expected"]
        # Of ten days the second lowest and second highest, nearly: 41.8 and 56.2 of 48.
        assert expected["low"][3] == pytest.approx(14.4 * 41.8 / 48, abs=0.002)
        assert expected["high"][3] == pytest.approx(14.4 * 56.2 / 48, abs=0.002)
        assert expected["high"][2] == pytest.approx(6 + 7.2 * 56.2 / 48, abs=0.002)
        assert "The thin line spans how eight of ten days turned out lately." in text_of(page)

    def test_have_none_before(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        page = client.get("/usage?view=week")

        assert set(chart_of(page)["expected"]["low"]) == {None}
        assert "The thin line" not in text_of(page)

    def test_count_what_is_left_of_a_half_hour_that_runs(self, customer, client):
        account, _ = home_of(customer)
        ForecastFactory(subject=code_of(account), origin=MIDNIGHT)

        page = text_of(client.get("/usage?view=week"))

        # Without a reading the rest of the day begins now, at 12:10: 23 half-hours and two thirds of one.
        assert "Expected: about 7.1 kWh more today" in page

    def test_are_not_framed_in_a_year(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        assert "expected" not in chart_of(client.get("/usage?view=year"))


class TestRefusal:
    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            ("gaps", "too many readings of your last weeks are missing"),
            ("cold_start", "it takes some two weeks of readings"),
            ("no_data", "nothing is known of your last weeks"),
            ("no_model", "we are still learning"),
        ],
    )
    def test_says_why(self, home, client, reason, words):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT, median=[], mean=[], low=[], high=[], reason=reason)

        page = client.get("/usage?view=day")

        assert words in text_of(page)
        assert "expected" not in chart_of(page)

    def test_says_when_something_simple_spoke(self, home, client):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT, low=[], high=[], reason="no_model")

        page = client.get("/usage?view=day")

        assert "this is simply what you used at the same times in the weeks before" in text_of(page)
        assert chart_of(page)["expected"]["low"][30] is None

    def test_is_silent_where_nobody_tried(self, home, client):
        assert "xpected" not in text_of(client.get("/usage?view=day"))


class TestForecastAhead:
    def test_takes_the_newest_origin_that_has_begun(self, home):
        for days, level in ((-1, 0.1), (0, 0.2), (1, 0.3)):
            origin = MIDNIGHT + timedelta(days=days)
            ForecastFactory(subject=code_of(home), origin=origin, median=[level] * 96)

        assert forecast_ahead(home, now=NOW).half_hours[0].median_kwh == pytest.approx(0.2)

    def test_adds_up_places(self, home):
        second = supplied_register(account=home).meter.installations.get().service_point
        ForecastFactory(subject=home.bindings.exclude(service_point=second).get().service_point.code, origin=MIDNIGHT)
        ForecastFactory(subject=second.code, origin=MIDNIGHT, median=[1.0] * 96)

        first = forecast_ahead(home, now=NOW).half_hours[0]

        assert (first.median_kwh, first.mean_kwh, first.low_kwh, first.high_kwh) == pytest.approx(
            (1.25, 1.5, 0.625, 2.5)
        )

    def test_says_nothing_where_a_place_is_unknown(self, home):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)
        supplied_register(account=home)

        assert forecast_ahead(home, now=NOW).half_hours == ()

    def test_lets_the_account_speak_for_its_places(self, home):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)
        supplied_register(account=home)
        ForecastFactory(subject_kind="account", subject=home.number, origin=MIDNIGHT, median=[0.7] * 96)

        assert forecast_ahead(home, now=NOW).half_hours[0].median_kwh == pytest.approx(0.7)

    def test_knows_nobody_elses(self, home):
        other = AccountAccessFactory().account
        supplied_register(account=other)
        ForecastFactory(subject=code_of(other), origin=MIDNIGHT)

        assert forecast_ahead(home, now=NOW).half_hours == ()

    def test_keeps_to_itself_what_was_foreseen_of_who_lived_there_before(self, home):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT, account=AccountAccessFactory().account)

        assert forecast_ahead(home, now=NOW).half_hours == ()

    def test_answers_only_for_whole_periods(self, home):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)
        ahead = forecast_ahead(home, now=NOW)
        end = MIDNIGHT + 96 * HALF_HOUR

        assert len(ahead.between(Period(end - 2 * HALF_HOUR, end))) == 2
        assert ahead.between(Period(end - HALF_HOUR, end + HALF_HOUR)) is None

    def test_takes_three_queries(self, home):
        ForecastFactory(subject=code_of(home), origin=MIDNIGHT)

        with CaptureQueriesContext(connection) as taken:
            forecast_ahead(home, now=NOW)

        assert len(taken) == 3
