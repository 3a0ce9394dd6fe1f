"""The two days a year on which the clock changes: right where energy is used, exported and billed."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import PORTAL
from accounts.roles import Scope
from billing.models import Tariff
from billing.services.bills import draft_bill
from energy_portal.shared.clock import HALF_HOUR, YearMonth, local_day, local_month
from meters.formats.csv_files import Stamps
from meters.formats.layout import Layout
from meters.formats.reading import FileFormat, read
from tests.factories import (
    BindingFactory,
    CustomerAccountFactory,
    InstallationFactory,
    PremisesFactory,
    RegisterFactory,
    ServicePointFactory,
    TariffVersionFactory,
)
from tests.meters.helpers import client_of

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 11, 15, 12, tzinfo=UTC)
HALF_A_KWH = Decimal("0.5")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("november")]


@pytest.fixture
def november(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture(params=[(date(2025, 3, 30), 46, "743"), (date(2025, 10, 26), 50, "745")], ids=["spring", "autumn"])
def change(request):
    """A day of the change, its half-hours, and the hours of its month."""
    return request.param


@pytest.fixture
def account(change):
    """An account in Berlin where one kilowatt flows all month long."""
    day, *_ = change
    account = CustomerAccountFactory(zone="Europe/Berlin")
    point = ServicePointFactory(premises=PremisesFactory(zone="Europe/Berlin"))
    BindingFactory(account=account, service_point=point)
    register = RegisterFactory(meter__serial="DE-1")
    InstallationFactory(meter=register.meter, service_point=point)
    month = local_month(YearMonth.of(day), BERLIN)
    rows = [
        {
            "meter_id": "DE-1",
            "timestamp": (month.start + n * HALF_HOUR).astimezone(BERLIN).isoformat(),
            "reading": float(100 + n * HALF_A_KWH),
        }
        for n in range(month.half_hour_count + 1)
    ]
    answer = client_of(scopes=[Scope.READINGS]).post("/receive_meter_reading", {"readings": rows}, format="json")
    assert answer.json()["stored"] == len(rows)
    return account


@pytest.fixture
def get():
    machine = client_of(scopes=[Scope.QUERIES])
    return lambda path, **query: machine.get(path, query)


class TestADayOfTheClockChange:
    def test_is_used_half_hour_by_half_hour(self, account, change, get):
        day, half_hours, _ = change
        bounds = {"from": day.isoformat(), "to": (day + timedelta(days=1)).isoformat()}

        for whose in ({"account_id": account.number}, {"meter_id": "DE-1"}):
            answer = get("/get_consumption", granularity="half_hour", **bounds, **whose).json()

            assert (answer["consumption_kwh"], answer["complete"]) == (half_hours / 2, True)
            assert [each["kwh"] for each in answer["series"]] == [0.5] * half_hours
            starts = [datetime.fromisoformat(each["from"]) for each in answer["series"]]
            assert {later - earlier for earlier, later in pairwise(starts)} == {HALF_HOUR}

    def test_has_its_own_length_among_the_days_of_its_month(self, account, change, get):
        day, half_hours, hours = change
        bounds = {"from": f"{day:%Y-%m}-01", "to": (day.replace(day=1) + timedelta(days=31)).isoformat()}

        days = get("/get_consumption", account_id=account.number, granularity="day", **bounds).json()
        month = get("/get_consumption", account_id=account.number, granularity="month", **bounds).json()

        used = {each["from"][:10]: each["kwh"] for each in days["series"]}
        assert used.pop(day.isoformat()) == half_hours / 2
        assert set(used.values()) == {24}
        assert [each["kwh"] for each in month["series"]] == [float(hours)]

    @pytest.mark.parametrize("name", [*FileFormat])
    def test_leaves_as_a_file_that_holds_all_of_it(self, account, change, get, name):
        day, half_hours, _ = change
        period = local_day(day, BERLIN)

        body = get(
            "/api/v1/meters/DE-1/export",
            format=name.value,
            **{"from": period.start.isoformat(), "to": period.end.isoformat()},
        ).getvalue()

        records = list(read(BytesIO(body), name, stamps=Stamps(BERLIN), layout=Layout(serial="DE-1")))
        ends = [each.end for each in records]
        if name is FileFormat.CSV:
            assert ends == [period.start + n * HALF_HOUR for n in range(half_hours + 1)]
            assert records[-1].value - records[0].value == half_hours * HALF_A_KWH
        else:
            assert ends == [period.start + n * HALF_HOUR for n in range(1, half_hours + 1)]
            assert [each.value for each in records] == [HALF_A_KWH] * half_hours

    def test_is_billed_with_its_own_hours(self, account, change):
        day, _, hours = change
        Tariff.objects.update(is_default=False)
        TariffVersionFactory(tariff__tax=None, tariff__is_default=True, energy_rate=Decimal("0.30"))

        bill = draft_bill(account_id=account.pk, month=YearMonth.of(day), actor=PORTAL, now=NOW)

        assert (bill.consumption_kwh, bill.complete) == (Decimal(hours), True)
        assert bill.subtotal == Decimal(hours) * Decimal("0.30")
