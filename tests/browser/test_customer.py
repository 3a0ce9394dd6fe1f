"""What a customer does in a browser, from the log-in to the PDF of a bill."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.walks import wait_until

DRAWN = "window.Chart && Chart.getChart(document.querySelector('canvas[data-usage]'))"


class TestJourney:
    def test_leads_from_the_login_to_the_pdf_of_a_bill(self, anywhere, household):
        page = anywhere.page
        anywhere.open("/login")
        anywhere.expect_sound()

        anywhere.log_in(household.user)
        expect(page.get_by_role("heading", name="This month so far")).to_be_visible()
        anywhere.expect_sound()

        page.get_by_role("link", name="Usage", exact=True).click()
        page.get_by_role("link", name="Day", exact=True).click()
        page.wait_for_url("**/usage?view=day&on=*")
        expect(page.get_by_role("link", name="Previous day")).to_be_visible()
        today = page.get_by_role("heading", level=2).inner_text()
        page.get_by_role("link", name="Previous day").click()
        expect(page.get_by_role("heading", level=2)).not_to_have_text(today)
        expect(page.get_by_text("without a reading")).to_be_visible()
        page.get_by_text("Show as table").click()
        expect(page.get_by_role("row")).to_have_count(50)
        anywhere.expect_sound()
        page.get_by_role("link", name="Month", exact=True).click()
        page.wait_for_url("**/usage?view=month&on=*")
        anywhere.expect_sound()

        page.get_by_role("link", name="Bills", exact=True).click()
        anywhere.expect_sound()
        page.get_by_role("link", name=f"{household.bill.month:%B %Y}").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Bill for {household.bill.month:%B %Y}")
        expect(page.get_by_role("row", name="To pay")).to_contain_text("96.47")
        anywhere.expect_sound()

        with page.expect_download() as download:
            page.get_by_role("link", name="PDF").click()
        assert Path(download.value.path()).read_bytes().startswith(b"%PDF")

    def test_is_sound_on_the_pages_around_it(self, anywhere, household):
        anywhere.open("/")
        anywhere.expect_sound()
        anywhere.log_in(household.user)
        anywhere.open("/household")
        anywhere.expect_sound()
        anywhere.open("/nothing-here")
        anywhere.complaints.clear()  # The browser notes the 404 itself.
        expect(anywhere.page.get_by_role("heading", name="Nothing is here")).to_be_visible()
        anywhere.expect_sound()


class TestKeyboard:
    def test_is_enough_to_log_in_and_to_step_through_use(self, visitor, household):
        page = visitor.page
        visitor.open("/login")
        page.get_by_label("E-mail address").focus()
        page.keyboard.type(household.user.email)
        page.keyboard.press("Tab")
        page.keyboard.type("a-long-enough-password")
        page.keyboard.press("Enter")
        page.wait_for_url("**/home")

        visitor.open("/usage?view=month")
        page.get_by_role("link", name="Previous month").focus()
        page.keyboard.press("Enter")

        expect(page.get_by_role("heading", level=2)).to_have_text(f"{household.bill.month:%B %Y}")
        expect(page.get_by_role("link", name="Previous month")).to_be_focused()

    def test_skips_to_the_content_first(self, visitor):
        visitor.open("/")

        visitor.page.keyboard.press("Tab")
        skip = visitor.page.get_by_role("link", name="Skip to the content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        visitor.page.keyboard.press("Enter")

        expect(visitor.page.locator("main")).to_be_focused()

    def test_closes_the_menu_with_escape(self, visitor, household):
        visitor.log_in(household.user)
        button = visitor.page.locator("summary", has_text="Mei Ling Tan")
        button.press("Enter")
        expect(visitor.page.get_by_role("button", name="Log out")).to_be_visible()

        visitor.page.keyboard.press("Escape")

        expect(visitor.page.get_by_role("button", name="Log out")).to_be_hidden()
        expect(button).to_be_focused()


class TestUsageChart:
    def test_draws_the_numbers_of_the_table_and_nothing_where_there_are_none(self, visitor, household):
        page = visitor.page
        visitor.log_in(household.user)
        visitor.open("/usage?view=month")

        drawn = page.evaluate(f"({DRAWN}).data.datasets[0].data")

        page.get_by_text("Show as table").click()
        shown = page.locator("tbody td.numeric").all_inner_texts()
        assert shown == ["\u2013" if energy is None else f"{energy:.2f}" for energy in drawn]
        assert drawn[-1] is None or len({*drawn}) > 1

    def test_shows_a_part_of_it_that_the_keyboard_chose(self, visitor, household):
        page = visitor.page
        visitor.log_in(household.user)
        visitor.open("/usage?view=day")
        today = page.get_by_role("heading", level=2).inner_text()
        page.get_by_role("link", name="Previous day").click()
        expect(page.get_by_role("heading", level=2)).not_to_have_text(today)
        expect(page.get_by_role("slider", name="First")).to_have_attribute("max", "47")
        page.get_by_role("slider", name="First").focus()

        for _ in range(10):
            page.keyboard.press("ArrowRight")

        assert page.evaluate(f"[({DRAWN}).scales.x.min, ({DRAWN}).scales.x.max]") == [10, 47]
        expect(page.locator(".brush output")).to_contain_text("kWh")
        page.get_by_role("button", name="Show all").click()
        assert page.evaluate(f"[({DRAWN}).scales.x.min, ({DRAWN}).scales.x.max]") == [0, 47]

    @pytest.mark.parametrize("view", ["day", "week", "month", "year"])
    def test_has_units_and_at_most_five_lines(self, visitor, household, view):
        visitor.log_in(household.user)
        visitor.open(f"/usage?view={view}")

        scales = f"({DRAWN}).scales"
        assert visitor.page.evaluate(f"{scales}.y.ticks.length") <= 5
        assert visitor.page.evaluate(f"{scales}.y.options.title.text") == "kWh"
        assert visitor.page.evaluate(f"{scales}.x.options.title.text")

    def test_comes_back_with_the_browsers_history(self, visitor, household):
        page = visitor.page
        visitor.log_in(household.user)
        visitor.open("/usage?view=month")
        title = page.get_by_role("heading", level=2).inner_text()
        page.get_by_role("link", name="Previous month").click()
        expect(page.get_by_role("heading", level=2)).not_to_have_text(title)

        page.go_back()

        expect(page.get_by_role("heading", level=2)).to_have_text(title)
        wait_until(page, f"({DRAWN}) !== undefined")
        assert visitor.complaints == []

    def test_moves_nothing_while_it_loads(self, visitor, household):
        visitor.log_in(household.user)
        visitor.open("/usage?view=month")

        shift = visitor.page.evaluate(
            """() => new Promise((resolve) => {
              let sum = 0;
              new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) sum += entry.value;
              }).observe({ type: "layout-shift", buffered: true });
              setTimeout(() => resolve(sum), 200);
            })"""
        )

        assert shift == 0


class TestWithoutScripts:
    def test_steps_and_tells_the_numbers_all_the_same(self, without_scripts, household):
        page = without_scripts.page
        without_scripts.log_in(household.user)
        without_scripts.open("/usage?view=month")

        page.get_by_role("link", name="Previous month").click()

        expect(page.get_by_role("heading", level=2)).to_have_text(f"{household.bill.month:%B %Y}")
        page.get_by_text("Show as table").click()
        expect(page.get_by_role("row", name="Together")).to_be_visible()
