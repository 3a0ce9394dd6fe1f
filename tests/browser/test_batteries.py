"""A battery followed as it tells, through a restart of the server, by whoever it concerns and nobody else."""

import json
import socket
import urllib.request
from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.actors import PORTAL
from accounts.models import AccountAccess
from accounts.roles import Role, Scope
from accounts.services.sources import create_source
from meters.batteries.models import Battery
from meters.insights.models import BatteryTrend, Forecast
from tests.browser.conftest import serving, visitor_in, with_password
from tests.factories import AccountAccessFactory, AlarmFactory, BatteryFactory, UserFactory
from tests.meters.batteries.helpers import put

TRIES = 5
A_SECOND = 1_000


@pytest.fixture
def operator(transactional_db):
    return with_password(UserFactory(role=Role.OPERATOR, name="Otto Operator"))


@pytest.fixture
def battery(transactional_db) -> Battery:
    """A battery that a file told of, an hour long, some days ago."""
    battery = BatteryFactory(name="Cellar battery", is_simulated=True)
    now = timezone.now()
    began = now.replace(microsecond=0) - timedelta(days=3)
    values = {"soc_percent": 40.0, "cell_min_voltage_v": 3.29, "cell_max_voltage_v": 3.30, "cell_avg_voltage_v": 3.295}
    put(battery, *((began + timedelta(minutes=minute), values) for minute in range(60)), is_live=False, now=now)
    return battery


@pytest.fixture
def key(transactional_db) -> str:
    _, key = create_source(name="BMS", scopes=[Scope.BATTERIES], actor=PORTAL, now=timezone.now())
    return key


def tell(site: str, battery: Battery, key: str, system: str, **values: float) -> None:
    """Post a reading of now, as the battery's gateway does."""
    body = json.dumps({"timestamp": timezone.now().isoformat(), **values}).encode()
    request = urllib.request.Request(  # noqa: S310  our own server
        f"{site}/api/v1/batteries/{battery.battery_id}/{system}",
        data=body,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status in {200, 201, 202}


def field(page, name):
    return page.locator(f"[data-field={name}]")


def open_alarm(battery: Battery) -> None:
    AlarmFactory(
        kind="cell_spread",
        subject_kind="battery",
        subject=battery.battery_id,
        label=str(battery),
        text="Its cells are 180 mV apart.",
        account=battery.account,
        raised_at=timezone.now(),
    )


class TestBattery:
    def test_is_marked_as_a_replay_until_it_is_heard_and_then_followed(self, anywhere, operator, battery, key):
        page = anywhere.page
        open_alarm(battery)
        anywhere.log_in(operator, "**/fleet/")
        anywhere.open(f"/batteries/{battery.battery_id}/")
        expect(page.get_by_text("Replaying its history")).to_be_visible()
        expect(page.get_by_text("it is not what it does now")).to_be_visible()
        expect(page.get_by_text("No such battery stands anywhere")).to_be_visible()
        expect(page.get_by_role("link", name="Acknowledge")).to_be_visible()
        anywhere.expect_sound()

        tell(anywhere.site, battery, key, "bms", soc=63.4, cell_voltage_diff=0.012, voltage=840.0, current=-20.0)
        expect(field(page, "soc")).to_have_text("63.4")
        tell(anywhere.site, battery, key, "pcs", apparent_power=-17.5, temp_igbt=44.0)

        expect(page.locator("[data-say]")).to_have_text("Live")
        expect(page.get_by_text("it is not what it does now")).to_be_hidden()
        expect(page.locator("[data-power]")).to_have_text("17.5")
        expect(page.get_by_text("Charging")).to_be_visible()
        expect(page.locator("[data-spread]")).to_have_text("12")
        expect(page.locator("[data-lag]")).to_contain_text("s behind")
        anywhere.expect_sound()

    def test_shows_what_is_posted_within_a_second(self, visitor, operator, battery, key):
        page = visitor.page
        visitor.log_in(operator, "**/fleet/")
        visitor.open(f"/batteries/{battery.battery_id}/")
        expect(page.get_by_text("Replaying its history")).to_be_visible()

        for tried in range(1, TRIES + 1):
            tell(visitor.site, battery, key, "bms", soc=60.0 + tried)
            try:
                expect(field(page, "soc")).to_have_text(f"{60 + tried}.0", timeout=A_SECOND)
            except AssertionError:
                # A machine that stands still for a moment is late once, not time after time.
                if tried == TRIES:
                    raise
            else:
                break

    def test_comes_back_by_itself_when_the_server_was_restarted(self, browser, cache, operator, battery, key):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with browser.new_context() as context:
            with serving(port, cache) as site:
                visitor = visitor_in(context, site)
                page = visitor.page
                visitor.log_in(operator, "**/fleet/")
                visitor.open(f"/batteries/{battery.battery_id}/")
                tell(site, battery, key, "bms", soc=63.4)
                expect(page.locator("[data-say]")).to_have_text("Live")

            expect(page.locator("[data-say]")).to_contain_text("Not connected")
            expect(page.locator("[data-say]")).to_contain_text("The values are those of")
            with serving(port, cache) as site:
                tell(site, battery, key, "bms", soc=64.9)

                expect(page.locator("[data-say]")).to_have_text("Live", timeout=30_000)
                expect(field(page, "soc")).to_have_text("64.9")

    def test_works_without_scripts(self, without_scripts, operator, battery):
        page = without_scripts.page
        without_scripts.log_in(operator, "**/fleet/")
        without_scripts.open(f"/batteries/{battery.battery_id}/?hours=1")

        expect(field(page, "soc")).to_have_text("40.0")
        expect(page.get_by_text("Never heard live; the newest values come from files")).to_be_visible()
        page.get_by_text("Show as table").click()
        expect(page.get_by_role("cell", name="3.290").first).to_be_visible()


class TestFleet:
    def test_leads_an_operator_to_what_needs_them(self, anywhere, operator, battery):
        page = anywhere.page
        open_alarm(BatteryFactory(name="Punggol grid battery", region=battery.region))
        anywhere.log_in(operator, "**/fleet/")
        anywhere.open("/batteries/")

        expect(page.locator("tbody th").first).to_contain_text("Punggol grid battery")
        expect(page.locator("tbody tr").first).to_contain_text("1 open")
        anywhere.expect_sound()
        page.get_by_role("link", name="Cellar battery").click()
        expect(page.get_by_role("heading", name="Cellar battery")).to_be_visible()

    def test_stands_in_the_administration_beside_the_devices(self, visitor, operator):
        visitor.log_in(operator, "**/fleet/")
        visitor.page.locator("a[href='/batteries/']").first.click()

        expect(visitor.page.get_by_role("heading", name="No batteries here yet")).to_be_visible()
        visitor.expect_sound()


class TestOwner:
    def test_finds_their_own_battery_and_no_other(self, anywhere, household, battery, key):
        page = anywhere.page
        Battery.objects.filter(pk=battery.pk).update(account=household.account)
        other = BatteryFactory(account=AccountAccessFactory().account)
        assert AccountAccess.objects.filter(user=household.user).count() == 1
        anywhere.log_in(household.user)
        page.get_by_role("link", name="Battery", exact=True).click()

        expect(page.get_by_role("heading", name="Cellar battery")).to_be_visible()
        tell(anywhere.site, battery, key, "bms", soc=63.4)
        expect(field(page, "soc")).to_have_text("63.4")
        anywhere.expect_sound()
        assert page.request.get(f"{anywhere.site}/batteries/{other.battery_id}/").status == 404


class TestWhatLiesAhead:
    @pytest.fixture(autouse=True)
    def _known(self, battery):
        origin = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        foresee(battery, origin)
        follow_health(battery, origin.date())

    def test_is_drawn_on_the_page_of_the_battery(self, anywhere, operator, battery):
        page = anywhere.page
        anywhere.log_in(operator, "**/fleet/")
        anywhere.open(f"/batteries/{battery.battery_id}/")

        expect(page.get_by_role("heading", name="Charge in the coming day")).to_be_visible()
        expect(page.get_by_text("in about 18 days (15 to 22) at rest they are 50.0 mV apart")).to_be_visible()
        for name in ("soc", "cell_spread_v"):
            canvas = page.locator(f"canvas[data-insight={name}]")
            assert canvas.evaluate("each => Chart.getChart(each).data.datasets[0].data.length") > 10
        page.locator("#ahead-as-table").click()
        expect(page.get_by_role("cell", name="40 and 80").first).to_be_visible()
        anywhere.expect_sound()

    def test_is_read_without_scripts(self, without_scripts, operator, battery):
        without_scripts.log_in(operator, "**/fleet/")
        without_scripts.open(f"/batteries/{battery.battery_id}/")
        without_scripts.page.get_by_role("link", name="What lies ahead").click()
        expect(without_scripts.page.get_by_role("heading", name="Health")).to_be_visible()


def foresee(battery: Battery, origin: datetime) -> None:
    Forecast.objects.create(
        subject_kind="battery",
        subject=battery.battery_id,
        label=str(battery),
        quantity="soc_percent",
        cohort="battery",
        zone="UTC",
        origin=origin,
        issued_at=origin,
        median=[60.0] * 96,
        mean=[60.0] * 96,
        low=[40.0] * 96,
        high=[80.0] * 96,
        forecaster="blend",
    )


def follow_health(battery: Battery, newest: date) -> None:
    """Sixteen days on which the cells drifted apart by 1 mV each."""
    rows = [
        BatteryTrend(
            battery=battery,
            quantity="cell_spread_v",
            day=newest - timedelta(days=16 - day),
            value=(spread := (16 + day) / 1_000),
            samples=90,
            conditions="10/20",
            detail={"10/20": [spread, 90]},
            made_at=timezone.now(),
        )
        for day in range(16)
    ]
    last = rows[-1]
    last.level, last.slope_a_day, last.threshold = 0.032, 0.001, 0.05
    last.days_to_threshold, last.days_soonest, last.days_latest = 18.0, 15.0, 22.0
    BatteryTrend.objects.bulk_create(rows)
