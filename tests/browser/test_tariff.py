"""A manager writes a tariff's prices, sees what homes would pay, and paints hours; a customer compares tariffs."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from billing.models import TariffComponent
from tests.browser.conftest import with_password
from tests.factories import ManagerFactory, TariffVersionFactory


@pytest.fixture
def manager(transactional_db):
    return with_password(ManagerFactory(name="Mona Manager"))


class TestPrices:
    def test_are_tried_while_typed_painted_and_saved(self, anywhere, manager):
        page = anywhere.page
        version = TariffVersionFactory(tariff__tax=None)
        anywhere.log_in(manager, "**/admin/")
        anywhere.open(reverse("admin:billing_tariff_version", args=[version.tariff_id, version.pk]))
        trials = page.locator("[data-trials]")
        expect(trials).to_contain_text("A typical home")
        before = trials.locator(".portal-figure").first.inner_text()

        page.get_by_label("Price of period 0").fill("0.5")
        expect(trials.locator(".portal-figure").first).not_to_have_text(before)
        anywhere.expect_sound()

        page.get_by_role("button", name="Add a period").click()
        page.get_by_label("Price of period 1").fill("0.9")
        page.get_by_label("Name of period 0").fill("Night")
        page.get_by_label("Name of period 1").fill("Day")
        cells = page.get_by_role("grid", name="Monday to Friday").get_by_role("gridcell")
        cells.first.press("1")
        expect(cells.first).to_have_text("1")
        expect(cells.nth(1)).to_be_focused()
        expect(trials).to_contain_text(re.compile("A typical home"))
        anywhere.expect_sound()

        page.get_by_label("Why it changes").fill("A day price begins")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("is in force with these prices")).to_be_visible()
        terms = TariffComponent.objects.get(version=version).terms
        assert [period["name"] for period in terms["periods"]] == ["Night", "Day"]
        assert terms["weekday"][0] == [1] + [0] * 23
        assert terms["weekend"][0] == [0] * 24


class TestWhatIf:
    def test_is_sound(self, anywhere, household):
        anywhere.log_in(household.user, "**/home")

        anywhere.open(reverse("billing:what_if"))

        expect(anywhere.page.get_by_role("heading", name="What would I have paid?")).to_be_visible()
        anywhere.expect_sound()
