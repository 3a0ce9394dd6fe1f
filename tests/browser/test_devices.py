"""A household's devices, switched until their effect is seen, and the fleet as an operator watches it."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import AccountAccess
from accounts.roles import Role
from meters.devices.models import Command, Device, DeviceHour, FleetHour, StateMark
from meters.devices.services import commands
from meters.devices.services.state import note_status, refresh_states
from meters.devices.store.hours import DEVICE_HOURS
from meters.models import Alarm
from meters.series.partitions import ensure_partitions
from tests.browser.conftest import with_password
from tests.factories import DeviceFactory, DeviceGroupFactory, RegionFactory, UserFactory
from tests.meters.devices.helpers import store_sample

CHART = "Chart.getChart(document.querySelector('canvas[data-usage=devices-data]')).data.datasets[0].data"


@pytest.fixture
def now(transactional_db):
    StateMark.objects.get_or_create(id=1)
    return timezone.now()


@pytest.fixture
def fridge(household, now) -> Device:
    device = DeviceFactory(
        account=household.account, name="Fridge", group=DeviceGroupFactory(name="Cold"), region=RegionFactory()
    )
    DeviceFactory(account=household.account, name="Medicine fridge", is_critical=True)
    store_sample(device, now - timedelta(seconds=30), power_w=118.0, temperature_c=4.2, switch=True)
    refresh_states(now=now)
    AccountAccess.objects.filter(account=household.account).update(right="administer")
    return device


def midnight(now):
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def use(device: Device, start, energy_wh: float) -> None:
    ensure_partitions(DEVICE_HOURS, [start], floor=start, ceiling=start)
    DeviceHour.objects.create(device=device, time=start, energy_wh=energy_wh, covered_seconds=3600)


class TestHousehold:
    def test_switches_and_sees_what_came_of_it(self, anywhere, household, fridge):
        page = anywhere.page
        anywhere.log_in(household.user)
        page.get_by_role("link", name="Devices", exact=True).click()
        expect(page.get_by_role("heading", name="Fridge", exact=True)).to_be_visible()
        expect(page.locator(f"#live-{fridge.pk}")).to_contain_text("118")
        anywhere.expect_sound()

        off = page.get_by_role("button", name="Switch off Fridge")
        off.press("Enter")
        outcome = page.locator(f"#live-{fridge.pk} .outcome")
        expect(outcome).to_contain_text("waiting to be sent")
        now = timezone.now()
        command = Command.objects.get()
        commands.take_due(limit=1, now=now)
        commands.note_sent(sent={command.pk: now})
        expect(outcome).to_contain_text("sent, waiting for the device")
        ack = commands.CommandAck(command.pk, fridge.device_id, ok=True)
        commands.note_acks(acks=[ack], now=now + timedelta(seconds=1))
        expect(outcome).to_contain_text("its effect is not seen yet")
        anywhere.expect_sound()
        store_sample(fridge, now + timedelta(seconds=2), switch=False, power_w=0.0)
        commands.take_due(limit=1, now=now + timedelta(seconds=5))

        expect(outcome).to_contain_text("Switched off: what the device tells shows it.")
        expect(off).to_be_focused()
        anywhere.expect_sound()

    def test_reads_today_by_hour_as_chart_and_table(self, anywhere, household, fridge, now):
        page = anywhere.page
        use(fridge, midnight(now), 64.0)
        anywhere.log_in(household.user)
        anywhere.open("/devices")

        assert page.evaluate(CHART)[0] == 64.0
        page.get_by_text("Show as table").click()
        expect(page.get_by_role("row", name="00:00\u201301:00")).to_contain_text("64")
        page.get_by_role("navigation", name="Whose energy").get_by_role("link", name="Medicine fridge").click()
        page.wait_for_url("**device=*")
        expect(page.locator("#today")).to_contain_text("nothing is added up yet")
        anywhere.expect_sound()

    def test_works_without_scripts(self, without_scripts, household, fridge):
        page = without_scripts.page
        without_scripts.log_in(household.user)
        without_scripts.open("/devices")

        page.get_by_role("button", name="Switch on Fridge").click()

        expect(page.locator(f"#live-{fridge.pk}")).to_contain_text("waiting to be sent")


class TestFleet:
    def test_is_watched_by_an_operator_and_keeps_itself_up_to_date(self, anywhere, household, fridge, now):
        page = anywhere.page
        operator = with_password(UserFactory(role=Role.OPERATOR, name="Otto Operator"))
        FleetHour.objects.create(
            time=midnight(now), group=fridge.group, energy_wh=1500.0, covered_seconds=3600, devices=1
        )
        Alarm.objects.create(
            kind="over_power",
            subject_kind="device",
            subject=fridge.device_id,
            label="Fridge",
            severity="critical",
            text="draws more than it may",
            raised_at=now,
        )
        anywhere.log_in(operator, "**/fleet/")
        expect(page.get_by_role("heading", name="Messages stored")).to_be_visible()
        expect(page.locator("#fleet")).to_contain_text("draws more than it may")
        expect(page.locator("#fleet-today")).to_contain_text("1.50 kWh")
        anywhere.expect_sound()

        commands.send_command(
            device_id=fridge.device_id, switch=False, actor=commands.Actor(user=operator), now=timezone.now()
        )

        expect(page.locator("#commands").locator("..")).to_contain_text("queued")
        page.get_by_text("Show as table").click()
        expect(page.get_by_role("cell", name="1.50 kWh")).to_be_visible()
        anywhere.expect_sound()

    def test_leads_to_a_device_that_is_switched_there(self, anywhere, fridge):
        page = anywhere.page
        operator = with_password(UserFactory(role=Role.OPERATOR, name="Otto Operator"))
        note_status(device_id=fridge.device_id, online=True, now=timezone.now())
        anywhere.log_in(operator, "**/fleet/")
        anywhere.open(f"/admin/devices/device/{fridge.pk}/change/")
        expect(page.get_by_role("heading", name="What it tells")).to_contain_text("online")
        anywhere.expect_sound()

        anywhere.open(f"/admin/devices/device/{fridge.pk}/off/")
        page.get_by_role("button", name="Switch off").click()
        page.wait_for_url("**/command/**")

        ledger = page.get_by_role("heading", name="switch off")
        expect(ledger).to_contain_text("queued")
        command = Command.objects.get()
        commands.take_due(limit=1, now=timezone.now())
        commands.note_sent(sent={command.pk: timezone.now()})
        expect(ledger).to_contain_text("sent")
        anywhere.expect_sound()
