from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, Period
from meters.formats.layout import Stamps
from meters.formats.reading import detect, read
from meters.formats.writing import ExportFormat
from meters.models import RegisterReading
from meters.selectors.exports import export
from meters.services.imports import import_readings
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import supplied_register

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
SGT = ZoneInfo("Asia/Singapore")
# Midnight in Singapore.
START = datetime(2025, 2, 28, 16, tzinfo=UTC)
DAY = Period(START, START + timedelta(days=1))

pytestmark = pytest.mark.django_db


@pytest.fixture
def register():
    """Return a register that showed 100.0 at midnight, and 0.25 more each half-hour; the third read is missing."""
    made = supplied_register()
    rows = [
        OfferedReading(made.meter.serial, START + place * HALF_HOUR, Decimal(100) + place * Decimal("0.25"))
        for place in range(60)
        if place != 2
    ]
    receive_readings(readings=rows, actor=PORTAL, now=NOW)
    return made


def exported(register, file_format, period=DAY):
    chunks = export(meter=register.meter, period=period, file_format=ExportFormat(file_format), now=NOW)
    return BytesIO(b"".join(chunks))


def records(file):
    return list(read(file, detect(file), stamps=Stamps(SGT)))


class TestExport:
    def test_writes_a_table_that_comes_in_again_as_it_was(self, register):
        file = exported(register, "csv")
        before = list(RegisterReading.objects.filter(time__lte=DAY.end).values_list("time", "value", "quality"))
        RegisterReading.objects.all().delete()

        report = import_readings(records=records(file), actor=PORTAL, now=NOW)

        assert (report.stored, report.is_whole) == (48, True)
        assert list(RegisterReading.objects.values_list("time", "value", "quality")) == before

    @pytest.mark.parametrize("file_format", ["nem12", "greenbutton"])
    def test_writes_the_half_hours_that_are_known(self, register, file_format):
        found = records(exported(register, file_format))

        missing = {START + HALF_HOUR, START + 2 * HALF_HOUR}
        expected = [START + place * HALF_HOUR for place in range(48)]
        assert [each.start for each in found] == [start for start in expected if start not in missing]
        assert {(each.serial, each.register_code, each.value, each.length, each.quality) for each in found} == {
            (register.meter.serial, "1.8.0", Decimal("0.25"), HALF_HOUR, 17)
        }

    def test_keeps_to_the_periods_that_somebody_may_see(self, register):
        seen = [Period(START - timedelta(days=9), START + 4 * HALF_HOUR)]

        def times(file_format, within):
            chunks = export(
                meter=register.meter, period=DAY, file_format=ExportFormat(file_format), now=NOW, within=within
            )
            return [(each.end - START) // HALF_HOUR for each in records(BytesIO(b"".join(chunks)))]

        assert times("csv", seen) == [0, 1, 3, 4]
        assert times("nem12", seen) == [1, 4]
        assert times("csv", []) == times("greenbutton", []) == []

    def test_rounds_what_a_fine_multiplier_makes(self):
        fine = supplied_register(multiplier=Decimal("0.0001"))
        rows = [
            OfferedReading(fine.meter.serial, START, "1"),
            OfferedReading(fine.meter.serial, START + HALF_HOUR, "2.015"),
        ]
        receive_readings(readings=rows, actor=PORTAL, now=NOW)

        assert [each.value for each in records(exported(fine, "greenbutton"))] == [Decimal("0.000102")]

    def test_goes_over_more_days_than_are_measured_at_once(self, register):
        found = records(exported(register, "nem12", Period(START - timedelta(days=60), START + timedelta(days=10))))

        assert len(found) == 57


class TestCommand:
    def run(self, *options):
        out = StringIO()
        call_command("export_readings", *options, stdout=out)
        return out.getvalue()

    def test_prints_local_days(self, register):
        lines = self.run(register.meter.serial, "--from=2025-03-01", "--to=2025-03-02").splitlines()

        assert lines[0] == "serial,register,start,time,value,unit,quality"
        assert lines[1] == f"{register.meter.serial},1.8.0,,2025-02-28T16:00:00+00:00,100.000000,kWh,17"
        assert len(lines) == 49

    def test_writes_a_file(self, register, tmp_path):
        file = tmp_path / "out.xml"

        printed = self.run(
            register.meter.serial, "--from=2025-03-01", "--to=2025-03-02", "--format=greenbutton", f"--output={file}"
        )

        assert printed == ""
        assert len(records(BytesIO(file.read_bytes()))) == 46

    @pytest.mark.parametrize(
        ("serial", "end", "message"), [("nobody", "2025-03-02", "No meter"), (None, "2025-03-01", "later")]
    )
    def test_refuses_what_cannot_be_written(self, register, serial, end, message):
        with pytest.raises(CommandError, match=message):
            self.run(serial or register.meter.serial, "--from=2025-03-01", f"--to={end}")
