"""Regions in the admin: drawn by those who look after all, and given managers by admins."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from meters.models import Meter, Region, RegionManager
from tests.factories import AdminFactory, ManagerFactory, MeterFactory, RegionFactory, RegisterFactory, UserFactory
from tests.field_ops.factories import AgentFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:meters_region_changelist")
FIELDS = {
    "name": "North",
    "status": "active",
    "description": "",
    "latitude": 1.35,
    "longitude": 103.8,
    "radius_m": 5000,
}


@pytest.fixture
def admin(client):
    client.force_login(AdminFactory())
    return client


def page_of(region):
    return reverse("admin:meters_region_change", args=[region.pk])


class TestRegionPages:
    def test_draw_a_region_with_its_managers(self, admin):
        meter, manager = MeterFactory(latitude=1.351, longitude=103.8), ManagerFactory()

        answer = admin.post(reverse("admin:meters_region_add"), {**FIELDS, "looked_after_by": [manager.pk]})

        assert answer.status_code == 302, answer.context["errors"]
        region = Region.objects.get()
        assert Meter.objects.get(pk=meter.pk).region == region
        assert [each.user for each in region.managers.all()] == [manager]

    def test_change_managers_alone(self, admin):
        region, manager = RegionFactory(**FIELDS), ManagerFactory()
        RegionManager.objects.create(region=region, user=ManagerFactory())

        admin.post(page_of(region), {**FIELDS, "looked_after_by": [manager.pk]})

        assert [each.user for each in region.managers.all()] == [manager]

    def test_leave_managers_to_admins(self, client):
        region, looking = RegionFactory(**FIELDS), ManagerFactory(name="Ann Lee")
        RegionManager.objects.create(region=region, user=looking)
        client.force_login(ManagerFactory())

        shown = client.get(page_of(region)).content.decode()
        client.post(page_of(region), {**FIELDS, "radius_m": 900, "looked_after_by": []})

        assert "Ann Lee" in shown
        assert 'name="looked_after_by"' not in shown
        assert Region.objects.get().radius_m == 900
        assert [each.user for each in region.managers.all()] == [looking]

    def test_are_read_alone_by_managers_of_some(self, client):
        region, other, manager = RegionFactory(**FIELDS), RegionFactory(name="Elsewhere"), ManagerFactory()
        RegionManager.objects.create(region=region, user=manager)
        client.force_login(manager)

        listed = client.get(LIST).content.decode()
        refused = client.post(page_of(region), {**FIELDS, "radius_m": 99_000})

        assert ("North" in listed, "Elsewhere" in listed) == (True, False)
        assert (refused.status_code, Region.objects.get(pk=region.pk).radius_m) == (403, 5000)
        assert client.get(page_of(region)).status_code == 200
        assert client.get(page_of(other)).status_code == 302
        assert client.get(reverse("admin:meters_region_add")).status_code == 403

    def test_are_read_by_operators(self, client):
        region = RegionFactory(**FIELDS)
        client.force_login(UserFactory(role=Role.OPERATOR))

        assert client.get(page_of(region)).status_code == 200
        assert client.post(page_of(region), FIELDS).status_code == 403

    def test_count_what_lies_in_them_at_constant_cost(self, admin):
        def cost():
            with CaptureQueriesContext(connection) as queries:
                page = admin.get(LIST).content.decode()
            return len(queries), page

        def fill(number):
            for _ in range(number):
                region = RegionFactory()
                MeterFactory.create_batch(2, region=region)
                AgentFactory(region=region)
                RegionManager.objects.create(region=region, user=ManagerFactory())

        cost()
        fill(2)
        few, page = cost()
        fill(6)

        assert '<td class="field-meters' in page
        assert cost()[0] == few


class TestMeterPages:
    def test_put_a_meter_where_it_lies(self, admin):
        region, meter = RegionFactory(), RegisterFactory().meter
        page = reverse("admin:meters_meter_change", args=[meter.pk])
        form = admin.get(page).context["adminform"].form
        sent = {name: value for name, value in form.initial.items() if value is not None}
        inline = {"registers-TOTAL_FORMS": 0, "registers-INITIAL_FORMS": 0}

        answer = admin.post(page, {**sent, **inline, "metadata": "{}", "latitude": 1.351, "longitude": 103.8})

        assert answer.status_code == 302, answer.context["errors"]
        assert Meter.objects.get(pk=meter.pk).region == region
        assert region.name in admin.get(page).content.decode()


class TestRegionMap:
    def test_shows_each_region_that_the_person_may_see(self, client):
        mine, manager = RegionFactory(name="East", radius_m=3_000), ManagerFactory()
        RegionFactory(name="West")
        RegionManager.objects.create(region=mine, user=manager)
        client.force_login(manager)

        page = client.get(LIST)

        assert [(circle["label"], circle["radius_m"]) for circle in page.context["circles"]] == [("East", 3_000)]
        assert 'id="regions-map-data"' in page.text
