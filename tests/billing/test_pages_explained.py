import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL
from billing.explaining import Cause
from billing.models import Bill
from billing.pages.why import waterfall
from billing.selectors.difference_words import SaidDifference, SaidPart
from billing.services.bills import issue_bill
from tests.billing.metered import by_hours, default_tariff, drafted, month_of, period, read_half_hours
from tests.factories import (
    AccountAccessFactory,
    CustomerAccountFactory,
    PaymentFactory,
    UserFactory,
    singapore_bill,
    supplied_register,
)

pytestmark = pytest.mark.django_db

FEBRUARY = month_of("2025-02")
NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
HTMX = {"HX-Request": "true"}
BOTH = (
    ("energy", "Electricity", by_hours(period("Off-peak", (None, "0.18")), period("On-peak", (None, "0.305")))),
    ("energy", "Network", {"periods": [period("", ("50", "0.02"), (None, "0.045"))]}),
    ("demand", "Demand", {"periods": [period("", (None, "4.10"))]}),
    ("fixed", "Standing charge", {"amount": "0.275", "per": "day"}),
)


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def account():
    return CustomerAccountFactory(number="A-1001")


@pytest.fixture
def client(account):
    made = Client()
    made.force_login(AccountAccessFactory(account=account).user)
    return made


@pytest.fixture
def bill(account):
    default_tariff(*BOTH)
    read_half_hours(supplied_register(account=account), start=FEBRUARY.start, end=FEBRUARY.end)
    return issue_bill(bill_id=drafted(account, "2025-02", now=NOW).pk, actor=PORTAL, now=NOW)


def text_of(response) -> str:
    assert response.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def position_of(bill, description: str) -> int:
    return bill.lines.get(description__startswith=description).position


class TestLine:
    def test_opens_to_its_days(self, client, bill):
        line = bill.lines.get(description__startswith="Electricity, On-peak")

        page = text_of(client.get(f"/bills/{bill.pk}/lines/{line.position}"))

        assert f"add up to {line.quantity.normalize():f} kWh" in page
        assert "Mon 3 Feb" in page
        assert "Sun 2 Feb" not in page
        assert "known on 15 March 2025, 12:00" in page

    def test_opens_a_day_to_its_half_hours_and_the_dial(self, client, bill):
        position = position_of(bill, "Electricity, On-peak")

        page = text_of(client.get(f"/bills/{bill.pk}/lines/{position}?day=2025-02-03"))

        serial = bill.lines.first().reads[0]["serial"]
        assert "Half-hours of 3 February 2025, times of Asia/Singapore" in page
        assert len(re.findall(rf"{serial}: [\d,.]+ → [\d,.]+", page)) == 24

    def test_tells_what_of_a_half_hour_lies_in_a_step(self, client, bill):
        position = position_of(bill, "Network, first 50 kWh")

        page = text_of(client.get(f"/bills/{bill.pk}/lines/{position}?day=2025-02-28"))

        assert "in this line, kWh" in page
        assert len(re.findall(r"\d\d:\d\d 0\.\d+ 0 ", page)) == 48

    def test_leaves_days_out_of_which_nothing_lies_in_its_step(self, client, bill):
        first, beyond = (position_of(bill, f"Network, {step} 50 kWh") for step in ("first", "above"))

        pages = [text_of(client.get(f"/bills/{bill.pk}/lines/{position}")) for position in (first, beyond)]

        assert ["Sat 1 Feb" in page for page in pages] == [True, False]
        assert ["Fri 28 Feb" in page for page in pages] == [False, True]

    def test_tells_the_highest_half_hour_of_each_day_of_a_demand(self, client, bill):
        line = bill.lines.get(kind="demand")

        page = text_of(client.get(f"/bills/{bill.pk}/lines/{line.position}"))

        assert "The highest half-hour began on" in page
        assert f"{line.quantity.normalize():f} kW" in page

    def test_hands_out_its_parts_alone_to_scripts(self, client, bill):
        path = f"/bills/{bill.pk}/lines/{position_of(bill, 'Electricity, On-peak')}"

        days, half_hours = (
            client.get(path + query, headers=HTMX).content.decode() for query in ("", "?day=2025-02-03")
        )

        assert "<html" not in days + half_hours
        assert "<details" in days
        assert "<details" not in half_hours

    def test_opens_only_where_half_hours_stand_behind_it(self, client, bill):
        page = client.get(f"/bills/{bill.pk}").content.decode()
        fixed = position_of(bill, "Standing charge")

        assert f"/lines/{fixed}" not in page
        assert client.get(f"/bills/{bill.pk}/lines/{fixed}").status_code == 404

    @pytest.mark.parametrize("path", ["lines/99", "lines/1?day=2025-03-09", "lines/1?day=soon"])
    def test_is_not_there_where_the_bill_has_none(self, client, bill, path):
        assert client.get(f"/bills/{bill.pk}/{path}").status_code == 404

    def test_is_hidden_from_others(self, bill):
        stranger = Client()
        stranger.force_login(UserFactory())

        assert stranger.get(f"/bills/{bill.pk}/lines/1").status_code == 404
        assert Client().get(f"/bills/{bill.pk}/lines/1").url.startswith("/login")

    def test_asks_no_more_of_the_database_for_another_day(self, client, bill):
        path = f"/bills/{bill.pk}/lines/{position_of(bill, 'Network, above')}"
        counted = []
        for day in ("2025-02-09", "2025-02-28"):
            with CaptureQueriesContext(connection) as captured:
                assert client.get(f"{path}?day={day}").status_code == 200
            counted.append(len(captured))

        assert counted[0] == counted[1]


class TestWhy:
    def test_tells_the_steps_from_the_month_before(self, client, account):
        singapore_bill(account=account, first_day=date(2023, 1, 1), kwh="310", issued_at=NOW)
        bill = singapore_bill(account=account, first_day=date(2023, 2, 1), kwh="308", issued_at=NOW)

        page = text_of(client.get(f"/bills/{bill.pk}"))

        assert "less than for January 2023" in page
        # Three days at 10 kWh, and a kWh more on each of the others, at 0.2895 and 8 %.
        assert "28 days, 31 the month before. \N{MINUS SIGN}9.38" in page
        assert "11.00 kWh a day were measured, 10.00 the month before. +8.75" in page

    def test_says_that_there_is_nothing_to_compare_with(self, client, account):
        bill = singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW)

        assert "There is no bill for the month before to compare with." in text_of(client.get(f"/bills/{bill.pk}"))


class TestWaterfall:
    def test_begins_each_bar_where_the_one_before_ends(self):
        parts = tuple(
            SaidPart(cause, cause.value, "", Decimal(amount))
            for cause, amount in ((Cause.DAYS, "-10"), (Cause.USE, "30"), (Cause.PRICE, "20"))
        )
        said = SaidDifference("", Decimal(40), parts, (), None, None)

        falls = waterfall(said, before="May", after="June", total=Decimal(140))

        # From 100 down to 90, up to 120 and to 140: of the width that is from 90 to 140.
        assert [(fall.kind, fall.left, fall.width) for fall in falls] == [
            ("total", 20, 0),
            ("less", 0, 20),
            ("more", 0, 60),
            ("more", 60, 40),
            ("total", 100, 0),
        ]
        assert [fall.amount for fall in falls] == ["100.00", "\N{MINUS SIGN}10.00", "+30.00", "+20.00", "140.00"]


class TestRelated:
    @pytest.fixture
    def corrected(self, account):
        """A bill with its credit note and the bill in its place."""
        old = singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW)
        facts = {"account": account, "currency": "SGD", "as_of": NOW, "corrects": old, "consumption_kwh": 1}
        facts |= {"month": old.month, "period": old.period}
        note = Bill.objects.create(**facts, kind="credit_note", subtotal=-old.subtotal, tax=-old.tax, total=-old.total)
        successor = Bill.objects.create(**facts, subtotal=1, tax=0, total=1)
        for bill, given in (
            (note, {"status": "issued", "number": "C-1", "issued_at": NOW}),
            (old, {"status": "void"}),
            (successor, {"status": "issued", "number": "202302-000002", "issued_at": NOW}),
        ):
            Bill.objects.filter(pk=bill.pk).update(**given)
        return old

    def test_leads_from_a_withdrawn_bill_to_its_note_and_its_successor(self, client, corrected):
        page = text_of(client.get(f"/bills/{corrected.pk}"))

        assert "It is taken back by the credit note C-1" in page
        assert "In its place there is the bill 202302-000002" in page

    def test_leads_back_from_both(self, client, corrected):
        note, successor = (
            text_of(client.get(f"/bills/{each.pk}")) for each in corrected.corrections.order_by("kind")[::-1]
        )

        assert "Credit note for February 2023" in note
        assert f"This takes back the bill {corrected.number}" in note
        assert "Why it differs" not in note
        assert f"This stands in for the bill {corrected.number}" in successor

    def test_is_told_apart_in_the_list(self, client, corrected):
        page = text_of(client.get("/bills"))

        assert "withdrawn" in page
        assert "credit note" in page


class TestStanding:
    def test_tells_by_when_a_bill_is_to_be_paid(self, client, account):
        bill = singapore_bill(account=account, first_day=date(2025, 2, 1), issued_at=NOW)

        assert "To pay by 5 April 2025" in text_of(client.get(f"/bills/{bill.pk}"))
        assert "to pay" in text_of(client.get("/bills"))

    def test_tells_since_when_it_is_overdue(self, client, account):
        bill = singapore_bill(account=account, first_day=date(2025, 1, 1), issued_at=NOW - timedelta(days=40))

        assert f"SGD {bill.total} overdue since 24 February 2025" in text_of(client.get(f"/bills/{bill.pk}"))
        assert "overdue" in text_of(client.get("/bills"))

    def test_tells_what_is_open_once_a_part_was_paid(self, client, account):
        bill = singapore_bill(account=account, first_day=date(2025, 2, 1), issued_at=NOW)
        PaymentFactory(account=account, amount=Decimal(40))

        assert f"SGD {bill.total - 40} still to pay by 5 April 2025" in text_of(client.get(f"/bills/{bill.pk}"))

    def test_tells_that_it_is_paid(self, client, account):
        bill = singapore_bill(account=account, first_day=date(2025, 2, 1), issued_at=NOW)
        PaymentFactory(account=account, amount=bill.total)

        assert "Paid" in text_of(client.get(f"/bills/{bill.pk}"))
        assert "paid" in text_of(client.get("/bills"))
