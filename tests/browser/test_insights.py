"""What is expected and what was unusual, as a customer sees it: the band over the hours to come, and an answer."""

from datetime import timedelta
from decimal import Decimal
from math import sin

from django.utils import timezone
from playwright.sync_api import expect

from accounts.models import CustomerAccount
from energy_portal.shared.clock import local_day, zone
from meters.insights.models import Anomaly, Baseline
from tests.browser.walks import wait_until
from tests.factories import AnomalyFactory, ForecastFactory

DRAWN = "window.Chart && Chart.getChart(document.querySelector('canvas[data-usage]'))"
# Of a day, kWh a half-hour: little by night, most in the evening.
SHAPE = [round(0.25 + 0.15 * sin((half_hour - 24) / 48 * 6.28), 4) for half_hour in range(48)]


def expect_and_notice(account: CustomerAccount) -> Anomaly:
    """Let an account's place be foreseen from today's midnight on, and have been unusual the night before."""
    now, place = timezone.now(), account.bindings.get().service_point
    today = local_day(now.astimezone(zone(account.zone)).date(), zone(account.zone))
    ForecastFactory(subject=place.code, origin=today.start, median=SHAPE * 2, zone=account.zone)
    Baseline.objects.create(
        subject_kind="service_point",
        subject=place.code,
        zone=account.zone,
        made_at=now,
        until=today.start,
        median=SHAPE * 7,
        spread=[0.04] * 336,
    )
    return AnomalyFactory(
        account=account,
        subject=place.code,
        kind="night_use",
        start=today.start - timedelta(hours=23),
        end=today.start - timedelta(hours=19),
        detected_at=now,
        reason="2.0 kWh between 01:00 and 05:00; 1.1 kWh are usual.",
        energy_kwh=Decimal("0.9"),
        usual_kwh=Decimal("1.1"),
        money=Decimal("0.26"),
        currency="SGD",
    )


class TestUsage:
    def test_has_the_band_over_the_hours_to_come(self, anywhere, household):
        expect_and_notice(household.account)
        page = anywhere.page
        anywhere.log_in(household.user)
        anywhere.open("/usage?view=day")

        page.get_by_role("link", name="Next day").click()

        expect(page.get_by_text("Not here yet: this is what we expect.")).to_be_visible()
        expect(page.get_by_text("about eight in ten half-hours lie here")).to_be_visible()
        wait_until(page, f"({DRAWN}) !== undefined")
        roles = page.evaluate(f"({DRAWN}).data.datasets.map((each) => each.role ?? 'used')")
        line, low, high = (page.evaluate(f"({DRAWN}).data.datasets[{index}].data") for index in (1, 2, 3))
        assert roles == ["used", "middle", "edge", "edge"]
        assert line == [round(value, 3) for value in SHAPE]
        assert all(below < middle < above for below, middle, above in zip(low, line, high, strict=True))
        page.get_by_text("Show as table").click()
        expect(page.get_by_role("columnheader", name="Expected, kWh")).to_be_visible()
        anywhere.expect_sound()


class TestUnusual:
    def test_is_answered_from_the_first_page(self, anywhere, household):
        anomaly = expect_and_notice(household.account)
        page = anywhere.page
        anywhere.log_in(household.user)

        page.get_by_role("region", name="Unusual use").get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("More at night")
        wait_until(page, f"({DRAWN}) !== undefined")
        anywhere.expect_sound()
        page.get_by_label("A note, if you like").fill("I look at the water heater.")
        page.get_by_role("button", name="I look into it").click()

        expect(page.get_by_text("Noted: you look into it.")).to_be_visible()
        expect(page.get_by_text("Being looked into")).to_be_visible()
        expect(page.get_by_role("button", name="Remind me tomorrow")).to_be_hidden()
        anywhere.expect_sound()
        anomaly.refresh_from_db()
        assert (anomaly.state, anomaly.note) == ("acknowledged", "I look at the water heater.")
        anywhere.open("/home")
        expect(page.get_by_role("region", name="Unusual use")).to_have_count(0)

    def test_can_be_called_normal(self, without_scripts, household):
        anomaly = expect_and_notice(household.account)
        page = without_scripts.page
        without_scripts.log_in(household.user)
        without_scripts.open("/anomalies")

        page.get_by_role("link", name="More at night").click()
        page.get_by_role("button", name="This was normal").click()

        expect(page.get_by_text("You said that it was normal.")).to_be_visible()
        anomaly.refresh_from_db()
        assert anomaly.verdict == "normal"
