"""Use beside another time, the tariff's bands behind it, and its files."""

import io
import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing.models import Tariff
from billing.pages.chart import Row, Use
from billing.pages.comparing import Against, against_of_query, compare, other_window
from billing.pages.windows import View, window_on
from meters.formats.green_button import read_green_button
from tests.billing.test_bands import priced_by_the_clock
from tests.factories import RegisterFactory, TariffFactory, TariffVersionFactory, UserFactory
from tests.households import home_of, report

pytestmark = pytest.mark.django_db

# 2023-03-15 12:10 in Singapore, a Wednesday.
NOW = datetime(2023, 3, 15, 4, 10, tzinfo=UTC)
MARCH = datetime(2023, 2, 28, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def customer():
    return UserFactory()


@pytest.fixture
def client(customer) -> Client:
    made = Client()
    made.force_login(customer)
    return made


def chart_of(page) -> dict:
    data = re.search(r'<script id="usage-data" type="application/json">(.*?)</script>', page.content.decode())
    return json.loads(data[1])


def text_of(page) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.content.decode()))


class TestBands:
    @pytest.fixture
    def tariff(self):
        Tariff.objects.update(is_default=False)
        return TariffFactory(is_default=True)

    def test_lie_behind_the_half_hours_and_are_named_with_their_prices(self, customer, client, tariff):
        priced_by_the_clock(TariffVersionFactory(tariff=tariff))
        home_of(customer)

        page = client.get("/usage?view=day&on=2023-03-14")

        assert chart_of(page)["bands"] == [
            {"first": 0, "last": 13, "tint": 1, "name": "Off-peak"},
            {"first": 14, "last": 37, "tint": 0, "name": "Peak"},
            {"first": 38, "last": 47, "tint": 1, "name": "Off-peak"},
        ]
        assert "Peak SGD 0.3 a kWh Off-peak SGD 0.1 a kWh before tax" in text_of(page)

    def test_are_left_out_where_energy_costs_the_same_at_all_times(self, customer, client, tariff):
        TariffVersionFactory(tariff=tariff)
        home_of(customer)

        page = client.get("/usage?view=day")

        assert chart_of(page)["bands"] == []
        assert "Electricity SGD 0.2895 a kWh" in text_of(page)

    def test_tell_tiers_apart(self, customer, client, tariff):
        version = TariffVersionFactory(tariff=tariff)
        tiers = [{"up_to": "200", "rate": "0.1"}, {"up_to": None, "rate": "0.12"}]
        version.components.update(terms={"periods": [{"name": "", "tiers": tiers}]})
        home_of(customer)

        told = "SGD 0.1 up to 200 kWh, then SGD 0.12 a kWh, counted each month"
        assert told in text_of(client.get("/usage?view=day"))

    def test_are_not_asked_for_where_a_bar_is_a_day(self, customer, client):
        home_of(customer)

        assert "bands" not in chart_of(client.get("/usage?view=month"))


class TestComparison:
    def test_lays_the_same_days_of_the_month_before_beside(self, customer, client):
        _, register = home_of(customer)
        report(register, start=MARCH - timedelta(days=28), until=NOW)

        page = client.get("/usage?view=month&with=before")

        chart = chart_of(page)
        assert chart["besideName"] == "February 2023"
        assert chart["beside"][:28] == [12.0] * 28
        assert chart["beside"][28:] == [None] * 3
        assert "About the same against February 2023, over the 14 stretches that are known of both." in text_of(page)

    @pytest.mark.parametrize(
        ("now", "before", "change"),
        [
            ((10, 5, None), (8, 4, 9), ("more", 25, 2)),
            ((6, 6), (8, 8), ("less", 25, 2)),
            ((8, 8), (8, 8), ("same", 0, 2)),
        ],
    )
    def test_says_how_much_more_or_less_it_is_over_what_both_know(self, now, before, change):
        window = window_on(View.MONTH, date(2023, 3, 1))

        found = compare(_use(window, now), _use(window, before), window).change

        assert (found.direction, found.percent, found.known) == change

    def test_says_when_nothing_is_known_of_the_other_time(self, customer, client):
        _, register = home_of(customer)
        report(register, start=MARCH, until=NOW)

        assert "Nothing is known of March 2022 to compare with." in text_of(client.get("/usage?with=year"))

    def test_stays_on_from_window_to_window(self, customer, client):
        home_of(customer)

        page = client.get("/usage?view=week&with=year").content.decode()

        assert "on=2023-03-12&amp;with=year" in page

    def test_takes_as_many_queries_for_much_as_for_little(self, customer, client):
        _, register = home_of(customer)
        report(register, start=NOW.replace(minute=0) - timedelta(days=1), until=NOW)
        path = "/usage?view=day&with=before"
        client.get(path)
        with CaptureQueriesContext(connection) as little:
            client.get(path)
        _, second = home_of(customer, number="A-0")
        report(second, start=MARCH, until=NOW)

        with CaptureQueriesContext(connection) as much:
            client.get(path)

        assert len(much) == len(little)

    @pytest.mark.parametrize(
        ("view", "day", "against", "first"),
        [
            (View.DAY, date(2024, 2, 29), Against.YEAR, date(2023, 2, 28)),
            (View.DAY, date(2023, 3, 1), Against.BEFORE, date(2023, 2, 28)),
            (View.WEEK, date(2023, 3, 15), Against.YEAR, date(2022, 3, 14)),
            (View.MONTH, date(2023, 3, 15), Against.YEAR, date(2022, 3, 1)),
            (View.YEAR, date(2023, 3, 15), Against.BEFORE, date(2022, 1, 1)),
        ],
    )
    def test_finds_the_other_window(self, view, day, against, first):
        assert other_window(window_on(view, day), against).first == first

    @pytest.mark.parametrize(
        ("text", "view", "read"), [("year", View.YEAR, "before"), ("year", View.DAY, "year"), ("moon", View.DAY, "")]
    )
    def test_reads_what_to_compare_with(self, text, view, read):
        assert against_of_query(text, view) == read


def _use(window, energies) -> Use:
    slots = window.slots(ZoneInfo("Asia/Singapore"))
    known = [None if energy is None else Decimal(energy) for energy in energies]
    rows = tuple(
        Row(slot, str(slot.day), str(slot.day), energy, "missing" if energy is None else "measured")
        for slot, energy in zip(slots, known, strict=False)
    )
    return Use(rows, None, None, Decimal(0))


class TestFiles:
    def readings(self, answer):
        return list(read_green_button(io.BytesIO(answer.content)))

    def test_hands_out_the_half_hours_as_green_button(self, customer, client):
        _, register = home_of(customer)
        report(register, start=MARCH, until=MARCH + timedelta(hours=2))

        answer = client.get("/usage.xml?view=day&on=2023-03-01")

        assert answer["Content-Disposition"].startswith("attachment")
        found = self.readings(answer)
        assert [(each.register_code, each.start, each.value) for each in found] == [
            ("1.8.0", MARCH + n * timedelta(minutes=30), Decimal("0.25")) for n in range(4)
        ]

    def test_tells_what_went_out_where_a_register_counts_it(self, customer, client):
        _, register = home_of(customer)
        report(register, start=MARCH, until=MARCH + timedelta(hours=1))
        out = RegisterFactory(meter=register.meter, code="2.8.0", direction="export")
        out.readings.create(time=MARCH, value=10)
        out.readings.create(time=MARCH + timedelta(minutes=30), value=11)

        csv = client.get("/usage.csv?view=day&on=2023-03-01").content.decode().splitlines()
        xml = self.readings(client.get("/usage.xml?view=day&on=2023-03-01"))

        assert csv[0] == "from,to,energy_kwh,state,exported_kwh"
        assert Decimal(csv[1].split(",")[4]) == 1
        assert [each.value for each in xml if each.register_code == "2.8.0"] == [1]

    def test_hands_out_an_empty_file_where_nothing_is_known(self, customer, client):
        home_of(customer)

        assert self.readings(client.get("/usage.xml?view=year")) == []
