"""From the door of readings to a bill that is taken apart again: nothing is lost on the way down, nor on the way up."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.actors import PORTAL
from billing.models import Bill
from billing.services.runs import process_run, start_month
from energy_portal.shared.clock import YearMonth, half_hours
from energy_portal.shared.units import to_cents
from meters.services.readings import OfferedReading, receive_readings
from tests.billing.metered import by_hours, default_tariff, month_of, period
from tests.factories import UserFactory
from tests.households import home_of

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2025, 4, 3, 4, tzinfo=UTC)
FIRST, LAST = month_of("2025-02"), month_of("2025-03")
COMPONENTS = (
    (
        "energy",
        "Electricity",
        by_hours(
            period("Off-peak", ("120", "0.15"), (None, "0.19")),
            period("On-peak", ("80.5", "0.29"), (None, "0.33")),
        ),
    ),
    ("fixed", "Standing charge", {"amount": "8.25", "per": "month"}),
)


def send_two_months(register) -> None:
    """Send what the dial showed at each half-hour's end, on its way past its last digit."""
    shown, offered = Decimal("999800.25"), []
    for position, mark in enumerate([*half_hours(FIRST.start, LAST.end), LAST.end]):
        offered.append(OfferedReading(meter_id=register.meter.serial, timestamp=mark, value=shown))
        shown = (shown + Decimal(100 + position * 37 % 211) / 1000) % 1_000_000
    assert receive_readings(readings=offered, actor=PORTAL, now=NOW).stored == len(offered)


class TestBillExplained:
    def test_a_bill_is_taken_apart_and_adds_up_again(self, time_machine):
        time_machine.move_to(NOW, tick=False)
        default_tariff(*COMPONENTS)
        customer = UserFactory()
        account, register = home_of(customer, number="A-1001")
        send_two_months(register)
        for month in (YearMonth(2025, 2), YearMonth(2025, 3)):
            process_run(run_id=start_month(month=month, actor=PORTAL, now=NOW).pk, now=NOW)
        bill = Bill.objects.get(account=account, month=date(2025, 3, 1))

        client = APIClient()
        client.force_authenticate(user=customer)
        explained = client.get(f"/api/v1/bills/{bill.pk}/explain").json()

        lines = explained["lines"]
        assert sum(Decimal(each["line"]["amount"]) for each in lines) == bill.total
        metered = [each["line"] for each in lines if each["opens"]]
        assert len(metered) == 4
        used = sum(self._take_apart(client, bill, line) for line in metered)
        assert used == bill.consumption_kwh
        why = explained["why_different"]
        assert sum(Decimal(part["amount"]) for part in why["parts"]) == Decimal(why["amount"])
        assert Decimal(why["before"]["total"]) + Decimal(why["amount"]) == bill.total
        self._read_the_page(customer, bill)

    def _take_apart(self, client: APIClient, bill: Bill, line: dict) -> Decimal:
        """Go down to the reads of a line's first day, and return what its days come to."""
        path = f"/api/v1/bills/{bill.pk}/explain?line={line['position']}"
        days = client.get(path).json()["days"]
        counted = sum(Decimal(str(day["counted"])) for day in days)
        assert counted == Decimal(str(line["quantity"]))
        assert to_cents(counted * Decimal(line["rate"])) == Decimal(line["amount"])
        half_hours = client.get(f"{path}&day={days[0]['day']}").json()["half_hours"]
        assert sum(Decimal(str(each["counted"])) for each in half_hours) == Decimal(str(days[0]["counted"]))
        for each in half_hours:
            before, after = (Decimal(read["value"]) for read in each["reads"])
            assert (after - before) % 1_000_000 == Decimal(str(each["energy_kwh"]))
        return counted

    def _read_the_page(self, customer, bill: Bill) -> None:
        browser = Client()
        browser.force_login(customer)
        page = browser.get(f"/bills/{bill.pk}").content.decode()

        assert "Why it differs from the month before" in page
        opened = browser.get(f"/bills/{bill.pk}/lines/1?day=2025-03-03").content.decode()
        assert opened.count("measured") >= 24
