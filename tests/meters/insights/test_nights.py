"""What is done by the calendar, and by commands."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import PORTAL
from meters.insights.models import Forecast, Subject
from meters.insights.services.nights import forget_old, queue_due_nights, queue_training
from meters.insights.tasks.forecasts import ask_for_forecasts, ask_for_training, forget_forecasts
from meters.models import Job, ServicePoint
from tests.factories import DeviceFactory, supplied_register
from tests.meters.insights.half_hourly import count, daily_course
from tests.meters.insights.speakers import DayBefore, stored

# 01:30 in Singapore.
NOW = datetime(2025, 3, 2, 17, 30, tzinfo=UTC)
ORIGIN = datetime(2025, 3, 2, 16, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(time_machine):
    time_machine.move_to(NOW, tick=False)
    stored(DayBefore())
    register = supplied_register()
    count(register, ORIGIN - timedelta(days=30), daily_course(30))
    return register


class TestQueueDueNights:
    def test_each_kind_that_has_a_series_is_asked_for_once_a_night(self, home):
        DeviceFactory()

        first, again = queue_due_nights(now=NOW), queue_due_nights(now=NOW + timedelta(hours=3))

        assert [job.parameters["subject_kind"] for job in first] == ["service_point", "device", "portal"]
        assert {job.parameters["origin"] for job in first} == {ORIGIN.isoformat()}
        assert again == []

    def test_before_its_hour_no_night_is_due(self, home):
        assert queue_due_nights(now=NOW - timedelta(hours=1)) == []

    def test_a_night_that_failed_is_asked_for_again(self, home):
        queue_due_nights(now=NOW)
        Job.objects.update(status=Job.Status.FAILED)

        assert len(queue_due_nights(now=NOW)) == 2


class TestTasks:
    def test_a_night_ends_with_forecasts(self, home, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            assert ask_for_forecasts() == 2

        kinds = Forecast.objects.order_by("subject_kind").values_list("subject_kind", "forecaster")
        assert list(kinds) == [("portal", "weekday_means"), ("service_point", "blend")]
        assert set(Job.objects.values_list("status", flat=True)) == {"done"}

    def test_training_is_asked_for_where_a_series_is(self, home):
        assert ask_for_training() == 2
        assert queue_training(actor=PORTAL, now=NOW, cohorts=(Subject.SERVICE_POINT,)) == []

    def test_what_is_old_is_dropped(self, home, settings):
        call_command("forecast", kind="service_point", stdout=StringIO())
        settings.FORECAST_DAYS_KEPT = 30

        assert forget_forecasts() == 0
        assert forget_old(now=NOW + timedelta(days=31)) == 1


class TestCommands:
    def test_one_is_printed(self, home):
        out = StringIO()
        code = ServicePoint.objects.get().code

        call_command("forecast", kind="service_point", subject=code, stdout=out)

        told = json.loads(out.getvalue())
        assert (told["subject"], told["forecaster"], len(told["median"])) == (code, "blend", 96)

    def test_everybody_is_forecast(self, home):
        out = StringIO()

        call_command("forecast", stdout=out)

        assert "Asia/Singapore service point: 1 forecasts made of 1 series." in out.getvalue()

    def test_nobody_by_that_name_is_an_error(self, home):
        with pytest.raises(CommandError, match="There is no device"):
            call_command("forecast", kind="device", subject="nobody")

    def test_too_short_a_past_is_an_error(self, home):
        with pytest.raises(CommandError, match="at least 42"):
            call_command("train_forecasts")
