"""What goes out as a file and comes in again is what it was: value, time and quality."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import duckdb
import pytest

from accounts.actors import PORTAL
from energy_portal.shared.clock import HALF_HOUR, local_day
from meters.formats.writing import ExportFormat
from meters.models import ChainEvent, RegisterReading, RegisterState
from meters.selectors.exports import ExportedMeter, NotElectric, export, export_meters
from meters.services.file_imports import ImportOptions, import_file
from meters.services.readings import OfferedReading, receive_readings
from tests.factories import MeterFactory, RegisterFactory, supplied_register

NOW = datetime(2025, 12, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = date(2025, 3, 30), date(2025, 10, 26)
MARKET = ["nem12", "greenbutton"]

pytestmark = pytest.mark.django_db


def fill(register, period, *, qualities=(17,), first="0.1"):
    """Give an interval register, or a dial, a value a half-hour of a period, each larger than the one before."""
    count = period.duration // HALF_HOUR
    rows = [
        OfferedReading(
            register.meter.serial,
            period.start + place * HALF_HOUR,
            Decimal(first) + place * Decimal("0.000001"),
            register.code,
            qualities[place % len(qualities)],
        )
        for place in range(1, count + 1)
    ]
    report = receive_readings(readings=rows, actor=PORTAL, now=NOW)
    assert report.stored == count
    return count


def held(meter):
    rows = RegisterReading.objects.filter(register__meter=meter).order_by("register__code", "time")
    return list(rows.values_list("register__code", "time", "value", "quality"))


def again(meter, body):
    """Take a file in, in the place of everything that the meter holds."""
    before = held(meter)
    RegisterReading.objects.all().delete()
    RegisterState.objects.all().delete()
    report = import_file(file=BytesIO(body), name="file", options=ImportOptions(), actor=PORTAL, now=NOW)
    assert report.is_whole
    return before, held(meter)


def file_of(meter, period, file_format):
    return b"".join(export(meter=meter, period=period, file_format=ExportFormat(file_format), now=NOW))


@pytest.fixture(params=[SPRING, AUTUMN, date(2025, 6, 1)], ids=["spring", "autumn", "summer"])
def day(request):
    return local_day(request.param, BERLIN)


class TestIntervals:
    @pytest.mark.parametrize("file_format", ["csv", *MARKET])
    def test_come_back_with_value_time_and_quality(self, day, file_format):
        meter = MeterFactory()
        for code, direction in (("1.8.0", "import"), ("2.8.0", "export")):
            fill(RegisterFactory(meter=meter, code=code, direction=direction, kind="interval"), day, qualities=(17, 7))

        before, after = again(meter, file_of(meter, day, file_format))

        assert len(before) == 2 * (day.duration // HALF_HOUR)
        assert after == before

    @pytest.mark.parametrize("file_format", ["csv", *MARKET])
    def test_that_were_estimated_stay_estimates(self, file_format):
        day = local_day(SPRING, BERLIN)
        register = RegisterFactory(kind="interval")
        fill(register, day, qualities=(17, 8, 9, 12))

        before, after = again(register.meter, file_of(register.meter, day, file_format))

        assert after == before
        assert {quality for *_, quality in after} == {17, 8, 9, 12}

    def test_of_parts_come_back_to_their_parts_by_nem12(self):
        day, meter = local_day(SPRING, BERLIN), MeterFactory()
        for code in ("1.8.1", "1.8.2"):
            fill(RegisterFactory(meter=meter, code=code, kind="interval"), day)

        before, after = again(meter, file_of(meter, day, "nem12"))

        assert after == before

    @pytest.mark.parametrize("file_format", MARKET)
    def test_are_sold_once_where_a_total_stands_beside_its_parts(self, file_format):
        day, meter = local_day(SPRING, BERLIN), MeterFactory()
        for code in ("1.8.0", "1.8.1", "1.8.2"):
            fill(RegisterFactory(meter=meter, code=code, kind="interval"), day)

        _, after = again(meter, file_of(meter, day, file_format))

        assert {code for code, *_ in after} == {"1.8.0"}

    def test_go_to_the_market_after_the_multiplier_that_is_in_force(self):
        day, register = local_day(SPRING, BERLIN), supplied_register(kind="interval", multiplier=2)
        fill(register, day, first="1")
        noon = day.start + 24 * HALF_HOUR
        place = register.meter.installations.get().service_point
        for at, multiplier in ((day.start, 2), (noon, 3)):
            ChainEvent.objects.create(
                kind="multiplier_changed", service_point=place, register=register, at=at, multiplier=multiplier
            )

        body = file_of(register.meter, day, "nem12")
        _, after = again(register.meter, body)

        assert [value for _, time, value, _ in after if time in {noon, noon + HALF_HOUR}] == [
            2 * Decimal("1.000024"),
            3 * Decimal("1.000025"),
        ]

    def test_are_cut_to_those_that_lie_in_the_period_wholly(self):
        day, register = local_day(SPRING, BERLIN), RegisterFactory(kind="interval")
        fill(register, day)
        middle = type(day)(day.start + HALF_HOUR, day.start + 3 * HALF_HOUR)

        lines = file_of(register.meter, middle, "csv").decode().splitlines()

        assert [line.split(",")[2:4] for line in lines[1:]] == [
            [(day.start + n * HALF_HOUR).isoformat(), (day.start + (n + 1) * HALF_HOUR).isoformat()] for n in (1, 2)
        ]


class TestDials:
    def test_come_back_with_value_time_and_quality(self, day):
        meter = MeterFactory()
        for code, direction in (("1.8.0", "import"), ("2.8.0", "export")):
            fill(RegisterFactory(meter=meter, code=code, direction=direction), day, qualities=(17, 9, 18))

        before, after = again(meter, file_of(meter, day, "csv"))

        assert after == before

    @pytest.mark.parametrize("file_format", MARKET)
    def test_give_the_energy_between_their_reads_in_both_directions(self, day, file_format):
        dials = supplied_register()
        export = RegisterFactory(meter=dials.meter, code="2.8.0", direction="export")
        for register in (dials, export):
            fill(register, type(day)(day.start - HALF_HOUR, day.end))
        copy = MeterFactory(serial=f"{dials.meter.serial}-I")
        for register in (dials, export):
            RegisterFactory(meter=copy, code=register.code, direction=register.direction, kind="interval")

        body = file_of(dials.meter, day, file_format).replace(dials.meter.serial.encode(), copy.serial.encode())
        report = import_file(file=BytesIO(body), name="f", options=ImportOptions(), actor=PORTAL, now=NOW)

        count = day.duration // HALF_HOUR
        assert (report.stored, report.is_whole) == (2 * count, True)
        assert [(code, value) for code, _, value, _ in held(copy)] == [
            (code, Decimal("0.000001")) for code in ("1.8.0", "2.8.0") for _ in range(count)
        ]


class TestOtherCommodities:
    @pytest.mark.parametrize("kind", ["cumulative", "interval"])
    @pytest.mark.parametrize("file_format", ["csv", "greenbutton"])
    @pytest.mark.parametrize(
        ("type_", "code", "unit"),
        [("gas", "7-0:3.0.0", "m³"), ("water", "8-0:1.0.0", "m³"), ("heat", "6-0:1.0.0", "GJ")],
    )
    def test_come_back_with_their_units(self, type_, code, unit, file_format, kind):
        register = RegisterFactory(meter=MeterFactory(type=type_), code=code, unit=unit, kind=kind)
        day = local_day(SPRING, BERLIN)
        fill(register, day)

        before, after = again(register.meter, file_of(register.meter, day, file_format))

        assert after == before

    def test_have_no_half_hours_of_electric_energy(self):
        register = RegisterFactory(meter=MeterFactory(type="water"), code="8-0:1.0.0", unit="m³")

        with pytest.raises(NotElectric):
            file_of(register.meter, local_day(SPRING, BERLIN), "nem12")


class TestParquet:
    def test_holds_what_the_registers_hold(self, tmp_path, day):
        meter = MeterFactory()
        fill(RegisterFactory(meter=meter, code="1.8.0"), day, qualities=(17, 9))
        fill(RegisterFactory(meter=meter, code="2.8.0", direction="export", kind="interval"), day)

        path = tmp_path / "file.parquet"
        path.write_bytes(file_of(meter, day, "parquet"))

        columns = "register, epoch_us(time), value, quality, epoch_us(time) - epoch_us(start), serial, unit"
        rows = duckdb.read_parquet(str(path)).project(columns).fetchall()
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        assert [
            (code, epoch + timedelta(microseconds=time), value, quality) for code, time, value, quality, *_ in rows
        ] == held(meter)
        assert {(code, length) for code, _, _, _, length, *_ in rows} == {("1.8.0", None), ("2.8.0", 1_800_000_000)}
        assert {tuple(rest) for *_, _, _, _, _, serial, unit in rows for rest in [(serial, unit)]} == {
            (meter.serial, "kWh")
        }


class TestManyMeters:
    @pytest.mark.parametrize("file_format", ["csv", *MARKET])
    def test_fit_in_one_file(self, file_format):
        day = local_day(SPRING, BERLIN)
        registers = sorted(
            (RegisterFactory(kind="interval") for _ in range(3)), key=lambda register: register.meter.serial
        )
        for register in registers:
            fill(register, day)
        asked = [ExportedMeter(register.meter, day) for register in registers]

        body = b"".join(export_meters(asked=asked, file_format=ExportFormat(file_format), now=NOW))
        before = [held(register.meter) for register in registers]
        RegisterReading.objects.all().delete()
        RegisterState.objects.all().delete()
        import_file(file=BytesIO(body), name="file", options=ImportOptions(), actor=PORTAL, now=NOW)

        assert [held(register.meter) for register in registers] == before
