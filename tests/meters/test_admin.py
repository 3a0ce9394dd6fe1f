from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actors import Actor
from accounts.models import AuditEntry
from meters.models import (
    ChainEvent,
    Installation,
    Meter,
    ReadingException,
    Register,
    RegisterReading,
    RegistrationRequest,
    ServicePoint,
)
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import (
    AdminFactory,
    CustomerAccountFactory,
    ManagerFactory,
    MeterFactory,
    RegisterFactory,
    UserFactory,
    supplied_register,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("now")]

MODELS = [model for model in admin.site._registry if model._meta.app_label == "meters"]


def list_url(model):
    return reverse(f"admin:meters_{model._meta.model_name}_changelist")


def page_url(row, page="change"):
    name = f"admin:meters_{row._meta.model_name}_{page}"
    return reverse(name, args=[row.pk])


def act_url(row, path):
    return page_url(row).replace("/change/", f"/{path}/")


def local(instant):
    return timezone.localtime(instant).strftime("%Y-%m-%dT%H:%M")


@pytest.fixture
def register(now):
    """A register that hangs, with two days of readings up to the last half-hour."""
    made = supplied_register()
    last = now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0)
    rows = [
        OfferedReading(made.meter.serial, last - timedelta(minutes=30 * back), Decimal(1000) - Decimal(back) / 4)
        for back in range(96)
    ]
    assert receive_readings(readings=rows, actor=Actor(), now=now).stored == 96
    return made


@pytest.fixture
def conflict(register, now):
    newest = RegisterReading.objects.filter(register=register).order_by("-time").first()
    row = OfferedReading(register.meter.serial, newest.time, newest.value + 5)
    receive_readings(readings=[row], actor=Actor(), now=now)
    return ReadingException.objects.get(status="open")


class TestLists:
    @pytest.mark.parametrize("factory", [ManagerFactory, AdminFactory])
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
    def test_open_for_managers_and_admins(self, model, factory, conflict):
        client = Client()
        client.force_login(factory())

        assert client.get(list_url(model)).status_code == 200

    def test_do_not_open_for_customers(self, client):
        client.force_login(UserFactory())

        assert client.get(list_url(Meter)).status_code == 302

    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
    def test_take_as_many_queries_for_one_row_as_for_many(
        self, model, manager_client, conflict, django_assert_num_queries
    ):
        manager_client.get(list_url(model))
        with CaptureQueriesContext(connection) as few:
            manager_client.get(list_url(model))
        for number in range(4):
            other = supplied_register()
            RegistrationRequest.objects.create(account_number=f"A-{number}", owner_name="Nia", payload={})
            ReadingException.objects.create(
                register=other, time=conflict.time, code="conflict", offered_value=1, opened_at=conflict.opened_at
            )
            ChainEvent.objects.create(
                service_point=other.meter.installations.get().service_point,
                register=other,
                kind="installed",
                at=conflict.time,
            )

        with django_assert_num_queries(len(few.captured_queries)):
            manager_client.get(list_url(model))

    @pytest.mark.parametrize("model", [ServicePoint, Meter], ids=lambda model: model._meta.model_name)
    def test_find_by_serial_account_and_address(self, model, manager_client, register):
        supplied_register()
        place = register.meter.installations.get().service_point
        account = place.bindings.get().account

        for term in (register.meter.serial, account.number, place.premises.address.splitlines()[0]):
            answer = manager_client.get(list_url(model), {"q": term})
            assert answer.context["cl"].result_count == 1, term

    def test_offer_all_rows_only_where_some_are_held_back(self, manager_client, register):
        whole = manager_client.get(list_url(Meter))
        searched = manager_client.get(list_url(Meter), {"q": register.meter.serial})
        filtered = manager_client.get(list_url(Meter), {"status__exact": "active"})

        assert ["Show all" in answer.text for answer in (whole, searched, filtered)] == [False, True, True]


class TestServicePointPage:
    def test_shows_the_week_and_the_newest_readings(self, manager_client, register):
        place = register.meter.installations.get().service_point

        answer = manager_client.get(page_url(place))

        assert answer.status_code == 200
        (profile,) = answer.context["profiles"]
        assert (profile.known, profile.total) == (95, 336)
        assert (profile.quantity, profile.unit, profile.energy_kwh) == (Decimal("23.75"), "kWh", None)
        assert len(answer.context["pages"][0].readings) == 8

    def test_takes_as_many_queries_for_a_long_history_as_for_a_short_one(
        self, manager_client, register, django_assert_num_queries
    ):
        place = register.meter.installations.get().service_point
        manager_client.get(page_url(place))
        with CaptureQueriesContext(connection) as few:
            manager_client.get(page_url(place))
        for days in range(1, 5):
            ChainEvent.objects.create(
                service_point=place,
                register=RegisterFactory(),
                account=CustomerAccountFactory(),
                kind="moved_in",
                at=timezone.now() - timedelta(days=days),
            )

        with django_assert_num_queries(len(few.captured_queries)):
            manager_client.get(page_url(place))

    def test_says_so_where_nothing_hangs(self, manager_client):
        place = supplied_register().meter.installations.get().service_point
        Installation.objects.all().delete()

        answer = manager_client.get(page_url(place))

        assert "No meter hangs here" in answer.text
        assert "No half-hour of the last seven days is known" in answer.text

    def test_answers_for_a_row_that_is_not_there(self, manager_client):
        url = reverse("admin:meters_servicepoint_change", args=["6f1ed002-ab5e-4c5e-8d0f-6f1ed002ab5e"])

        assert manager_client.get(url).status_code == 302

    def test_exchanges_the_meter(self, manager_client, register, now):
        place = register.meter.installations.get().service_point
        new = RegisterFactory()
        form = {
            "at": local(now),
            "meter": new.meter.serial,
            f"read_{register.pk}": "1000.5",
            "first_import": "4.2",
            "first_export": "",
        }

        answer = manager_client.post(act_url(place, "exchange"), form)

        assert answer.status_code == 302
        assert Installation.objects.get(meter=new.meter).valid.upper is None
        assert ChainEvent.objects.get(register=register, kind="removed").value == Decimal("1000.5")
        assert AuditEntry.objects.filter(action="meter.removed").exists()

    def test_tells_what_is_wrong_with_an_act(self, manager_client, register, now):
        place = register.meter.installations.get().service_point
        form = {"at": local(now), "meter": register.meter.serial, "first_import": "4.2"}

        answer = manager_client.post(act_url(place, "install"), form)

        assert answer.status_code == 200
        assert "A meter hangs at" in answer.text

    @pytest.mark.parametrize("field", ["meter", "account"])
    def test_asks_again_for_what_nobody_knows(self, field, manager_client, register, now):
        place = register.meter.installations.get().service_point
        path = {"meter": "exchange", "account": "move-in"}[field]

        answer = manager_client.post(act_url(place, path), {"at": local(now), field: "nobody"})

        assert answer.status_code == 200
        assert field in answer.context["form"].errors

    def test_moves_one_account_out_and_another_in(self, manager_client, register, now):
        place = register.meter.installations.get().service_point
        before, after = place.bindings.get().account, CustomerAccountFactory()

        manager_client.post(act_url(place, "move-out"), {"at": local(now), "account": before.number})
        manager_client.post(act_url(place, "move-in"), {"at": local(now), "account": after.number})

        assert place.bindings.get(valid__upper_inf=True).account == after

    def test_takes_the_meter_down(self, manager_client, register, now):
        place = register.meter.installations.get().service_point

        manager_client.post(act_url(place, "remove"), {"at": local(now), f"read_{register.pk}": "1000.5"})

        assert not place.installations.filter(valid__upper_inf=True).exists()


class TestMeterPage:
    def test_pages_through_the_readings_of_a_register(self, manager_client, register):
        seen = []
        query = {}
        while True:
            page = manager_client.get(page_url(register.meter), query).context["pages"][0]
            seen += [reading.time for reading in page.readings]
            if page.older_than is None:
                break
            query = {"register": register.pk, "before": page.older_than.isoformat()}

        assert seen == sorted(set(seen), reverse=True)
        assert len(seen) == 96

    def test_begins_at_the_newest_when_the_place_is_nonsense(self, manager_client, register):
        query = {"register": register.pk, "before": "2026-99-99"}

        page = manager_client.get(page_url(register.meter), query).context["pages"][0]

        assert page.readings[0].value == "1000.000 kWh"

    def test_adds_a_meter_with_its_register(self, manager_client):
        form = {
            "serial": "SG-NEW",
            "type": "electric",
            "priority": "medium",
            "estimated_time": "10",
            "metadata": "{}",
            "registers-TOTAL_FORMS": "1",
            "registers-INITIAL_FORMS": "0",
            "registers-0-code": "1.8.0",
            "registers-0-direction": "import",
            "registers-0-kind": "cumulative",
            "registers-0-unit": "kWh",
            "registers-0-digits": "5",
            "registers-0-decimals": "1",
            "registers-0-multiplier": "1",
        }

        answer = manager_client.post(reverse("admin:meters_meter_add"), form)

        assert answer.status_code == 302, answer.context["errors"]
        assert Register.objects.get(meter__serial="SG-NEW").digits == 5

    def test_puts_meters_into_another_condition(self, manager_client, register):
        other = MeterFactory(status=Meter.Status.MAINTENANCE)
        form = {"action": "mark_out_of_service", "_selected_action": [register.meter.pk, other.pk]}

        manager_client.post(list_url(Meter), form)

        assert set(Meter.objects.values_list("status", flat=True)) == {"out_of_service"}
        assert AuditEntry.objects.filter(action="meter.status_changed").count() == 2

    def test_changes_a_multiplier(self, manager_client, register, now):
        form = {"at": local(now), "value": "1000.5", "multiplier": "40"}

        answer = manager_client.post(act_url(register, "multiplier"), form)

        assert answer.status_code == 302
        register.refresh_from_db()
        assert register.multiplier == 40


class TestExceptionQueue:
    def test_names_each_by_the_clock_of_the_portal(self, manager_client, conflict):
        shown = manager_client.get(page_url(conflict)).text

        assert f"at {timezone.localtime(conflict.time):%Y-%m-%d %H:%M}" in shown
        assert f"at {conflict.time:%Y-%m-%d %H:%M}" not in shown

    def test_closes_the_selected_with_a_reason(self, manager_client, conflict):
        form = {"action": "reject_all", "_selected_action": [conflict.pk]}
        asked = manager_client.post(list_url(ReadingException), form)

        answer = manager_client.post(list_url(ReadingException), {**form, "note": "The first is right."})

        assert asked.status_code == 200
        assert 'name="note"' in asked.text
        assert answer.status_code == 302
        conflict.refresh_from_db()
        assert (conflict.status, conflict.note) == ("rejected", "The first is right.")

    def test_wants_a_reason(self, manager_client, conflict):
        answer = manager_client.post(act_url(conflict, "accept"), {"note": ""})

        assert answer.status_code == 200
        conflict.refresh_from_db()
        assert conflict.status == "open"

    def test_tells_when_somebody_was_faster(self, manager_client, conflict):
        manager_client.post(act_url(conflict, "accept"), {"note": "So it is."})

        answer = manager_client.post(act_url(conflict, "reject"), {"note": "No."}, follow=True)

        assert "It was accepted before." in answer.text
        conflict.refresh_from_db()
        assert conflict.status == "accepted"

    def test_moves_no_reading(self, manager_client, conflict, register):
        before = list(RegisterReading.objects.order_by("time").values_list("time", "value"))

        manager_client.post(act_url(conflict, "reject"), {"note": "No."})

        assert list(RegisterReading.objects.order_by("time").values_list("time", "value")) == before

    def test_offers_what_fits_as_long_as_it_is_open(self, manager_client, conflict):
        page = page_url(conflict)
        shown = manager_client.get(page).text
        manager_client.post(act_url(conflict, "reject"), {"note": "No."})
        closed = manager_client.get(page).text

        assert [act_url(conflict, act) in shown for act in ("accept", "reject", "estimate", "rollover")] == [
            True,
            True,
            True,
            False,
        ]
        assert act_url(conflict, "accept") not in closed

    def test_takes_an_exchange_by_its_form(self, manager_client, register, now):
        *later, last = RegisterReading.objects.filter(register=register).order_by("-time")[:2]
        for each in later:
            each.delete()
        waiting = ReadingException.objects.create(
            register=register,
            time=last.time + timedelta(minutes=30),
            code="regression",
            severity="reject",
            offered_value=Decimal("12.1"),
            opened_at=now,
        )
        at = last.time + timedelta(minutes=17)
        form = {"new_serial": "NEW-1", "at": local(at), "last_read": last.value, "first_read": "12", "note": "Seen."}

        answer = manager_client.post(act_url(waiting, "exchange"), form)

        assert answer.status_code == 302, answer.text
        assert RegisterReading.objects.get(register__meter__serial="NEW-1").value == Decimal("12.1")


class TestPolicy:
    def test_lets_only_the_admin_evaluate_scripts(self, client):
        admin_page = client.get(reverse("admin:login"))
        other_page = client.get("/livez")

        assert "'unsafe-eval'" in admin_page.headers["Content-Security-Policy"]
        assert "'unsafe-eval'" not in other_page.headers["Content-Security-Policy"]


class TestActsOnRowsThatAreNotThere:
    @pytest.mark.parametrize("key", ["none", "00000000-0000-0000-0000-000000000000"])
    def test_are_not_found_by_those_who_may_and_nothing_to_others(self, key):
        act = f"/admin/meters/readingexception/{key}/accept/"

        answers = [client_of(user).post(act).status_code for user in (ManagerFactory(), UserFactory())]

        assert answers == [404, 302]


def client_of(user):
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client
