"""Regions hold the meters that lie in them, whatever is written first."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from energy_portal.shared.geo import Spot, distance_m
from meters.models import Meter, Region, RegionManager
from meters.selectors.regions import NoSuchRegion
from meters.services.regions import (
    NotAManager,
    NotForManagersOfRegions,
    RegionExists,
    place_meters,
    save_region,
    set_managers,
)
from meters.store.door import registry_revision
from tests.factories import AdminFactory, ManagerFactory, MeterFactory, RegionFactory, UserFactory
from tests.field_ops.factories import AgentFactory

NOW = datetime(2025, 3, 10, 2, tzinfo=UTC)
CENTRE = {"latitude": 1.35, "longitude": 103.8, "radius_m": 5_000}

pytestmark = pytest.mark.django_db


def draw(region=None, **values):
    place = {} if region else {"name": f"Region {uuid4()}", **CENTRE}
    return save_region(region=region, values={**place, **values}, actor=PORTAL, now=NOW)


def regions_of(*meters):
    found = dict(Meter.objects.values_list("pk", "region"))
    return [found[meter.pk] for meter in meters]


class TestSaveRegion:
    def test_takes_in_the_meters_that_lie_in_it(self):
        inside, outside, nowhere = (
            MeterFactory(latitude=1.36, longitude=103.8),
            MeterFactory(latitude=1.4, longitude=103.8),
            MeterFactory(),
        )

        region = draw()

        assert regions_of(inside, outside, nowhere) == [region.pk, None, None]

    def test_lets_go_what_it_holds_no_more(self):
        near, far = MeterFactory(latitude=1.36, longitude=103.8), MeterFactory(latitude=1.38, longitude=103.8)
        region = draw()

        draw(region, radius_m=2_000)

        assert regions_of(near, far) == [region.pk, None]

    def test_takes_its_meters_along_when_it_moves(self):
        old, new = MeterFactory(latitude=1.35, longitude=103.8), MeterFactory(latitude=1.45, longitude=103.8)
        region = draw()

        draw(region, latitude=1.45)

        assert regions_of(old, new) == [None, region.pk]

    def test_gives_meters_in_two_regions_to_the_nearer_centre(self):
        west, east = draw(radius_m=10_000), draw(longitude=103.85)
        meters = [MeterFactory(latitude=1.35, longitude=longitude) for longitude in (103.80, 103.82, 103.83, 103.85)]
        place_meters([meter.pk for meter in meters])

        assert regions_of(*meters) == [west.pk, west.pk, east.pk, east.pk]

    @pytest.mark.parametrize("status", [Region.Status.INACTIVE, Region.Status.MAINTENANCE])
    def test_gives_meters_of_a_region_that_is_not_active_to_the_next(self, status):
        meter = MeterFactory(latitude=1.35, longitude=103.8)
        wide, near = draw(longitude=103.81), draw()
        assert regions_of(meter) == [near.pk]

        draw(near, status=status)
        after = regions_of(meter)
        draw(near, status=Region.Status.ACTIVE)

        assert [after, regions_of(meter)] == [[wide.pk], [near.pk]]

    def test_holds_meters_beyond_the_antimeridian(self):
        meters = [MeterFactory(latitude=-17, longitude=longitude) for longitude in (179.999, 180, -180, -179.999, -179)]

        region = draw(latitude=-17, longitude=179.9999)

        assert regions_of(*meters) == [region.pk] * 4 + [None]

    def test_does_not_look_at_meters_when_only_words_change(self, django_assert_max_num_queries):
        region = draw()

        with django_assert_max_num_queries(8):
            changed = draw(region, name="Another name", description="Words")

        assert changed.name == "Another name"

    def test_moves_ten_thousand_meters_in_few_statements(self, django_assert_max_num_queries):
        meters = [
            Meter(serial=f"M{n:05d}", latitude=1.33 + n % 100 / 5_000, longitude=103.79 + n // 100 / 5_000)
            for n in range(10_000)
        ]
        Meter.objects.bulk_create(meters)
        draw(latitude=1.36, radius_m=2_000)

        with django_assert_max_num_queries(25):
            region = draw(radius_m=1_500)

        held = {
            meter.pk
            for meter in meters
            if distance_m(Spot(1.35, 103.8), Spot(meter.latitude, meter.longitude)) <= min(1_500, _to_other(meter))
        }
        assert set(Meter.objects.filter(region=region).values_list("pk", flat=True)) == held
        assert AuditEntry.objects.filter(object_id=region.pk).get().detail["meters_moved"] == len(held)

    def test_leaves_what_the_door_has_looked_up(self):
        meter = MeterFactory(latitude=1.35, longitude=103.8)
        before = registry_revision()

        region = draw()
        after = registry_revision()
        Meter.objects.filter(pk=meter.pk).update(status="inactive")

        assert regions_of(meter) == [region.pk]
        assert before == after != registry_revision()

    def test_refuses_a_name_that_is_taken(self):
        draw(name="North")

        with pytest.raises(RegionExists):
            draw(name="North")

    def test_is_not_for_managers_who_look_after_some(self):
        manager = ManagerFactory()
        RegionManager.objects.create(region=draw(), user=manager)

        with pytest.raises(NotForManagersOfRegions):
            save_region(region=None, values={"name": "Mine", **CENTRE}, actor=Actor(user=manager), now=NOW)

    def test_misses_a_region_that_is_gone(self):
        region = RegionFactory()
        Region.objects.filter(pk=region.pk).delete()

        with pytest.raises(NoSuchRegion):
            draw(region, name="Gone")


def _to_other(meter):
    metres = distance_m(Spot(1.36, 103.8), Spot(meter.latitude, meter.longitude))
    return metres if metres <= 2_000 else float("inf")


class TestPlaceMeters:
    def test_follows_a_meter_that_moves(self):
        west, east = draw(), draw(longitude=103.9)
        meter = MeterFactory(latitude=1.35, longitude=103.8)
        passed = []
        for latitude, longitude in ((1.35, 103.8), (1.35, 103.9), (10.0, 103.9), (None, None)):
            Meter.objects.filter(pk=meter.pk).update(latitude=latitude, longitude=longitude)
            place_meters([meter.pk])
            passed += regions_of(meter)

        assert passed == [west.pk, east.pk, None, None]

    def test_counts_those_that_moved(self):
        draw()
        meters = [MeterFactory(latitude=1.35, longitude=103.8 + n) for n in (0, 0.001, 5)]

        assert [place_meters([meter.pk for meter in meters]) for _ in range(2)] == [2, 0]


class TestEveryPlace(TestCase):
    @settings(max_examples=15)
    @given(
        st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), st.integers(1, 12_000)), min_size=1, max_size=4),
        st.lists(st.tuples(st.floats(-0.15, 0.15), st.floats(-0.15, 0.15)), max_size=6),
        st.floats(-179.9, 179.9),
    )
    def test_is_given_to_its_nearest_holder(self, circles, places, meridian):
        meters = [MeterFactory(latitude=place[0], longitude=meridian + place[1] / 2) for place in places]
        drawn = [
            draw(latitude=south, longitude=meridian + east / 2, radius_m=radius) for south, east, radius in circles
        ]

        for meter, found in zip(meters, regions_of(*meters), strict=True):
            holders = [
                (metres, region.pk)
                for region in drawn
                for metres in [
                    distance_m(Spot(meter.latitude, meter.longitude), Spot(region.latitude, region.longitude))
                ]
                if metres <= region.radius_m
            ]
            assert found == (min(holders)[1] if holders else None)


class TestSetManagers:
    def test_replaces_those_who_looked_after_it(self):
        region, first, second = draw(), ManagerFactory(name="Ann"), ManagerFactory(name="Bo")
        admin = Actor(user=AdminFactory())
        set_managers(region_id=region.pk, user_ids=[first.pk], actor=admin, now=NOW)

        left = set_managers(region_id=region.pk, user_ids=[second.pk], actor=admin, now=NOW)

        assert left == [second]
        assert [each.user for each in region.managers.all()] == [second]
        assert AuditEntry.objects.filter(action="region.managers_set").count() == 2

    def test_refuses_who_is_no_manager(self):
        with pytest.raises(NotAManager):
            set_managers(region_id=draw().pk, user_ids=[UserFactory().pk], actor=PORTAL, now=NOW)

    def test_is_for_admins(self):
        with pytest.raises(NotForManagersOfRegions):
            set_managers(region_id=draw().pk, user_ids=[], actor=Actor(user=ManagerFactory()), now=NOW)

    def test_misses_a_region_that_is_not_there(self):
        with pytest.raises(NoSuchRegion):
            set_managers(region_id=uuid4(), user_ids=[], actor=PORTAL, now=NOW)


class TestRegionQuerySet:
    def test_counts_meters_and_agents_as_they_are(self):
        region, empty = RegionFactory(), RegionFactory()
        MeterFactory.create_batch(3, region=region)
        AgentFactory.create_batch(2, region=region)

        counted = {each.pk: (each.meter_count, each.agent_count) for each in Region.objects.with_counts()}

        assert counted == {region.pk: (3, 2), empty.pk: (0, 0)}

    def test_shows_each_their_own(self):
        region, other = RegionFactory(), RegionFactory()
        manager, agent = ManagerFactory(), AgentFactory(region=other)
        RegionManager.objects.create(region=region, user=manager)
        everybody = [
            manager,
            agent.user,
            ManagerFactory(),
            AdminFactory(),
            UserFactory(),
            AdminFactory(status="suspended"),
        ]

        seen = [set(Region.objects.visible_to(user)) for user in everybody]

        assert seen == [{region}, {other}, {region, other}, {region, other}, set(), set()]


class TestIndexOnPlaces:
    def test_answers_boxes(self):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(
                "EXPLAIN SELECT id FROM meters_meter WHERE point(longitude, latitude) <@ box(point(1, 1), point(2, 2))"
            )
            plan = "\n".join(row[0] for row in cursor.fetchall())

        assert "meter_by_place" in plan
