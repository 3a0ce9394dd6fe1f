import gzip
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from meters.formats.records import Unreadable
from meters.formats.series_file import PERIOD_END, PERIOD_START, read_series_file

SINGAPORE = ZoneInfo("Asia/Singapore")
BERLIN = ZoneInfo("Europe/Berlin")
# 2025-01-01 00:00 in Singapore.
NEW_YEAR = 1735660800


@pytest.fixture
def table(tmp_path):
    def write(*lines, packed=False):
        path = tmp_path / "series.csv"
        text = "\n".join(lines).encode()
        path.write_bytes(gzip.compress(text) if packed else text)
        return path

    return write


def read(path, *, time="at", values=("kwh",), zone=SINGAPORE, labels=PERIOD_START, **more):
    return read_series_file(path, time=time, values=values, zone=zone, labels=labels, **more)


class TestReadSeriesFile:
    def test_takes_the_time_for_the_end_where_told(self, table):
        path = table("at,kwh", "2025-01-01 00:30,1.5")

        [found] = read(path, labels=PERIOD_END)

        assert found.starts.tolist() == [NEW_YEAR]
        assert found.stamps == ["2025-01-01 00:30"]
        assert found.columns["kwh"].tolist() == [1.5]

    def test_puts_rows_into_order_and_keeps_the_first_of_two(self, table):
        path = table("at;kwh", "2025-01-01 00:30;2,5", "2025-01-01 00:00;1", "2025-01-01 00:30;9", packed=True)

        [found] = read(path)

        assert found.starts.tolist() == [NEW_YEAR, NEW_YEAR + 1800]
        assert found.columns["kwh"].tolist() == [1.0, 2.5]
        assert found.repeated == 1

    def test_joins_a_date_and_a_time_of_day(self, table):
        path = table("date,clock,kwh", "2025-01-01,00:00,1")

        assert read(path, time="date+clock")[0].starts.tolist() == [NEW_YEAR]

    @pytest.mark.parametrize(
        "stamp",
        ["2024-12-31T16:00:00Z", "2025-01-01T00:00:00+08:00", "01/01/2025 00:00", "1735660800", "1735660800000"],
    )
    def test_understands_a_time_however_written(self, table, stamp):
        assert read(table("at,kwh", f"{stamp},1"))[0].starts.tolist() == [NEW_YEAR]

    def test_parts_series_by_their_names(self, table):
        path = table("meter,at,kwh", "b,2025-01-01 00:00,1", "a,2025-01-01 00:00,2", "b,2025-01-01 00:30,3")

        found = read(path, name_column="meter")

        assert {each.name: each.columns["kwh"].tolist() for each in found} == {"b": [1.0, 3.0], "a": [2.0]}

    def test_takes_a_time_that_comes_again_in_autumn_for_the_second(self, table):
        path = table("at,kwh", "2025-10-26 02:00,1", "2025-10-26 02:30,2", "2025-10-26 02:00,3", "2025-10-26 02:30,4")

        [found] = read(path, zone=BERLIN)

        assert np.diff(found.starts).tolist() == [1800] * 3
        assert found.columns["kwh"].tolist() == [1.0, 2.0, 3.0, 4.0]

    def test_leaves_values_that_are_no_numbers_unknown(self, table):
        path = table("at,kwh", "2025-01-01 00:00,", "2025-01-01 00:30,n/a", "2025-01-01 01:00,0", "2025-01-01 01:30")

        assert np.isnan(read(path)[0].columns["kwh"]).tolist() == [True, True, False, True]

    def test_counts_rows_whose_time_is_no_half_hour_s(self, table):
        [found] = read(table("at,kwh", "2025-01-01 00:10,1", "yesterday,1", "2025-01-01 00:30,2"))

        assert found.bad == 2
        assert len(found.starts) == 1

    def test_takes_half_hours_of_a_zone_that_lies_a_quarter_off(self, table):
        [found] = read(table("at,kwh", "2025-01-01 00:30,1"), zone=ZoneInfo("Asia/Kathmandu"))

        assert found.bad == 0

    def test_names_the_columns_there_are_where_one_is_not(self, table):
        with pytest.raises(Unreadable, match="no column 'kwh': it has 'at', 'mw'"):
            read(table("at,mw", "2025-01-01 00:00,1"))

    def test_refuses_a_file_without_a_half_hour(self, table):
        with pytest.raises(Unreadable, match="No row"):
            read(table("at,kwh", "2025-01-01 00:10,1"))
