from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import PORTAL
from accounts.roles import Scope
from energy_portal.shared.clock import HALF_HOUR
from meters.formats.layout import Stamps
from meters.formats.reading import FileFormat, detect, read
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import (
    AccountAccessFactory,
    BindingFactory,
    CustomerAccountFactory,
    InstallationFactory,
    RegisterFactory,
    UserFactory,
    since,
    supplied_register,
)
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, 10, tzinfo=UTC)
# The first of March in Singapore.
START = datetime(2025, 2, 28, 16, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine):
    time_machine.move_to(NOW, tick=False)


def fill(register, count=49):
    rows = [
        OfferedReading(register.meter.serial, START + place * HALF_HOUR, Decimal(100) + place) for place in range(count)
    ]
    receive_readings(readings=rows, actor=PORTAL, now=NOW)
    return register


def path_of(register):
    return f"/api/v1/meters/{register.meter.serial}/export"


def records(answer):
    file = BytesIO(answer.content)
    return list(read(file, detect(file), stamps=Stamps(ZoneInfo("UTC"))))


class TestExport:
    @pytest.mark.parametrize(
        ("file_format", "count", "media_type", "name"),
        [
            ("csv", 49, "text/csv", "csv"),
            ("nem12", 48, "text/vnd.aemo.nem12", "nem12.csv"),
            ("greenbutton", 48, "application/atom+xml", "xml"),
        ],
    )
    def test_answers_with_a_file_of_the_month(self, file_format, count, media_type, name):
        register = fill(supplied_register())

        answer = client_of(scopes=[Scope.QUERIES]).get(path_of(register), {"format": file_format})

        assert answer.status_code == 200
        assert answer["Content-Type"] == f"{media_type}; charset=utf-8"
        assert answer["Content-Disposition"] == f'attachment; filename="{register.meter.serial}.{name}"'
        assert detect(BytesIO(answer.content)) is FileFormat(file_format)
        assert len(records(answer)) == count

    def test_is_a_table_unless_told(self):
        register = fill(supplied_register())

        answer = client_of(scopes=[Scope.QUERIES]).get(
            path_of(register), {"from": "2025-03-01T00:00:00", "to": "2025-03-01T01:00:00"}
        )

        assert [each.value for each in records(answer)] == [100, 101, 102]

    def test_shows_customers_their_own_times_of_supply_only(self):
        register, account = RegisterFactory(), CustomerAccountFactory()
        place = InstallationFactory(meter=register.meter).service_point
        moved_in = START + timedelta(hours=12)
        BindingFactory(service_point=place, account=account, valid=since(moved_in))
        customer = AccountAccessFactory(account=account).user
        fill(register)

        answer = client_of(customer).get(path_of(register))

        assert {each.end >= moved_in for each in records(answer)} == {True}
        assert len(records(answer)) == 25

    def test_knows_no_meter_of_others(self):
        register = fill(supplied_register())

        answer = client_of(UserFactory()).get(path_of(register))

        assert answer.status_code == 404
        assert answer.json()["code"] == "no_such_meter"

    def test_refuses_who_may_not_ask(self):
        register = supplied_register()

        assert client_of(scopes=[Scope.READINGS]).get(path_of(register)).status_code == 403
        assert client_of().get(path_of(register)).status_code == 401

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ({"from": "2023-01-01T00:00:00", "to": "2025-01-01T00:00:00"}, 422),
            ({"period": "never"}, 400),
            ({"format": "pdf"}, 404),
        ],
    )
    def test_refuses_what_it_cannot_write(self, query, status):
        answer = client_of(scopes=[Scope.QUERIES]).get(path_of(supplied_register()), query)

        assert answer.status_code == status
        assert answer.json()["status"] == status
