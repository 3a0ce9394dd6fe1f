"""Temperatures and holidays: what is kept, and what a forecast may know of them."""

from datetime import UTC, date, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from accounts.actors import PORTAL
from meters.insights.models import Holiday, Subject, Weather
from meters.insights.selectors.subjects import Series
from meters.insights.selectors.surroundings import SurroundingsBook
from meters.insights.services.weather import (
    BadWeather,
    DayOff,
    Reported,
    forget_weather,
    record_holidays,
    record_weather,
)
from tests.factories import ManagerFactory, RegionFactory, UserFactory
from tests.meters.helpers import client_of

# A local midnight in Singapore.
NOW = datetime(2025, 3, 2, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
MARCH_2 = (date(2025, 3, 2) - date(1970, 1, 1)).days

pytestmark = pytest.mark.django_db


def tell(*rows, now=NOW):
    return record_weather(rows=[Reported(*row) for row in rows], actor=PORTAL, now=now)


def surroundings(*, region=None, known_at=NOW, is_lesson=False):
    series = Series(
        kind=Subject.DEVICE,
        subject="plug",
        key=1,
        label="Plug",
        zone=ZoneInfo("Asia/Singapore"),
        cohort="device",
        region_id=region and region.pk,
    )
    return SurroundingsBook(known_at=known_at, days=56, is_lesson=is_lesson).of([series])[0]


class TestRecordWeather:
    def test_the_same_word_again_adds_nothing_and_a_later_one_stands_beside_it(self):
        assert tell((NOW, 30.0)) == 1
        assert tell((NOW, 30.0)) == 0
        assert tell((NOW, 31.0), now=NOW + HOUR) == 1
        assert Weather.objects.count() == 2

    @pytest.mark.parametrize(
        "row",
        [
            (NOW, 300.0),
            (NOW + timedelta(minutes=7), 30.0),
            (NOW, 30.0, "Atlantis"),
            (NOW, 30.0, None, NOW + HOUR),
        ],
    )
    def test_what_cannot_be_is_refused_and_nothing_is_kept(self, row):
        with pytest.raises(BadWeather) as refused:
            tell((NOW - HOUR, 30.0), row)

        assert [error.index for error in refused.value.errors] == [1]
        assert not Weather.objects.exists()

    def test_old_times_are_forgotten(self):
        tell((NOW - HOUR, 29.0), (NOW, 30.0))

        assert forget_weather(before=NOW) == 1


class TestSurroundings:
    def test_only_what_was_known_then_counts(self):
        tell((NOW + 12 * HOUR, 30.0))
        tell((NOW + 12 * HOUR, 33.0), now=NOW + HOUR)

        values = [surroundings(known_at=at).temperature.values[0] for at in (NOW, NOW + HOUR)]

        assert values == [30.0, 33.0]
        assert surroundings(known_at=NOW - HOUR).temperature is None

    def test_a_temperature_of_an_hour_holds_for_both_its_halves(self):
        tell((NOW, 30.0), (NOW + HOUR, 32.0))

        np.testing.assert_array_equal(surroundings().temperature.values, [30.0, 30.0, 32.0, 32.0])

    def test_a_regions_own_word_goes_before_that_of_all(self):
        region = RegionFactory()
        tell((NOW, 30.0, region.name), (NOW, 20.0))

        assert surroundings(region=region).temperature.values[0] == 30.0
        assert surroundings().temperature.values[0] == 20.0

    def test_what_was_only_observed_was_not_foreseen(self):
        tell(*((NOW - n * HOUR, 30.0) for n in range(1, 5)))
        assert surroundings().is_foreseen is False

    def test_a_lesson_takes_the_word_that_stood_half_a_day_before(self):
        time = NOW - 24 * HOUR
        tell((time, 30.0), now=time - 20 * HOUR)
        tell((time, 35.0), now=time + HOUR)

        assert surroundings(is_lesson=True).temperature.values[0] == 30.0
        assert surroundings().temperature.values[0] == 35.0

    def test_holidays_count_once_they_were_known(self, settings):
        settings.SITE_HOLIDAYS = frozenset()
        record_holidays(days=[DayOff(date(2025, 3, 2), "Founders")], actor=PORTAL, now=NOW)

        assert surroundings().holidays == {MARCH_2}
        assert surroundings(known_at=NOW - HOUR).holidays == frozenset()


class TestRecordHolidays:
    def test_told_again_a_day_takes_its_name_and_stays_known_since_it_was(self):
        record_holidays(days=[DayOff(date(2025, 3, 2))], actor=PORTAL, now=NOW)

        assert record_holidays(days=[DayOff(date(2025, 3, 2), "Founders")], actor=PORTAL, now=NOW + HOUR) == 0
        row = Holiday.objects.get()
        assert (row.name, row.known_at) == ("Founders", NOW)

    def test_a_region_that_does_not_exist_is_refused(self):
        with pytest.raises(BadWeather):
            record_holidays(days=[DayOff(date(2025, 3, 2), region="Atlantis")], actor=PORTAL, now=NOW)


class TestImportCommand:
    def test_good_lines_are_kept_and_bad_ones_named(self, tmp_path, time_machine):
        time_machine.move_to(NOW, tick=False)
        path = tmp_path / "weather.csv"
        path.write_text(
            "time,temperature_c,known_at\n"
            "2025-03-02T10:00,30.5,2025-03-02T09:00\n"
            "2025-03-02T10:30:00+08:00,31,\n"
            "2025-03-02T11:00,hot,\n"
        )
        out = StringIO()

        with pytest.raises(CommandError, match="1 lines were bad"):
            call_command("import_weather", str(path), stdout=out)

        kept = list(Weather.objects.order_by("time").values_list("time", "known_at"))
        assert kept == [
            (datetime(2025, 3, 2, 2, tzinfo=UTC), datetime(2025, 3, 2, 1, tzinfo=UTC)),
            (datetime(2025, 3, 2, 2, 30, tzinfo=UTC), NOW),
        ]
        assert "line 4:" in out.getvalue()

    def test_without_its_columns_a_file_is_refused(self, tmp_path):
        path = tmp_path / "weather.csv"
        path.write_text("when,warmth\n")

        with pytest.raises(CommandError, match="needs the columns"):
            call_command("import_weather", str(path))


class TestPaths:
    def test_staff_tell_and_read_it(self):
        client = client_of(ManagerFactory())
        row = {"time": "2025-03-02T14:00:00Z", "temperature_c": 31.5}

        told = client.post("/api/v1/weather", {"rows": [row]}, format="json")
        read = client.get("/api/v1/weather", {"time_from": "2025-03-02T14:00:00Z"})

        assert (told.status_code, told.json()) == (200, {"told": 1, "kept": 1})
        assert [each["temperature_c"] for each in read.json()["results"]] == [31.5]

    def test_bad_rows_are_named(self):
        row = {"time": "2025-03-02T14:00:00Z", "temperature_c": 315}

        answer = client_of(ManagerFactory()).post("/api/v1/weather", {"rows": [row]}, format="json")

        assert (answer.status_code, answer.json()["errors"][0]["index"]) == (422, 0)

    def test_holidays_too(self):
        client = client_of(ManagerFactory())

        told = client.post("/api/v1/holidays", {"days": [{"day": "2025-08-09", "name": "National Day"}]}, format="json")

        assert told.json() == {"told": 1, "kept": 1}
        assert client.get("/api/v1/holidays").json()["results"][0]["day"] == "2025-08-09"

    @pytest.mark.parametrize("path", ["/api/v1/weather", "/api/v1/holidays"])
    def test_customers_do_not(self, path):
        client = client_of(UserFactory())

        assert (client.get(path).status_code, client.post(path, {}, format="json").status_code) == (403, 403)
