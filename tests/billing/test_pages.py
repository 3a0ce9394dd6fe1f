import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.roles import Role
from billing.models import TariffVersion
from billing.services.tariffs import load_singapore_tariff
from tests.factories import (
    AccountAccessFactory,
    AdminFactory,
    CustomerAccountFactory,
    ManagerFactory,
    UserFactory,
    singapore_bill,
)
from tests.households import home_of, report

pytestmark = pytest.mark.django_db

# 2023-03-15 12:10 in Singapore.
NOW = datetime(2023, 3, 15, 4, 10, tzinfo=UTC)
MARCH = datetime(2023, 2, 28, 16, tzinfo=UTC)
FEBRUARY = datetime(2023, 1, 31, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def customer():
    return UserFactory()


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(response) -> str:
    """Return a page as one reads it: without tags, and with single spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def chart_of(response) -> dict:
    data = re.search(r'<script id="usage-data" type="application/json">(.*?)</script>', response.content.decode())
    return json.loads(data[1])


def queries_of(client: Client, path: str) -> int:
    client.get(path)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(path).status_code == 200
    return len(captured)


class TestWelcome:
    def test_answers_json_to_a_client_that_does_not_ask_for_html(self):
        answer = Client().get("/", headers={"accept": "*/*"}).json()

        assert set(answer) == {"message", "endpoints", "documentation"}
        assert "/receive_meter_reading" in {endpoint["path"] for endpoint in answer["endpoints"]}

    def test_shows_browsers_a_page(self):
        response = Client().get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

        assert response["Content-Type"].startswith("text/html")
        assert "Accept" in response["Vary"]
        assert reverse("accounts:login") in response.content.decode()


class TestLanding:
    @pytest.mark.parametrize(
        ("factory", "to"), [(UserFactory, "/home"), (ManagerFactory, "/admin/"), (AdminFactory, "/admin/")]
    )
    def test_sends_each_role_where_it_belongs(self, factory, to):
        assert logged_in(factory()).get("/landing").url == to

    def test_sends_operators_to_the_fleet(self):
        assert logged_in(UserFactory(role=Role.OPERATOR)).get("/landing").url == "/admin/devices/device/fleet/"

    def test_sends_agents_to_their_list(self):
        assert logged_in(UserFactory(role=Role.AGENT)).get("/landing").url == "/field/"

    def test_asks_strangers_to_log_in(self):
        assert Client().get("/landing").url.startswith("/login")


class TestSwitchAccount:
    def test_remembers_the_account_for_the_pages_that_follow(self, customer):
        home_of(customer, number="A-1")
        second, _ = home_of(customer, number="A-2")
        client = logged_in(customer)

        response = client.post("/account", {"account": str(second.pk), "next": "/bills"})

        assert response.url == "/bills"
        assert "Account A-2" in text_of(client.get("/bills"))

    def test_refuses_an_account_of_somebody_else(self, customer):
        home_of(customer)
        stranger = CustomerAccountFactory()
        client = logged_in(customer)

        assert client.post("/account", {"account": str(stranger.pk)}).status_code == 404
        assert stranger.number not in text_of(client.get("/bills"))

    def test_forgets_an_account_whose_access_ended(self, customer):
        home_of(customer, number="A-1")
        second, _ = home_of(customer, number="A-2")
        client = logged_in(customer)
        client.post("/account", {"account": str(second.pk)})
        second.accesses.all().delete()

        assert "Account A-1" in text_of(client.get("/bills"))

    def test_goes_home_instead_of_to_another_site(self, customer):
        account, _ = home_of(customer)

        response = logged_in(customer).post("/account", {"account": str(account.pk), "next": "https://evil.example/"})

        assert response.url == "/home"


class TestHome:
    def test_shows_the_month_so_far_in_energy_and_money(self, customer):
        load_singapore_tariff()
        _, register = home_of(customer)
        report(register, start=FEBRUARY, until=NOW)

        page = text_of(logged_in(customer).get("/home"))

        # 14 days and 24 half-hours of 0.25 kWh; 0.2895 SGD and 8 % tax.
        assert "174.0 kWh" in page
        assert "54.40" in page
        assert "1\u201315 March 2023, up to 12:00" in page
        assert "About the same against the same days of last month" in page

    def test_says_where_the_month_is_heading(self, customer):
        load_singapore_tariff()
        _, register = home_of(customer)
        report(register, start=FEBRUARY - timedelta(days=31), until=NOW)

        page = text_of(logged_in(customer).get("/home"))

        assert "Between 372 and 372 kWh , that is SGD 116 to 116" in page

    def test_gives_no_amount_without_a_tariff(self, customer):
        TariffVersion.objects.all().delete()
        _, register = home_of(customer)
        report(register, start=FEBRUARY, until=NOW)

        assert "there is no amount" in text_of(logged_in(customer).get("/home"))

    def test_tells_of_days_without_readings(self, customer):
        _, register = home_of(customer)
        report(register, start=FEBRUARY, until=NOW, keep=lambda mark: not 6 <= (mark - MARCH).days < 8)

        assert "Readings are missing for 6\u20138 March 2023" in text_of(logged_in(customer).get("/home"))

    def test_tells_of_a_meter_that_went_quiet(self, customer):
        _, register = home_of(customer)
        report(register, start=FEBRUARY, until=NOW - timedelta(days=4))

        assert "No readings since 11 March " in text_of(logged_in(customer).get("/home"))

    def test_shows_the_latest_bill(self, customer):
        account, _ = home_of(customer)
        bill = singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW)

        response = logged_in(customer).get("/home")

        assert reverse("billing:bill", args=[bill.pk]) in response.content.decode()
        assert "96.47" in text_of(response)

    def test_says_what_to_do_when_no_account_is_connected(self, customer):
        response = logged_in(customer).get("/home")

        assert "ask them to invite" in text_of(response)

    def test_sends_staff_to_their_own_pages(self):
        assert logged_in(ManagerFactory()).get("/home").url == "/landing"

    def test_asks_no_more_of_the_database_when_there_is_more_in_it(self, customer):
        account, register = home_of(customer)
        report(register, start=NOW.replace(minute=0) - timedelta(days=1), until=NOW)
        client = logged_in(customer)
        before = queries_of(client, "/home")
        singapore_bill(account=account, first_day=date(2023, 1, 1), issued_at=NOW)
        _, second = home_of(customer)
        report(second, start=FEBRUARY, until=NOW)

        # The bill's lines, and what was billed and paid, are not asked for without a bill.
        assert queries_of(client, "/home") <= before + 3


class TestUsage:
    def test_leaves_missing_half_hours_blank(self, customer):
        _, register = home_of(customer)
        gap = datetime(2023, 3, 10, 2, tzinfo=UTC)
        report(register, start=MARCH, until=NOW, keep=lambda mark: mark != gap)

        response = logged_in(customer).get("/usage?view=day&on=2023-03-10")

        energy = chart_of(response)["energy"]
        assert len(energy) == 48
        assert [index for index, value in enumerate(energy) if value is None] == [19, 20]
        assert "2 half-hours without a reading" in text_of(response)
        assert "09:30\u201310:00 \u2013 no reading" in text_of(response)

    def test_follows_the_days_of_the_accounts_zone(self, customer):
        _, register = home_of(customer, zone="Europe/Berlin")
        register.meter.installations.get().service_point.premises.zone = "Europe/Berlin"
        report(register, start=datetime(2023, 3, 1, tzinfo=UTC), until=NOW)

        chart = chart_of(logged_in(customer).get("/usage?view=day&on=2023-03-15"))

        # 04:10 UTC is 05:10 in Berlin: the half-hour 05:00 is the present one.
        assert chart["labels"][chart["present"]] == "05:00"
        assert chart["energy"][9] == 0.25
        assert chart["energy"][10:] == [None] * 38

    def test_counts_today_as_far_as_it_was_read(self, customer):
        _, register = home_of(customer)
        report(register, start=MARCH, until=NOW)

        response = logged_in(customer).get("/usage?view=month")

        chart = chart_of(response)
        assert chart["energy"][:16] == [12.0] * 14 + [6.0, None]
        assert (chart["words"][14], chart["words"][15]) == ("6.00 kWh so far", "Not yet")
        assert "174.00 kWh so far" in text_of(response)
        assert "Complete up to 15 March, 12:00, all of it measured." in text_of(response)

    def test_does_not_call_missing_what_has_yet_to_arrive(self, customer):
        _, register = home_of(customer)
        report(register, start=MARCH, until=NOW - timedelta(hours=20, minutes=10))

        yesterday, month = (logged_in(customer).get(f"/usage?{query}") for query in ("view=day&on=2023-03-14", ""))

        assert chart_of(yesterday)["words"][31:33] == ["0.25 kWh", "Not yet"]
        assert "Complete up to 14 March, 16:00" in text_of(yesterday)
        assert chart_of(month)["words"][13:15] == ["8.00 kWh so far", "Not yet"]
        assert "164.00 kWh so far" in text_of(month)

    def test_sums_what_is_known_when_the_meter_went_quiet(self, customer):
        _, register = home_of(customer)
        report(register, start=MARCH, until=MARCH + timedelta(days=5))

        month = logged_in(customer).get("/usage")

        assert "60.00 kWh" in text_of(month)
        assert "Incomplete: 9 days without a reading" in text_of(month)

    @pytest.mark.parametrize("query", ["view=century", "on=yesterday", "on=9999-12-31", "on=0001-01-01", "view=&on="])
    def test_makes_the_best_of_an_address_that_it_cannot_read(self, customer, query):
        home_of(customer)

        assert logged_in(customer).get(f"/usage?{query}").status_code == 200

    def test_offers_no_step_into_the_future(self, customer):
        home_of(customer)

        page = logged_in(customer).get("/usage?view=week").content.decode()

        assert "on=2023-03-12" in page
        assert "on=2023-03-20" not in page

    def test_answers_a_step_with_the_changed_part_only(self, customer):
        home_of(customer)

        part = logged_in(customer).get("/usage?view=week", headers={"hx-request": "true"}).content.decode()

        assert part.startswith("<title>")
        assert "<html" not in part

    def test_writes_the_same_numbers_to_a_file(self, customer):
        _, register = home_of(customer)
        report(register, start=MARCH, until=NOW)

        response = logged_in(customer).get("/usage.csv?view=month&on=2023-03-02")

        lines = response.content.decode().splitlines()
        assert response["Content-Disposition"].startswith("attachment")
        assert lines[0] == "from,to,energy_kwh,state"
        assert lines[1].startswith("2023-03-01T00:00:00+08:00,2023-03-02T00:00:00+08:00,12")
        assert Decimal(lines[1].split(",")[2]) == 12
        assert lines[16].endswith(",,future")

    def test_asks_no_more_of_the_database_for_more_readings(self, customer):
        _, register = home_of(customer)
        report(register, start=NOW.replace(minute=0) - timedelta(days=1), until=NOW)
        client = logged_in(customer)
        before = queries_of(client, "/usage?view=month")
        _, second = home_of(customer, number="A-0")
        report(second, start=FEBRUARY, until=NOW)

        assert queries_of(client, "/usage?view=month") == before


class TestBills:
    def test_explains_a_bill_from_its_reads_to_its_total(self, customer):
        account, _ = home_of(customer)
        bill = singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW)

        page = text_of(logged_in(customer).get(f"/bills/{bill.pk}"))

        for words in ("SGD 96.47", "308.52 kWh \u00d7 0.2895", "89.32", "7.15", "1\u201328 February 2023", "1,308.520"):
            assert words in page
        assert "the bill starts" in page
        assert "the bill ends" in page

    def test_hands_out_the_pdf(self, customer):
        account, _ = home_of(customer)
        bill = singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW)

        response = logged_in(customer).get(f"/bills/{bill.pk}.pdf")

        assert response["Content-Type"] == "application/pdf"
        assert response.content.startswith(b"%PDF")

    @pytest.mark.parametrize("suffix", ["", ".pdf"])
    def test_hides_the_bills_of_others(self, customer, suffix):
        home_of(customer)
        bill = singapore_bill(account=CustomerAccountFactory(), first_day=date(2023, 2, 1), issued_at=NOW)

        assert logged_in(customer).get(f"/bills/{bill.pk}{suffix}").status_code == 404

    def test_hides_drafts_from_customers_and_shows_them_to_managers(self, customer):
        account, _ = home_of(customer)
        draft = singapore_bill(account=account, first_day=date(2023, 2, 1))

        assert logged_in(customer).get(f"/bills/{draft.pk}").status_code == 404
        assert "Draft" in text_of(logged_in(ManagerFactory()).get(f"/bills/{draft.pk}"))

    def test_shows_a_manager_why_a_draft_is_held_without_amounts(self):
        draft = singapore_bill(account=CustomerAccountFactory(), first_day=date(2023, 2, 1))
        type(draft).objects.filter(pk=draft.pk).update(
            consumption_kwh=None, subtotal=None, tax=None, total=None, held_because="incomplete_energy"
        )

        page = text_of(logged_in(ManagerFactory()).get(f"/bills/{draft.pk}"))

        assert "not known yet" in page
        assert "held:" in page

    def test_lists_bills_of_the_chosen_account_a_page_at_a_time(self, customer):
        account, _ = home_of(customer)
        other, _ = home_of(customer, number="Z-1")
        for month in range(25):
            first = date(2021 + month // 12, month % 12 + 1, 1)
            singapore_bill(account=account, first_day=first, issued_at=NOW)
        singapore_bill(account=other, first_day=date(2023, 2, 1), issued_at=NOW)
        client = logged_in(customer)

        first_page, second_page = (text_of(client.get(f"/bills?page={page}")) for page in (1, 2))

        assert "January 2023" in first_page
        assert "February 2023" not in first_page
        assert "January 2021" in second_page

    def test_asks_no_more_of_the_database_for_more_bills(self, customer):
        account, _ = home_of(customer)
        singapore_bill(account=account, first_day=date(2022, 1, 1), issued_at=NOW)
        client = logged_in(customer)
        before = queries_of(client, "/bills")
        for month in range(2, 8):
            singapore_bill(account=account, first_day=date(2022, month, 1), issued_at=NOW)

        assert queries_of(client, "/bills") == before

    def test_says_when_the_first_bill_comes(self, customer):
        home_of(customer)

        assert "No bills yet" in text_of(logged_in(customer).get("/bills"))

    def test_keeps_a_family_member_out_after_the_access_ended(self, customer):
        account, _ = home_of(customer)
        bill = singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW)
        viewer = UserFactory()
        access = AccountAccessFactory(account=account, user=viewer)
        client = logged_in(viewer)
        assert client.get(f"/bills/{bill.pk}").status_code == 200

        access.delete()

        assert client.get(f"/bills/{bill.pk}").status_code == 404
