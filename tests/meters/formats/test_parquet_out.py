from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meters.formats.parquet_out import COLUMNS, write_parquet
from meters.formats.records import FileReading
from tests.meters.formats.samples import EPOCH, readings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("parquet")


def read_back(folder, written):
    path = folder / "file.parquet"
    path.write_bytes(b"".join(write_parquet(written)))
    # Instants as microseconds: turning them into Python's own needs a package more.
    columns = "serial, register, epoch_us(time), value, unit, quality, epoch_us(start)"
    rows = duckdb.read_parquet(str(path)).project(columns).fetchall()
    return [
        FileReading(0, serial, register, _instant(time), value, start and _instant(start), unit, quality)
        for serial, register, time, value, unit, quality, start in rows
    ]


def _instant(microseconds):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


class TestWriteParquet:
    @settings(max_examples=20)
    @given(st.lists(readings(), max_size=5))
    def test_keeps_value_time_and_quality(self, folder, written):
        assert read_back(folder, written) == written

    def test_names_its_columns_and_their_types(self, folder):
        read_back(folder, [])

        rows = duckdb.read_parquet(str(folder / "file.parquet"))
        assert rows.columns == list(COLUMNS)
        assert dict(zip(rows.columns, map(str, rows.types), strict=True)) == {
            "serial": "VARCHAR",
            "register": "VARCHAR",
            "time": "TIMESTAMP WITH TIME ZONE",
            "value": "DECIMAL(18,6)",
            "unit": "VARCHAR",
            "quality": "UTINYINT",
            "start": "TIMESTAMP WITH TIME ZONE",
        }

    def test_takes_no_serial_for_a_number_or_a_command(self, folder):
        serials = ["00012", "=1+1", 'a"b,c', "#x", "NULL"]
        written = [FileReading(0, serial, "1.8.0", EPOCH, Decimal(1)) for serial in serials]

        assert [each.serial for each in read_back(folder, written)] == serials
