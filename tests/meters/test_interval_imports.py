from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest

from accounts.actors import PORTAL, Actor
from energy_portal.shared.clock import HALF_HOUR
from energy_portal.shared.errors import Invalid
from meters.formats.records import FileReading
from meters.models import Meter, Register, RegisterReading
from meters.services import imports
from meters.services.file_imports import ImportOptions, import_file
from meters.services.imports import import_readings
from tests.factories import DataSourceFactory, MeterFactory, RegisterFactory, supplied_register

NOW = datetime(2025, 3, 15, 4, tzinfo=UTC)
START = datetime(2025, 3, 1, tzinfo=UTC)
NEM_DAY = "300,20250301,{values},{flag},,,20250302000000,"

pytestmark = pytest.mark.django_db


def interval(serial, place, value, **changes):
    start = START + place * HALF_HOUR
    return FileReading(
        **{
            "line": place + 2,
            "serial": serial,
            "register_code": "1.8.0",
            "start": start,
            "end": start + HALF_HOUR,
            "value": Decimal(value),
        }
        | changes
    )


def take(*records, **options):
    return import_readings(records=records, actor=PORTAL, now=NOW, **options)


def taken(text, *, actor=PORTAL, name="file.csv", create_meters=True, **options):
    body = text if isinstance(text, bytes) else text.encode()
    options = ImportOptions(create_meters=create_meters, **options)
    return import_file(file=BytesIO(body), name=name, options=options, actor=actor, now=NOW)


def problems(report):
    return [(each.line, each.code, each.count) for each in report.problems]


def nem(*records, minutes=30, suffix="E1", values=48, flag="A", configuration=None):
    stream = f"200,NMI0000001,{configuration or suffix},1,{suffix},N1,METER1,kWh,{minutes},"
    return "\n".join([stream, NEM_DAY.format(values=",".join(["1.5"] * values), flag=flag), *records])


class TestIntervals:
    def test_are_values_of_an_interval_register_at_the_mark_that_ends_them(self):
        report = take(interval("M1", 0, "0.5"), interval("M1", 1, "0.25", quality=19), create_meters=True)

        register = Register.objects.get(meter__serial="M1")
        rows = RegisterReading.objects.filter(register=register).order_by("time")
        assert (report.stored, report.meters_created, register.kind) == (2, 1, "interval")
        assert list(rows.values_list("time", "value", "quality")) == [
            (START + HALF_HOUR, Decimal("0.5"), 17),
            (START + 2 * HALF_HOUR, Decimal("0.25"), 19),
        ]

    def test_add_nothing_when_they_come_again(self):
        rows = [interval("M1", place, place) for place in range(4)]

        take(*rows, create_meters=True)
        again = take(*rows)

        assert (again.stored, again.duplicates, again.is_whole) == (0, 4, True)

    def test_are_not_mixed_with_what_a_dial_shows(self):
        dial = supplied_register()
        counted = RegisterFactory(kind="interval")

        report = take(
            interval(dial.meter.serial, 0, 1),
            interval(counted.meter.serial, 0, 1, start=None, line=3),
            create_meters=True,
        )

        assert problems(report) == [(2, "register_is_a_dial", 1), (3, "register_counts_intervals", 1)]
        assert not RegisterReading.objects.exists()

    def test_keep_their_qualities_estimates_among_them(self):
        text = nem("400,1,46,A,,", "400,47,47,S17,,", "400,48,48,E14,,", flag="V")

        report = taken(text)

        qualities = RegisterReading.objects.order_by("time").values_list("quality", flat=True)
        assert (report.stored, list(qualities[45:])) == (48, [17, 9, 8])

    @pytest.mark.parametrize(("minutes", "values"), [(5, 288), (10, 144), (15, 96)])
    def test_are_summed_where_they_are_short(self, minutes, values):
        report = taken(nem(minutes=minutes, values=values))

        stored = RegisterReading.objects.values_list("value", flat=True)
        assert (report.stored, report.is_whole) == (48, True)
        assert set(stored) == {Decimal("1.5") * (30 // minutes)}

    def test_of_half_hours_that_are_not_whole_are_reported_by_their_lines(self):
        text = "serial,start,end,kwh\n" + "".join(
            f"M1,2025-03-01T{start},2025-03-01T{end},1\n"
            for start, end in [("10:00", "10:15"), ("10:30", "10:45"), ("10:45", "11:00"), ("11:00", "12:00")]
        )

        report = taken(text)

        assert problems(report) == [(2, "incomplete_half_hour", 1), (5, "interval_too_long", 1)]
        assert RegisterReading.objects.get().value == 2

    def test_off_the_grid_are_refused(self):
        report = taken("serial,start,end,kwh\nM1,2025-03-01T10:10,2025-03-01T10:40,1\n")

        assert problems(report) == [(2, "off_mark", 1)]

    def test_of_parts_and_of_export_have_registers_of_their_own(self):
        texts = [nem(suffix=each, configuration="E1E2B1") for each in ("E1", "E2", "B1")]

        report = taken("\n".join(texts))

        assert report.stored == 144
        assert list(Register.objects.order_by("code").values_list("code", "direction")) == [
            ("1.8.1", "import"),
            ("1.8.2", "import"),
            ("2.8.0", "export"),
        ]

    def test_of_registers_that_come_late_in_a_file_find_theirs(self, monkeypatch):
        monkeypatch.setattr(imports, "BATCH_SIZE", 20)

        report = taken("\n".join(nem(suffix=each) for each in ("E1", "B1")))

        assert (report.stored, report.meters_created, report.is_whole) == (96, 1, True)

    def test_of_a_source_keep_the_stamp_that_it_writes(self):
        source = DataSourceFactory(label_convention="period_start", zone="Asia/Singapore")

        report = taken("serial,time,kwh\nM1,2025-03-01T23:30,1\n", actor=Actor(source=source), interval_minutes=30)

        reading = RegisterReading.objects.get()
        assert report.is_whole
        assert reading.time == datetime(2025, 3, 1, 16, tzinfo=UTC)
        assert datetime.fromisoformat(reading.raw_stamp) == datetime(2025, 3, 1, 15, 30, tzinfo=UTC)

    @pytest.mark.parametrize(("day", "count"), [("2025-03-30", 46), ("2025-10-26", 50)])
    def test_of_a_day_on_which_the_clock_changes_are_all_there(self, day, count):
        zone = ZoneInfo("Europe/Berlin")
        day_of = datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)
        stamps = [(day_of + place * HALF_HOUR).astimezone(zone).replace(tzinfo=None) for place in range(count)]
        text = "serial,time,kwh\n" + "".join(f"M1,{stamp.isoformat()},0.5\n" for stamp in stamps)

        report = import_file(
            file=BytesIO(text.encode()),
            name="day.csv",
            options=ImportOptions(zone="Europe/Berlin", labels="period-start", interval_minutes=30, create_meters=True),
            actor=PORTAL,
            now=datetime(2025, 12, 1, tzinfo=UTC),
        )

        times = list(RegisterReading.objects.order_by("time").values_list("time", flat=True))
        assert (report.stored, report.is_whole) == (count, True)
        assert times == [day_of + (place + 1) * HALF_HOUR for place in range(count)]


class TestOtherCommodities:
    @pytest.mark.parametrize(
        ("register", "unit", "value", "expected"),
        [
            ("8-0:1.0.0*255", "m³", "12.5", ("water", "8-0:1.0.0", "m³", "12.5")),
            ("9-0:1.0.0", "L", "12500", ("water", "9-0:1.0.0", "m³", "12.5")),
            ("7-0:3.0.0", "m3", "7", ("gas", "7-0:3.0.0", "m³", "7")),
            ("6-0:1.0.0", "MJ", "1500", ("heat", "6-0:1.0.0", "GJ", "1.5")),
            ("6-0:1.0.0", "MWh", "2", ("heat", "6-0:1.0.0", "kWh", "2000")),
            ("1-0:1.8.0*255", "Wh", "900", ("electric", "1.8.0", "kWh", "0.9")),
            ("", "GJ", "3", ("heat", "6-0:1.0.0", "GJ", "3")),
            ("", "", "3", ("electric", "1.8.0", "kWh", "3")),
        ],
    )
    def test_make_meters_of_their_own_type(self, register, unit, value, expected):
        report = taken(f"serial,register,time,value,unit\nM1,{register},2025-03-01T00:00,{value},{unit}\n")

        made = Register.objects.select_related("meter").get()
        assert report.is_whole
        assert (made.meter.type, made.code, made.unit) == expected[:3]
        assert RegisterReading.objects.get().value == Decimal(expected[3])

    def test_of_cubic_metres_need_to_be_named(self):
        text = "serial,time,value,unit\nM1,2025-03-01T00:00,1,m3\n"

        unnamed, named = taken(text), taken(text, commodity="gas")

        assert problems(unnamed) == [(2, "unknown_commodity", 1)]
        assert named.is_whole
        assert Meter.objects.get().type == "gas"

    def test_enter_the_only_register_of_a_meter_that_a_file_does_not_name(self):
        register = RegisterFactory(meter=MeterFactory(type="water"), code="8-0:1.0.0", unit="m³")

        report = taken(f"serial,time,value\n{register.meter.serial},2025-03-01T00:00,4\n", create_meters=False)

        assert report.is_whole
        assert RegisterReading.objects.get().register_id == register.pk

    def test_are_refused_in_another_unit(self):
        register = RegisterFactory(meter=MeterFactory(type="heat"), code="6-0:1.0.0", unit="GJ")

        report = taken(
            "serial,register,time,value,unit\n"
            f"{register.meter.serial},6-0:1.0.0,2025-03-01T00:00,1,kWh\n"
            f"{register.meter.serial},6-0:1.0.0,2025-03-01T00:00,0.0000001,MJ\n"
        )

        assert problems(report) == [(2, "wrong_unit", 1), (3, "too_many_decimals", 1)]

    def test_are_not_added_to_a_meter_of_another_commodity(self):
        meter = MeterFactory(type="water")

        report = taken(f"serial,register,time,value,unit\n{meter.serial},7-0:3.0.0,2025-03-01T00:00,1,m3\n")

        assert problems(report) == [(2, "unknown_register", 1)]


class TestMadeDials:
    def test_have_as_many_digits_as_they_show(self):
        taken("serial,time,value\nM1,2025-03-01T00:00,5\nM1,2025-03-01T00:30,12345678.5\n")

        assert Register.objects.get().digits == 8


class TestDryRun:
    def test_tells_the_same_and_keeps_nothing(self):
        text = nem("400,1,1,A,,") + "\n300,20250230,1"

        dry = taken(text, dry_run=True)

        assert (dry.stored, dry.meters_created) == (48, 1)
        assert [code for _, code, _ in problems(dry)] == [code for _, code, _ in problems(taken(text))]
        assert RegisterReading.objects.count() == 48

    def test_leaves_nothing_behind(self):
        taken(nem(), dry_run=True)

        assert not Meter.objects.exists()
        assert not RegisterReading.objects.exists()


class TestOptions:
    @pytest.mark.parametrize(
        "options",
        [
            {"zone": "Mars/Olympus"},
            {"labels": "middle"},
            {"columns": {"colour": "red"}},
            {"columns": {"value": ""}},
            {"scale": "0"},
            {"scale": "many"},
            {"unit": "furlong"},
            {"interval_minutes": 60},
            {"format": "pdf"},
            {"commodity": "steam"},
        ],
    )
    def test_that_make_no_sense_are_refused(self, options):
        with pytest.raises(Invalid):
            taken("serial,time,value\n", **options)
