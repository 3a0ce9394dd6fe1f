"""What a manager with regions sees of the desk's queues, and a manager without any."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role, Scope
from meters.models import Alarm, ReadingException, RegionManager
from tests.factories import (
    AccountAccessFactory,
    AdminFactory,
    AlarmFactory,
    ManagerFactory,
    RegionFactory,
    UserFactory,
    supplied_register,
)
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db
T = datetime(2025, 3, 10, 4, tzinfo=UTC)
EXCEPTIONS, ALARMS = "/api/v1/exceptions", "/api/v1/alarms"


@pytest.fixture
def region():
    return RegionFactory(name="North")


@pytest.fixture
def mina(region):
    """A manager of one region."""
    manager = ManagerFactory()
    RegionManager.objects.create(region=region, user=manager)
    return manager


def flagged(region=None, **more):
    register = supplied_register(meter__region=region, **more)
    return ReadingException.objects.create(register=register, time=T, code="spike", opened_at=T)


def ids(client, path):
    return {row["id"] for row in client.get(path).json()["results"]}


def keys(*rows):
    return {str(row.pk) for row in rows}


class TestExceptions:
    def test_are_those_of_the_meters_in_their_regions(self, region, mina):
        mine, other, nowhere = flagged(region), flagged(RegionFactory()), flagged()
        boss, admin = client_of(ManagerFactory()), client_of(AdminFactory())

        assert ids(client_of(mina), EXCEPTIONS) == keys(mine)
        assert ids(boss, EXCEPTIONS) == ids(admin, EXCEPTIONS) == keys(mine, other, nowhere)

    def test_are_not_decided_by_others(self, mina):
        other = flagged(RegionFactory())

        answer = client_of(mina).post(f"{EXCEPTIONS}/{other.pk}/accept", {"note": "So it is."}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (404, "no_such_exception")

    def test_of_a_meter_elsewhere_are_not_listed_with_it(self, region, mina):
        mine, other = flagged(region), flagged(RegionFactory())
        lists = [f"/api/v1/meters/{each.register.meter.serial}/exceptions" for each in (mine, other)]

        assert [len(client_of(mina).get(path).json()["results"]) for path in lists] == [1, 0]
        assert [len(client_of(ManagerFactory()).get(path).json()["results"]) for path in lists] == [1, 1]

    def test_stand_so_in_the_admin(self, region, mina, client):
        mine, other = flagged(region, meter__serial="SG-IN"), flagged(RegionFactory(), meter__serial="SG-OUT")
        client.force_login(mina)
        path = "/admin/meters/readingexception/"

        page = client.get(path).content.decode()

        assert ("SG-IN" in page, "SG-OUT" in page) == (True, False)
        assert client.get(f"{path}{mine.pk}/change/").status_code == 200
        assert client.get(f"{path}{other.pk}/change/").status_code == 302

    def test_are_for_customers_and_data_sources_what_they_were(self, region):
        exception = flagged(region)
        binding = exception.register.meter.installations.get().service_point.bindings.get()
        access = AccountAccessFactory(account=binding.account)
        for client in (client_of(access.user), client_of(scopes=[Scope.QUERIES])):
            assert ids(client, EXCEPTIONS) == keys(exception)
        assert ids(client_of(UserFactory()), EXCEPTIONS) == set()


class TestAlarms:
    def test_are_those_in_their_regions(self, region, mina):
        in_region, of_portal = AlarmFactory(region=region), AlarmFactory(subject_kind="portal", subject="disk")
        mine, others = (supplied_register(meter__region=each) for each in (region, RegionFactory()))
        of_meter, of_place = (
            AlarmFactory(subject_kind="meter", subject=mine.meter.serial),
            AlarmFactory(subject_kind="service_point", subject=mine.meter.installations.get().service_point.code),
        )
        elsewhere = (
            AlarmFactory(),
            AlarmFactory(region=RegionFactory()),
            AlarmFactory(subject_kind="meter", subject=others.meter.serial),
            AlarmFactory(subject_kind="service_point", subject=others.meter.installations.get().service_point.code),
        )
        seen = (in_region, of_portal, of_meter, of_place)

        assert ids(client_of(mina), ALARMS) == keys(*seen)
        assert ids(client_of(ManagerFactory()), ALARMS) == keys(*seen, *elsewhere)
        assert client_of(mina).get(f"{ALARMS}/{elsewhere[0].pk}").status_code == 404

    def test_of_devices_are_all_operators_business(self, region):
        AlarmFactory(region=region)
        AlarmFactory()

        assert Alarm.objects.visible_to(UserFactory(role=Role.OPERATOR)).count() == 2


class TestQueues:
    @pytest.mark.parametrize("path", [EXCEPTIONS, ALARMS])
    def test_cost_the_same_however_many(self, region, mina, path):
        def cost():
            with CaptureQueriesContext(connection) as queries:
                assert client_of(mina).get(path).status_code == 200
            return len(queries)

        def fill(number):
            for _ in range(number):
                flagged(region)
                AlarmFactory(region=region)

        fill(2)
        few = cost()
        fill(6)

        assert cost() == few

    def test_are_counted_so_on_the_front_page_and_beside_the_navigation(self, region, mina):
        cache.clear()
        for _ in range(2):
            AlarmFactory(region=region, raised_at=T + timedelta(hours=1))
        flagged(region)
        for _ in range(3):
            flagged()
        AlarmFactory()
        counts = []
        for user in (ManagerFactory(), mina, AdminFactory()):
            client = Client()
            client.force_login(user)
            dashboard = client.get("/admin/").context["dashboard"]
            counts.append((dashboard.alarms.open, sum(rule.count for rule in dashboard.rules)))

        assert counts == [(3, 4), (2, 1), (3, 4)]
