import re
from datetime import date, timedelta

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actors import PORTAL
from accounts.models import AuditEntry
from accounts.roles import Role
from energy_portal.navigation import sidebar
from meters.devices.models import (
    ArchivedDay,
    Command,
    Device,
    DeviceGroup,
    FleetHour,
    LateSample,
    Product,
    PropertyMapping,
    UnknownCode,
)
from meters.devices.services.commands import send_command
from meters.devices.services.state import note_status, refresh_states
from meters.models import Alarm, Region
from tests.factories import (
    AdminFactory,
    CustomerAccountFactory,
    DeviceFactory,
    DeviceGroupFactory,
    ManagerFactory,
    ProductFactory,
    RegionFactory,
    UserFactory,
)
from tests.meters.devices.helpers import state_of, store_sample

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "devices"]
FLEET = "/admin/devices/device/fleet/"


@pytest.fixture(autouse=True)
def _forget():
    cache.clear()


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager():
    return client_of(ManagerFactory())


@pytest.fixture
def operator():
    return client_of(UserFactory(role=Role.OPERATOR))


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def text_of(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def rows(number):
    for _ in range(number):
        LateSample.objects.create(device=DeviceFactory(), time=timezone.now(), received_at=timezone.now())
        day = date(2026, 1, 1) + timedelta(days=ArchivedDay.objects.count())
        ArchivedDay.objects.create(
            day=day, file=f"{day}.parquet", rows=1, bytes=1, digest="d", archived_at=timezone.now()
        )
        device = DeviceFactory(
            product=ProductFactory(), group=DeviceGroupFactory(), region=RegionFactory(), name="Fridge"
        )
        note_status(device_id=device.device_id, online=True, now=timezone.now())
        Command.objects.create(
            device=device,
            switch=True,
            status="failed",
            user=ManagerFactory(),
            created_at=timezone.now(),
            expires_at=timezone.now(),
            settled_at=timezone.now(),
        )
        PropertyMapping.objects.create(product=device.product, code="own", quantity="power_w")
        UnknownCode.objects.create(product_id=device.product.product_id, code="foo", last_seen_at=timezone.now())


def queries(client, path):
    client.get(path)
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


class TestLists:
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_cost_the_same_however_long_they_are(self, manager, model):
        rows(2)
        few = queries(manager, url(model))
        rows(8)

        assert queries(manager, url(model)) == few

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_open_a_row_and_leave_as_a_file(self, manager, model):
        rows(1)

        assert manager.get(url(model, "change", model._default_manager.first().pk)).status_code == 200
        assert manager.get(url(model, "export")).status_code == 200

    def test_find_devices_by_how_the_id_begins_and_by_account(self, manager, operator):
        wanted = DeviceFactory(device_id="plug-wanted", account=CustomerAccountFactory())
        DeviceFactory(device_id="other")

        for query, client, found in (
            ("plug-w", manager, ["plug-wanted"]),
            (wanted.account.number, manager, ["plug-wanted"]),
            (wanted.account.number, operator, []),
            ("wanted", manager, []),
        ):
            listed = client.get(url(Device), {"q": query}).context["cl"].result_list
            assert [device.device_id for device in listed] == found, query

    def test_narrow_down_to_who_is_offline(self, manager):
        online, offline = DeviceFactory(device_id="is-on"), DeviceFactory(device_id="is-off")
        note_status(device_id=online.device_id, online=True, now=timezone.now())
        note_status(device_id=offline.device_id, online=False, now=timezone.now())

        listed = manager.get(url(Device), {"online": "no"}).context["cl"].result_list

        assert [device.device_id for device in listed] == ["is-off"]


class TestDevice:
    def test_is_entered_and_changed_by_the_registry(self, manager):
        form = {"device_id": "plug-1", "name": "Fridge", "zone": "", "product": "", "group": "", "region": ""}

        manager.post(url(Device, "add"), {**form, "account": "", "rated_power_w": "90", "hold_seconds": ""})
        device = Device.objects.get()
        manager.post(url(Device, "change", device.pk), {**form, "name": "Freezer", "account": ""})

        device.refresh_from_db()
        assert (device.name, device.rated_power_w) == ("Freezer", None)
        actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
        assert list(actions) == ["device.created", "device.changed"]
        assert not state_of(device).is_online

    def test_tells_why_it_was_refused(self, manager):
        DeviceFactory(device_id="plug-1")

        answer = manager.post(
            url(Device, "add"), {"device_id": "a b", "name": "", "zone": "", "account": ""}, follow=True
        )

        assert "calls itself by" in text_of(answer)
        assert Device.objects.count() == 1

    def test_is_switched_and_leads_to_what_came_of_it(self, manager):
        device = DeviceFactory()

        assert manager.get(url(Device, "change", device.pk).replace("change/", "off/")).status_code == 200
        answer = manager.post(url(Device, "change", device.pk).replace("change/", "off/"), {"apply": "1"}, follow=True)

        command = Command.objects.get()
        assert (command.switch, command.status, command.user.role) == (False, "queued", "manager")
        assert "switch off, queued" in text_of(answer)

    def test_is_not_switched_where_it_is_critical(self, manager):
        device = DeviceFactory(is_critical=True)

        answer = manager.post(url(Device, "change", device.pk).replace("change/", "on/"), {"apply": "1"})

        assert "critical load" in text_of(answer)
        assert not Command.objects.exists()

    def test_is_switched_with_others_and_each_refusal_told(self, manager):
        one, critical = DeviceFactory(), DeviceFactory(is_critical=True)
        selected = {"action": "switch_all_off", "_selected_action": [one.pk, critical.pk]}

        answer = manager.post(url(Device), selected, follow=True)

        assert Command.objects.get().device == one
        assert "critical load" in text_of(answer)

    def test_is_replaced(self, manager):
        old = DeviceFactory(name="Fridge")

        manager.post(url(Device, "change", old.pk).replace("change/", "replace/"), {"device_id": "plug-2"})

        assert Device.objects.get(device_id="plug-2").replaces == old

    def test_is_retired_and_left_as_it_was(self, manager):
        device = DeviceFactory(name="Fridge")

        manager.post(url(Device, "change", device.pk).replace("change/", "retire/"), {"apply": "1"})
        manager.post(url(Device, "change", device.pk), {"device_id": device.device_id, "name": "x", "zone": ""})

        device.refresh_from_db()
        assert (device.status, device.name) == ("retired", "Fridge")

    def test_shows_what_it_tells_now(self, manager):
        device, now = DeviceFactory(), timezone.now()
        store_sample(device, now - timedelta(seconds=3), power_w=1234.5, switch=True)
        refresh_states(now=now)

        panel = text_of(manager.get(reverse("admin:devices_device_live", args=[device.pk])))

        assert "1,234.5 W" in panel
        assert "online since" in panel


class TestCatalogue:
    def test_keeps_groups_products_and_mappings_with_their_authors(self, manager):
        manager.post(url(DeviceGroup, "add"), {"name": "Fridges"})
        inline = {"mappings-TOTAL_FORMS": "0", "mappings-INITIAL_FORMS": "0"}
        manager.post(url(Product, "add"), {"product_id": "p1", "name": "Plug", **inline})
        product = Product.objects.get()
        form = {"product": product.pk, "code": "c", "quantity": "power_w", "factor": "0.1"}
        manager.post(url(PropertyMapping, "add"), form)
        mapping = PropertyMapping.objects.get(product=product)
        manager.post(url(PropertyMapping, "change", mapping.pk), {**form, "factor": "0.01"})
        manager.post(url(PropertyMapping, "delete", mapping.pk), {"post": "yes"})

        actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
        assert list(actions) == [
            "device_group.created",
            "product.created",
            "property_mapping.created",
            "property_mapping.changed",
            "property_mapping.removed",
        ]
        assert [entry.factor for entry in PropertyMapping.history.filter(code="c")] == [0.01, 0.01, 0.1]

    def test_takes_a_code_once_a_product(self, manager):
        form = {"product": "", "code": "switch", "quantity": "switch", "factor": "1"}

        manager.post(url(PropertyMapping, "add"), form)

        assert PropertyMapping.objects.filter(code="switch").count() == 1

    def test_keeps_regions(self, manager):
        form = {"name": "North", "status": "active", "description": "", "latitude": "1.4", "longitude": "103.8"}

        manager.post(url(Region, "add"), {**form, "radius_m": "4000"})
        region = Region.objects.get()
        manager.post(url(Region, "change", region.pk), {**form, "radius_m": "5000"})

        region.refresh_from_db()
        assert region.radius_m == 5000
        assert AuditEntry.objects.filter(action__startswith="region.").count() == 2


class TestFleet:
    def test_shows_rate_shares_hours_alarms_and_commands(self, manager):
        now = timezone.now()
        group = DeviceGroupFactory(name="Fridges")
        online, offline = DeviceFactory(group=group, name="Kitchen"), DeviceFactory(group=group)
        for seconds in range(20, 80):
            store_sample(online, now - timedelta(seconds=seconds), power_w=1500.0)
        refresh_states(now=now)
        note_status(device_id=offline.device_id, online=False, now=now)
        hour = timezone.localtime(now).replace(minute=0, second=0, microsecond=0)
        FleetHour.objects.create(time=hour, group=group, energy_wh=2500.0, covered_seconds=3600, devices=1)
        Alarm.objects.create(
            kind="over_power",
            subject_kind="device",
            subject=online.device_id,
            label="Kitchen",
            severity="warning",
            text="draws more than it may",
            raised_at=now,
        )
        send_command(device_id=online.device_id, switch=False, actor=PORTAL, now=now)

        page = text_of(manager.get(FLEET))

        for words in (
            "50 % 1 of 2 devices",
            "1.50 kW",
            "2.50 kWh",
            "Kitchen: draws more than it may",
            "queued",
            "Fridges",
        ):
            assert words in page, words
        assert re.search(r"[01]\.\d a second over the last minute", page)

    def test_says_what_to_do_where_there_is_nothing(self, manager):
        page = text_of(manager.get(FLEET))

        for words in ("see that it runs", "No device is in service yet", "No device has an alarm", "Nothing has been"):
            assert words in page, words

    def test_costs_the_same_however_large_the_fleet_is(self, manager):
        rows(2)
        few = queries(manager, FLEET)
        rows(8)

        assert queries(manager, FLEET) == few

    def test_is_for_those_who_may_see_devices(self):
        assert client_of(UserFactory()).get(FLEET).status_code == 302
        assert client_of(UserFactory(role=Role.AGENT)).get(FLEET).status_code == 302


class TestOperator:
    def test_opens_devices_batteries_and_alarms_and_nothing_else(self, operator):
        open_to = {model for model in admin.site._registry if operator.get(url(model)).status_code == 200}

        names = {model._meta.label for model in open_to}
        others = {label for label in names if not label.startswith(("devices.", "batteries."))}
        insights = {f"insights.{name}" for name in ("Anomaly", "Appliance", "BatteryTrend", "Fault")}
        assert others <= {"meters.Region", "meters.Alarm"} | insights
        assert set(MODELS) <= open_to

    def test_finds_the_way_around(self, operator, rf):
        request = rf.get("/admin/")
        request.user = UserFactory(role=Role.OPERATOR)

        titles = [item["title"] for group in sidebar(request) for item in group["items"]]

        assert {"Overview", "Fleet", "Devices", "Commands", "Alarms"} <= set(titles)
        assert not {"Customer accounts", "Meters", "Bills", "Jobs", "Users"} & set(titles)

    def test_sees_the_fleet_on_the_front_page_and_no_readings(self, operator):
        page = text_of(operator.get("/admin/"))

        assert "messages a second" in page
        assert "Registration requests" not in page

    def test_is_told_of_no_customer(self, operator):
        device = DeviceFactory(account=CustomerAccountFactory(number="A-SECRET", owner_name="Secret Person"))
        paths = [
            url(Device),
            url(Device, "change", device.pk),
            url(Device, "export"),
            FLEET,
        ]

        for path in paths:
            answer = operator.get(path)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert answer.status_code == 200
            assert b"A-SECRET" not in content
            assert b"Secret Person" not in content
        assert operator.get(url(Device, "history", device.pk)).status_code == 403

    def test_leaves_the_account_alone_when_it_changes_a_device(self, operator):
        device = DeviceFactory(account=CustomerAccountFactory())

        operator.post(url(Device, "change", device.pk), {"device_id": device.device_id, "name": "New", "zone": ""})

        device.refresh_from_db()
        assert device.name == "New"
        assert device.account is not None

    def test_switches(self, operator):
        device = DeviceFactory()

        operator.post(url(Device, "change", device.pk).replace("change/", "on/"), {"apply": "1"})

        assert Command.objects.get().user.role == Role.OPERATOR


class TestFrontPage:
    def test_shows_managers_the_fleet_beside_the_readings(self):
        page = text_of(client_of(AdminFactory()).get("/admin/"))

        assert "messages a second" in page
        assert "Registration requests" in page
