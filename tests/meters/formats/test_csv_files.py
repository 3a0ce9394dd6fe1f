from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import LabelConvention
from meters.formats.csv_files import read_csv, write_csv
from meters.formats.layout import Layout, Stamps
from meters.formats.records import FileFault, FileReading, Unreadable
from tests.meters.formats.samples import readings

SGT = ZoneInfo("Asia/Singapore")


def read(text, *, labels=LabelConvention.PERIOD_END, zone=SGT, **layout):
    body = text if isinstance(text, bytes) else text.encode()
    return list(read_csv(BytesIO(body), stamps=Stamps(zone, labels), layout=Layout(**layout)))


class TestReadCsv:
    @pytest.mark.parametrize(
        "header",
        [
            "serial,time,value",
            "Meter ID,Timestamp,Reading",
            "nmi;reading_time;kWh",
            "\ufeffmeter\tdate-time\tvalue",
        ],
    )
    def test_finds_its_columns_by_their_usual_names(self, header):
        delimiter = next(each for each in ",;\t" if each in header)

        (reading,) = read(f"{header}\r\n" + delimiter.join(("SG-1", "2025-01-01T10:30", "12.5")) + "\r\n")

        assert (reading.line, reading.serial, reading.kind) == (2, "SG-1", "dial")
        assert (reading.end, reading.value) == (datetime(2025, 1, 1, 2, 30, tzinfo=UTC), Decimal("12.5"))
        assert reading.register_code == ""

    def test_takes_a_files_own_names_before_any_synonym(self):
        rows = read(
            "time,recorded,zaehler,stand\n2025-01-01T00:00,2025-01-01T10:30,SG-1,12\n",
            columns={"time": "recorded", "serial": "Zaehler", "value": "stand"},
        )

        assert [(row.serial, row.end.hour, row.value) for row in rows] == [("SG-1", 2, Decimal(12))]

    @pytest.mark.parametrize(
        ("labels", "stamp", "hour", "minute"),
        [
            ("period_end", "2025-01-01T23:59:00", 16, 0),
            ("period_end", "2025-01-01T10:00:00+00:00", 10, 0),
            ("period_start", "2025-01-01 23:30", 16, 0),
            ("end_minus_one", "2025-01-01 10:29", 2, 30),
        ],
    )
    def test_applies_the_label_convention(self, labels, stamp, hour, minute):
        (reading,) = read(f"serial,time,value\nSG-1,{stamp},1\n", labels=LabelConvention(labels))

        assert reading.end == datetime(2025, 1, 1, hour, minute, tzinfo=UTC)

    def test_gives_the_good_half_and_names_each_bad_line(self):
        rows = read(
            "serial,time,value,quality,unit\n"
            "SG-1,2025-01-01T00:00,1,17,kWh\n"
            "SG-1,2025-01-01T00:10,2,,\n"
            "SG-1,yesterday,2,,\n"
            "\n"
            "SG-1,2025-01-01T00:30,two,,\n"
            "SG-1,2025-01-01T00:30,,,\n"
            ",2025-01-01T00:30,2,,\n"
            "SG-1,2025-01-01T00:30,2,99,\n"
            "SG-1,2025-01-01T00:30,2,,furlong\n"
            "SG-1,0001-01-01T00:00,2,,\n"
            "SG-1,2025-01-01T01:00,2500,,Wh\n"
        )

        assert [(row.line, row.code) for row in rows if isinstance(row, FileFault)] == [
            (3, "off_mark"),
            (4, "malformed"),
            (6, "not_a_number"),
            (7, "value_missing"),
            (8, "malformed"),
            (9, "unknown_quality"),
            (10, "wrong_unit"),
            (11, "malformed"),
        ]
        good = [row for row in rows if isinstance(row, FileReading)]
        assert [(row.line, row.value, row.quality) for row in good] == [(2, 1, 17), (12, Decimal("2.5"), None)]

    def test_counts_lines_across_quoted_line_breaks(self):
        rows = read('serial,time,value,note\nSG-1,2025-01-01T00:00,1,"a\nb"\nSG-1,never,1,\n')

        assert [row.line for row in rows] == [3, 4]

    def test_refuses_a_table_without_the_columns_that_it_needs(self):
        assert [(row.line, row.code) for row in read("a,b,c\n1,2,3\n")] == [(1, "column_missing")]
        assert [(row.line, row.code) for row in read("")] == [(1, "column_missing")]

    def test_gives_rows_without_a_meter_to_the_one_that_is_named(self):
        (reading,) = read("time,value\n2025-01-01T00:00,1\n", serial="SG-7")

        assert reading.serial == "SG-7"

    def test_takes_intervals_of_any_length(self):
        rows = read(
            "serial,start,end,kwh\nSG-1,2025-01-01T00:00,2025-01-01T00:05,0.1\nSG-1,2025-01-01T00:05,2025-01-01T00:05,1\n"
        )

        assert (rows[0].kind, rows[0].length) == ("interval", timedelta(minutes=5))
        assert (rows[1].line, rows[1].code) == (3, "malformed")

    def test_joins_a_day_and_an_hour_and_makes_kwh_of_mean_power(self):
        rows = read(
            "date,period_ending_time,system_demand_actual\n2012-02-06,00:30,4526.68\n2012-02-07,00:00,4885.77\n",
            columns={"time": "date+period_ending_time", "value": "system_demand_actual"},
            serial="SG",
            unit="kWh",
            scale=Decimal(500),
            interval=timedelta(minutes=30),
        )

        assert [(row.start, row.end, row.value) for row in rows] == [
            (datetime(2012, 2, 5, 16, tzinfo=UTC), datetime(2012, 2, 5, 16, 30, tzinfo=UTC), Decimal(2263340)),
            (datetime(2012, 2, 6, 15, 30, tzinfo=UTC), datetime(2012, 2, 6, 16, tzinfo=UTC), Decimal(2442885)),
        ]

    @pytest.mark.parametrize(
        ("labels", "stamp"),
        [
            ("period_start", "2025-01-01T23:30"),
            ("period_end", "2025-01-02T00:00"),
            ("period_end", "2025-01-01T23:59"),
            ("period_end", "2025-01-01T23:59:59"),
            ("end_minus_one", "2025-01-01T23:59"),
        ],
    )
    def test_reads_one_stamp_of_an_interval_as_its_source_means_it(self, labels, stamp):
        (row,) = read(
            f"serial,time,kwh\nSG-1,{stamp},1\n", labels=LabelConvention(labels), interval=timedelta(minutes=30)
        )

        assert (row.start, row.end) == (datetime(2025, 1, 1, 15, 30, tzinfo=UTC), datetime(2025, 1, 1, 16, tzinfo=UTC))

    def test_ends_an_interval_with_both_stamps_where_its_last_minute_does(self):
        rows = read(
            "serial,start,end,kwh\nSG-1,2025-01-01T23:30,2025-01-01T23:59,1\n"
            "SG-1,2025-01-01T23:00,2025-01-01T23:29,1\n",
            labels=LabelConvention.END_MINUS_ONE,
        )

        assert [row.length for row in rows] == [timedelta(minutes=30)] * 2

    @pytest.mark.parametrize("header", ["serial,time,value", "serial,start,end,kwh"])
    def test_takes_an_hour_that_comes_twice_as_two_hours(self, header):
        marks = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]
        rows = [f"2025-10-26T{mark}" for mark in marks]
        if "start" in header:
            rows = [f"{start},{end}" for start, end in pairwise(rows)]

        found = read(f"{header}\n" + "".join(f"SG-1,{row},1\n" for row in rows), zone=ZoneInfo("Europe/Berlin"))

        first = datetime(2025, 10, 25, 23, 30, tzinfo=UTC)
        if "start" in header:
            assert {row.length for row in found} == {timedelta(minutes=30)}
            first += timedelta(minutes=30)
        assert [row.end for row in found] == [first + n * timedelta(minutes=30) for n in range(len(found))]

    def test_breaks_off_at_a_line_without_an_end(self):
        with pytest.raises(Unreadable, match="no end"):
            read("serial,time,value\n" + "1" * 1_100_000)

    @given(st.binary(max_size=300))
    def test_never_fails_on_any_bytes(self, body):
        assert all(isinstance(row, FileReading | FileFault) for row in read(b"serial,time,value\n" + body))


class TestWriteCsv:
    @given(st.lists(readings(kinds=("dial", "interval"))))
    def test_is_read_back_with_value_time_and_quality(self, written):
        rows = read(b"".join(write_csv(written)))

        assert rows == [
            FileReading(
                line=place,
                serial=each.serial,
                register_code=each.register_code,
                start=each.start,
                end=each.end,
                value=each.value,
                unit=each.unit,
                quality=each.quality,
            )
            for place, each in enumerate(written, start=2)
        ]

    def test_lets_no_serial_become_a_formula(self):
        at = datetime(2025, 1, 1, tzinfo=UTC)

        body = b"".join(write_csv([FileReading(0, "=1+1", "1.8.0", at, Decimal(1))]))

        assert b"'=1+1," in body
        assert read(body)[0].serial == "=1+1"
