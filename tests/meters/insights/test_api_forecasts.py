"""The paths of predictions: who may ask, what is answered, and what it costs."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meters.insights.models import Forecast
from meters.models import Job, ServicePoint
from tests.factories import (
    AccountAccessFactory,
    DeviceFactory,
    ManagerFactory,
    RegionFactory,
    UserFactory,
    supplied_register,
)
from tests.meters.helpers import client_of
from tests.meters.insights.half_hourly import count, daily_course
from tests.meters.insights.speakers import DayBefore, stored

ORIGIN = datetime(2025, 3, 2, 16, tzinfo=UTC)
NOW = ORIGIN + timedelta(hours=9)
GENERATE = "/api/v1/predictions/generate"

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(time_machine):
    """A place with thirty known days, and the account that is supplied there."""
    time_machine.move_to(NOW, tick=False)
    stored(DayBefore())
    register = supplied_register()
    count(register, ORIGIN - timedelta(days=30), daily_course(30))
    return ServicePoint.objects.get()


@pytest.fixture
def customer(home):
    return AccountAccessFactory(account=home.bindings.get().account).user


def ask(client, **body):
    return client.post(GENERATE, body, format="json")


def of(place):
    return {"subject_kind": "service_point", "subject": place.code}


class TestGenerate:
    def test_a_customer_is_told_at_once_and_again_the_same(self, home, customer):
        first, again = ask(client_of(customer), **of(home)), ask(client_of(customer), **of(home))

        body = first.json()
        assert (first.status_code, again.json()) == (200, body)
        assert (body["origin"], body["step_minutes"], len(body["median"])) == ("2025-03-03T00:00:00+08:00", 30, 96)
        assert (body["forecaster"], body["model"].split()[0], body["reason"]) == ("blend", "service_point", "")

    def test_somebody_elses_place_does_not_exist(self, home):
        answer = ask(client_of(UserFactory()), **of(home))

        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_series")
        assert not Forecast.objects.exists()

    def test_who_moved_out_learns_nothing_of_who_came(self, home, customer):
        binding = home.bindings.get()
        binding.valid = (binding.valid.lower, NOW - timedelta(days=3))
        binding.save()

        assert ask(client_of(customer), **of(home)).status_code == 404

    def test_everything_and_regions_are_for_staff(self, home, customer):
        region = RegionFactory()
        asked = [{"subject_kind": "portal"}, {"subject_kind": "region", "subject": region.name}]

        refused = [ask(client_of(customer), **body).status_code for body in asked]
        told = [ask(client_of(ManagerFactory()), **body).status_code for body in asked]

        assert (refused, told) == ([404, 404], [200, 200])

    def test_all_of_a_kind_are_a_job_once_a_night(self, home):
        client = client_of(ManagerFactory())

        first, again = ask(client, subject_kind="service_point"), ask(client, subject_kind="service_point")

        job = Job.objects.get()
        assert (first.status_code, [each["job"] for each in first.json()]) == (202, [str(job.pk)])
        assert (again.status_code, again.json()) == (202, [])
        assert job.parameters["zone"] == "Asia/Singapore"

    def test_all_of_a_kind_are_not_for_customers(self, home, customer):
        answer = ask(client_of(customer), subject_kind="service_point")

        assert (answer.status_code, answer.json()["code"]) == (403, "not_for_everybody")

    def test_an_unknown_zone_is_refused(self, home):
        answer = ask(client_of(ManagerFactory()), subject_kind="device", zone="Asia/Nowhere")

        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_zone")


class TestList:
    def test_each_sees_what_is_theirs(self, home, customer):
        DeviceFactory(device_id="plug-1")
        staff = ManagerFactory()
        for body in (of(home), {"subject_kind": "device", "subject": "plug-1"}):
            ask(client_of(staff), **body)
        people = [customer, staff, UserFactory(role="operator"), UserFactory()]

        seen = [
            sorted(row["subject_kind"] for row in client_of(person).get("/api/v1/predictions").json()["results"])
            for person in people
        ]

        assert seen == [["service_point"], ["device", "service_point"], ["device"], []]

    def test_it_is_narrowed_by_subject_and_origin(self, home):
        client = client_of(ManagerFactory())
        ask(client, **of(home))

        def found(**query):
            return len(client.get("/api/v1/predictions", query).json()["results"])

        assert found(subject=home.code, origin_from="2025-03-02T16:00:00Z") == 1
        assert found(origin_until="2025-03-02T16:00:00Z") == found(subject="other") == 0

    def test_more_rows_cost_no_more_queries(self, home):
        client = client_of(ManagerFactory())
        ask(client, **of(home))
        row = Forecast.objects.get()
        with CaptureQueriesContext(connection) as one:
            client.get("/api/v1/predictions")
        for number in range(5):
            row.pk, row.subject = None, f"SP-{number}"
            row.save(force_insert=True)

        with CaptureQueriesContext(connection) as six:
            assert len(client.get("/api/v1/predictions").json()["results"]) == 6

        assert len(six) == len(one)

    def test_one_is_read_by_its_number(self, home, customer):
        made = ask(client_of(customer), **of(home)).json()

        assert client_of(customer).get(f"/api/v1/predictions/{made['id']}").json() == made
        assert client_of(UserFactory()).get(f"/api/v1/predictions/{made['id']}").status_code == 404
