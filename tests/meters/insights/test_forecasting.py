"""Forecasts: who speaks, from what, and what stands."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from energy_portal.shared.clock import HALF_HOUR, local_day, zone
from meters.batteries.models import BatteryQuarter
from meters.batteries.store.quarters import BATTERY_QUARTERS
from meters.insights.models import Forecast, Subject
from meters.insights.selectors.subjects import NoSuchSeries, find_series
from meters.insights.services.forecasting import (
    NotYet,
    forecast_now,
    forget_forecasts,
    make_forecasts,
    run_forecasts,
)
from meters.models import Job, ServicePoint
from meters.services.jobs import Running
from tests.factories import BatteryFactory, ManagerFactory, PremisesFactory, supplied_register
from tests.meters.insights.half_hourly import count, daily_course, make_room, tell
from tests.meters.insights.speakers import DayBefore, Level, stored

# Local midnights in Singapore.
START = datetime(2025, 1, 31, 16, tzinfo=UTC)
ORIGIN = START + timedelta(days=30)
NOW = ORIGIN + timedelta(hours=9)

pytestmark = pytest.mark.django_db


@pytest.fixture
def home():
    """A dial that counted thirty days up to the origin."""
    register = supplied_register()
    count(register, START, daily_course(30))
    return register


def code_of(register):
    return ServicePoint.objects.get(installations__meter=register.meter).code


def forecast_of(register, *, now=NOW) -> Forecast:
    return forecast_now(kind=Subject.SERVICE_POINT, subject=code_of(register), actor=PORTAL, now=now)


class TestForecastNow:
    def test_the_model_speaks_from_the_last_local_midnight_on(self, home):
        model = stored(DayBefore())

        found = forecast_of(home)

        assert (found.origin, found.issued_at, found.known_until) == (ORIGIN, NOW, ORIGIN)
        assert (found.forecaster, found.model, found.reason) == ("blend", model, "")
        np.testing.assert_allclose(found.median, np.tile(daily_course(30)[-48:], 2), rtol=1e-5)
        np.testing.assert_allclose(found.mean, np.array(found.median) * 1.05, rtol=1e-5)
        assert found.day_naive_mae > 0
        assert found.cohort == "service_point:residential"

    def test_what_comes_after_the_origin_changes_no_byte(self, home):
        stored(DayBefore())
        before = forecast_of(home)
        Forecast.objects.all().delete()
        tell(home, ORIGIN + HALF_HOUR, np.linspace(5_000, 9_000, 18))

        after = forecast_of(home)

        parts = [(each.median, each.mean, each.low, each.high) for each in (before, after)]
        assert np.array(parts[0]).tobytes() == np.array(parts[1]).tobytes()

    def test_asked_again_the_one_that_stands_is_returned_though_the_past_was_corrected(self, home):
        stored(DayBefore())
        first = forecast_of(home)
        home.readings.filter(time__gt=ORIGIN - timedelta(days=1)).delete()

        again = forecast_of(home, now=NOW + timedelta(hours=2))

        assert (again.pk, again.issued_at, again.median) == (first.pk, NOW, first.median)
        assert AuditEntry.objects.filter(action="forecast.made").count() == 1

    def test_without_a_model_the_weekdays_speak_and_say_so(self, home):
        found = forecast_of(home)

        assert (found.forecaster, found.reason, found.model) == ("weekday_means", "no_model", None)
        assert found.reason_text.startswith("No model was taught yet. Instead, the means")
        assert len(found.median) == 96

    def test_of_an_unknown_past_it_is_refused_and_tried_again_when_more_is_known(self):
        stored(DayBefore())
        register = supplied_register()
        refused = forecast_of(register)
        count(register, START, daily_course(30))

        found = forecast_of(register)

        assert (refused.median, refused.reason) == ([], "no_data")
        assert refused.reason_text == "Nothing is known of the weeks before."
        assert (found.pk, found.reason, len(found.median)) == (refused.pk, "", 96)

    def test_a_model_of_other_libraries_stays_silent(self, home):
        stored(DayBefore(), made_with="python 2.7")

        assert forecast_of(home).reason == "no_model"

    def test_what_nobody_knows_is_refused(self):
        with pytest.raises(NoSuchSeries):
            forecast_now(kind=Subject.SERVICE_POINT, subject="nowhere", actor=PORTAL, now=NOW)

    @pytest.mark.parametrize(("day", "half_hours"), [(date(2025, 3, 30), 94), (date(2025, 10, 26), 98)])
    def test_days_on_which_the_clock_changes_have_the_half_hours_that_they_have(self, day, half_hours):
        stored(DayBefore())
        register = supplied_register()
        ServicePoint.objects.update(premises=PremisesFactory(zone="Europe/Berlin"))
        origin = local_day(day, zone("Europe/Berlin")).start
        count(register, origin - timedelta(days=30), daily_course(30))

        found = forecast_of(register, now=origin + timedelta(hours=1))

        assert found.origin == origin
        assert len(found.median) == half_hours

    def test_the_state_of_charge_stays_between_empty_and_full(self):
        stored(Level(120.0), cohort="battery")
        battery = BatteryFactory()
        make_room(BATTERY_QUARTERS, START, ORIGIN)
        quarters = [
            BatteryQuarter(
                battery=battery,
                time=START + number * timedelta(minutes=15),
                covered_seconds=900,
                ac_covered_seconds=0,
                soc_first_percent=50 + number % 40,
                soc_last_percent=50 + number % 40,
                soc_outside_seconds=0,
                voltage_outside_seconds=0,
                temp_outside_seconds=0,
            )
            for number in range(30 * 96)
        ]
        BatteryQuarter.objects.bulk_create(quarters)

        found = forecast_now(kind=Subject.BATTERY, subject=battery.battery_id, actor=PORTAL, now=NOW)

        assert (found.quantity, found.reason) == ("soc_percent", "")
        assert set(found.median) == set(found.high) == {100.0}


class TestMakeForecasts:
    def test_an_origin_that_lies_ahead_is_refused(self, home):
        series = find_series(kind=Subject.SERVICE_POINT, subject=code_of(home), at=NOW)

        with pytest.raises(NotYet):
            make_forecasts(series=[series], origin=NOW + timedelta(days=1), now=NOW)

    def test_many_cost_as_many_queries_as_one(self):
        stored(DayBefore())
        registers = [supplied_register() for _ in range(4)]
        for number, register in enumerate(registers):
            count(register, START, daily_course(30, seed=number))
        series = [find_series(kind=Subject.SERVICE_POINT, subject=code_of(each), at=NOW) for each in registers]
        make_forecasts(series=series[:1], origin=ORIGIN, now=NOW)
        with CaptureQueriesContext(connection) as one:
            make_forecasts(series=series[1:2], origin=ORIGIN, now=NOW)

        with CaptureQueriesContext(connection) as two:
            make_forecasts(series=series, origin=ORIGIN, now=NOW)

        assert len(two) == len(one)
        assert Forecast.objects.count() == 4


class TestRunForecasts:
    def run(self, kind=Subject.SERVICE_POINT):
        parameters = {"subject_kind": kind, "zone": "Asia/Singapore", "origin": ORIGIN.isoformat()}
        job = Job.objects.create(kind=Job.Kind.FORECAST, parameters=parameters, created_at=NOW)
        return run_forecasts(Running(job, PORTAL, NOW)), job

    def test_everybody_with_a_past_gets_one_and_a_second_run_makes_none(self, home):
        stored(DayBefore())
        supplied_register()

        first, job = self.run()
        second, _ = self.run()

        assert (first["series"], first["forecasts"], second["forecasts"]) == (2, 1, 0)
        assert (job.done, job.total) == (2, 2)
        assert Forecast.objects.get().subject == code_of(home)

    def test_everything_together_is_a_series_too(self, home):
        self.run(Subject.PORTAL)

        assert Forecast.objects.get().label == "Everything"


class TestWhoSees:
    def test_customers_see_their_own_and_managers_all(self, home):
        account = forecast_of(home).account
        customer = account.accesses.create(user=ManagerFactory(role="customer"), valid=(START, None)).user
        other = ManagerFactory(role="customer")

        seen = [Forecast.objects.visible_to(user).count() for user in (customer, ManagerFactory(), other)]

        assert seen == [1, 1, 0]


class TestForgetForecasts:
    def test_what_is_older_goes(self, home):
        forecast_of(home)

        assert forget_forecasts(before=ORIGIN) == 0
        assert forget_forecasts(before=ORIGIN + HALF_HOUR) == 1
