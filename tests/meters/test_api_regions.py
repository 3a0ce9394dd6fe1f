"""Regions and nearby meters by the API."""

import base64
import json
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role, Scope
from energy_portal.shared.geo import Spot, distance_m
from meters.models import Meter, Region, RegionManager
from meters.selectors.nearby import meters_within
from tests.factories import AdminFactory, ManagerFactory, MeterFactory, RegionFactory, RegisterFactory, UserFactory
from tests.field_ops.factories import AgentFactory
from tests.meters.helpers import client_of

pytestmark = pytest.mark.django_db
REGIONS, METERS = "/api/v1/regions", "/api/v1/meters"
TAMPINES = {"name": "Tampines", "latitude": 1.353, "longitude": 103.944, "radius_m": 2500}


@pytest.fixture
def admin():
    return client_of(AdminFactory())


def queries_of(client, path, query=None):
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path, query).status_code == 200
    return len(queries)


class TestRegions:
    def test_are_drawn_with_what_lies_in_them(self, admin):
        meter = MeterFactory(latitude=1.353, longitude=103.945)

        made = admin.post(REGIONS, TAMPINES, format="json")

        assert made.status_code == 201, made.content
        assert (made.json()["meter_count"], made.json()["agent_count"], made.json()["status"]) == (1, 0, "active")
        assert made["Location"] == f"{REGIONS}/{made.json()['id']}"
        assert str(Meter.objects.get(pk=meter.pk).region_id) == made.json()["id"]

    def test_are_changed_by_what_is_named(self, admin):
        MeterFactory(latitude=1.353, longitude=103.945)
        path = admin.post(REGIONS, TAMPINES, format="json")["Location"]

        changed = admin.patch(path, {"status": "maintenance"}, format="json").json()

        assert (changed["status"], changed["meter_count"], changed["name"]) == ("maintenance", 0, "Tampines")
        assert admin.get(path).json() == changed

    @pytest.mark.parametrize(
        "wrong",
        [
            {"latitude": 90.5},
            {"longitude": -181},
            {"radius_m": 0},
            {"radius_m": 3_000_000_000},
            {"name": ""},
            {"status": "gone"},
        ],
    )
    def test_lie_on_the_globe_and_have_a_radius(self, admin, wrong):
        answer = admin.post(REGIONS, {**TAMPINES, **wrong}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert not Region.objects.exists()

    def test_have_names_of_their_own(self, admin):
        RegionFactory(name="Tampines")

        answer = admin.post(REGIONS, TAMPINES, format="json")

        assert (answer.status_code, answer.json()["code"]) == (409, "region_exists")

    def test_are_seen_by_those_who_work_in_them(self):
        region, other = RegionFactory(name="A"), RegionFactory(name="B")
        manager, agent = ManagerFactory(name="Ann"), AgentFactory(region=other)
        RegionManager.objects.create(region=region, user=manager)

        (of_manager,) = client_of(manager).get(REGIONS).json()["results"]
        (of_agent,) = client_of(agent.user).get(REGIONS).json()["results"]

        assert (of_manager["name"], of_manager["managers"]) == ("A", [{"id": str(manager.pk), "name": "Ann"}])
        assert (of_agent["name"], of_agent["agent_count"], of_agent["managers"]) == ("B", 1, [])
        assert client_of(manager).get(f"{REGIONS}/{other.pk}").status_code == 404

    @pytest.mark.parametrize(("role", "status"), [(Role.CUSTOMER, 403), (Role.OPERATOR, 200), (Role.AGENT, 200)])
    def test_are_not_drawn_by_others(self, role, status):
        client = client_of(UserFactory(role=role))

        assert client.get(REGIONS).status_code == status
        assert client.post(REGIONS, TAMPINES, format="json").status_code == 403

    def test_are_not_for_data_sources_and_strangers(self):
        assert client_of(scopes=[Scope.QUERIES]).get(REGIONS).status_code == 403
        assert client_of().get(REGIONS).status_code == 401

    def test_are_not_drawn_by_managers_of_some(self):
        region, manager = RegionFactory(), ManagerFactory()
        RegionManager.objects.create(region=region, user=manager)

        answer = client_of(manager).patch(f"{REGIONS}/{region.pk}", {"radius_m": 100_000}, format="json")

        assert (answer.status_code, answer.json()["code"]) == (403, "regions_not_yours_to_draw")

    def test_get_their_managers_from_admins(self, admin):
        region, manager = RegionFactory(), ManagerFactory(name="Ann")
        path = f"{REGIONS}/{region.pk}/managers"

        told = admin.put(path, {"user_ids": [str(manager.pk)]}, format="json")
        refused = client_of(ManagerFactory()).put(path, {"user_ids": []}, format="json")
        wrong = admin.put(path, {"user_ids": [str(uuid4())]}, format="json")

        assert told.json()["managers"] == [{"id": str(manager.pk), "name": "Ann"}]
        assert (refused.status_code, wrong.status_code, wrong.json()["code"]) == (403, 422, "not_a_manager")

    def test_cost_the_same_however_many(self, admin):
        def fill(number):
            for _ in range(number):
                region = RegionFactory()
                RegionManager.objects.create(region=region, user=ManagerFactory())
                MeterFactory(region=region)

        fill(3)
        few = queries_of(admin, REGIONS)
        fill(27)

        assert queries_of(admin, REGIONS) == few

    def test_come_in_pages_by_name(self, admin):
        for name in "CABD":
            RegionFactory(name=name)

        first = admin.get(REGIONS, {"page_size": 3}).json()
        second = admin.get(first["next"]).json()

        assert [[each["name"] for each in page["results"]] for page in (first, second)] == [["A", "B", "C"], ["D"]]


def around(*metres_east):
    """Make meters east of a place by about so many metres."""
    return [MeterFactory(latitude=1.35, longitude=103.8 + metres / 111_300) for metres in metres_east]


class TestMetersNearby:
    def test_come_nearest_first_with_their_distance(self, admin):
        far, near, _ = around(700, 50, 5_000)
        MeterFactory()

        found = admin.get(METERS, {"near": "1.35,103.8"}).json()["results"]

        assert [each["meter_id"] for each in found] == [near.serial, far.serial]
        exact = distance_m(Spot(1.35, 103.8), Spot(near.latitude, near.longitude))
        assert found[0]["distance_m"] == pytest.approx(exact, abs=0.001)

    def test_come_in_pages_both_ways(self, admin):
        meters = around(300, 100, 100, 500, 200)
        order = sorted(meters, key=lambda meter: (meter.longitude, meter.pk))

        def page(path, query=None):
            body = admin.get(path, query).json()
            return [each["meter_id"] for each in body["results"]], body

        first, body = page(METERS, {"near": "1.35,103.8", "page_size": 2})
        second, body = page(body["next"])
        third, last = page(body["next"])
        back, _ = page(last["previous"])

        assert first + second + third == [meter.serial for meter in order]
        assert (back, last["next"]) == (second, None)

    def test_are_narrowed_down_as_other_lists_are(self, admin):
        region = RegionFactory(name="North")
        meter = MeterFactory(latitude=1.35, longitude=103.8, region=region, priority="high", status="maintenance")
        around(10)
        filters = {"region": "North", "region_id": region.pk, "status": "maintenance", "priority": "high"}

        for name, value in filters.items():
            for query in ({}, {"near": "1.35,103.8"}):
                (found,) = admin.get(METERS, {**query, name: value}).json()["results"]
                assert (found["meter_id"], found["region"]) == (meter.serial, "North")

    @pytest.mark.parametrize(
        "query",
        [{"near": "1.35"}, {"near": "91,0"}, {"near": "nan,0"}, {"near": "a,b"}, {"radius_m": 5}]
        + [{"near": "1,1", "radius_m": wrong} for wrong in (0, -1, 20_001, "x", "nan")],
    )
    def test_are_asked_for_around_a_place_on_the_globe(self, admin, query):
        answer = admin.get(METERS, query)

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")

    @pytest.mark.parametrize("values", ["x,y", "10,y", "x,1"])
    def test_refuse_cursors_that_are_not_theirs(self, admin, values):
        document = f'[["distance_mm","pk"],{json.dumps(values.split(","))},false]'
        cursor = base64.urlsafe_b64encode(document.encode()).decode()

        answer = admin.get(METERS, {"near": "1.35,103.8", "cursor": cursor})

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")

    def test_cost_the_same_however_many(self, admin):
        def fill(number):
            for meter in around(*range(number)):
                RegisterFactory(meter=meter)

        fill(3)
        few = [queries_of(admin, METERS, query) for query in ({}, {"near": "1.35,103.8"})]
        fill(27)

        assert [queries_of(admin, METERS, query) for query in ({}, {"near": "1.35,103.8"})] == few

    def test_are_found_for_whoever_may_see_them(self):
        near, far = around(10, 30)
        spot = Spot(1.35, 103.8)

        found = meters_within(spot=spot, radius_m=100, user=ManagerFactory(), limit=1)

        assert [each.meter for each in found] == [near]
        assert [each.meter for each in meters_within(spot=spot, radius_m=100, user=None, limit=9)] == [near, far]
        assert meters_within(spot=spot, radius_m=100, user=UserFactory(), limit=9) == []
