from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.actors import PORTAL
from billing.services.bills import issue_bill
from energy_portal.shared.clock import HALF_HOUR
from tests.billing.metered import by_hours, default_tariff, drafted, month_of, period, read_half_hours
from tests.factories import AccountAccessFactory, CustomerAccountFactory, UserFactory, singapore_bill, supplied_register

pytestmark = pytest.mark.django_db

FEBRUARY, MARCH = month_of("2025-02"), month_of("2025-03")
NOW = datetime(2025, 4, 15, 4, tzinfo=UTC)
TOU = ("energy", "Electricity", by_hours(period("Off-peak", (None, "0.18")), period("On-peak", (None, "0.305"))))
FIXED = ("fixed", "Standing charge", {"amount": "0.275", "per": "day"})


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def account():
    return CustomerAccountFactory(number="A-1001")


@pytest.fixture
def client(account):
    made = APIClient()
    made.force_authenticate(user=AccountAccessFactory(account=account).user)
    return made


@pytest.fixture
def bill(account):
    """March at two prices and a standing charge, after a February."""
    default_tariff(TOU, FIXED)
    register = supplied_register(account=account)
    shown = read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)
    read_half_hours(
        register,
        start=MARCH.start + HALF_HOUR,
        end=MARCH.end,
        shown=str(shown + Decimal("0.5")),
        energy=lambda position: Decimal(200 + position % 77) / 1000,
    )
    february, march = (drafted(account, month, now=NOW) for month in ("2025-02", "2025-03"))
    issue_bill(bill_id=february.pk, actor=PORTAL, now=NOW)
    return issue_bill(bill_id=march.pk, actor=PORTAL, now=NOW)


def explained(client, bill, **query):
    answer = client.get(f"/api/v1/bills/{bill.pk}/explain", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


class TestBillExplain:
    def test_puts_every_line_into_words(self, client, bill):
        answer = explained(client, bill)

        assert [line["line"]["kind"] for line in answer["lines"]] == ["energy", "energy", "fixed", "tax"]
        assert [line["opens"] for line in answer["lines"]] == [True, True, False, False]
        on_peak = answer["lines"][1]
        assert on_peak["component"] == "Electricity"
        assert on_peak["words"]["version"].endswith("first: in force since 1 January 2020")
        assert on_peak["words"]["charge"] == (
            "Each kWh in the hours named On-peak (Monday to Friday 08:00\N{EN DASH}20:00) costs SGD 0.305."
        )
        assert "1 March 2025 to 31 March 2025" in on_peak["words"]["quantity"]
        assert answer["lines"][3]["words"]["charge"] == "9 % of the lines before tax."
        assert (answer["days"], answer["half_hours"]) == (None, None)

    def test_says_why_it_differs_adding_up_to_the_cent(self, client, bill):
        why = explained(client, bill)["why_different"]

        assert why["before"]["month"] == "2025-02"
        assert Decimal(why["amount"]) == bill.total - Decimal(why["before"]["total"])
        assert sum(Decimal(part["amount"]) for part in why["parts"]) == Decimal(why["amount"])
        price = next(part for part in why["parts"] if part["cause"] == "price")
        assert sum(Decimal(part["amount"]) for part in why["price"]) == Decimal(price["amount"])
        assert why["parts"][0]["words"] == "31 days, 28 the month before."

    def test_divides_a_line_among_its_days(self, client, bill):
        answer = explained(client, bill, line=2)

        assert len(answer["lines"]) == 1
        quantity = Decimal(str(answer["lines"][0]["line"]["quantity"]))
        assert sum(Decimal(str(day["counted"])) for day in answer["days"]) == quantity
        assert {day["half_hours"] for day in answer["days"]} == {24}
        assert len(answer["days"]) == 21

    def test_divides_a_day_among_its_half_hours_with_their_reads(self, client, bill):
        answer = explained(client, bill, line=2, day="2025-03-03")

        half_hours = answer["half_hours"]
        assert (half_hours[0]["from"], half_hours[-1]["to"]) == (
            "2025-03-03T08:00:00+08:00",
            "2025-03-03T20:00:00+08:00",
        )
        (day,) = [day for day in answer["days"] if day["day"] == "2025-03-03"]
        assert sum(Decimal(str(each["counted"])) for each in half_hours) == Decimal(str(day["counted"]))
        first = half_hours[0]
        before, after = (Decimal(read["value"]) for read in first["reads"])
        assert after - before == Decimal(str(first["energy_kwh"]))
        assert {(read["quality"], read["role"]) for read in first["reads"]} == {(17, "boundary")}
        assert first["quality_words"] == "measured"

    @pytest.mark.parametrize("query", [{"line": 9}, {"line": 1, "day": "2025-04-01"}])
    def test_knows_no_lines_and_days_that_there_are_not(self, client, bill, query):
        assert client.get(f"/api/v1/bills/{bill.pk}/explain", query).status_code == 404

    @pytest.mark.parametrize("query", [{"day": "2025-03-03"}, {"line": "first"}, {"line": 1, "day": "today"}])
    def test_refuses_a_question_that_it_cannot_read(self, client, bill, query):
        assert client.get(f"/api/v1/bills/{bill.pk}/explain", query).status_code == 400

    def test_explains_nothing_to_others(self, bill):
        stranger = APIClient()
        stranger.force_authenticate(user=UserFactory())

        assert stranger.get(f"/api/v1/bills/{bill.pk}/explain").status_code == 404
        assert APIClient().get(f"/api/v1/bills/{bill.pk}/explain").status_code == 401

    def test_does_not_compare_with_a_bill_that_its_reader_may_not_see(self, account, client):
        singapore_bill(account=account, first_day=date(2023, 1, 1))
        later = singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW)

        why = explained(client, later)["why_different"]

        assert (why["reason"], why["before"], why["amount"]) == ("no_bill_before", None, None)

    def test_opens_lines_of_bills_that_were_made_before_lines_had_components(self, client, account):
        register = supplied_register(account=account)
        read_half_hours(register, start=FEBRUARY.start, end=FEBRUARY.end)
        old = singapore_bill(account=account, first_day=date(2025, 2, 1))
        place = register.meter.installations.get().service_point
        old.lines.filter(position=1).update(service_point=place)
        issue_bill(bill_id=old.pk, actor=PORTAL, now=NOW + timedelta(minutes=1))

        answer = explained(client, old, line=1)

        assert len(answer["days"]) == 28
        assert answer["lines"][0]["component"] is None

    def test_asks_no_more_of_the_database_for_more_lines(self, client, account, bill):
        counted = []
        for each in (singapore_bill(account=account, first_day=date(2023, 2, 1), issued_at=NOW), bill):
            explained(client, each)
            with CaptureQueriesContext(connection) as captured:
                explained(client, each)
            counted.append(len(captured))

        # The lines of the month before are the one thing that was not asked for without one.
        assert counted[1] <= counted[0] + 1
