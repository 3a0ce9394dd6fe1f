"""Tables read as columns say what their rows say one by one."""

import io
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_portal.shared.clock import LabelConvention
from meters.formats import csv_rows
from meters.formats.csv_files import ANY_LAYOUT, read_csv
from meters.formats.layout import Layout, Stamps
from meters.formats.records import DialColumns

SGT = Stamps(ZoneInfo("Asia/Singapore"))
BERLIN = Stamps(ZoneInfo("Europe/Berlin"), LabelConvention.PERIOD_START)
HEADER = "serial,register,start,time,value,unit,quality\n"

cells = st.tuples(
    st.sampled_from(["SG-1", " SG-2 ", "'=SG", "", "M\u00fcller"]),
    st.sampled_from(["1.8.0", "1-1:1.8.0*255", ""]),
    st.sampled_from(["", "", "", "2025-03-01T00:00"]),
    st.sampled_from(["2025-03-01T00:30", "2025-03-01T00:30+08:00", "2024-10-27T02:30", "2025-03-01T00:10", "never"]),
    st.sampled_from(["1", "000012.500000", "1e3", "-1", "", " 7", "1234567890", "0.0000001"]),
    st.sampled_from(["", "kWh", "KWH", "Wh", "m3", "stone"]),
    st.sampled_from(["", "17", "9", "99"]),
)
usual = st.tuples(
    st.sampled_from(["SG-1", "SG-2"]),
    st.just("1.8.0"),
    st.just(""),
    st.sampled_from(["2025-03-01T00:30", "2025-03-01T23:59"]),
    st.sampled_from(["1", "2.5"]),
    st.just("kWh"),
    st.sampled_from(["", "17"]),
)


def expanded(text, *, stamps=SGT, layout=ANY_LAYOUT, columns):
    found = []
    for record in read_csv(io.BytesIO(text.encode()), stamps=stamps, layout=layout, columns=columns):
        if isinstance(record, DialColumns):
            found += (record.row(place) for place in range(len(record.lines)))
        else:
            found.append(record)
    return found


class TestColumns:
    @given(st.lists(usual | cells, max_size=6), st.sampled_from([SGT, BERLIN]), st.sampled_from(["", "SG-9"]))
    def test_say_what_rows_say(self, rows, stamps, serial):
        text = HEADER + "".join(",".join(row) + "\n" for row in rows)
        layout = Layout(serial=serial)

        by_columns, by_rows = (
            expanded(text, stamps=stamps, layout=layout, columns=columns) for columns in (True, False)
        )

        assert by_columns == by_rows

    @pytest.mark.parametrize("bad", ["", "\n", '"SG-1\n', "SG-1\n", "SG-1,1.8.0,,2025-03-01T00:30,1\x00,kWh,17\n"])
    def test_keep_the_numbers_of_lines(self, bad):
        good = "SG-1,1.8.0,,2025-03-01T00:30,1,kWh,17\n"
        text = HEADER + good + bad + good

        assert expanded(text, columns=True) == expanded(text, columns=False)

    def test_come_in_parts_of_a_long_table(self, monkeypatch):
        monkeypatch.setattr(csv_rows, "_FIRST_BLOCK", 50)
        monkeypatch.setattr(csv_rows, "ROWS_AT_ONCE", 2.1)
        text = "serial,time,kwh\n" + "SG-1,2025-03-01T00:30,1\n" * 5

        parts = list(read_csv(io.BytesIO(text.encode()), stamps=SGT, columns=True))

        assert [list(part.lines) for part in parts] == [[2, 3], [4, 5], [6]]
        assert set(parts[0].units) == {"kWh"}
        assert parts[2].take([0]).row(0) == expanded(text, columns=False)[4]
