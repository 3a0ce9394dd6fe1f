"""A bill's half-hours as files."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from uuid import uuid4

import pytest
from defusedxml import ElementTree
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import Bill
from billing.selectors.data import DataFormat, bill_data
from energy_portal.shared.clock import HALF_HOUR
from meters.models import Binding
from tests.factories import (
    AccountAccessFactory,
    ManagerFactory,
    RegisterFactory,
    UserFactory,
    singapore_bill,
    supplied_register,
)
from tests.meters.test_metered_half_hours import fill

pytestmark = pytest.mark.django_db
START = datetime(2025, 1, 31, 16, tzinfo=UTC)
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
FEBRUARY = date(2025, 2, 1)
HALF_HOURS = 28 * 48
ESPI = "{http://naesb.org/espi}"


@pytest.fixture
def register():
    """A dial that showed every half-hour of February, 0.25 kWh each; one mark is estimated, and one is missing."""
    return fill(supplied_register(), start=START, half_hours=HALF_HOURS, estimated={10}, missing={20})


@pytest.fixture
def bill(register):
    account = Binding.objects.get(service_point__installations__meter=register.meter).account
    made = singapore_bill(account=account, first_day=FEBRUARY, kwh="336.00")
    Bill.objects.filter(pk=made.pk).update(as_of=NOW)
    made.refresh_from_db()
    return made


def rows_of(bill):
    text = b"".join(bill_data(bill, file_format=DataFormat.CSV, now=NOW)).decode()
    return list(csv.DictReader(StringIO(text)))


class TestCSV:
    def test_has_a_row_a_half_hour_on_the_clock_of_the_place(self, bill):
        rows = rows_of(bill)

        assert len(rows) == HALF_HOURS
        assert (rows[0]["from"], rows[0]["to"]) == ("2025-02-01T00:00:00+08:00", "2025-02-01T00:30:00+08:00")
        assert rows[-1]["to"] == "2025-03-01T00:00:00+08:00"
        assert {row["direction"] for row in rows} == {"import"}

    def test_adds_up_to_the_energy_of_the_bill(self, bill):
        assert sum(Decimal(row["energy_kwh"]) for row in rows_of(bill)) == bill.consumption_kwh

    def test_tells_measured_from_estimated(self, bill):
        states = [row["state"] for row in rows_of(bill)]

        assert {place for place, state in enumerate(states) if state == "estimated"} == {9, 10, 19, 20}
        assert set(states) == {"estimated", "measured"}

    def test_leaves_blank_what_is_missing(self, bill):
        Bill.objects.filter(pk=bill.pk).update(period=(START - timedelta(hours=1), bill.period.upper))
        bill.refresh_from_db()

        first = rows_of(bill)[0]

        assert (first["energy_kwh"], first["state"]) == ("", "missing")

    def test_stays_what_was_known_when_the_bill_was_made(self, bill, register):
        Bill.objects.filter(pk=bill.pk).update(status="issued", number="1", issued_at=NOW)
        bill.refresh_from_db()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE meters_registerreading SET received_at = %s WHERE register_id = %s AND time > %s",
                [NOW + timedelta(days=1), register.pk, START + HALF_HOUR],
            )

        states = [row["state"] for row in rows_of(bill)]

        assert states.count("measured") == 1
        assert states.count("missing") == HALF_HOURS - 1

    def test_asks_as_often_however_long_and_for_however_many_places(self, bill):
        counts = []
        for _ in range(3):
            other = fill(supplied_register(), start=START, half_hours=48)
            Binding.objects.filter(service_point__installations__meter=other.meter).update(account=bill.account)
            with CaptureQueriesContext(connection) as captured:
                rows = rows_of(bill)
            counts.append(len(captured))

        assert len({row["service_point"] for row in rows}) == 4
        assert len(set(counts)) == 1


class TestGreenButton:
    def test_holds_what_is_known_as_whole_milliwatthours(self, bill):
        feed = ElementTree.fromstring(b"".join(bill_data(bill, file_format=DataFormat.GREEN_BUTTON, now=NOW)))

        values = [int(value.text) for value in feed.iter(f"{ESPI}value")]
        assert sum(values) == bill.consumption_kwh * 1_000_000
        assert [quality.text for quality in feed.iter(f"{ESPI}quality")] == ["9"] * 4

    def test_names_what_went_out_by_its_direction(self, bill, register):
        fill(RegisterFactory(meter=register.meter, code="2.8.0", direction="export"), start=START, half_hours=48)

        feed = ElementTree.fromstring(b"".join(bill_data(bill, file_format=DataFormat.GREEN_BUTTON, now=NOW)))

        assert [flow.text for flow in feed.iter(f"{ESPI}flowDirection")] == ["1", "19"]


@pytest.fixture
def issued(bill):
    Bill.objects.filter(pk=bill.pk).update(status="issued", number="202502-000001", issued_at=NOW)
    bill.refresh_from_db()
    return bill


def paths(bill_id):
    return [
        reverse("billing:api_bill_csv", args=(bill_id,)),
        reverse("billing:api_bill_green_button", args=(bill_id,)),
        reverse("billing:bill_csv", args=(bill_id,)),
        reverse("billing:bill_green_button", args=(bill_id,)),
    ]


class TestDoors:
    def test_hand_the_files_to_whom_the_account_is_open(self, client, issued):
        user = UserFactory()
        AccountAccessFactory(account=issued.account, user=user)
        client.force_login(user)

        for path in paths(issued.pk):
            response = client.get(path)
            content = b"".join(response.streaming_content)
            suffix = path.rpartition(".")[2]
            assert response.status_code == 200
            assert f'"bill-202502-000001-half-hours.{suffix}"' in response["Content-Disposition"]
            assert content.startswith(b"service_point,direction" if suffix == "csv" else b"<?xml")

    def test_are_shut_for_others(self, client, issued):
        client.force_login(UserFactory())

        assert [client.get(path).status_code for path in paths(issued.pk)] == [404] * 4

    def test_are_shut_for_a_bill_that_is_not_there(self, client):
        client.force_login(ManagerFactory())

        assert [client.get(path).status_code for path in paths(uuid4())] == [404] * 4

    def test_are_shut_for_strangers(self, client, issued):
        assert [client.get(path).status_code for path in paths(issued.pk)] == [401, 401, 302, 302]

    def test_take_what_a_client_accepts(self, client, issued):
        client.force_login(ManagerFactory())
        table, feed, *_ = paths(issued.pk)

        assert client.get(table, HTTP_ACCEPT="text/csv").status_code == 200
        assert client.get(feed, HTTP_ACCEPT="application/xml").status_code == 200

    def test_are_led_to_from_the_page_of_the_bill(self, client, issued):
        client.force_login(ManagerFactory())

        page = client.get(reverse("billing:bill", args=(issued.pk,))).content.decode()

        assert all(path in page for path in paths(issued.pk)[2:])
