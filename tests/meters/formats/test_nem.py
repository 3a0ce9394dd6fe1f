from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import HALF_HOUR
from meters.formats.nem import read_nem
from meters.formats.nem_codes import flag_of, quality_of, register_of, suffix_of
from meters.formats.nem_out import write_nem12
from meters.formats.records import FileFault, FileReading, Unreadable
from tests.meters.formats.samples import EPOCH, LENGTHS, VALUES

HEADER = "100,NEM12,202502010000,MDP,RETAILER"
STREAM = "200,NMI0000001,E1,1,E1,N1,METER1,kWh,30,"
NOON = datetime(2025, 2, 3, 12, tzinfo=UTC)
NEM_QUALITIES = (7, 8, 9, 10, 11, 12, 17)


def day(flag="A", *, count=48, first="20250203", values=None):
    cells = values or [str(place) for place in range(1, count + 1)]
    return f"300,{first},{','.join(cells)},{flag},,,20250204000000,"


def read(*lines):
    return list(read_nem(BytesIO("\n".join(lines).encode())))


def good(records):
    return [each for each in records if isinstance(each, FileReading)]


def faults(records):
    return [(each.line, each.code) for each in records if isinstance(each, FileFault)]


class TestReadNem12:
    def test_reads_a_day_on_the_clock_ten_hours_ahead(self):
        rows = read(HEADER, STREAM, day(), "900")

        assert len(rows) == 48
        assert rows[0] == FileReading(
            line=3,
            serial="METER1",
            register_code="1.8.0",
            start=datetime(2025, 2, 2, 14, tzinfo=UTC),
            end=datetime(2025, 2, 2, 14, 30, tzinfo=UTC),
            value=Decimal(1),
            quality=17,
        )
        assert rows[-1].end == datetime(2025, 2, 3, 14, tzinfo=UTC)

    @pytest.mark.parametrize(("minutes", "count"), [(5, 288), (15, 96), (30, 48)])
    def test_takes_each_length_of_interval(self, minutes, count):
        rows = read(HEADER, STREAM.replace(",30,", f",{minutes},"), day(count=count))

        assert [row.length for row in rows] == [timedelta(minutes=minutes)] * count

    def test_tolerates_a_missing_header_and_blank_lines(self):
        assert len(good(read("", STREAM, day()))) == 48

    def test_names_the_nmi_where_there_is_no_serial(self):
        assert read(STREAM.replace("METER1", ""), day())[0].serial == "NMI0000001"

    def test_brings_watt_hours_to_kilowatt_hours(self):
        rows = read(STREAM.replace("kWh", "Wh"), day())

        assert (rows[0].value, rows[0].unit) == (Decimal("0.001"), "kWh")

    def test_gives_ranges_from_one_to_the_last_inclusive_their_quality(self):
        rows = read(STREAM, day("V"), "400,1,2,A,,", "400,3,47,S14,5,", "400,48,48,N,,", "900")

        assert [row.quality for row in rows] == [17, 17, *[8] * 45]

    def test_never_takes_missing_for_zero(self):
        values = ["1", "", *["2"] * 46]
        rows = read(STREAM, day("N"), day(values=values))

        assert len(good(rows)) == 47
        assert faults(rows) == [(3, "value_missing")]

    def test_says_where_nobody_told_the_quality(self):
        rows = read(STREAM, day("V"), "400,1,40,A,,")

        assert (len(good(rows)), faults(rows)) == (40, [(2, "quality_missing")])

    def test_gives_the_good_half_and_names_each_bad_line(self):
        rows = read(
            HEADER,
            STREAM,
            day(count=47),
            day("X"),
            day(first="20250230"),
            "777,1",
            "400,1,2,A,,",
            day(values=["one", *["2"] * 47]),
            STREAM.replace(",30,", ",20,"),
            day(),
            STREAM,
            day("V"),
            "400,0,48,A,,",
            "400,1,48,Z,,",
            "400,1,48,F16,,",
            "100,NEM99,202502010000,MDP,RETAILER",
        )

        assert faults(rows) == [
            (3, "value_count"),
            (4, "unknown_quality"),
            (5, "malformed"),
            (6, "unknown_record"),
            (7, "misplaced_record"),
            (8, "not_a_number"),
            (9, "interval_length"),
            (10, "misplaced_record"),
            (13, "malformed"),
            (14, "unknown_quality"),
            (16, "unknown_version"),
        ]
        assert [(line, len(list(run))) for line, run in groupby(row.line for row in good(rows))] == [(8, 47), (12, 48)]

    @given(st.lists(st.text("0123456789,AENVSkWh.-", max_size=40), max_size=8))
    def test_never_fails_on_any_records(self, tails):
        assert all(
            isinstance(row, FileReading | FileFault)
            for tail in tails
            for row in read(STREAM, day("V"), *(f"{record},{tail}" for record in (200, 250, 300, 400)))
        )


class TestReadNem13:
    RECORD = (
        "250,NMI0000001,11,1,{suffix},11,METER1,{direction},006342.8,20031005093055,A,,,"
        "007654.9,20040107100333,{flag},,,1312.1,kWh,20040407,20040108100333,"
    )

    def test_gives_both_reads_of_the_dial(self):
        rows = read("100,NEM13,200401101030,MDA1,Ret1", self.RECORD.format(suffix=11, direction="E", flag="E"), "900")

        assert [(row.kind, row.register_code, row.end, row.value, row.quality) for row in rows] == [
            ("dial", "1.8.0", datetime(2003, 10, 4, 23, 30, 55, tzinfo=UTC), Decimal("6342.8"), 17),
            ("dial", "1.8.0", datetime(2004, 1, 7, 0, 3, 33, tzinfo=UTC), Decimal("7654.9"), 12),
        ]

    def test_tells_what_was_sent_out_and_keeps_dials_apart(self):
        rows = read(self.RECORD.format(suffix=12, direction="I", flag="A"))

        assert {row.register_code for row in rows} == {"2.8.2"}

    def test_gives_the_good_read_of_a_line(self):
        rows = read(self.RECORD.format(suffix=11, direction="E", flag="?"))

        assert (len(good(rows)), faults(rows)) == (1, [(1, "unknown_quality")])


class TestCodes:
    @pytest.mark.parametrize(
        ("flag", "quality"), [("A", 17), ("S14", 8), ("F17", 9), ("E12", 11), ("S", 7), ("F16", 7), ("E", 12)]
    )
    def test_tell_the_quality_of_a_flag(self, flag, quality):
        assert quality_of(flag) == quality

    @pytest.mark.parametrize("quality", NEM_QUALITIES)
    def test_bring_a_quality_there_and_back(self, quality):
        assert quality_of(flag_of(quality)) == quality

    @pytest.mark.parametrize("quality", [None, 0, 14, 18, 19])
    def test_call_actual_what_nobody_changed(self, quality):
        assert flag_of(quality) == "A"

    @pytest.mark.parametrize(
        ("suffix", "code"), [("E1", "1.8.0"), ("E2", "1.8.2"), ("B1", "2.8.0"), ("Q1", "3.8.0"), ("V1", "V1")]
    )
    def test_name_the_register_of_a_stream(self, suffix, code):
        assert register_of(suffix) == code

    @pytest.mark.parametrize(
        ("suffix", "configuration", "code"),
        [("E1", "E1E2B1", "1.8.1"), ("E2", "E1E2B1", "1.8.2"), ("B1", "E1E2B1", "2.8.0"), ("E1", "E1E1", "1.8.0")],
    )
    def test_tell_a_total_from_a_part_by_the_meters_other_streams(self, suffix, configuration, code):
        assert register_of(suffix, configuration) == code

    @pytest.mark.parametrize("code", ["5.8.0", "1.8.x", "gas", ""])
    def test_refuse_a_register_without_a_stream(self, code):
        with pytest.raises(Unreadable):
            suffix_of(code)


@st.composite
def streams(draw):
    """Draw the intervals of a few streams, sorted and with holes."""
    made = []
    for serial in sorted(draw(st.sets(st.sampled_from(["M1", "M2", "M,3"]), min_size=1))):
        length = draw(LENGTHS)
        for place in sorted(draw(st.sets(st.integers(0, 500), max_size=30))):
            start = EPOCH + place * length
            quality = draw(st.sampled_from(NEM_QUALITIES))
            made.append(FileReading(0, serial, "1.8.0", start + length, draw(VALUES), start, quality=quality))
    return made


class TestWriteNem12:
    @given(streams())
    def test_is_read_back_with_value_time_and_quality(self, written):
        rows = list(read_nem(BytesIO(b"".join(write_nem12(written, made_at=NOON)))))

        assert [replace(row, line=0) for row in rows] == written

    def test_marks_what_is_missing_and_repeats_no_quality(self):
        start = datetime(2025, 2, 2, 14, tzinfo=UTC)
        reading = FileReading(0, "M1", "1.8.0", start + HALF_HOUR, Decimal("1.5"), start, quality=9)

        lines = b"".join(write_nem12([reading], made_at=NOON)).decode().splitlines()

        assert [line.split(",")[0] for line in lines] == ["100", "200", "300", "400", "400", "900"]
        assert lines[2].startswith(f"300,{date(2025, 2, 3):%Y%m%d},1.5,0,")
        assert lines[3:5] == ["400,1,1,S17,,", "400,2,48,N,,"]

    @pytest.mark.parametrize(
        "changes", [{"start": None}, {"end": EPOCH + timedelta(minutes=10)}, {"start": EPOCH - timedelta(minutes=1)}]
    )
    def test_refuses_what_is_no_interval_of_its_lengths(self, changes):
        reading = FileReading(0, "M1", "1.8.0", EPOCH + HALF_HOUR, Decimal(1), EPOCH)

        with pytest.raises(Unreadable, match=r"interval|mark"):
            list(write_nem12([replace(reading, **changes)], made_at=NOON))

    def test_keeps_parts_apart_from_totals(self):
        rows = [
            FileReading(0, "M1", code, EPOCH + HALF_HOUR, Decimal(1), EPOCH) for code in ("1.8.1", "1.8.2", "2.8.0")
        ]
        file = BytesIO(b"".join(write_nem12(rows, made_at=NOON, registers={"M1": ["1.8.1", "1.8.2", "2.8.0"]})))

        assert [row.register_code for row in read_nem(file)] == ["1.8.1", "1.8.2", "2.8.0"]

    @pytest.mark.parametrize("registers", [["1.8.1"], ["1.8.0", "1.8.1"], ["1.8.0", "1.8.2"]])
    def test_refuses_registers_that_would_be_taken_for_others(self, registers):
        rows = [FileReading(0, "M1", code, EPOCH + HALF_HOUR, Decimal(1), EPOCH) for code in registers]

        with pytest.raises(Unreadable, match="cannot tell"):
            list(write_nem12(rows, made_at=NOON, registers={"M1": registers}))

    def test_refuses_two_values_for_one_stretch(self):
        reading = FileReading(0, "M1", "1.8.0", EPOCH + HALF_HOUR, Decimal(1), EPOCH)

        with pytest.raises(ValueError, match="Two values"):
            list(write_nem12([reading, reading], made_at=NOON))
