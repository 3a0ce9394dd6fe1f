"""What the demo data show, loaded once for all tests here, which leave them as they are."""

import csv
import json
import stat
from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from django.db import connection
from django.db.models import F, Sum
from django.test import override_settings
from django.utils import timezone

from accounts.models import AccountAccess, CustomerAccount
from accounts.roles import Role
from billing.models import Bill, BillDelivery, BillLine, BillRun, Payment
from billing.selectors.data import DataFormat, bill_data
from energy_portal.shared.demo_logins import read_demo_logins
from field_ops.models import Agent, AgentPosition, ApprovalRequest, Assignment, Photo, Round
from field_ops.selectors.photos import path_of
from meters.batteries.models import Battery, BatteryQuarter, BmsReading
from meters.batteries.quantities import NAMES, System
from meters.devices.models import Command, Device, DeviceHour, FleetHour
from meters.devices.services.directory import directory
from meters.insights.models import Anomaly
from meters.models import Alarm, ChainEvent, Meter, ReadingException, RegisterReading, RegistrationRequest


@pytest.fixture(scope="module")
def loaded(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Path]:
    """Load the demo into a database apart, a copy of the suite's, and return the home that has its logins."""
    home = tmp_path_factory.mktemp("home")
    suites = connection.settings_dict["NAME"]
    apart = f"{suites}_demo"
    with django_db_blocker.unblock(), override_settings(PORTAL_HOME=home, UPLOAD_DIR=home / "media"):
        run_apart(f'CREATE DATABASE "{apart}" TEMPLATE "{suites}"')
        connection.settings_dict["NAME"] = apart
        with pytest.MonkeyPatch.context() as patch:
            for variable in ("DATABASE_URL", "REDIS_URL", "MQTT_URL"):
                patch.setenv(variable, "at hand")
            directory.forget()
            call_command("demo", "--accounts", "18", "--days", "70", stdout=StringIO())
        yield home
        connection.settings_dict["NAME"] = suites
        run_apart(f'DROP DATABASE "{apart}" WITH (FORCE)')
        directory.forget()


def run_apart(statement: str) -> None:
    connection.close()
    with connection._nodb_cursor() as cursor:
        cursor.execute(statement)


pytestmark = pytest.mark.usefixtures("loaded", "db")


class TestDemo:
    def test_makes_bills_whose_half_hours_add_up(self):
        for bill in Bill.objects.filter(status="issued").select_related("account"):
            files = b"".join(bill_data(bill, file_format=DataFormat.CSV, now=timezone.now())).decode()
            energies = [Decimal(row["energy_kwh"] or 0) for row in csv.DictReader(StringIO(files))]

            assert sum(energies) == bill.consumption_kwh

    def test_notices_what_was_left_on_in_the_first_home(self):
        found = Anomaly.objects.get(account__number="A-1001", state="open")

        assert found.kind == "level_shift"
        assert found.energy_kwh > 3
        assert found.money > 0
        assert found.alarm.kind == "anomaly"
        assert Anomaly.objects.count() < 18

    def test_mails_nobody_about_its_bills(self):
        assert set(BillDelivery.objects.values_list("status", flat=True)) == {"unwanted"}

    def test_has_bills_paid_to_the_cent(self):
        payments = Payment.objects.select_related("bill")
        issued = Bill.objects.filter(status="issued").count()

        assert 0 < payments.count() < issued
        assert all(payment.amount == payment.bill.total for payment in payments)

    def test_makes_bills_whose_lines_add_up(self):
        issued = Bill.objects.filter(status="issued")
        assert issued.count() >= 3
        for bill in issued:
            energy = BillLine.objects.filter(bill=bill, kind="energy")
            charges = BillLine.objects.filter(bill=bill).exclude(kind="tax")
            assert bill.subtotal == charges.aggregate(sum=Sum("amount"))["sum"]
            assert bill.total == bill.subtotal + bill.tax
            assert bill.consumption_kwh == energy.aggregate(sum=Sum("quantity"))["sum"]
        assert not BillRun.objects.exclude(status="done").exists()

    def test_bills_what_the_dial_counted(self):
        bill = Bill.objects.filter(account__number="A-1001", status="issued").latest("month")
        dial = RegisterReading.objects.filter(register__meter__serial="SG-300117")
        first, last = (dial.get(time=instant).value for instant in (bill.period.lower, bill.period.upper))
        assert bill.consumption_kwh == last - first

    def test_tells_its_stories(self):
        assert ChainEvent.objects.filter(kind="removed").count() == 1
        assert ReadingException.objects.filter(code="rollover").count() == 1
        assert ReadingException.objects.filter(code="conflict", status="open").count() == 1
        assert CustomerAccount.objects.get(number="A-1004-N").bindings.count() == 1
        assert RegistrationRequest.objects.filter(status="open").count() == 1
        assert Bill.objects.filter(status="draft", held_because="incomplete_energy").count() == 1

    def test_shows_devices_that_tell_draw_and_were_switched(self):
        mine = Device.objects.filter(account__number="A-1001")
        assert mine.count() == 5
        assert mine.filter(state__is_online=True, state__power_w__isnull=False).count() == 5
        assert Device.objects.filter(state__is_online=False).count() == 2
        assert DeviceHour.objects.values("device").distinct().count() == Device.objects.count()
        assert FleetHour.objects.aggregate(sum=Sum("energy_wh"))["sum"] > 1_000
        assert Alarm.objects.open().filter(kind="over_power").count() == 1
        assert set(Command.objects.values_list("status", flat=True)) == {"effective", "failed", "expired"}

    def test_shows_two_batteries_that_say_that_they_are_simulated(self):
        mine, operators = Battery.objects.order_by("battery_id")
        assert mine.is_simulated
        assert operators.is_simulated
        assert (mine.account.number, operators.account) == ("A-1001", None)
        for battery in (mine, operators):
            assert BmsReading.objects.filter(battery=battery).count() == 28 * 1_440
            assert battery.state.heard_at is None
            assert 5 <= battery.state.bms["soc"] <= 100
            assert battery.state.pcs.keys() == set(NAMES[System.PCS])
            throughput = BatteryQuarter.objects.filter(battery=battery).aggregate(sum=Sum("discharged_kwh"))["sum"]
            assert 10 < throughput / battery.rated_energy_kwh < 28

    def test_shows_agents_at_work_and_what_they_brought(self):
        assert not Meter.objects.filter(status="active", region=None).exists()
        statuses = set(Assignment.objects.values_list("status", flat=True))
        assert statuses == {"pending", "in_progress", "completed", "overdue"}
        assert set(Assignment.objects.values_list("origin", flat=True)) == {"round", "proposal", "manual"}
        assert Round.objects.get().next_on > timezone.now().date()
        requests = ApprovalRequest.objects
        assert set(requests.values_list("status", flat=True)) == {"pending", "under_review", "approved", "returned"}
        reasons = dict(
            requests.filter(status__in=("pending", "under_review")).values_list(
                "submission__meter__serial", "risk_reasons"
            )
        )
        assert sorted(reasons.values()) == [[], [], [], [], ["far_from_meter"], ["outside_expected_range"]]
        assert requests.get(status="returned").review_notes
        approved = requests.get(status="approved").submission
        assert RegisterReading.objects.filter(register=approved.register, time=approved.read_at, quality=18).exists()
        assert all(path_of(photo).stat().st_size == photo.stored_bytes for photo in Photo.objects.all())
        for agent in Agent.objects.all():
            assert agent.current_load == agent.assignments.open().filter(is_in_review=False).count() > 0
            assert AgentPosition.objects.filter(shift__agent=agent).count() > 30
        assert not Assignment.objects.exclude(meter__region=F("agent__region")).filter(origin="proposal").exists()

    def test_lets_every_role_in(self, loaded, rf):
        logins = read_demo_logins(loaded)
        users = [authenticate(rf.post("/"), username=login.email, password=login.password) for login in logins]
        assert {user.role for user in users} == set(Role)
        assert AccountAccess.objects.filter(user__email="family@example.org", right="view").exists()

    def test_keeps_the_logins_to_oneself(self, loaded):
        path = loaded / "demo-logins.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(json.loads(path.read_text())["logins"]) == 9

    def test_lets_its_machine_send(self, loaded, client):
        key = json.loads((loaded / "demo-logins.json").read_text())["source"]["key"]

        answer = client.get(
            "/get_consumption",
            {"account_id": "A-1001", "period": "last_month"},
            headers={"Authorization": f"Bearer {key}"},
        )

        assert answer.status_code == 200
        assert answer.json()["consumption_kwh"] > 0


class TestPrices:
    def test_name_themselves_as_made_up(self):
        used = BillLine.objects.filter(kind="energy").values_list(F("tariff_version__name"), flat=True)
        assert used
        assert all(name.endswith("(demo)") for name in used if name.startswith("2026"))

    def test_are_by_the_hour_for_some(self):
        by_the_hour = Bill.objects.filter(status="issued", lines__detail__period_name="Evening").distinct()

        assert by_the_hour.exists()
        assert by_the_hour.count() < Bill.objects.filter(status="issued").count()
        assert not by_the_hour.filter(account__number="A-1001").exists()
