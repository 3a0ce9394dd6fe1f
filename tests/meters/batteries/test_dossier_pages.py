from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from unittest.mock import ANY

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pypdf import PdfReader

from accounts.models import User
from accounts.roles import Role
from meters.batteries.models import Battery, BatteryQuarter, QuarterMark
from meters.batteries.pages.dossier_words import span_in_words
from meters.batteries.selectors.dossiers import (
    WrongPeriod,
    days_asked,
    dossier_between,
    summary,
)
from meters.batteries.store.quarters import BATTERY_QUARTERS
from meters.series.partitions import ensure_partitions
from tests.factories import AccountAccessFactory, AlarmFactory, BatteryFactory, CustomerAccountFactory, UserFactory

pytestmark = pytest.mark.django_db

# Midnight in Singapore.
START = datetime(2025, 3, 1, 16, tzinfo=UTC)
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
NOW = START + 2 * DAY
FIRST, LAST = date(2025, 3, 2), date(2025, 3, 3)


def fill(battery: Battery, start: datetime = START, count: int = 96, **values: float) -> None:
    """Have a battery cycle once a day: it charges for twelve hours at 9.6 kW, and discharges for as long at 9.12 kW."""
    QuarterMark.objects.update(until=NOW)
    end = start + count * QUARTER
    ensure_partitions(BATTERY_QUARTERS, [start, end], floor=start, ceiling=end)
    BatteryQuarter.objects.bulk_create(
        BatteryQuarter(
            battery=battery,
            time=start + n * QUARTER,
            **{
                "covered_seconds": 900.0,
                "charged_kwh": 2.4 if n % 96 < 48 else 0.0,
                "discharged_kwh": 0.0 if n % 96 < 48 else 2.28,
                "charged_ah": 3.0 if n % 96 < 48 else 0.0,
                "discharged_ah": 0.0 if n % 96 < 48 else 3.0,
                "ac_covered_seconds": 0.0,
                "soc_first_percent": 20.0 + min(n % 96, 96 - n % 96),
                "soc_last_percent": 20.0 + min(n % 96 + 1, 95 - n % 96),
                "soc_low_percent": 20.0 + min(n % 96, 95 - n % 96),
                "soc_high_percent": 20.0 + min(n % 96 + 1, 96 - n % 96),
                "soc_outside_seconds": 0.0,
                "voltage_outside_seconds": 0.0,
                "temp_outside_seconds": 0.0,
            }
            | values,
        )
        for n in range(count)
    )


@pytest.fixture
def battery() -> Battery:
    account = CustomerAccountFactory.create(zone="Asia/Singapore")
    return BatteryFactory.create(name="Tuas 1", account=account, zone="Asia/Singapore")


class TestDossierBetween:
    def test_is_of_local_days_both_included(self, battery: Battery) -> None:
        fill(battery, start=START - DAY, count=3 * 96)

        told = dossier_between(battery=battery, first=FIRST, last=LAST, zone="Asia/Singapore", now=NOW)

        assert told.dossier.throughput.charged_kwh == pytest.approx(2 * 48 * 2.4)
        assert [day.charged_kwh for day in told.dossier.days] == [pytest.approx(115.2)] * 2
        assert told.dossier.dc.percent == pytest.approx(95.0)

    def test_reaches_as_far_as_it_is_rolled_up(self, battery: Battery) -> None:
        fill(battery, count=48)
        QuarterMark.objects.update(until=START + 12 * HOUR)

        told = dossier_between(battery=battery, first=FIRST, last=LAST, zone="Asia/Singapore", now=NOW)

        assert (told.until, told.dossier.coverage.share) == (START + 12 * HOUR, 1.0)

    def test_is_empty_where_nothing_is_rolled_up(self, battery: Battery) -> None:
        told = dossier_between(battery=battery, first=FIRST, last=LAST, zone="Asia/Singapore", now=NOW)

        assert (told.dossier.days, told.dossier.coverage.share) == ((), 0)

    def test_keeps_to_the_hours_of_a_clock_that_changes(self, battery: Battery) -> None:
        QuarterMark.objects.update(until=NOW + 60 * DAY)
        day = date(2025, 3, 30)

        told = dossier_between(battery=battery, first=day, last=day, zone="Europe/Berlin", now=NOW + 60 * DAY)

        assert told.dossier.coverage.longest_gap_seconds == 23 * 3600

    def test_counts_the_alarms_that_stood_and_for_how_long(self, battery: Battery) -> None:
        def alarm(kind: str, raised: timedelta, cleared: timedelta | None) -> None:
            over = {"state": "cleared", "cleared_at": START + cleared} if cleared is not None else {}
            AlarmFactory.create(
                kind=kind, subject_kind="battery", subject=battery.battery_id, raised_at=START + raised, **over
            )

        alarm("derating_igbt_temp", -HOUR, HOUR)
        alarm("derating_igbt_temp", 2 * HOUR, 5 * HOUR)
        alarm("soc_outside", 47 * HOUR, None)
        alarm("offline", -2 * HOUR, -HOUR)

        told = dossier_between(battery=battery, first=FIRST, last=LAST, zone="Asia/Singapore", now=NOW)

        found = [(each.kind, each.count, each.open, each.lasted) for each in told.alarms]
        assert found == [("derating_igbt_temp", 2, 0, 4 * HOUR), ("soc_outside", 1, 1, HOUR)]
        assert [each.kind for each in told.derating] == ["derating_igbt_temp"]

    def test_costs_three_queries_however_long_it_is(self, battery: Battery, django_assert_num_queries) -> None:
        fill(battery)

        for first in (LAST, FIRST):
            with django_assert_num_queries(3):
                dossier_between(battery=battery, first=first, last=LAST, zone="Asia/Singapore", now=NOW)


class TestDaysAsked:
    @pytest.mark.parametrize(
        ("first", "last", "wanted"),
        [
            ("", "", (date(2025, 2, 2), date(2025, 3, 3))),
            ("2025-03-01", "2025-03-02", (date(2025, 3, 1), date(2025, 3, 2))),
            ("2025-03-02", "2025-03-01", (date(2025, 3, 1), date(2025, 3, 1))),
            ("2025-03-01", "2026-01-01", (date(2025, 3, 1), date(2025, 3, 3))),
            ("2001-01-01", "2025-03-03", (date(2024, 3, 3), date(2025, 3, 3))),
            ("0001-01-01", "nonsense", (date(2025, 2, 2), date(2025, 3, 3))),
        ],
    )
    def test_are_what_can_be_read(self, first: str, last: str, wanted: tuple[date, date]) -> None:
        assert days_asked(first=first, last=last, today=LAST) == wanted


class TestSummary:
    def test_tells_machines_the_same(self, battery: Battery) -> None:
        fill(battery)

        told = summary(battery=battery, start=START - timedelta(minutes=1), end=START + DAY, now=NOW)

        assert (told["battery_id"], told["from"], told["to"]) == (battery.battery_id, START, START + DAY)
        assert told["throughput"]["cycles"] == pytest.approx(48 * 3 / 280)
        assert told["round_trip_efficiency"] == {
            "dc": {
                "percent": pytest.approx(95.0),
                "reason": "",
                "from": START,
                "to": START + DAY,
                "is_corrected": False,
            },
            "ac": {"percent": None, "reason": ANY, "from": None, "to": None, "is_corrected": False},
        }
        assert told["extremes"][0] == {"name": "soc_low_percent", "value": 20.0, "unit": "%", "quarter": START}
        assert told["coverage"] == {
            "known_seconds": 86_400,
            "share": 1.0,
            "longest_gap_seconds": 0,
            "gap_start": None,
        }

    def test_takes_whole_quarters_alone(self, battery: Battery) -> None:
        fill(battery)

        told = summary(
            battery=battery, start=START + timedelta(minutes=1), end=START + 44 * timedelta(minutes=1), now=NOW
        )

        assert (told["from"], told["to"]) == (START + QUARTER, START + 2 * QUARTER)

    @pytest.mark.parametrize("length", [timedelta(0), -DAY, 367 * DAY])
    def test_is_refused_of_no_period_and_of_one_that_is_too_long(self, battery: Battery, length: timedelta) -> None:
        with pytest.raises(WrongPeriod):
            summary(battery=battery, start=START, end=START + length, now=NOW)


def login(client: Client, role: Role) -> User:
    user = UserFactory.create(role=role)
    client.force_login(user)
    return user


class TestPages:
    @pytest.fixture(autouse=True)
    def _now(self, time_machine) -> None:
        time_machine.move_to(NOW, tick=False)

    def path(self, battery: Battery, of: str = "") -> str:
        return f"/batteries/{battery.battery_id}/dossier{of}"

    def test_show_the_last_thirty_days(self, client: Client, battery: Battery) -> None:
        fill(battery)
        login(client, Role.OPERATOR)

        page = client.get(self.path(battery))

        assert "3 Feb 2025 to 4 Mar 2025" in page.text
        assert "115.2 kWh" in page.text
        assert "95.0 %" in page.text
        assert "Simulated" not in page.text

    def test_say_what_is_simulated_and_what_is_not_known(self, client: Client, battery: Battery) -> None:
        Battery.objects.update(is_simulated=True)
        login(client, Role.MANAGER)

        page = client.get(self.path(battery))

        assert "a simulator makes up what it tells" in page.text
        assert "Nothing is known of these days" in page.text
        assert "not enough data" in page.text

    def test_are_for_those_whose_battery_it_is(self, client: Client, battery: Battery) -> None:
        customer = login(client, Role.CUSTOMER)
        before = client.get(self.path(battery)).status_code
        AccountAccessFactory.create(user=customer, account=battery.account)

        assert (before, client.get(self.path(battery)).status_code) == (404, 200)
        assert client.get(self.path(battery, ".pdf")).status_code == 200

    def test_are_no_agents(self, client: Client, battery: Battery) -> None:
        login(client, Role.AGENT)

        assert client.get(self.path(battery)).status_code == 403

    def test_cost_as_much_for_a_year_as_for_a_day(self, client: Client, battery: Battery) -> None:
        fill(battery)
        login(client, Role.OPERATOR)

        def cost(query: str) -> int:
            with CaptureQueriesContext(connection) as context:
                client.get(self.path(battery) + query)
            return len(context)

        assert cost("?from=2025-03-02&to=2025-03-02") == cost("?from=2024-03-05&to=2025-03-03")

    def test_come_as_one_sheet_of_paper(self, client: Client, battery: Battery) -> None:
        Battery.objects.update(is_simulated=True)
        fill(battery)
        for kind in range(12):
            AlarmFactory.create(
                kind=f"kind_{kind}", subject_kind="battery", subject=battery.battery_id, raised_at=START
            )
        login(client, Role.OPERATOR)

        answer = client.get(self.path(battery, ".pdf") + "?from=2025-03-02&to=2025-03-02")

        reader = PdfReader(BytesIO(answer.content))
        text = reader.pages[0].extract_text()
        assert (answer["Content-Type"], len(reader.pages)) == ("application/pdf", 1)
        assert "115.2 kWh" in text
        assert "SIMULATED" in text
        assert "4 more are listed in the portal." in text


class TestSpanInWords:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [(40, "40 s"), (90, "1 min"), (8100, "2 h 15 min"), (3600, "1 h 0 min"), (180_000, "2 d 2 h")],
    )
    def test_says_what_matters(self, seconds: float, words: str) -> None:
        assert span_in_words(seconds) == words
