from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meters.formats.green_button import read_green_button
from meters.formats.green_button_out import write_green_button
from meters.formats.records import FileFault, FileReading, Unreadable
from tests.meters.formats.samples import EPOCH, readings

NOON = datetime(2025, 2, 3, 12, tzinfo=UTC)
POINT = '<entry><link rel="self" href="/UP/1"/><title>METER1</title><content><UsagePoint/></content></entry>'
METER_READING = (
    '<entry><link rel="self" href="/UP/1/MeterReading/1"/><link rel="up" href="/UP/1/MeterReading"/>'
    '<link rel="related" href="/RT/1"/><content><MeterReading/></content></entry>'
)
READING = (
    "<IntervalReading>{quality}<timePeriod><duration>1800</duration><start>1735689600</start></timePeriod>"
    "<value>{value}</value></IntervalReading>"
)


def reading_type(**fields):
    body = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f'<entry><link rel="self" href="/RT/1"/><content><ReadingType>{body}</ReadingType></content></entry>'


def block(*found, up="/UP/1/MeterReading/1/IntervalBlock"):
    return (
        f'<entry><link rel="up" href="{up}"/><content><espi:IntervalBlock><interval><duration>86400</duration>'
        f"<start>1</start></interval>{''.join(found)}</espi:IntervalBlock></content></entry>"
    )


def one(value="1500", quality=""):
    return READING.format(value=value, quality=quality)


def read(*entries, **options):
    return list(read_green_button(BytesIO(feed(*entries)), **options))


def feed(*entries):
    return "\n".join(('<feed xmlns:espi="http://naesb.org/espi">', *entries, "</feed>")).encode()


class TestReadGreenButton:
    def test_reads_deltas_with_their_quality(self):
        quality = "<ReadingQuality><quality>8</quality></ReadingQuality>"

        rows = read(POINT, METER_READING, reading_type(powerOfTenMultiplier=0, uom=72), block(one(quality=quality)))

        start = datetime(2025, 1, 1, tzinfo=UTC)
        assert rows == [
            FileReading(
                line=5,
                serial="METER1",
                register_code="1.8.0",
                start=start,
                end=start + timedelta(minutes=30),
                value=Decimal("1.5"),
                quality=8,
            )
        ]

    @pytest.mark.parametrize(
        ("fields", "kind", "code", "value"),
        [
            ({"accumulationBehaviour": 4, "flowDirection": 19}, "interval", "2.8.0", "1.5"),
            ({"accumulationBehaviour": 3}, "dial", "1.8.0", "1.5"),
            ({"powerOfTenMultiplier": 3}, "interval", "1.8.0", "1500"),
            ({"powerOfTenMultiplier": -3}, "interval", "1.8.0", "0.0015"),
            ({"commodity": 7, "uom": 42}, "interval", "7-0:3.0.0", "1500"),
            ({"commodity": 9, "uom": 42, "powerOfTenMultiplier": -3}, "interval", "8-0:1.0.0", "1.5"),
            ({"commodity": 12, "uom": 31, "powerOfTenMultiplier": 6}, "interval", "6-0:1.0.0", "1.5"),
        ],
    )
    def test_reads_values_as_their_type_says(self, fields, kind, code, value):
        (row,) = read(POINT, METER_READING, reading_type(**fields), block(one()))

        assert (row.kind, row.register_code, row.value) == (kind, code, Decimal(value))

    def test_finds_a_type_that_stands_after_its_blocks(self):
        (row,) = read(block(one()), METER_READING, POINT, reading_type(powerOfTenMultiplier=3))

        assert (row.serial, row.value) == ("METER1", 1500)

    def test_gives_all_readings_to_the_meter_that_is_named(self):
        (row,) = read(POINT, METER_READING, reading_type(), block(one()), default_serial="SG-7")

        assert row.serial == "SG-7"

    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"accumulationBehaviour": 12}, "unknown_accumulation"),
            ({"uom": 38}, "wrong_unit"),
            ({"powerOfTenMultiplier": "many"}, "wrong_unit"),
            ({"flowDirection": 2}, "unknown_register"),
        ],
    )
    def test_says_once_a_block_that_its_type_is_not_known(self, fields, code):
        rows = read(POINT, METER_READING, reading_type(**fields), block(one(), one()))

        assert [(row.line, row.code) for row in rows] == [(5, code)]

    def test_refuses_a_block_without_a_type_or_a_meter(self):
        assert [row.code for row in read(block(one()))] == ["no_reading_type"]
        assert [row.code for row in read(METER_READING, reading_type(), block(one()))] == ["malformed"]

    def test_gives_the_good_half_and_names_each_bad_line(self):
        rows = read(
            POINT,
            METER_READING,
            reading_type(),
            block(
                "\n" + one("many"),
                "\n" + one(quality="<ReadingQuality><quality>99</quality></ReadingQuality>"),
                "\n<IntervalReading><value>1</value></IntervalReading>",
                "\n" + one().replace("<duration>1800", "<duration>0"),
                "\n" + one(),
            ),
        )

        assert [(row.line, row.code) for row in rows[:-1]] == [
            (6, "not_a_number"),
            (7, "unknown_quality"),
            (8, "time_missing"),
            (9, "malformed"),
        ]
        assert (rows[-1].line, rows[-1].value) == (10, Decimal("1.5"))

    def test_keeps_what_stood_before_the_xml_breaks(self):
        body = feed(POINT, METER_READING, reading_type(), block(one()))

        rows = list(read_green_button(BytesIO(body[: -len(b"</feed>")] + b"<broken")))

        assert isinstance(rows[0], FileReading)
        assert [row.code for row in rows[1:]] == ["malformed_xml"]

    def test_expands_no_entity(self):
        body = b'<!DOCTYPE feed [<!ENTITY a "aaaa">]><feed>&a;</feed>'

        assert [row.code for row in read_green_button(BytesIO(body))] == ["forbidden_xml"]

    @given(st.binary(max_size=200))
    def test_never_fails_on_any_bytes(self, body):
        assert all(isinstance(row, FileReading | FileFault) for row in read_green_button(BytesIO(b"<feed>" + body)))


class TestWriteGreenButton:
    @given(st.lists(readings(), max_size=20))
    def test_is_read_back_with_value_time_and_quality(self, written):
        body = b"".join(write_green_button(written, made_at=NOON))

        rows = list(read_green_button(BytesIO(body)))

        assert [replace(row, line=0) for row in rows] == written

    def test_describes_half_hours_of_forward_energy(self):
        reading = FileReading(0, "M1", "1.8.0", EPOCH + timedelta(minutes=30), Decimal("0.25"), EPOCH, quality=9)

        body = b"".join(write_green_button([reading], made_at=NOON)).decode()

        for name, value in {
            "accumulationBehaviour": 4,
            "commodity": 1,
            "flowDirection": 1,
            "kind": 12,
            "uom": 72,
            "intervalLength": 1800,
            "powerOfTenMultiplier": -3,
            "quality": 9,
            "value": 250_000,
        }.items():
            assert f"<{name}>{value}</{name}>" in body

    @pytest.mark.parametrize(
        ("code", "unit", "service"),
        [("7-0:3.0.0", "m³", 1), ("8-0:1.0.0", "m³", 2), ("6-0:1.0.0", "GJ", 4), ("6-0:1.0.0", "kWh", 4)],
    )
    def test_is_read_back_in_other_commodities(self, code, unit, service):
        reading = FileReading(0, "M1", code, EPOCH + timedelta(minutes=30), Decimal("0.000001"), EPOCH, unit, 17)

        body = b"".join(write_green_button([reading], made_at=NOON))

        assert f"<ServiceCategory><kind>{service}</kind>".encode() in body
        assert [replace(row, line=0) for row in read_green_button(BytesIO(body))] == [reading]

    @pytest.mark.parametrize("changes", [{"register_code": "1.8.2"}, {"unit": "kVArh"}])
    def test_refuses_what_no_type_describes(self, changes):
        reading = replace(FileReading(0, "M1", "1.8.0", EPOCH, Decimal(1)), **changes)

        with pytest.raises(Unreadable):
            list(write_green_button([reading], made_at=NOON))

    @pytest.mark.parametrize("value", ["0.0000001", "999999999"])
    def test_refuses_a_value_that_it_could_not_keep(self, value):
        with pytest.raises(ValueError, match="does not fit"):
            list(write_green_button([FileReading(0, "M1", "1.8.0", EPOCH, Decimal(value))], made_at=NOON))
