import json
from datetime import timedelta

import pytest
from django.contrib import admin
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.roles import Role
from energy_portal.navigation import sidebar
from meters.batteries.models import Battery, Convention
from meters.batteries.services.registry import CHANGEABLE
from meters.batteries.tasks import make_reading_months
from tests.factories import BatteryFactory, CustomerAccountFactory, ManagerFactory, RegionFactory, UserFactory
from tests.meters.batteries.test_live import reading, take

pytestmark = pytest.mark.django_db
MODELS = [model for model in admin.site._registry if model._meta.app_label == "batteries"]


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


def rows(number):
    for _ in range(number):
        convention = Convention.objects.create(name=f"Convention {Convention.objects.count()}")
        battery = BatteryFactory(convention=convention, region=RegionFactory(), account=CustomerAccountFactory())
        take(reading(battery.battery_id, soc=50.1))


def queries(client, path):
    client.get(path)
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


def form_of(battery, **changes):
    values = {name: getattr(battery, name) for name in CHANGEABLE - {"account", "region", "convention"}}
    values = {name: value for name, value in values.items() if value not in {None, False}}
    return {"battery_id": battery.battery_id, "account": "", "region": "", "convention": "", **values, **changes}


class TestLists:
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
    def test_cost_the_same_however_long_they_are_and_leave_as_a_file(self, manager, model):
        rows(2)
        few = queries(manager, url(model))
        rows(8)

        assert queries(manager, url(model)) == few
        assert manager.get(url(model, "change", model._default_manager.first().pk)).status_code == 200
        assert manager.get(url(model, "export")).status_code == 200

    def test_hold_no_readings_that_anybody_could_change(self):
        assert {model._meta.model_name for model in MODELS} <= {"battery", "convention"}


class TestBattery:
    def test_is_entered_and_changed_by_the_registry(self, manager):
        manager.post(url(Battery, "add"), form_of(Battery(battery_id="B1", capacity_ah=280.0)))
        battery = Battery.objects.get()
        manager.post(url(Battery, "change", battery.pk), form_of(battery, name="Yard"))

        battery.refresh_from_db()
        assert (battery.name, battery.capacity_ah, battery.soc_high_percent) == ("Yard", 280.0, 95.0)
        actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
        assert list(actions) == ["battery.created", "battery.changed"]

    def test_tells_why_it_was_refused(self, manager):
        answer = manager.post(url(Battery, "add"), form_of(Battery(battery_id="a b")), follow=True)

        assert "printable ASCII" in answer.content.decode()
        assert not Battery.objects.exists()

    def test_shows_what_it_told_last(self, manager):
        battery = BatteryFactory()
        take(reading(battery.battery_id, soc=50.1, cell_max_voltage=3.25))

        page = manager.get(url(Battery, "change", battery.pk)).content.decode()

        assert "State of charge 50.1 %, Highest cell voltage 3.25 V" in page

    def test_is_retired_and_left_as_it_was(self, manager):
        battery = BatteryFactory(name="Hall")

        manager.post(url(Battery, "change", battery.pk).replace("change/", "retire/"), {"apply": "1"})
        manager.post(url(Battery, "change", battery.pk), form_of(battery, name="Yard"))

        battery.refresh_from_db()
        assert (battery.status, battery.name) == ("retired", "Hall")


class TestConvention:
    def test_is_kept_with_its_author_where_it_can_be_followed(self, manager):
        form = {
            "name": "mV",
            "units": json.dumps({"cell_max_voltage": "mV"}),
            "columns": "{}",
            "clock_offset_seconds": 0,
        }

        manager.post(url(Convention, "add"), form)
        refused = manager.post(url(Convention, "add"), {**form, "name": "bad", "units": '{"soc": "furlong"}'})

        assert Convention.objects.get().units == {"cell_max_voltage": "mV"}
        assert "furlong" in refused.content.decode()
        assert AuditEntry.objects.get().action == "convention.created"

    def test_stays_while_batteries_are_written_by_it(self, manager):
        free, used = (Convention.objects.create(name=name) for name in ("free", "used"))
        BatteryFactory(convention=used)

        for convention in (free, used):
            manager.post(url(Convention, "delete", convention.pk), {"post": "yes"})

        assert list(Convention.objects.all()) == [used]


class TestOperator:
    def test_finds_batteries_and_learns_of_no_customer(self, operator, rf):
        battery = BatteryFactory(account=CustomerAccountFactory(number="A-SECRET", owner_name="Secret Person"))
        request = rf.get("/admin/")
        request.user = UserFactory(role=Role.OPERATOR)

        assert {"Batteries", "Conventions"} <= {item["title"] for group in sidebar(request) for item in group["items"]}
        for path in (url(Battery), url(Battery, "change", battery.pk), url(Battery, "export")):
            answer = operator.get(path)
            content = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert answer.status_code == 200
            assert b"A-SECRET" not in content
            assert b"Secret Person" not in content
        assert operator.get(url(Battery, "history", battery.pk)).status_code == 403
        operator.post(url(Battery, "change", battery.pk), form_of(battery, name="Yard"))
        battery.refresh_from_db()
        assert (battery.name, battery.account.number) == ("Yard", "A-SECRET")


class TestMonthsAhead:
    def test_are_made_once(self):
        first = make_reading_months()

        assert make_reading_months() == []
        assert all(name.startswith("batteries_") for name in first)
        month = (timezone.now() + timedelta(days=28)).strftime("y%Ym%m")
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [f"batteries_bmsreading_{month}"])
            assert cursor.fetchone()[0]
