import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.actors import PORTAL, Actor
from accounts.models import AuditEntry
from meters.formats.layout import Stamps
from meters.formats.reading import FileFormat, read
from meters.formats.records import FileFault, FileReading
from meters.models import Meter, ReadingException, Register, RegisterReading
from meters.services import imports
from meters.services.imports import import_readings
from tests.factories import DataSourceFactory, MeterFactory, RegisterFactory, supplied_register

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
SGT = ZoneInfo("Asia/Singapore")
MIDNIGHT = datetime(2025, 3, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def dial(register, hours, value, *, line=2, **changes):
    values = {
        "line": line,
        "serial": register.meter.serial,
        "register_code": register.code,
        "end": MIDNIGHT + timedelta(hours=hours),
        "value": Decimal(value),
    }
    return FileReading(**values | changes)


def take(*records, actor=PORTAL, **options):
    return import_readings(records=records, actor=actor, now=NOW, **options)


def stored(register):
    rows = RegisterReading.objects.filter(register=register).order_by("time")
    return [(time, value) for time, value in rows.values_list("time", "value")]


class TestImportReadings:
    def test_stores_dials_and_adds_nothing_when_the_file_comes_again(self):
        register = supplied_register()
        rows = [dial(register, 0, 100), dial(register, 1, 101, line=3)]

        first, again = take(*rows), take(*rows)

        assert (first.stored, first.duplicates, first.is_whole) == (2, 0, True)
        assert (again.stored, again.duplicates, again.is_whole) == (0, 2, True)
        assert stored(register) == [(MIDNIGHT, 100), (MIDNIGHT + timedelta(hours=1), 101)]

    def test_stores_the_good_half_and_tells_why_each_other_line_is_not(self):
        register = supplied_register()
        take(dial(register, 0, 100))

        report = take(
            dial(register, 1, 101, line=2),
            FileFault(3, "not_a_number", "'x' is not a number."),
            dial(register, 0, 99, line=4),
            dial(register, 2, 90, line=5),
            dial(register, 2, 102, line=6, unit="m³"),
            dial(register, 2, 102, line=7, serial="SG-nobody\0"),
            dial(register, 0, 100, line=8, quality=9),
            dial(register, 0, 101, line=9, quality=9),
            dial(register, 2, 102, line=10, start=MIDNIGHT + timedelta(hours=1)),
            dial(register, 2, 102, line=10, start=MIDNIGHT + timedelta(hours=1)),
            dial(register, 3, 103, line=11, quality=19),
        )

        assert [(each.line, each.code, each.count) for each in report.problems] == [
            (3, "not_a_number", 1),
            (4, "conflict", 1),
            (5, "regression", 1),
            (6, "wrong_unit", 1),
            (7, "unknown_meter", 1),
            (9, "estimate_not_taken", 1),
            (10, "register_is_a_dial", 2),
        ]
        assert (report.stored, report.duplicates, report.conflicts, report.rejected) == (2, 1, 1, 7)
        assert report.problems_by_code["register_is_a_dial"] == 2
        assert not report.is_whole
        assert [value for _, value in stored(register)] == [100, 101, 103]
        assert ReadingException.objects.get(code="conflict").offered_value == 99

    def test_goes_through_the_door_in_batches(self, monkeypatch):
        monkeypatch.setattr(imports, "BATCH_SIZE", 3)
        register, steps = supplied_register(), []

        report = take(
            *(dial(register, place, 100 + place, line=place) for place in range(8)),
            dial(register, 3, 1, line=9),
            progress=lambda: steps.append(RegisterReading.objects.count()),
        )

        assert steps == [3, 6, 8, 8]
        assert report.stored == 8
        assert [(each.line, each.code) for each in report.problems] == [(9, "conflict")]

    @pytest.mark.parametrize(
        ("labels", "raw"),
        [("period_end", None), ("period_start", "15:30:00+00:00"), ("end_minus_one", "15:59:00+00:00")],
    )
    def test_keeps_the_source_and_the_stamp_that_it_writes(self, labels, raw):
        source, register = DataSourceFactory(label_convention=labels), supplied_register()

        report = take(dial(register, 16, 100), actor=Actor(source=source))

        reading = RegisterReading.objects.get(register=register)
        assert report.stored == 1
        assert (reading.time, reading.source_id) == (MIDNIGHT + timedelta(hours=16), source.pk)
        assert reading.raw_stamp == (raw and f"2025-03-01T{raw}")

    def test_makes_no_meter_unasked(self):
        report = take(FileReading(2, "NEW-1", "1.8.0", MIDNIGHT, Decimal(1)))

        assert [each.code for each in report.problems] == ["unknown_meter"]
        assert not Meter.objects.exists()

    def test_makes_the_meters_that_it_is_asked_to_make(self):
        register = RegisterFactory(meter=MeterFactory(serial="OLD-1"))

        report = take(
            FileReading(2, "NEW-1", "1.8.0", MIDNIGHT, Decimal(1)),
            FileReading(3, "NEW-1", "2.8.0", MIDNIGHT, Decimal(2)),
            FileReading(4, "NEW-2", "3.8.0", MIDNIGHT, Decimal(3), unit="kVArh"),
            dial(register, 0, 4, line=5),
            dial(register, 0, 5, line=6, register_code="2.8.0"),
            create_meters=True,
        )

        assert (report.stored, report.meters_created) == (4, 1)
        assert [(each.line, each.code) for each in report.problems] == [(4, "unknown_meter")]
        assert register.meter.registers.filter(code="2.8.0", direction="export").exists()
        assert list(Register.objects.filter(meter__serial="NEW-1").values_list("code", "direction")) == [
            ("1.8.0", "import"),
            ("2.8.0", "export"),
        ]
        assert AuditEntry.objects.get(action="meter.created").detail == {"serial": "NEW-1"}

    def test_keeps_the_instants_of_nem13_reads_that_somebody_took(self):
        source, register = DataSourceFactory(label_convention="period_start"), supplied_register()
        line = f"250,NMI,11,1,11,11,{register.meter.serial},E,5,20250301100000,A,,,6,20250302100333,A,,,1,kWh,,"

        records = list(read(BytesIO(line.encode()), FileFormat.NEM12, stamps=Stamps(SGT)))
        first, again = (take(*records, actor=Actor(source=source)) for _ in range(2))

        assert (first.stored, first.is_whole, again.duplicates) == (2, True, 2)
        assert stored(register) == [(MIDNIGHT, 5), (MIDNIGHT + timedelta(days=1, minutes=3, seconds=33), 6)]
        assert set(RegisterReading.objects.values_list("raw_stamp", flat=True)) == {None}

    def test_asks_the_database_as_often_however_many_meters_a_batch_names(self):
        def queries(count):
            rows = [dial(supplied_register(), 0, 1) for _ in range(count)]
            take(dial(supplied_register(), 0, 1))
            with CaptureQueriesContext(connection) as found:
                take(*rows)
            return len(found)

        assert queries(1) == queries(12)


class TestCommand:
    def run(self, file, *options):
        out = StringIO()
        call_command("import_readings", str(file), *options, stdout=out, stderr=StringIO())
        return out.getvalue()

    @pytest.fixture(autouse=True)
    def _at_noon(self):
        with time_machine.travel(NOW, tick=False):
            yield

    def test_tells_what_became_of_a_whole_file(self, tmp_path):
        register = supplied_register()
        file = tmp_path / "reads.csv"
        file.write_text(f"meter_id,timestamp,reading\n{register.meter.serial},2025-02-28T23:59,100\n")

        assert self.run(file) == ("Stored 1, duplicates 0, conflicts 0, waiting for a decision 0, rejected 0.\n")
        assert stored(register) == [(datetime(2025, 2, 28, 16, tzinfo=UTC), 100)]

    def test_fails_with_one_and_names_the_bad_lines(self, tmp_path):
        register = supplied_register()
        file = tmp_path / "reads.csv"
        file.write_text(f"serial,time,value\n{register.meter.serial},2025-02-28T10:15,1\nX,2025-02-28T10:00,1\n")

        with pytest.raises(CommandError, match="2 lines were bad") as caught:
            self.run(file)

        assert caught.value.returncode == 1

    def test_prints_its_report_as_json(self, tmp_path):
        file = tmp_path / "reads.csv"
        file.write_text("time,stand\n2025-02-28 09:30,5\n2025-02-28 09:31,5\n")
        out = StringIO()

        with pytest.raises(CommandError):
            call_command(
                "import_readings",
                str(file),
                "--json",
                "--create-meters",
                "--meter=NEW-1",
                "--column=value=stand",
                "--zone=UTC",
                "--labels=period-start",
                stdout=out,
            )

        report = json.loads(out.getvalue())
        assert (report["stored"], report["meters_created"], report["rejected"]) == (1, 1, 1)
        assert [(each["line"], each["code"]) for each in report["problems"]] == [(3, "off_mark")]
        assert RegisterReading.objects.get().time == datetime(2025, 2, 28, 10, tzinfo=UTC)

    def test_reads_stamps_by_the_source_that_it_is_told(self, tmp_path):
        register, source = supplied_register(), DataSourceFactory(label_convention="period_start", zone="UTC")
        file = tmp_path / "reads.csv"
        file.write_text(f"serial,time,value\n{register.meter.serial},2025-02-28T09:30,1\n")

        self.run(file, "--source", source.name)

        reading = RegisterReading.objects.get()
        assert (reading.time.hour, reading.source_id) == (10, source.pk)

    @pytest.mark.parametrize(
        "options", [["--zone=Mars/Olympus"], ["--source=nobody"], ["--column=colour=red"], ["--column=value"]]
    )
    def test_fails_with_two_on_a_bad_option(self, tmp_path, options):
        file = tmp_path / "reads.csv"
        file.write_text("serial,time,value\n")

        with pytest.raises(CommandError) as caught:
            self.run(file, *options)

        assert caught.value.returncode == 2

    def test_fails_with_two_without_a_file(self, tmp_path):
        with pytest.raises(CommandError) as caught:
            self.run(tmp_path / "none.csv")

        assert caught.value.returncode == 2

    def test_shows_no_more_lines_than_a_person_reads(self, tmp_path):
        file = tmp_path / "reads.csv"
        file.write_text("serial,time,value\n" + "X,never,1\n" * 130)
        out = StringIO()

        with pytest.raises(CommandError):
            call_command("import_readings", str(file), stdout=out, stderr=StringIO())

        assert out.getvalue().count("malformed") == 100
        assert "30 more" in out.getvalue()
