import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
import time_machine
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse

from accounts.actors import PORTAL
from accounts.roles import Scope
from meters.batteries.models import Battery, BatteryImport, BmsReading, Convention, ImportedFile, PcsReading
from meters.batteries.services.import_files import NoFiles, work_folder
from meters.batteries.services.imports import (
    BadImportOption,
    Bounds,
    ImportOptions,
    ImportUnderWay,
    UnknownBattery,
    import_battery,
)
from meters.batteries.services.registry import RetiredBattery
from meters.models import Job
from meters.services.jobs import run_job
from meters.store.archive import try_session_lock, unlock_session
from tests.factories import BatteryFactory, UserFactory
from tests.meters.helpers import client_of, in_thread, start_script

pytestmark = pytest.mark.django_db

TEN = datetime(2025, 3, 1, 10, tzinfo=UTC)
NOW = datetime(2025, 4, 1, tzinfo=UTC)


def table(*rows: tuple[float, object], heading: str = "timestamp,value") -> str:
    stamps = ((TEN + timedelta(seconds=at)).isoformat() for at, _ in rows)
    return f"{heading}\n" + "".join(f"{at},{value}\n" for at, (_, value) in zip(stamps, rows, strict=True))


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path_factory) -> Path:
    settings.UPLOAD_DIR = tmp_path_factory.mktemp("uploads")
    return settings.UPLOAD_DIR


@pytest.fixture
def battery() -> Battery:
    return BatteryFactory.create(battery_id="ZHP1")


def take(*paths: Path, **options):
    return import_battery(battery_id="ZHP1", paths=paths, options=ImportOptions(**options), actor=PORTAL, now=NOW)


class TestImportBattery:
    def test_aligns_the_golden_case(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "pcs_apparent_power.csv").write_text(table(*((10 * place, 12 + place / 5) for place in range(6))))
        (tmp_path / "bms_soc.csv").write_text(table((0, 50.0), (30, 50.1), (90, 50.4)))

        report = take(tmp_path, every_seconds=60, tolerances={"soc": 60})

        assert PcsReading.objects.values_list("time", "apparent_power_kw").get() == (TEN, 12.5)
        assert [*BmsReading.objects.order_by("time").values_list("time", "soc_percent")] == [
            (TEN, pytest.approx(50.1)),
            (TEN + timedelta(minutes=1), pytest.approx(50.4)),
        ]
        assert (report.is_whole, report.systems["bms"].signals["soc"]["age_seconds"]["max"]) == (True, 30.0)

    def test_joins_wide_files_packed_files_and_archives(self, battery: Battery, tmp_path: Path) -> None:
        with ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("a/bms_wide.csv", f"timestamp,SOC (%),voltage [mV],door\n{TEN.isoformat()},50,832300,1\n")
            archive.writestr("a/bms_current.csv.gz", gzip.compress(table((0, 7.5)).encode()))

        report = take(tmp_path / "all.zip")

        assert BmsReading.objects.values_list("soc_percent", "voltage_v", "current_a").get() == (
            50.0,
            pytest.approx(832.3, rel=1e-6),
            7.5,
        )
        assert report.left_out == {"bms_wide.csv": "no signal: door"}

    def test_turns_what_a_convention_writes_into_the_portals_own(self, battery: Battery, tmp_path: Path) -> None:
        Convention.objects.create(
            name="theirs",
            charge_is_positive=True,
            columns={"I_pack": "current"},
            zone="Asia/Singapore",
            clock_offset_seconds=60,
        )
        (tmp_path / "x.csv").write_text("time,I_pack\n2025-03-01 18:01:00,20\n")

        take(tmp_path / "x.csv", convention="theirs")

        assert BmsReading.objects.values_list("time", "current_a").get() == (TEN, -20.0)

    def test_reports_bad_lines_and_takes_the_good_ones(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "soc.csv").write_text(table((0, 50.0), (10, "full"), (20, 50.2), (20, 51.0), (700, 50.3)))

        report = take(tmp_path / "soc.csv")

        assert [(bad["line"], bad["reason"]) for bad in report.files[0]["bad"]] == [(3, "soc is no number: 'full'")]
        told = report.systems["bms"].signals["soc"]
        assert (told["values"], told["repeats"], told["gaps"], told["longest_gap_seconds"]) == (3, 1, 1, 680.0)
        assert not report.is_whole

    def test_leaves_out_what_is_too_old_or_in_the_future(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "soc.csv").write_text(
            "timestamp,soc\n1999-12-31T00:00:00Z,1\n2025-03-01T10:00:00Z,50\n2035-01-01T00:00:00Z,2\n"
        )

        told = take(tmp_path / "soc.csv", tolerances={"soc": 10}).systems["bms"]

        assert (BmsReading.objects.get().time, told.too_old, told.in_future) == (TEN, 1, 1)

    def test_does_the_same_files_once(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "soc.csv").write_text(table((0, 50.0), (10, 50.1)))
        take(tmp_path / "soc.csv")

        report = take(tmp_path / "soc.csv")

        assert (report.systems["bms"].was_done, BmsReading.objects.count()) == (True, 2)
        assert (BatteryImport.objects.count(), ImportedFile.objects.get().lines) == (1, 3)

    def test_keeps_what_stands_where_another_file_says_otherwise(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "soc.csv").write_text(table((0, 50.0), (10, 50.1)))
        take(tmp_path / "soc.csv")
        (tmp_path / "soc.csv").write_text(table((0, 50.0), (10, 60.0)))

        told = take(tmp_path / "soc.csv").systems["bms"]

        assert (told.duplicates, told.conflicts, BmsReading.objects.order_by("time").last().soc_percent) == (
            1,
            1,
            pytest.approx(50.1),
        )

    def test_leaves_no_files_behind(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "soc.csv").write_text(table((0, 50.0)))

        take(tmp_path / "soc.csv")

        assert not work_folder(battery.pk).exists()

    @pytest.mark.parametrize(
        "options",
        [
            {"every_seconds": 7},
            {"system": "ems"},
            {"tolerances": {"door": 1}},
            {"tolerances": {"soc": 0}},
            {"convention": "nobody's"},
        ],
    )
    def test_refuses_options_that_make_no_sense(self, battery: Battery, options: dict, tmp_path: Path) -> None:
        with pytest.raises(BadImportOption):
            take(tmp_path, **options)

    def test_refuses_files_without_a_signal(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "door.csv").write_text(table((0, 1)))

        with pytest.raises(NoFiles):
            take(tmp_path)

    def test_refuses_a_battery_that_is_retired_or_that_nobody_knows(self, battery: Battery, tmp_path: Path) -> None:
        Battery.objects.update(status="retired", retired_at=NOW)
        with pytest.raises(RetiredBattery):
            take(tmp_path)
        Battery.objects.update(battery_id="other")
        with pytest.raises(UnknownBattery):
            take(tmp_path)


@pytest.mark.django_db(transaction=True)
class TestABrokenImport:
    def test_goes_on_after_a_kill_and_ends_with_the_same_rows(
        self, battery: Battery, tmp_path: Path, uploads: Path
    ) -> None:
        path = tmp_path / "soc.csv"
        path.write_text(table(*((place * 5, 50 + place % 7) for place in range(2_000))))

        killed = start_script(
            "tests.meters.batteries.importer", database=f"{connection.settings_dict['NAME']}|ZHP1|{path}|{uploads}"
        )
        assert killed.wait(timeout=120) == -9
        before = BmsReading.objects.count()
        report = import_battery(
            battery_id="ZHP1",
            paths=[path],
            options=ImportOptions(),
            actor=PORTAL,
            now=NOW,
            bounds=Bounds(span_rows=300),
        ).systems["bms"]

        values = [*BmsReading.objects.order_by("time").values_list("time", "soc_percent")]
        assert 0 < before < 1_000
        assert report.resumed_from is not None
        assert values == [(TEN + timedelta(seconds=10 * place), 50 + (2 * place + 1) % 7) for place in range(1_000)]

    def test_waits_for_nobody(self, battery: Battery, tmp_path: Path) -> None:
        name = f"battery import {battery.pk}"
        assert try_session_lock(name)
        try:
            with pytest.raises(ImportUnderWay):
                in_thread(lambda: take(tmp_path))()
        finally:
            unlock_session(name)


class TestMemory:
    def test_stays_within_its_bound_while_a_file_ten_times_as_large_is_read(self, tmp_path: Path) -> None:
        grown = subprocess.run(
            [sys.executable, "-m", "tests.meters.batteries.memory", str(tmp_path)],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )

        told = json.loads(grown.stdout)
        assert told["size_mb"] > 10 * told["bound_mb"]
        assert told["rows"] == told["expected_rows"]
        assert told["grown_mb"] < 3 * told["bound_mb"]


class TestCommand:
    def test_tells_what_became_of_files(self, tmp_path: Path) -> None:
        (tmp_path / "soc.csv").write_text(table((0, 50.0), (60, 50.1)))
        out = StringIO()

        call_command("import_battery", "ZHP1", str(tmp_path), "--create", "--every", "1min", "--json", stdout=out)

        assert json.loads(out.getvalue())["systems"]["bms"]["stored"] == 2

    def test_ends_with_1_where_a_line_was_bad(self, battery: Battery, tmp_path: Path) -> None:
        (tmp_path / "soc.csv").write_text(table((0, 50.0), (60, "full")))
        out = StringIO()

        with pytest.raises(CommandError) as error:
            call_command("import_battery", "ZHP1", str(tmp_path), "--tolerance", "soc=30", stdout=out)

        assert error.value.returncode == 1
        assert "soc.csv line 3: soc is no number" in out.getvalue()


class TestUpload:
    def post(self, client, *files: SimpleUploadedFile, **told):
        return client.post(reverse("batteries:api_import", args=["ZHP1"]), {"file": files, **told}, format="multipart")

    def test_becomes_a_job_that_stores_rows(self, battery: Battery) -> None:
        client = client_of(scopes=[Scope.BATTERIES])
        files = [
            SimpleUploadedFile("bms_soc.csv", table((0, 50.0)).encode()),
            SimpleUploadedFile("bms_current.csv.gz", gzip.compress(table((0, 5.0)).encode())),
        ]

        answer = self.post(client, *files, tolerance_soc="30")
        with time_machine.travel(NOW, tick=False):
            job = run_job(job_id=Job.objects.get().pk, runners={}, now=NOW)

        assert (answer.status_code, job.status, job.report["stored"]) == (202, "done", 1)
        assert BmsReading.objects.values_list("soc_percent", "current_a").get() == (50.0, 5.0)

    def test_takes_one_packed_file(self, battery: Battery) -> None:
        client = client_of(scopes=[Scope.BATTERIES])

        self.post(client, SimpleUploadedFile("soc.csv.gz", gzip.compress(table((0, 50.0)).encode())))

        assert run_job(job_id=Job.objects.get().pk, runners={}, now=NOW).report["stored"] == 1

    def test_ends_as_failed_with_its_words_where_it_holds_no_signal(self, battery: Battery) -> None:
        self.post(client_of(scopes=[Scope.BATTERIES]), SimpleUploadedFile("door.csv", table((0, 1)).encode()))

        job = run_job(job_id=Job.objects.get().pk, runners={}, now=NOW)

        assert (job.status, job.error) == ("failed", "No signal was found in door.csv.")

    def test_refuses_customers_and_batteries_that_nobody_knows(self, battery: Battery) -> None:
        file = SimpleUploadedFile("soc.csv", b"x")

        assert self.post(client_of(user=UserFactory.create(role="customer")), file).status_code == 403
        Battery.objects.update(battery_id="other")
        assert self.post(client_of(scopes=[Scope.BATTERIES]), file).status_code == 404


class TestAdmin:
    def test_takes_a_file_by_hand_and_leads_to_its_job(self, battery: Battery, admin_client) -> None:
        url = reverse("admin:batteries_battery_import_files", args=[battery.pk])
        file = SimpleUploadedFile("soc.csv", table((0, 50.0)).encode())

        assert admin_client.get(url).status_code == 200
        answer = admin_client.post(url, {"file": file, "every_seconds": "60"})

        job = Job.objects.get()
        assert (answer.status_code, job.kind, job.parameters["every_seconds"]) == (302, "import_battery", 60)
