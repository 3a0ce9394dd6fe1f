"""One journey over HTTP: register, a month of readings, consumption, bill run, page, PDF, to the cent."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pypdf
import pytest
import requests
import time_machine

from accounts.actors import PORTAL
from accounts.models import CustomerAccount
from accounts.roles import Role, Scope
from accounts.services import sources
from billing.services.tariffs import load_singapore_tariff
from meters.models import ReadingException, RegisterReading
from tests.factories import AccountAccessFactory, ManagerFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

SINGAPORE = ZoneInfo("Asia/Singapore")
MID_MARCH = datetime(2025, 3, 15, 4, 0, tzinfo=UTC)
FEBRUARY = datetime(2025, 2, 1, tzinfo=SINGAPORE)
MARCH = datetime(2025, 3, 1, tzinfo=SINGAPORE)
HALF_HOUR = timedelta(minutes=30)
PASSWORD = "a-long-enough-password"
DIAL_TURNS_AT = Decimal(1_000_000)
FIRST_READ = Decimal("999801.250")
RATE_2025_Q1 = Decimal("0.2812")
GST_2025 = Decimal("0.09")


def energy_of(position: int) -> Decimal:
    """Use more by day than by night, never nothing, never the same all day long."""
    return Decimal(150 + (position * 37) % 211 + (120 if 14 <= position % 48 <= 44 else 0)) / 1000


def month_of_reads() -> Iterator[tuple[datetime, Decimal]]:
    """Yield each mark of February with what the dial shows; it turns over on the way."""
    shown, mark, position = FIRST_READ, FEBRUARY, 0
    yield mark, shown
    while mark < MARCH:
        shown = (shown + energy_of(position)) % DIAL_TURNS_AT
        mark += HALF_HOUR
        position += 1
        yield mark, shown


def in_cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


class Machine:
    """What a head-end system is to the portal: a key and JSON."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {key}"

    def post(self, path: str, body: object) -> requests.Response:
        return self.session.post(self.url + path, json=body, timeout=30)

    def get(self, path: str, **query: str) -> requests.Response:
        return self.session.get(self.url + path, params=query, timeout=30)

    def send(self, reads: list[tuple[datetime, Decimal]]) -> requests.Response:
        rows = [{"meter_id": "SG-000123", "timestamp": at.isoformat(), "reading": float(shown)} for at, shown in reads]
        return self.post("/receive_meter_reading", {"readings": rows})


@pytest.fixture
def mid_march() -> Iterator[None]:
    with time_machine.travel(MID_MARCH, tick=True):
        yield


@pytest.fixture
def machine(live_server, mid_march) -> Machine:
    load_singapore_tariff()
    _, key = sources.create_source(
        name="head-end", scopes=[Scope.ACCOUNTS, Scope.READINGS, Scope.QUERIES], actor=PORTAL, now=MID_MARCH
    )
    return Machine(live_server.url, key)


def register(machine: Machine) -> None:
    answer = machine.post(
        "/register_account",
        {
            "account_id": "A-1001",
            "owner_name": "Tan Mei Ling",
            "email": "mei@example.org",
            "address": "1 Lorong Ampas, Singapore",
            "time_zone": "Asia/Singapore",
            "meter_ids": ["SG-000123"],
            "family_members": [{"name": "Tan Wei", "relationship": "spouse"}],
        },
    )
    assert answer.status_code == 201, answer.text
    assert answer.json() == {"account_id": "A-1001", "meters": ["SG-000123"], "status": "active"}


def send_the_month(machine: Machine) -> list[tuple[datetime, Decimal]]:
    """Send February with everything that goes wrong in life, and nothing lost."""
    reads = list(month_of_reads())
    late = reads[700:710]

    on_time = machine.send(reads[:700] + reads[710:-1]).json()
    assert on_time["stored"] == len(reads) - 11
    assert on_time["rejected"] == []

    again = machine.send(reads[100:200]).json()
    assert (again["stored"], again["duplicates"]) == (0, 100)

    contradicted_at, standing = reads[300]
    contradiction = machine.send([(contradicted_at, standing + Decimal("0.010"))]).json()
    assert contradiction["stored"] == 0
    assert [conflict["index"] for conflict in contradiction["conflicts"]] == [0]

    arrived_late = machine.send(late[::-1]).json()
    assert arrived_late["stored"] == len(late)

    last_minute = reads[-1][0] - timedelta(minutes=1)
    assert machine.send([(last_minute, reads[-1][1])]).json()["stored"] == 1
    midnight_again = machine.send([reads[-1]]).json()
    assert (midnight_again["stored"], midnight_again["duplicates"]) == (0, 1)
    return reads


class TestReadingToBill:
    def test_a_month_of_readings_becomes_a_bill_that_the_customer_opens(self, machine, live_server):
        register(machine)

        reads = send_the_month(machine)

        used = sum((energy_of(position) for position in range(len(reads) - 1)), Decimal(0))
        assert RegisterReading.objects.count() == len(reads)
        assert ReadingException.objects.filter(code="conflict").count() == 1
        self._check_consumption(machine, used)
        self._run_bills(live_server.url)
        self._check_last_month(machine, used)
        self._open_as_customer(live_server.url, used)

    def _check_consumption(self, machine: Machine, used: Decimal) -> None:
        month = machine.get("/get_consumption", meter_id="SG-000123", period="last_month", granularity="half_hour")

        assert month.status_code == 200, month.text
        answer = month.json()
        assert Decimal(str(answer["consumption_kwh"])) == used
        assert answer["complete"] is True
        assert len(answer["series"]) == 28 * 48
        assert sum(Decimal(str(interval["kwh"])) for interval in answer["series"]) == used

    def _run_bills(self, url: str) -> None:
        manager = ManagerFactory(password=PASSWORD)
        token = requests.post(
            url + "/api/v1/auth/token", json={"email": manager.email, "password": PASSWORD}, timeout=30
        ).json()["access"]
        for expected_bills in (1, 1):
            run = requests.post(
                url + "/api/v1/bill-runs",
                json={"month": "2025-02"},
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
            assert run.status_code in {200, 201, 202}, run.text
            assert CustomerAccount.objects.get(number="A-1001").bills.count() == expected_bills

    def _check_last_month(self, machine: Machine, used: Decimal) -> None:
        energy = in_cents(used * RATE_2025_Q1)
        tax = in_cents(energy * GST_2025)

        bill = machine.get("/get_last_month_bill", account_id="A-1001").json()

        assert bill["month"] == "2025-02"
        assert Decimal(str(bill["consumption_kwh"])) == used
        assert (bill["amount"], bill["tax"], bill["total"]) == (str(energy), str(tax), str(energy + tax))
        assert (bill["currency"], bill["status"]) == ("SGD", "issued")

    def _open_as_customer(self, url: str, used: Decimal) -> None:
        energy = in_cents(used * RATE_2025_Q1)
        total = energy + in_cents(energy * GST_2025)
        account = CustomerAccount.objects.get(number="A-1001")
        customer = UserFactory(role=Role.CUSTOMER, password=PASSWORD)
        AccountAccessFactory(account=account, user=customer, right="administer")
        browser = requests.Session()
        form = browser.get(url + "/login", timeout=30)
        assert form.status_code == 200
        browser.post(
            url + "/login",
            data={
                "username": customer.email,
                "password": PASSWORD,
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            },
            headers={"Referer": url + "/login"},
            timeout=30,
        )

        bill = account.bills.get()
        page = browser.get(f"{url}/bills/{bill.pk}", timeout=30)
        document = browser.get(f"{url}/bills/{bill.pk}.pdf", timeout=30)

        assert bill.number in browser.get(url + "/bills", timeout=30).text
        assert str(total) in page.text
        text = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(document.content)).pages)
        assert str(total) in text
        assert str(energy) in text
        assert bill.number in text
