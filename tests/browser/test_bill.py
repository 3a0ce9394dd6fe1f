"""A bill as its customer reads it: what is owed, why it differs, and each line down to the dial."""

import io
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pypdf
import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.actors import PORTAL
from accounts.models import User
from billing.models import Bill
from billing.services.bills import issue_bill
from energy_portal.shared.clock import YearMonth, local_month, zone
from meters.models import Register
from tests.billing.metered import by_hours, default_tariff, drafted, period, read_half_hours
from tests.browser.conftest import with_password
from tests.factories import UserFactory
from tests.households import home_of

COMPONENTS = (
    ("energy", "Electricity", by_hours(period("Off-peak", (None, "0.18")), period("On-peak", (None, "0.305")))),
    ("energy", "Network", {"periods": [period("", ("100", "0.02"), (None, "0.045"))]}),
    ("fixed", "Standing charge", {"amount": "0.275", "per": "day"}),
)


@dataclass(frozen=True)
class Billed:
    """A customer, their dial, and the bills of the last two months."""

    user: User
    register: Register
    before: Bill
    bill: Bill


@pytest.fixture
def billed(transactional_db) -> Billed:
    """Read two months' half-hours but for five hours of the last one, and bill both."""
    now = timezone.now()
    default_tariff(*COMPONENTS)
    user = with_password(UserFactory(name="Mei Ling Tan"))
    account, register = home_of(user, number="A-1001", owner_name="Mei Ling Tan", address="1 Lorong Ampas")
    last = YearMonth.of(now, zone(account.zone)).previous()
    site = zone(account.zone)
    start, end = local_month(last.previous(), site).start, local_month(last, site).end
    gap = end - timedelta(days=9)
    read_half_hours(
        register,
        start=start,
        end=end,
        keep=lambda mark: not timedelta(0) < mark - gap < timedelta(hours=5),
        energy=lambda position: Decimal(120 + position * 37 % 211 + position // 30) / 1000,
    )
    before, bill = (
        issue_bill(bill_id=drafted(account, str(month), now=now).pk, actor=PORTAL, now=now)
        for month in (last.previous(), last)
    )
    return Billed(user, register, before, bill)


def text_of(content: bytes) -> str:
    return " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


class TestBill:
    def test_is_read_from_what_is_owed_down_to_the_dial(self, anywhere, billed):
        page = anywhere.page
        anywhere.log_in(billed.user)
        page.get_by_role("link", name="Bills", exact=True).click()
        page.get_by_role("link", name=f"{billed.bill.month:%B %Y}").click()

        expect(page.get_by_role("heading", level=1)).to_have_text(f"Bill for {billed.bill.month:%B %Y}")
        expect(page.get_by_role("row", name="To pay")).to_contain_text(f"{billed.bill.total:,.2f}")
        why = page.get_by_role("region", name="Why it differs from the month before")
        expect(why.get_by_role("row", name=f"{billed.before.month:%B %Y}")).to_contain_text(
            f"{billed.before.total:,.2f}"
        )
        why.get_by_text("What made the price").click()
        anywhere.expect_sound()

        line = page.locator("details.bill-line", has_text="Electricity, On-peak")
        line.locator("summary").first.click()
        expect(line).to_contain_text("Monday to Friday 08:00\N{EN DASH}20:00) costs SGD 0.305.")
        expect(line).to_contain_text("Its days add up to")
        day = line.locator("details.line-day").first
        day.locator("summary").click()
        rows = day.get_by_role("row")
        expect(rows).to_have_count(25)
        expect(rows.nth(1)).to_contain_text(f"{billed.register.meter.serial}:")
        expect(rows.nth(1)).to_contain_text("measured")
        anywhere.expect_sound()

        with page.expect_download() as download:
            page.get_by_role("link", name="PDF").click()
        text = text_of(Path(download.value.path()).read_bytes())
        assert billed.bill.number in text
        assert f"{billed.bill.total:,.2f}" in text
        assert "On-peak" in text

    def test_marks_the_half_hours_that_were_estimated(self, visitor, billed):
        page = visitor.page
        visitor.log_in(billed.user)
        visitor.open(f"/bills/{billed.bill.pk}")
        network = page.locator("details.bill-line", has_text="Network, above 100 kWh")
        network.locator("summary").first.click()

        day = network.locator("details.line-day", has_text="of it estimated")
        day.locator("summary").first.click()

        expect(day.get_by_text("spread evenly between the reads around it")).to_have_count(10)
        expect(page.get_by_text("% estimated")).to_be_visible()

    def test_opens_with_the_keyboard(self, visitor, billed):
        page = visitor.page
        visitor.log_in(billed.user)
        visitor.open(f"/bills/{billed.bill.pk}")
        line = page.locator("details.bill-line", has_text="Electricity, On-peak")

        line.locator("summary").first.press("Enter")

        expect(line).to_contain_text("Its days add up to")
        expect(line.locator("summary").first).to_be_focused()


class TestWithoutScripts:
    def test_lines_open_as_pages(self, without_scripts, billed):
        page = without_scripts.page
        without_scripts.log_in(billed.user)
        without_scripts.open(f"/bills/{billed.bill.pk}")

        line = page.locator("details.bill-line", has_text="Electricity, On-peak")
        line.locator("summary").first.click()
        line.get_by_role("link", name="Day by day").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("On-peak")
        day = page.locator("details.line-day").first
        day.locator("summary").click()
        day.get_by_role("link", name="Half-hours of").click()

        expect(page.locator("details.line-day[open]").get_by_role("row")).to_have_count(25)
