import json
from datetime import UTC, datetime
from io import BytesIO, StringIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from accounts.actors import PORTAL
from accounts.models import AuditEntry, CustomerAccount, Premises
from accounts.roles import Scope
from meters.formats.bindings import read_bindings
from meters.models import Binding, ChainEvent, Installation, Meter, ServicePoint
from meters.services.bindings_import import import_bindings_file
from meters.tasks import run_job
from tests.factories import (
    BindingFactory,
    CustomerAccountFactory,
    InstallationFactory,
    ManagerFactory,
    MeterFactory,
    UserFactory,
    since,
)
from tests.meters.helpers import client_of

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
MARCH = datetime(2025, 2, 28, 16, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def take(*rows, header="account,meter", dry_run=False):
    body = "\n".join([header, *rows]).encode()
    return import_bindings_file(file=BytesIO(body), actor=PORTAL, now=NOW, dry_run=dry_run)


def problems(report):
    return [(each.line, each.code) for each in report.problems]


def rows():
    return list(Binding.objects.order_by("valid").values_list("account__number", "valid"))


@pytest.fixture
def account():
    return CustomerAccountFactory(number="A-1")


@pytest.fixture
def meter():
    meter = MeterFactory(serial="M-1")
    InstallationFactory(meter=meter, valid=since(datetime(2024, 1, 1, tzinfo=UTC)))
    return meter


class TestImportBindings:
    def test_binds_accounts_to_the_places_of_their_meters(self, account, meter):
        report = take("A-1,M-1,2025-03-01", header="Account ID,Serial Number,From")

        binding = Binding.objects.get()
        assert (report.bound, report.lines, report.is_whole) == (1, 1, True)
        assert (binding.account, binding.service_point) == (account, meter.installations.get().service_point)
        assert binding.valid == since(MARCH)
        assert AuditEntry.objects.filter(action="account.moved_in").exists()

    def test_changes_nothing_when_it_comes_again(self, account, meter):
        lines = ("A-1,M-1,2025-03-01,2025-03-10",)

        take(*lines, header="account,meter,from,to")
        before = rows()
        again = take(*lines, header="account,meter,from,to")

        assert (again.bound, again.unchanged, again.is_whole) == (0, 1, True)
        assert rows() == before

    @pytest.mark.parametrize("order", [1, -1])
    def test_binds_one_after_another_whatever_their_order(self, account, meter, order):
        CustomerAccountFactory(number="A-2")
        lines = ["A-1,M-1,2024-06-01,2025-03-01", "A-2,M-1,2025-03-01,"][::order]

        report = take(*lines, header="account,meter,from,to")

        assert report.is_whole
        assert [(number, valid.upper) for number, valid in rows()] == [("A-1", MARCH), ("A-2", None)]
        assert list(ChainEvent.objects.order_by("at").values_list("kind", flat=True)).count("moved_out") == 1

    def test_tells_every_problem_by_its_line(self, account, meter):
        CustomerAccountFactory(number="A-2")
        taken = MeterFactory(serial="M-2")
        BindingFactory(service_point=InstallationFactory(meter=taken).service_point)
        gone = MeterFactory(serial="M-3")
        InstallationFactory(meter=gone, valid=since(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)))

        report = take(
            "A-1,M-1,2025-03-01,",
            "A-1,M-1,2025-03-01,",
            "nobody,M-1,,",
            "A-1,nothing,,",
            "A-1,M-2,,",
            "A-2,M-1,2025-03-05,",
            "A-1,M-1,2025-03-02,",
            "A-1,M-1,yesterday,",
            "A-2,M-1,2024-05-01,2024-05-01",
            "A-1,M-3,,",
            ",M-1,,",
            "A-1,M-1\x07,,",
            header="account,meter,from,to",
        )

        assert problems(report) == [
            (3, "duplicate_line"),
            (4, "unknown_account"),
            (5, "unknown_meter"),
            (6, "meter_bound"),
            (7, "meter_bound"),
            (8, "other_period"),
            (9, "bad_date"),
            (10, "bad_date"),
            (11, "not_installed"),
            (12, "malformed"),
            (13, "malformed"),
        ]
        assert (report.bound, report.lines) == (1, 10)
        assert report.problems_by_code["meter_bound"] == 2

    def test_opens_the_accounts_whose_owners_it_names(self):
        MeterFactory(serial="M-1", status="pending")
        MeterFactory(serial="M-2")

        report = take(
            "A-9,M-1,Mei Tan,1 Hill St,Europe/Berlin,mei@example.org",
            "A-9,M-2,,,,",
            "A-8,M-2,Bo,,Mars/Olympus,",
            header="account,meter,owner,address,time_zone,e-mail",
        )

        account = CustomerAccount.objects.get()
        assert (report.bound, report.accounts_created) == (2, 1)
        assert len(problems(report)) == 1
        assert (account.owner_name, account.address, account.zone, account.email) == (
            "Mei Tan",
            "1 Hill St",
            "Europe/Berlin",
            "mei@example.org",
        )
        assert Meter.objects.get(serial="M-1").status == "active"
        assert Meter.objects.get(serial="M-1").registers.get().code == "1.8.0"

    def test_gives_a_meter_that_never_hung_anywhere_a_place_of_its_commodity(self, account):
        MeterFactory(serial="M-1", type="water")

        report = take("A-1,M-1")

        assert report.is_whole
        assert ServicePoint.objects.get().commodity == "water"

    def test_names_the_columns_that_it_lacks(self):
        assert problems(take("1,2", header="a,b")) == [(1, "column_missing")]
        assert problems(import_bindings_file(file=BytesIO(b""), actor=PORTAL, now=NOW)) == [(1, "column_missing")]


class TestDryRun:
    HEADER = "account,meter,from,to,owner"

    def test_writes_nothing(self, account, meter):
        MeterFactory(serial="M-2")

        report = take("A-1,M-1,,,", "A-9,M-2,,,Bo", header=self.HEADER, dry_run=True)

        assert (report.dry_run, report.bound, report.accounts_created) == (True, 2, 1)
        assert not Binding.objects.exists()
        assert CustomerAccount.objects.count() == 1
        assert (Installation.objects.count(), Premises.objects.count(), AuditEntry.objects.count()) == (1, 1, 0)

    def test_tells_what_would_become_of_each_line(self, account, meter):
        CustomerAccountFactory(number="A-2")
        MeterFactory(serial="M-2")
        lines = [
            "A-1,M-1,2025-03-01,,",
            "A-2,M-1,2025-03-05,,",
            "A-2,M-1,2025-02-01,2025-03-01,",
            "A-1,M-1,2025-03-02,,",
            "A-9,M-2,,,Bo",
            "A-1,M-2,,,",
            "A-9,M-1,2024-02-01,2024-03-01,",
        ]

        rehearsed = take(*lines, header=self.HEADER, dry_run=True)
        carried_out = take(*lines, header=self.HEADER)

        assert (
            problems(rehearsed)
            == problems(carried_out)
            == [(3, "meter_bound"), (5, "other_period"), (7, "meter_bound")]
        )
        assert (rehearsed.bound, rehearsed.accounts_created) == (carried_out.bound, carried_out.accounts_created)


class TestReadBindings:
    def test_undoes_what_keeps_a_spreadsheet_from_running_a_cell(self):
        (line,) = read_bindings(BytesIO(b"\xef\xbb\xbfaccount;meter\n'=A1;M-1\n"))

        assert (line.line, line.account, line.meter) == (2, "=A1", "M-1")


class TestCommand:
    def test_rehearses_and_carries_out(self, account, meter, tmp_path):
        file = tmp_path / "mapping.csv"
        file.write_text("account,meter\nA-1,M-1\nA-1,nothing\n")
        out = StringIO()

        with pytest.raises(CommandError, match="1 lines") as caught:
            call_command("import_bindings", str(file), "--dry-run", stdout=out)
        with pytest.raises(CommandError):
            call_command("import_bindings", str(file), "--json", stdout=(printed := StringIO()))

        assert caught.value.returncode == 1
        assert "line 3: unknown_meter" in out.getvalue()
        assert "Would be bound 1, unchanged 0, accounts opened 0, of 2 lines." in out.getvalue()
        assert json.loads(printed.getvalue())["bound"] == 1

    def test_fails_with_two_without_a_file(self, tmp_path):
        with pytest.raises(CommandError) as caught:
            call_command("import_bindings", str(tmp_path / "none.csv"))

        assert caught.value.returncode == 2


@pytest.mark.usefixtures("uploads")
class TestUpload:
    PATH = "/api/v1/accounts/bindings/import"

    def send(self, client, **more):
        file = SimpleUploadedFile("mapping.csv", b"account,meter\nA-1,M-1\nA-2,M-1\n")
        return client.post(self.PATH, {"file": file, **more}, format="multipart")

    def report(self, client, answer):
        run_job(job_id=answer.json()["job"])
        return client.get(answer.json()["url"]).json()

    def test_is_a_rehearsal_unless_told(self, account, meter):
        client = client_of(ManagerFactory())

        rehearsed = self.report(client, self.send(client))
        assert not Binding.objects.exists()
        carried_out = self.report(client, self.send(client, dry_run="false"))

        assert (rehearsed["status"], rehearsed["report"]["bound"]) == ("done", 1)
        assert (carried_out["report"]["bound"], carried_out["done"]) == (1, carried_out["total"])
        assert [each["code"] for each in carried_out["report"]["problems"]] == ["unknown_account"]

    def test_is_for_managers_and_keys_for_accounts(self, account, meter):
        assert self.send(client_of(scopes=[Scope.ACCOUNTS])).status_code == 202
        assert self.send(client_of(scopes=[Scope.READINGS])).status_code == 403
        assert self.send(client_of(UserFactory())).status_code == 403
        assert self.send(client_of()).status_code == 401
