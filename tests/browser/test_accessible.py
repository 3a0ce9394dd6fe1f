"""Every page of a customer, found by the addresses that the portal answers at: accessible, steady, without a mouse."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.test import Client
from django.urls import resolve
from playwright.sync_api import Page

from accounts.models import User
from meters.insights.models import Anomaly
from tests.browser.conftest import Household, Visitor
from tests.browser.test_insights import expect_and_notice
from tests.factories import AlarmFactory, BatteryFactory, DeviceFactory
from tests.permissions import Address, addresses

# Not a page of this house's making: the API's reference.
_LEFT_OUT = {"/docs", "/redoc", "/logout"}
_HTML = {"accept": "text/html"}
_NO_ID = str(UUID(int=0))
_MOST_SHIFT = 0.02
# Adds up how far things jump that nobody touched (Layout Instability API).
_WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def home(household: Household) -> Household:
    """The household with one of everything that a page may be about."""
    device = DeviceFactory(device_id="plug-1", name="Kettle", account=household.account, status="active")
    AlarmFactory(account=household.account, subject=device.device_id, label="Kettle")
    expect_and_notice(household.account)
    BatteryFactory(battery_id="ZH-1", name="Cellar", account=household.account, status="active")
    return household


def places(home: Household) -> dict[str, str]:
    """Name what each place of an address stands for."""
    meter = home.account.bindings.get().service_point.installations.get().meter
    return {
        "bill_id": str(home.bill.pk),
        "position": "1",
        "serial": meter.serial,
        "device_id": "plug-1",
        "battery_id": "ZH-1",
        "number": home.account.number,
        "anomaly_id": str(Anomaly.objects.get().pk),
        # Of links in mails: what they say when they work no more.
        "token": "none",
        "uidb64": "none",
    }


def filled(address: Address, names: dict[str, str]) -> tuple[str, bool]:
    """Return an address with its places filled, and whether all of them are known."""
    path, known = address.route, True
    for part in address.route.split("<")[1:]:
        place = part.split(">")[0]
        name = place.rpartition(":")[2]
        known = known and name in names
        path = path.replace(f"<{place}>", names.get(name, _NO_ID))
    return path, known


def pages(client: Client, home: Household) -> Iterator[str]:
    """Yield every whole page that somebody gets at the portal's own addresses."""
    names = places(home)
    for address in addresses():
        if address.method != "GET" or address.route.startswith(("/admin/", "/api/")) or address.route in _LEFT_OUT:
            continue
        path, known = filled(address, names)
        if hasattr(resolve(path).func, "cls"):
            continue
        answer = client.get(path, headers=_HTML)
        if not answer.streaming and answer["Content-Type"].startswith("text/html"):
            assert known or answer.status_code != 200 or b"<html" not in answer.content, address.route
            if answer.status_code == 200 and b"<html" in answer.content:
                yield path


def expect_steady(page: Page) -> None:
    assert page.evaluate("window.shifted") <= _MOST_SHIFT, page.url


def walk(visitor: Visitor, paths: list[str]) -> None:
    visitor.page.add_init_script(_WATCH_SHIFTS)
    for path in paths:
        visitor.open(path)
        visitor.expect_sound()
        expect_steady(visitor.page)


class TestEveryPage:
    def test_of_a_visitor_is_accessible_and_steady(self, anywhere, home):
        paths = list(pages(Client(), home))
        assert {"/", "/login", "/password/reset"} <= set(paths)

        walk(anywhere, paths)

    def test_of_a_customer_is_accessible_and_steady(self, anywhere, home):
        client = Client()
        # The browser's password was set behind this object's back; a session is tied to the one that is stored.
        client.force_login(User.objects.get(pk=home.user.pk))
        paths = list(pages(client, home))
        assert {
            "/home",
            "/usage",
            "/anomalies",
            "/bills",
            "/household",
            "/notifications",
            "/profile",
            "/meters",
        } <= set(paths)

        anywhere.log_in(home.user)
        walk(anywhere, [*paths, "/usage?view=day&with=before", "/usage?view=week"])


def focused(page: Page) -> str:
    """Name what has the focus, and see that it shows."""
    outline = page.evaluate(
        "(() => { const style = getComputedStyle(document.activeElement); return style.outlineStyle; })()"
    )
    assert outline not in {"none", ""}, page.evaluate("document.activeElement.outerHTML")
    return page.evaluate("document.activeElement.innerText.trim().split('\\n')[0]")


class TestKeyboard:
    def test_leads_past_the_menu_and_through_it(self, visitor, home):
        visitor.log_in(home.user)
        page = visitor.page
        page.keyboard.press("Tab")
        reached = [focused(page)]
        for _ in range(9):
            page.keyboard.press("Tab")
            reached.append(focused(page))
            if home.user.name in reached[-1]:
                break
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        within = focused(page)
        page.keyboard.press("Escape")

        assert reached[0] == "Skip to the content"
        assert reached[2:4] == ["Home", "Usage"]
        assert within == "Alarms"
        assert home.user.name in focused(page)
        assert not page.locator("details.menu").evaluate("menu => menu.open")

    def test_opens_the_table_of_a_chart_and_a_day_in_it(self, visitor, home):
        visitor.log_in(home.user)
        page = visitor.page
        visitor.open("/usage?view=month")
        page.locator("#as-table").focus()
        page.keyboard.press("Enter")
        page.locator("tbody th a").first.focus()
        page.keyboard.press("Enter")

        page.wait_for_url("**/usage?view=day&on=*-01")
