from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import PORTAL
from accounts.roles import Scope
from energy_portal.shared.clock import HALF_HOUR
from meters.formats.layout import Stamps
from meters.formats.reading import detect, read
from meters.services.readings import OfferedReading, receive_readings
from meters.tasks import run_job
from tests.factories import (
    AccountAccessFactory,
    BindingFactory,
    CustomerAccountFactory,
    InstallationFactory,
    MeterFactory,
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
    file = BytesIO(answer.getvalue())
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

        ends = [each.end for each in records(answer)]
        assert {end >= moved_in for end in ends} == {True}
        assert len(ends) == 25

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

    def test_writes_parquet(self):
        register = fill(supplied_register())

        answer = client_of(scopes=[Scope.QUERIES]).get(path_of(register), {"format": "parquet"})

        assert answer["Content-Type"] == "application/vnd.apache.parquet"
        assert answer["Content-Disposition"] == f'attachment; filename="{register.meter.serial}.parquet"'
        assert answer.getvalue().startswith(b"PAR1")

    def test_names_a_meter_in_its_query_as_well(self):
        register = fill(supplied_register())
        client = client_of(scopes=[Scope.QUERIES])

        answer = client.get("/api/v1/readings/export", {"meter_id": register.meter.serial, "format": "csv"})

        assert answer.getvalue() == client.get(path_of(register)).getvalue()

    def test_refuses_half_hours_of_water(self):
        register = supplied_register(meter=MeterFactory(type="water"), unit="m³")

        answer = client_of(scopes=[Scope.QUERIES]).get(path_of(register), {"format": "nem12"})

        assert (answer.status_code, answer.json()["code"]) == (422, "not_electric")

    @pytest.mark.parametrize("file_format", ["nem12", "greenbutton"])
    def test_refuses_registers_that_the_format_cannot_name(self, file_format):
        register = supplied_register(kind="interval", code="1.8.x")

        answer = client_of(scopes=[Scope.QUERIES]).get(path_of(register), {"format": file_format})

        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_register")


@pytest.mark.usefixtures("uploads")
class TestExportOfMany:
    PATH = "/api/v1/readings/export"

    def ask(self, client, *registers, **more):
        body = {"meter_ids": [register.meter.serial for register in registers], **more}
        return client.post(self.PATH, body, format="json")

    def test_is_a_job_whose_result_is_the_file(self):
        registers = [fill(supplied_register()) for _ in range(2)]
        client = client_of(scopes=[Scope.QUERIES])

        answer = self.ask(client, *registers, format="csv")
        run_job(job_id=answer.json()["job"])

        job = client.get(answer.json()["url"]).json()
        assert (answer.status_code, job["status"]) == (202, "done")
        assert (job["done"], job["total"], job["report"]["meters"]) == (2, 2, 2)
        found = records(client.get(job["result_url"]))
        assert {each.serial for each in found} == {register.meter.serial for register in registers}
        assert len(found) == 2 * 49

    def test_shows_customers_their_own_times_of_supply_only(self):
        register, account = RegisterFactory(), CustomerAccountFactory()
        place = InstallationFactory(meter=register.meter).service_point
        BindingFactory(service_point=place, account=account, valid=since(START + timedelta(hours=12)))
        client = client_of(AccountAccessFactory(account=account).user)
        fill(register)

        answer = self.ask(client, register)
        run_job(job_id=answer.json()["job"])

        assert len(records(client.get(client.get(answer.json()["url"]).json()["result_url"]))) == 25

    def test_refuses_what_is_not_theirs_or_cannot_be_written(self):
        register = fill(supplied_register())
        water = supplied_register(meter=MeterFactory(type="water"), unit="m³")
        machine = client_of(scopes=[Scope.QUERIES])

        assert self.ask(client_of(UserFactory()), register).json()["code"] == "no_such_meter"
        assert self.ask(machine, water, format="nem12").json()["code"] == "not_electric"
        assert self.ask(machine, register, **{"from": "2025-02-01", "to": "2025-01-01"}).status_code == 422
        assert self.ask(machine).status_code == 400
        assert self.ask(client_of(), register).status_code == 401
