import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actors import PORTAL
from accounts.roles import Role, Scope
from accounts.services.sources import create_source
from meters.insights.ageing import Quantity
from meters.insights.models import BatteryTrend, Forecast
from tests.factories import AccountAccessFactory, BatteryFactory, UserFactory

pytestmark = pytest.mark.django_db

MIDNIGHT = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
FIRST = date(2025, 3, 1)
HTMX = {"HX-Request": "true"}


def part(battery) -> str:
    return f"/batteries/{battery.battery_id}/insights"


def trends(battery) -> str:
    return f"/api/v1/batteries/{battery.battery_id}/trends"


def forecast(battery, **values) -> Forecast:
    usual = {
        "median": [50.0 + place / 4 for place in range(96)],
        "low": [40.0] * 96,
        "high": [80.0] * 96,
        "forecaster": "blend",
    }
    return Forecast.objects.create(
        **{**usual, **values},
        subject_kind="battery",
        subject=battery.battery_id,
        label=str(battery),
        quantity="soc_percent",
        cohort="battery",
        zone="UTC",
        origin=MIDNIGHT,
        issued_at=MIDNIGHT,
    )


def measured(battery, number: int, **judged) -> None:
    """So many days of each quantity; what was judged is of the spread on the newest of them."""
    values = {"weak_cell_v": 0.006, "cell_spread_v": 0.01, "resistance_mohm": 100.0, "soh_percent": 97.0}
    rows = [
        BatteryTrend(
            battery=battery,
            quantity=quantity,
            day=FIRST + timedelta(days=day),
            value=values[quantity],
            samples=3,
            conditions="" if quantity == "soh_percent" else "40/20",
            detail={"" if quantity == "soh_percent" else "40/20": [values[quantity], 3]},
            made_at=datetime(2025, 6, 1, tzinfo=UTC),
        )
        for quantity in Quantity
        for day in range(number)
    ]
    newest = next(row for row in rows[::-1] if row.quantity == Quantity.SPREAD)
    for name, value in judged.items():
        setattr(newest, name, value)
    BatteryTrend.objects.bulk_create(rows)


NEAR = {
    "level": 0.032,
    "slope_a_day": 0.001,
    "threshold": 0.05,
    "days_to_threshold": 18.0,
    "days_soonest": 15.0,
    "days_latest": 22.0,
}


@pytest.fixture
def operator(client):
    user = UserFactory(role=Role.OPERATOR)
    client.force_login(user)
    return user


@pytest.fixture
def battery(db):
    return BatteryFactory(name="Cellar", zone="UTC")


class TestPart:
    def test_shows_the_charge_of_the_coming_day_in_its_band(self, client, operator, battery):
        forecast(battery)

        page = client.get(part(battery), headers=HTMX)

        told = page.context["chart"]["charts"]["soc"]
        now = timezone.now().timestamp() * 1_000
        assert told["from"] <= now + 15 * 60_000
        assert 47 <= len(told["median"]) <= 49
        assert {value for _, value in told["low"]} == {40.0}
        assert "Lowest with " in page.text
        assert not page.text.lstrip().startswith("<!doctype")

    def test_leaves_the_band_out_where_the_forecast_has_none(self, client, operator, battery):
        forecast(battery, low=[], high=[])

        page = client.get(part(battery), headers=HTMX)

        assert {value for _, value in page.context["chart"]["charts"]["soc"]["low"]} == {None}

    def test_says_why_nothing_is_foreseen(self, client, operator, battery):
        forecast(battery, median=[], low=[], high=[], reason="gaps", reason_text="Too much is missing.")

        assert "Nothing is foreseen: Too much is missing." in client.get(part(battery), headers=HTMX).text

    def test_knows_of_nothing_where_there_is_nothing(self, client, operator, battery):
        page = client.get(part(battery), headers=HTMX)

        assert "Nothing is foreseen yet." in page.text
        assert "No day was measured yet." in page.text

    def test_says_where_health_leads_and_draws_it_to_the_threshold(self, client, operator, battery):
        measured(battery, 16, **NEAR)

        page = client.get(part(battery), headers=HTMX)

        assert "The cells drift apart: in about 18 days (15 to 22) at rest they are 50.0 mV apart." in page.text
        assert "+30.0 mV a month" in page.text
        assert "At 40 to 50 % charge, 20 to 30 °C." in page.text
        told = page.context["chart"]["charts"]["cell_spread_v"]
        assert len(told["points"]) == 16
        assert told["threshold"] == 50.0
        assert told["ahead"][-1][1] == pytest.approx(32.0 + 19.0)
        assert "line" not in page.context["chart"]["charts"]["resistance_mohm"]

    def test_says_so_where_it_is_not_foreseeable(self, client, operator, battery):
        measured(battery, 16, level=0.01, slope_a_day=0.0, threshold=0.05, reason="steady")

        page = client.get(part(battery), headers=HTMX)

        assert "Not foreseeable: no worsening stands out from the scatter of the days." in page.text

    def test_is_a_page_of_its_own_without_scripts(self, client, operator, battery):
        page = client.get(part(battery))

        assert "What lies ahead of Cellar</h1>" in page.text
        assert f'href="{part(battery)}"' in client.get(f"/batteries/{battery.battery_id}/").text

    def test_asks_as_often_for_many_days_as_for_few(self, client, operator, battery, django_assert_num_queries):
        measured(battery, 2)
        other = BatteryFactory()
        measured(other, 60)
        client.get(part(battery))
        with CaptureQueriesContext(connection) as few:
            client.get(part(battery), headers=HTMX)

        with django_assert_num_queries(len(few)):
            client.get(part(other), headers=HTMX)

    def test_is_there_for_its_owner_and_for_no_other_customer(self, client, battery):
        access = AccountAccessFactory(user=UserFactory(role=Role.CUSTOMER))
        mine = BatteryFactory(account=access.account)
        client.force_login(access.user)

        assert client.get(part(mine)).status_code == 200
        assert client.get(part(battery)).status_code == 404
        client.force_login(UserFactory(role=Role.AGENT))
        assert client.get(part(mine)).status_code == 403


class TestApi:
    def test_lists_a_battery_s_days_newest_first_a_page_at_a_time(self, client, operator, battery):
        measured(battery, 16, **NEAR)

        rows = client.get(trends(battery), {"quantity": "cell_spread_v", "page_size": 10}).json()

        assert [row["day"] for row in rows["results"][:2]] == ["2025-03-16", "2025-03-15"]
        assert len(rows["results"]) == 10
        assert rows["results"][0]["days_to_threshold"] == 18.0
        assert rows["results"][0]["detail"] == {"40/20": [0.01, 3]}
        second = json.loads(client.get(rows["next"]).content)["results"]
        assert second[-1]["day"] == "2025-03-01"

    def test_keeps_to_the_days_asked_for(self, client, operator, battery):
        measured(battery, 5)

        rows = client.get(trends(battery), {"day_from": "2025-03-02", "day_until": "2025-03-04"}).json()

        assert {row["day"] for row in rows["results"]} == {"2025-03-02", "2025-03-03"}

    def test_is_for_whoever_may_see_the_battery(self, client, battery):
        mine = AccountAccessFactory(user=UserFactory(role=Role.CUSTOMER))
        client.force_login(mine.user)
        assert client.get(trends(battery)).status_code == 404

        _, key = create_source(name="BMS", scopes=[Scope.BATTERIES], actor=PORTAL, now=timezone.now())
        client.logout()
        assert client.get(trends(battery)).status_code == 401
        assert client.get(trends(battery), headers={"Authorization": f"Bearer {key}"}).status_code == 200


class TestAdmin:
    def test_lists_what_is_foreseen(self, client, operator, battery, django_assert_max_num_queries):
        measured(battery, 3, **{**NEAR, "day": timezone.now().date()})
        address = "/admin/insights/batterytrend/"

        with django_assert_max_num_queries(20):
            page = client.get(address, {"outlook": "foreseen"})

        assert "The cells drift apart: in about 18 days" in page.text
        assert len(page.context["cl"].result_list) == 1
        row = BatteryTrend.objects.filter(days_to_threshold__isnull=False).get()
        assert "40 to 50 % charge" in client.get(f"{address}{row.pk}/change/").text
        assert client.get(f"{address}{row.pk}/battery/").headers["Location"] == f"/batteries/{battery.battery_id}/"
