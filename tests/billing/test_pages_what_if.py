import re
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateRange
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from accounts.roles import Role
from billing.services.tariffs import load_singapore_tariff
from billing.services.versions import NewComponent, add_version
from tests.billing.test_sheets import TWO_PERIODS
from tests.factories import ManagerFactory, TariffFactory, TariffVersionFactory, UserFactory, singapore_bill
from tests.households import home_of, report

pytestmark = pytest.mark.django_db

# 2023-03-15 12:10 in Singapore; at a quarter of a kWh each half-hour February has 336 kWh.
NOW = datetime(2023, 3, 15, 4, 10, tzinfo=UTC)
FEBRUARY = datetime(2023, 1, 31, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def customer():
    return UserFactory()


@pytest.fixture
def home(customer):
    """A home that was supplied all through February, beside two tariffs."""
    load_singapore_tariff()
    account, register = home_of(customer)
    report(register, start=FEBRUARY, until=NOW.replace(minute=0))
    other = TariffFactory(code="night", name="Night and day", tax=load_singapore_tariff().tax)
    add_version(
        tariff_id=other.pk,
        name="2023",
        effective=DateRange(date(2023, 1, 1), None),
        components=[
            NewComponent("energy", "Electricity", TWO_PERIODS),
            NewComponent("fixed", "Supply", {"amount": "10", "per": "month"}),
        ],
        actor=PORTAL,
        now=NOW,
    )
    return account


def page(user, path="/what-if"):
    client = Client()
    client.force_login(user)
    response = client.get(path)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


class TestWhatIf:
    def test_prices_the_last_month_by_every_tariff_beside_the_bill(self, customer, home):
        singapore_bill(account=home, first_day=date(2023, 2, 1), kwh="336.00", issued_at=NOW)

        text = page(customer)

        # 336 kWh at 0.2895 is 97.27, and 8 %; the bill is the same.
        assert "You were billed SGD 105.05 , tax included." in text
        assert "105.05 the same" in text
        assert "Night and day" in text
        assert "Supply 10.00" in text

    def test_compares_the_tariffs_that_are_chosen(self, customer, home):
        text = page(customer, "/what-if?span=2023-02&tariff=night")

        assert "Night and day: what it adds up from" in text
        assert "Singapore household: what" not in text

    def test_compares_nothing_where_energy_is_not_known(self, customer, home):
        text = page(customer, "/what-if?span=2023-01")

        assert "not all known" in text

    def test_shows_a_year_month_by_month(self, customer, home):
        text = page(customer, "/what-if?span=year")

        assert "March 2022" in text
        assert "February 2023 336.0" in text

    def test_asks_as_often_for_a_year_as_for_a_month(self, customer, home):
        client = Client()
        client.force_login(customer)
        client.get("/what-if")
        with CaptureQueriesContext(connection) as month:
            client.get("/what-if?span=2023-02")

        with CaptureQueriesContext(connection) as year:
            client.get("/what-if?span=year")

        # A year in which the meter came is measured along its chain, which asks twice more.
        assert len(year) <= len(month) + 2

    def test_offers_no_tariff_of_another_currency_or_class(self, customer, home):
        TariffVersionFactory(tariff=TariffFactory(name="Dollars", currency="USD"))
        TariffVersionFactory(tariff=TariffFactory(name="Factories", service_class="industrial"))

        text = page(customer)

        assert "Dollars" not in text
        assert "Factories" not in text

    @pytest.mark.parametrize("query", ["?span=2050-01", "?span=x&tariff=nobody"])
    def test_takes_what_it_cannot_read_for_the_last_month(self, customer, home, query):
        assert "February 2023 336.0" in page(customer, f"/what-if{query}")

    def test_shows_nothing_of_others(self, home):
        assert "336.0" not in page(UserFactory())


class TestWhatIfFile:
    path = "/what-if/file"

    def send(self, user, text, **changes):
        client = Client()
        client.force_login(user)
        tariff = load_singapore_tariff()
        file = SimpleUploadedFile("profile.csv", text.encode())
        form = {"file": file, "zone": "Asia/Singapore", "labels": "period_end", "tariffs": [tariff.pk]} | changes
        response = client.post(self.path, form)
        return response, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))

    def test_prices_a_file_for_staff(self):
        marks = [datetime(2023, 2, 1) + timedelta(minutes=30) * n for n in range(1, 49)]
        text = "time,kwh\n" + "".join(f"{mark:%Y-%m-%d %H:%M},0.5\n" for mark in marks)

        _, told = self.send(ManagerFactory(), text)

        # 24 kWh at 0.2895 and 8 %.
        assert "24.00 6.95 0.56 SGD 7.51" in told

    @pytest.mark.parametrize(
        ("text", "changes", "said"),
        [
            ("time,kwh\nnoon,1\n", {}, "Line 2"),
            ("time,kwh\n2023-02-01 00:30,1\n", {"zone": "Mars/Olympus"}, "Mars/Olympus"),
            ("time,kwh\n2024-02-01 00:30,1\n", {}, "No price is in force"),
        ],
    )
    def test_says_what_is_wrong(self, text, changes, said):
        response, told = self.send(ManagerFactory(), text, **changes)

        assert response.status_code == 200
        assert said in told

    @pytest.mark.parametrize("role", [Role.CUSTOMER, Role.AGENT, Role.OPERATOR])
    def test_is_for_staff_alone(self, role):
        client = Client()
        client.force_login(UserFactory(role=role))

        assert client.get(self.path).status_code == 403
